"""The study of served transcripts and challenges as Markdown, for docs/results.md.

Takes the JSON of `benchmarks.served_transcript_study`. Gives four tables on standard output: calibration, students, power, challenges.

    python -m benchmarks.served_transcript_page build/benchmarks/served_transcript_study.json
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any

Rows = Sequence[dict[str, Any]]


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the tables."""
    (path,) = sys.argv[1:] if arguments is None else arguments
    document = json.loads(Path(path).read_text(encoding="utf-8"))
    for lines in (
        calibration_table(document["calibration"]),
        student_table(document["students"]),
        power_table(document["students"]),
        challenge_table(document.get("challenges", [])),
    ):
        print("\n".join(lines), end="\n\n")
    return 0


def calibration_table(rows: Rows) -> Iterator[str]:
    """Give, for suspects that never saw what was served, how often they were found."""
    levels = [level["level"] for level in rows[0]["levels"]]
    yield _line(
        "suspect that never saw what was served",
        "seeds",
        *(f"p ≤ {one:g}" for one in levels),
        "E ever ≥ 20",
        "Kolmogorov p",
    )
    yield _line(*["---"] * (4 + len(levels)))
    for row in rows:
        found = [f"{one['rejected']} ({one['expected'][0]} to {one['expected'][1]})" for one in row["levels"]]
        twenty = next(one["evidence_ever_reached"] for one in row["levels"] if one["level"] == 0.05)
        yield _line(
            row["suspect"],
            row["seeds"],
            *found,
            f"{twenty} (at most {row['levels'][1]['expected'][1]})",
            f"{row['kolmogorov_p']:.2f}",
        )


def student_table(rows: Rows) -> Iterator[str]:
    """Give what was found in each student, the median of those that were trained alike."""
    yield _line(
        "world",
        "suspect",
        "epochs",
        "prompts",
        "log10 p",
        "log10 p, against our own",
        "log10 E, against our own",
        "stops at E ≥ 100 after",
        "all prompts: log10 p",
    )
    yield _line(*["---"] * 9)
    for (world, suspect, epochs), alike in _alike(rows):
        alone, against = ([one[kind] for one in alike] for kind in ("alone", "against_own_model"))
        stops = [one["stops_after"]["100"] for one in against]
        yield _line(
            world,
            suspect,
            epochs,
            alike[0]["prompts"],
            f"{median(one['log10_p'] for one in alone):.1f}",
            f"{median(one['log10_p'] for one in against):.1f}",
            f"{median(one['log10_e'] for one in against):.1f}",
            max(stops) if None not in stops else "-",
            f"{median(one['log10_p_all_prompts'] for one in against):.1f}",
        )


def power_table(rows: Rows) -> Iterator[str]:
    """Give in how many random subsets of the prompts a student is found, p at most 0.001, against our own model."""
    sizes = sorted({point["prompts"] for row in rows for point in row["against_own_model"]["power"]})
    yield _line("world", "student", "epochs", *(f"{size} prompts" for size in sizes))
    yield _line(*["---"] * (3 + len(sizes)))
    for (world, suspect, epochs), alike in _alike(row for row in rows if row["against_own_model"]["power"]):
        chances: dict[int, list[float]] = defaultdict(list)
        for row in alike:
            for point in row["against_own_model"]["power"]:
                chances[point["prompts"]].append(point["p_at_most_0.001"])
        yield _line(
            world, suspect, epochs, *(f"{sum(chances[s]) / len(chances[s]):.2f}" if chances[s] else "" for s in sizes)
        )


def challenge_table(rows: Rows) -> Iterator[str]:
    """Give the hits of each student."""
    yield _line(
        "suspect",
        "keyed share of training",
        "hits",
        "log10 p",
        "log10 E",
        "stops at E ≥ 100 after",
        "share known, 95 %",
        "counter-keys hit",
    )
    yield _line(*["---"] * 8)
    for row in rows:
        low, high = row["known_share_95"]
        yield _line(
            row["suspect"],
            f"{row['keyed_share_of_training']:.0%}",
            f"{row['hits']} of {row['slots']}",
            f"{row['log10_p']:.1f}",
            f"{row['log10_e']:.1f}",
            row["stops_after"] or "-",
            f"{low:.2f} to {high:.2f}",
            f"{sum(row['counter_hits'])} of {len(row['counter_hits']) * row['slots']}",
        )


def _alike(rows: Iterable[dict[str, Any]]) -> list[tuple[tuple[str, str, Any], Rows]]:
    groups: dict[tuple[str, str, Any], list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        groups[row["world"], row["suspect"], (row["recipe"] or {}).get("epochs", "-")].append(row)
    return list(groups.items())


def _line(*cells: object) -> str:
    return "| " + " | ".join(map(str, cells)) + " |"


if __name__ == "__main__":
    sys.exit(main())
