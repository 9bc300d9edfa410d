"""Scores as tables on the terminal: the detection, and trivial baselines in the same table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from stillwatch.evidence.incident_report.wording import counted
from stillwatch.simulation.baselines import baselines
from stillwatch.simulation.scoring import CONFIDENCE, Rate, Score, ScoredWorld, read_world, score

LEGEND = (
    "Recall: harvesting accounts that were flagged. Of these honest: honest accounts among the flagged. Purity: accounts of a "
    "detected campaign that belong to its main true one. Whole: accounts of a true campaign that one detected campaign holds. "
    f"Intervals are exact binomial ones at {CONFIDENCE:.0%}; accounts of one campaign stand or fall together, so pool several "
    "seeds. Victims and licensed partners count as honest."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredMethod:
    """A method, its threshold and its score over all worlds."""

    name: str
    threshold: str
    score: Score
    confidence: float = CONFIDENCE


def scored_methods(pairs: Sequence[tuple[Path, Path]], *, with_baselines: bool) -> tuple[ScoredMethod, ...]:
    """Score the detection and, if asked, the baselines.

    Args:
        pairs: (folder of a detection, truth file of its world), at least one.
        with_baselines: whether to read the worlds' traffic and run the baselines too.

    Returns:
        First the detection, then the baselines.
    """
    worlds = [read_world(folder / "accounts.parquet", truth) for folder, truth in pairs]
    methods = [ScoredMethod(name="stillwatch", threshold="", score=score(worlds))]
    if with_baselines:
        by_name: dict[str, list[tuple[str, ScoredWorld]]] = {}
        for world, (_, truth) in zip(worlds, pairs, strict=True):
            harvesting = frozenset(account for account, what in world.truth.items() if what.harvests)
            for baseline in baselines(truth.parent, harvesting):
                flags = {account: group for account, group in baseline.flags.items() if account in world.truth}
                flagged = ScoredWorld(truth=world.truth, flags=flags, unseen=world.unseen)
                by_name.setdefault(baseline.name, []).append((baseline.threshold, flagged))
        methods += [
            ScoredMethod(
                name=name,
                threshold="; ".join(dict.fromkeys(threshold for threshold, _ in found)),
                score=score([world for _, world in found]),
            )
            for name, found in by_name.items()
        ]
    return tuple(methods)


def tell_score(methods: Sequence[ScoredMethod], console: Console) -> None:
    """Print the tables.

    Args:
        methods: first the detection.
        console: where to.
    """
    own = methods[0].score
    console.print(_overall(methods))
    console.print(_families(own))
    console.print(_look_alikes(own))
    for method in methods[1:]:
        console.print(f"{method.name}: {method.threshold}", soft_wrap=True)
    if own.worlds > 1:
        console.print(
            f"Largest share of false discoveries in one world: {own.worst_false_discoveries:.1%}", soft_wrap=True
        )
    if own.unseen:
        console.print(f"{own.unseen:,} accounts of the truth sent nothing and are not counted.", soft_wrap=True)
    console.print(LEGEND, soft_wrap=True)


def _overall(methods: Sequence[ScoredMethod]) -> Table:
    """Give the table of methods."""
    own = methods[0].score
    table = _table(
        f"Over all: {counted(own.accounts, 'account', 'accounts')} in {counted(own.worlds, 'world', 'worlds')}"
    )
    for name in ("method", "flagged", "recall", "of these honest", "of honest flagged", "purity", "whole"):
        table.add_column(name, justify="left" if name == "method" else "right", no_wrap=name == "method")
    for method in methods:
        result = method.score
        table.add_row(
            Text(method.name.replace(", ", "\n")),
            f"{result.flagged:,}",
            _rate(result.recall),
            _rate(result.false_discoveries),
            _rate(result.false_positives),
            _share(result.purity),
            _share(result.completeness),
        )
    return table


def _families(result: Score) -> Table:
    """Give the table of campaign families."""
    table = _table("By campaign family")
    for name in ("family", "found", "accounts", "recall", "purity", "whole"):
        table.add_column(name, justify="left" if name == "family" else "right", no_wrap=name != "recall")
    for family in result.families:
        table.add_row(
            Text(family.family),
            f"{family.campaigns_found} of {family.campaigns}",
            f"{family.recall.whole:,}",
            _rate(family.recall, between="  "),
            _share(family.purity),
            _share(family.completeness),
        )
    return table


def _look_alikes(result: Score) -> Table:
    """Give the table of honest classes, with a mark where one was flagged."""
    table = _table("By look-alike class (honest accounts)")
    for name in ("class", "accounts", "flagged", "share flagged"):
        table.add_column(name, justify="left" if name == "class" else "right", no_wrap=name != "share flagged")
    for honest in result.look_alikes:
        mark = "! " if honest.flagged.part else ""
        table.add_row(
            Text(honest.name),
            f"{honest.flagged.whole:,}",
            f"{mark}{honest.flagged.part:,}",
            _rate(honest.flagged, between="  "),
        )
    return table


def _table(title: str) -> Table:
    """Open a table in the house style."""
    return Table(
        title=title, title_justify="left", title_style="bold", header_style="bold", expand=False, box=box.SIMPLE_HEAD
    )


def _rate(rate: Rate, between: str = "\n") -> str:
    """Say a share and its interval."""
    if rate.value is None:
        return "none"
    return f"{rate.value:.1%}{between}{100.0 * rate.low:.1f} to {100.0 * rate.high:.1f}%"


def _share(value: float | None) -> str:
    """Say a share, or that there is none."""
    return "none" if value is None else f"{value:.1%}"
