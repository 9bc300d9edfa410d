"""The report as headings, sentences and tables: what page and PDF both show, so that they cannot tell two stories."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stillwatch.governance.posture.page import SIGNS, moment


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One part of the report."""

    title: str
    sentences: tuple[str, ...] = ()
    heads: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    widths: tuple[float, ...] = ()
    """Share of the page's width for each column."""


def title_of(content: Mapping[str, Any]) -> str:
    """Give the title."""
    return f"Audit report, {day(content['from_us'])} to {day(content['to_us'])}"


def sections(content: Mapping[str, Any]) -> tuple[Section, ...]:
    """Give all parts in order."""
    return (
        _posture(content), _changes(content), _drills(content), _decisions(content), _appeals(content), _records(content), _own_use(content), _law(content),
        _work(content), Section(title="What this report does not show", sentences=tuple(content["limits"])),
    )  # fmt: skip


def day(time_us: int | None) -> str:
    """Give a day; a dash for none."""
    return "-" if time_us is None else moment(time_us)[:10]


def _posture(content: Mapping[str, Any]) -> Section:
    posture = content["posture"]
    said = ", ".join(f"{count} {name}" for name, count in posture["counts"].items())
    return Section(
        title="Posture at the end of the period",
        sentences=(f"{len(posture['controls'])} controls: {said}. These are counts; they are not weighed and not added up.",),
        heads=("state", "control", "why", "until"),
        rows=tuple(
            (f"{SIGNS[one['state']]} {one['state']}", f"{one['id']}: {one['title']}", one["why"], day(one["until_us"]) if one["until_us"] else "")
            for one in posture["controls"]
        ),
        widths=(0.14, 0.24, 0.5, 0.12),
    )  # fmt: skip


def _changes(content: Mapping[str, Any]) -> Section:
    rows = tuple((one["control"], one["was"], one["is"], str(one["entry"])) for one in content["posture_changes"])
    return Section(
        title="Posture against the last one sealed before the period",
        sentences=() if rows else ("Nothing changed, or no posture was sealed before the period.",),
        heads=("control", "was", "is", "compared with entry") if rows else (),
        rows=rows,
        widths=(0.4, 0.2, 0.2, 0.2),
    )


def _drills(content: Mapping[str, Any]) -> Section:
    rows = tuple(
        (
            day(one["time_us"]),
            f"{one['drill']}",
            f"{one['state']}",
            f"{one['why']}{_rates(one['figures'])}",
            str(one["entry"]),
        )
        for one in content["drills"]
    )
    return Section(
        title="Drills, with their error rates",
        sentences=() if rows else ("No drill was run in the period.",),
        heads=("day", "drill", "state", "what came of it", "entry") if rows else (),
        rows=rows,
        widths=(0.13, 0.11, 0.16, 0.5, 0.1),
    )  # fmt: skip


def _rates(figures: Mapping[str, Any]) -> str:
    """Say shares with their intervals."""
    said = [
        f"{words} {figures[name]['count']} of {figures[name]['of']} (95% interval {figures[name]['interval'][0]:.1%} to {figures[name]['interval'][1]:.1%})"
        for name, words in (
            ("alarmed", "alarmed"),
            ("acted", "acted on"),
            ("control_alarmed", "false alarms on shuffled controls"),
        )
        if name in figures
    ]
    median = (figures.get("answers_before_alert") or {}).get("median")
    said += [f"answers before the alert: median {median:,.0f}"] if median is not None else []
    if "honest_accounts_flagged" in figures:
        said.append(f"honest accounts flagged: {figures['honest_accounts_flagged']}")
    return "; " + ", ".join(said) if said else ""


def _decisions(content: Mapping[str, Any]) -> Section:
    counted = ", ".join(
        f"{one['action']} {one['decisions']} ({one['accounts']:,} accounts)" for one in content["actions"]
    )
    rows = tuple(
        (
            f"{day(one['time_us'])}, entry {one['entry']}", f"{one['decision']}, by {one['by']}", f"{one['campaign']}, {one['finding']}",
            f"{one['action']} ({one['accounts']:,} accounts)", _certainty(one), ", ".join(one["clauses"]) or "none enforced",
            f"approved by {one['approved_by'] or 'nobody'}" + (f"; appeal: {one['appeal']}" if one["appeal"] else ""),
        )
        for one in content["decisions"]
    )  # fmt: skip
    return Section(
        title="Campaigns and actions",
        sentences=(f"{len(content['runs'])} detection runs were sealed. Decisions by action: {counted or 'none'}.",),
        heads=("day", "decision", "campaign", "action", "how sure", "clauses", "approved by", "appeal", "entry")
        if rows
        else (),
        rows=rows,
        widths=(0.12, 0.16, 0.17, 0.11, 0.19, 0.13, 0.12),
    )


def _certainty(one: Mapping[str, Any]) -> str:
    """Say how sure the detection was: the e-value as it was decided on, and q-value and level of the run where its files were given."""
    said = [] if one["evidence_log10"] is None else [f"e-value at least 10^{one['evidence_log10']}"]
    rate = one["error_rate"]
    if rate is not None:
        said.append(
            f"q-value {rate['q_value']:.2g}, in a run that promises a false-discovery rate of {rate['fdr']:.2g} (entry {rate['entry']})"
        )
    return "; ".join(said) or "no run's files were given"


def _appeals(content: Mapping[str, Any]) -> Section:
    figures = content["appeal_figures"]
    rows = tuple(
        (
            day(one["time_us"]),
            f"{one['decision']}",
            f"{one['outcome']}",
            f"{one['reason']}",
            f"{one['by']}",
            str(one["entry"]),
        )
        for one in content["appeals"]
    )
    return Section(
        title="Appeals and reversals",
        sentences=(
            f"Decided in the period: {figures['decided']}, reversed: {figures['reversed']}.",
            f"Of all {figures['decisions_that_acted_so_far']} decisions that acted on accounts up to its end, reversed: {figures['of_these_reversed_so_far']}.",
        ),
        heads=("day", "decision", "outcome", "reason", "by", "entry") if rows else (),
        rows=rows,
        widths=(0.13, 0.17, 0.12, 0.38, 0.12, 0.08),
    )  # fmt: skip


def _records(content: Mapping[str, Any]) -> Section:
    looks = content["looks"]
    return Section(
        title="Bundles, shares, looks",
        sentences=(
            f"{len(content['bundles'])} bundles were issued, {len(content['shared'])} sets of indicators were shared, {len(content['suspects'])} tests of suspects were concluded.",
            f"Text was looked at {looks['text']} times and refused {looks['text_refused']} times; raw mark keys were handed out {looks['keys']} times and refused {looks['keys_refused']} times.",
        ),
        heads=("kind of entry", "in the period"),
        rows=tuple((name, f"{count:,}") for name, count in content["entries_in_period"].items()),
        widths=(0.7, 0.3),
    )


def _own_use(content: Mapping[str, Any]) -> Section:
    own = content["own_use"]
    if own is None:
        return Section(
            title="Own use of other providers",
            sentences=("No findings of an audit of own use were given to this report.",),
        )
    about = own["about"]
    return Section(
        title="Own use of other providers",
        sentences=(f"By the audit of {about.get('day', 'no day')}, findings file {own['digest']}.",),
        heads=("check", "new", "open", "fixed"),
        rows=tuple((name, str(row["new"]), str(row["open"]), str(row["fixed"])) for name, row in own["counts"].items()),
        widths=(0.55, 0.15, 0.15, 0.15),
    )  # fmt: skip


def _law(content: Mapping[str, Any]) -> Section:
    rows = tuple(
        (
            f"{one['date'] or day(one['time_us'])}",
            f"{one['kind']}",
            f"{one['title'] or one['entry_id']}",
            str(one["work"]),
            str(one["entry"]),
        )
        for one in content["law_changes"]
    )
    return Section(
        title="Changes of law and terms",
        sentences=() if rows else ("None was recorded in the period.",),
        heads=("date", "kind", "what", "work opened", "entry") if rows else (),
        rows=rows,
        widths=(0.13, 0.13, 0.5, 0.14, 0.1),
    )  # fmt: skip


def _work(content: Mapping[str, Any]) -> Section:
    rows: Sequence[tuple[str, ...]] = tuple((one["kind"], one["subject"], one["what"]) for one in content["open_work"])
    return Section(
        title="Open work",
        sentences=(f"{len(rows)} things wait for somebody.",),
        heads=("kind", "subject", "what") if rows else (),
        rows=tuple(rows),
        widths=(0.18, 0.27, 0.55),
    )
