"""The results page: figures in, Markdown out.

Takes what `results` measured. Gives the text of docs/results.md. Pooled tables come first, each figure in one place; a
family or class that misses its goal is marked MISSED in words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks.invocation import Machine
from benchmarks.real_world.single_prompt_classifier import ClassifierFigures

GOAL_RECALL = 0.90
GOAL_FALSE_DISCOVERIES = 0.01
"""For the upper end of the interval."""
GOAL_LOOK_ALIKE = 0.005


@dataclass(frozen=True, slots=True, kw_only=True)
class Ablation:
    """The detector with columns left out."""

    name: str
    score: Mapping[str, Any]
    tests_not_run: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignOutcome:
    """One composed campaign."""

    seed: int
    choices: Mapping[str, Any]
    members: int
    flagged: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolSize:
    """Campaigns with a number of accounts in a range, and how many of them were found."""

    smallest: int
    largest: int
    campaigns: int
    found: int
    """Half of the accounts flagged, or more."""
    accounts: int
    flagged: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """Worlds of one kind, pooled over seeds."""

    title: str
    score: Mapping[str, Any]
    """`score` of `stillwatch evaluate --json`."""
    baselines: Sequence[Mapping[str, Any]]
    honest_share: float
    exchanges: int
    quarantined: int
    seconds: float
    commands: tuple[str, ...]
    sizes: tuple[PoolSize, ...]
    ablations: tuple[Ablation, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """All that the page says."""

    made_at: datetime
    version: str
    seeds: tuple[int, ...]
    machine: Machine
    command: str
    sections: tuple[Section, ...]
    campaigns: tuple[CampaignOutcome, ...]
    classifier: ClassifierFigures | None
    coordination: Mapping[str, Any] | None
    benchmarks: tuple[tuple[str, Mapping[str, Any]], ...]


def write_page(page: Page, hide: Path) -> str:
    """Return the page.

    Args:
        page: the figures.
        hide: working folder; written as WORK in commands.

    Returns:
        Markdown.
    """
    parts = [_head(page), _at_a_glance(page.sections)]
    for section in page.sections:
        parts += [f"## {section.title}", _methods(section), _families(section), _sizes(section), _look_alikes(section)]
        if section.ablations:
            parts.append(_ablations(section))
    parts += [_campaigns(page.campaigns), _classifier(page.classifier), _coordination(page.coordination)]
    parts += [_benchmark(name, document) for name, document in page.benchmarks]
    parts.append(_commands(page))
    return "\n\n".join(part for part in parts if part).replace(str(hide), "WORK") + "\n"


def share(rate: Mapping[str, Any]) -> str:
    """Return a rate as `12/13, 92.3 % (64.0 to 99.8)`."""
    if not rate["whole"]:
        return "none"
    return (
        f"{rate['part']}/{rate['whole']}, {100 * rate['value']:.1f} % "
        f"({100 * rate['low']:.1f} to {100 * rate['high']:.1f})"
    )


def verdict(met: bool) -> str:
    """Return the word for a goal that is met or not."""
    return "met" if met else "**MISSED**"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(cell.replace("|", "/") for cell in row) + " |" for row in rows])


def _head(page: Page) -> str:
    here = page.machine
    return (
        "# Results\n\n"
        f"Made on {page.made_at:%Y-%m-%d} by `{page.command}` with stillwatch {page.version}, seeds "
        f"{', '.join(map(str, page.seeds))}, on {here.cores} cores of {here.processor}, "
        f"{here.memory_bytes / 1e9:.1f} GB of memory, {here.system}, Python {here.python}.\n\n"
        "Intervals are 95 % Clopper-Pearson over accounts, pooled over seeds; accounts of one campaign stand or fall "
        "together, so the worst single world stands beside them. Victims of stolen keys and licensed partners count as "
        "honest. Worlds of real data use data sets, template families and phrases that no development world has "
        "(`benchmarks/real_world/sources.py`)."
    )


def _at_a_glance(sections: Sequence[Section]) -> str:
    rows = []
    for section in sections:
        score = section.score
        worst = max(score["look_alikes"], key=lambda item: item["flagged"]["value"] or 0.0)
        over = [item["name"] for item in score["look_alikes"] if (item["flagged"]["value"] or 0.0) > GOAL_LOOK_ALIKE]
        rows.append(
            [
                section.title,
                (
                    f"worlds: {score['worlds']}, {score['accounts']:,} accounts ({100 * section.honest_share:.2f} % honest), "
                    f"{section.exchanges:,} exchanges, {section.quarantined:,} quarantined"
                ),
                f"{share(score['recall'])}: {verdict((score['recall']['value'] or 0.0) >= GOAL_RECALL)}",
                (
                    f"{share(score['false_discoveries'])}, worst world {100 * score['worst_false_discoveries']:.1f} %: "
                    f"{_false_discovery_verdict(score)}"
                ),
                f"{worst['name']} {share(worst['flagged'])}: {verdict(not over)}",
            ]
        )
    head = [
        "",
        "worlds",
        f"recall, accounts (goal {100 * GOAL_RECALL:.0f} %)",
        f"false discoveries among flagged accounts (goal {100 * GOAL_FALSE_DISCOVERIES:.0f} %, upper end)",
        f"worst look-alike class (goal {100 * GOAL_LOOK_ALIKE:.1f} %)",
    ]
    return "## At a glance\n\n" + table(head, rows)


def _false_discovery_verdict(score: Mapping[str, Any]) -> str:
    rate = score["false_discoveries"]
    if not rate["whole"]:
        return "nothing was flagged"
    if rate["high"] <= GOAL_FALSE_DISCOVERIES:
        return "met"
    if (rate["value"] or 0.0) <= GOAL_FALSE_DISCOVERIES:
        return "point estimate met, upper end **MISSED**"
    return "**MISSED**"


def _methods(section: Section) -> str:
    methods = [("stillwatch", "FDR 0.01 over campaigns", section.score)]
    methods += [(item["name"], item["threshold"], item["score"]) for item in section.baselines]
    rows = [
        [
            name,
            str(threshold),
            share(score["recall"]),
            share(score["false_discoveries"]),
            share(score["false_positives"]),
        ]
        for name, threshold, score in methods
    ]
    head = ["method", "threshold", "recall", "false discoveries among flagged", "honest accounts flagged"]
    return "### Beside trivial methods\n\n" + table(head, rows)


def _families(section: Section) -> str:
    rows = []
    for family in section.score["families"]:
        missed = (family["recall"]["value"] or 0.0) < GOAL_RECALL
        rows.append(
            [
                family["family"],
                f"{family['campaigns_found']}/{family['campaigns']}",
                share(family["recall"]),
                _decimal(family["purity"]),
                _decimal(family["completeness"]),
                verdict(not missed),
            ]
        )
    head = ["campaign family", "campaigns found", "accounts flagged", "purity", "completeness", ""]
    return "### By campaign family\n\n" + table(head, rows)


def _sizes(section: Section) -> str:
    rows = []
    for row in section.sizes:
        if row.campaigns:
            sizes = "1" if row.largest == 1 else f"{row.smallest} to {row.largest}"
            name = sizes if row.largest < 100_000 else f"{row.smallest} and more"
            share_of = 100 * row.flagged / row.accounts
            rows.append([name, f"{row.found}/{row.campaigns}", f"{row.flagged}/{row.accounts}, {share_of:.1f} %"])
    return "### By size of the pool\n\n" + table(
        ["accounts of the campaign", "campaigns found", "accounts flagged"], rows
    )


def _look_alikes(section: Section) -> str:
    rows = [
        [item["name"], share(item["flagged"]), verdict((item["flagged"]["value"] or 0.0) <= GOAL_LOOK_ALIKE)]
        for item in section.score["look_alikes"]
    ]
    return "### By honest class\n\n" + table(["class", "flagged", ""], rows)


def _ablations(section: Section) -> str:
    rows = [
        [
            row.name,
            share(row.score["recall"]),
            share(row.score["false_discoveries"]),
            share(row.score["false_positives"]),
            ", ".join(row.tests_not_run) or "none",
        ]
        for row in section.ablations
    ]
    head = ["columns", "recall", "false discoveries among flagged", "honest accounts flagged", "tests not run"]
    worlds = section.ablations[0].score["worlds"]
    return (
        f"### With columns left out (worlds: {worlds})\n\nThe licence of a partner stays known: it is in the contract.\n\n"
        + (table(head, rows))
    )


def _campaigns(campaigns: Sequence[CampaignOutcome]) -> str:
    if not campaigns:
        return ""
    rows = []
    for outcome in sorted(campaigns, key=lambda item: (item.choices["family"], item.seed)):
        drawn = outcome.choices
        rows.append(
            [
                str(outcome.seed),
                str(drawn["family"]),
                f"{drawn['pool']}; {drawn['template']}",
                str(drawn["infrastructure"]),
                (
                    f"{drawn['per_day']} a day, {drawn['days']} days, {drawn['dispatch']}, "
                    f"{'round the clock' if drawn['round_the_clock'] else 'staff hours'}"
                ),
                f"{100 * drawn['harvest_share']:.0f} %",
                f"{outcome.flagged}/{outcome.members}"
                + ("" if 2 * outcome.flagged >= outcome.members else " **MISSED**"),
            ]
        )
    head = ["seed", "family", "pool; template", "shared", "pace", "harvest", "flagged"]
    return "### Every campaign in the worlds of real data\n\n" + table(head, rows)


def _classifier(figures: ClassifierFigures | None) -> str:
    if figures is None:
        return "## Single prompts\n\nNot measured: the third-party data is not there."
    unseen = figures.unseen_families
    return (
        "## Single prompts\n\n"
        f"A logistic regression on hashed n-grams of one prompt ({figures.prompts:,} prompts, {figures.families} prompt "
        f"families): area under the curve **{figures.random_split:.3f}** on a random split, "
        f"**{figures.unseen_mean:.3f}** ({min(unseen):.3f} to {max(unseen):.3f} over {len(unseen)} draws) on prompt "
        "families that it was not trained on. Evidence across exchanges and accounts has to carry the finding."
    )


def _coordination(figures: Mapping[str, Any] | None) -> str:
    if figures is None:
        return "## Coordination data\n\nNot measured: the third-party data is not there."
    rows = [
        [name.replace("_", " "), f"{item['precision']:.2f}", f"{item['recall']:.2f}", f"{item['flagged']:,}"]
        for name, item in figures.items()
        if isinstance(item, Mapping) and "precision" in item
    ]
    return (
        "## Coordination data of other trades\n\nHop bridge accounts and the operator's sybil verdicts (43,052 accounts, "
        "14,195 eliminated); the verdicts come mostly from transfer clusters, so graph methods look good on them. Of "
        "stillwatch only the linking can be shown here: the accounts of the candidate groups that it would test first.\n\n"
        + table(["method", "precision", "recall", "flagged"], rows)
    )


def _benchmark(name: str, document: Mapping[str, Any]) -> str:
    title = f"## Benchmark: {document.get('benchmark', name.removesuffix('.json').replace('_', ' '))}"
    lines = [title]
    figures = document.get("figures")
    if isinstance(figures, Sequence) and figures and all(isinstance(row, Mapping) for row in figures):
        flat = [{key: value for key, value in row.items() if not isinstance(value, (Mapping, list))} for row in figures]
        head = list(flat[0])
        lines.append(table(head, [[_number(row.get(key)) for key in head] for row in flat]))
    goals = document.get("goals")
    if isinstance(goals, Sequence) and not isinstance(goals, str):
        lines.append("\n".join(f"- {goal}" for goal in goals))
    elif isinstance(goals, Mapping):
        lines.append("\n".join(f"- {goal}: {_number(value)}" for goal, value in goals.items()))
    return "\n\n".join(lines)


def _commands(page: Page) -> str:
    lines = [command for section in page.sections for command in section.commands]
    return "## Commands\n\nOf the first seed; the others differ in the seed only.\n\n```\n" + "\n".join(
        [page.command, *lines]
    ) + "\n```"  # fmt: skip


def _decimal(value: float | None) -> str:
    return "none" if value is None else f"{value:.2f}"


def _number(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:,.2f}"
