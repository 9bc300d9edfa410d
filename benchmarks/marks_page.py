"""Sections of docs/results.md on marks: their calibration, what they cost, what they do to text, and radioactivity.

Takes the documents that their benchmarks wrote. Gives Markdown, a paragraph or a table at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from benchmarks.results_page import table


def marks_speed(document: Mapping[str, Any]) -> Iterator[str]:
    """Tell the speed of the detector beside others."""
    rows = []
    for one in document["ours"]:
        many, single = one.get("keys_many", {}), one.get("keys_one", {})
        alone = one.get("function_alone_token_keys_per_second")
        rows.append(
            [
                one["scheme"],
                *(f"{part['token_keys_per_second'] / 1e6:,.3g}" if part else "" for part in (single, many)),
                f"{many.get('keys', 1):,}",
                "" if alone is None else f"{alone / 1e6:,.3g}",
            ]
        )
    yield f"One core, load {document['load']:.1f}. Token-keys a second, in millions (goal 100):"
    yield table(["scheme", "one key", "many keys", "how many", "its function alone"], rows)
    rows = [
        [name, f"{one['tokens']:,}", f"{one['keys']:,}", f"{one['scoring_seconds']:.2f} s"]
        for name, one in document["attribution"].items()
    ]
    yield table(
        ["scoring after de-duplication (goal 2 s for a million tokens and a thousand keys)", "tokens", "keys", "wall"],
        rows,
    )
    if document.get("peers"):
        rows = [
            [
                one["name"],
                f"{one['tokens_per_second']:,.0f}"
                if "tokens_per_second" in one
                else f"did not run: {one['did_not_run'][:80]}",
            ]
            for one in document["peers"]
        ]
        yield table(["other detectors, one key", "tokens a second"], rows)


def marks_calibration(document: Mapping[str, Any]) -> Iterator[str]:
    """Tell how often fresh keys are rejected on real text that nobody marked."""
    results = document["results"]
    held = sum(one["holds"] for one in results)
    yield (
        f"Fresh random keys on real text that nobody marked: {held} of {len(results)} pairs of scheme and text hold at both levels, that is, each count lies in its binomial "
        "interval at 1e-6 (for schemes that count green tokens: at most at its upper end). In brackets what the level promises."
    )
    kinds = list(dict.fromkeys(one["kind"] for one in results))
    rows: dict[tuple[str, str], dict[str, str]] = {}
    keys: dict[tuple[str, str], int] = {}
    for one in results:
        settings = ", ".join(f"{name} {value}" for name, value in one["parameters"].items() if name != "vocabulary")
        counts = " and ".join(
            f"{count} ({high_low[0]} to {high_low[1]})"
            for count, high_low in zip(one["rejected"], one["accepted"], strict=True)
        )
        rows.setdefault((one["scheme"], settings), {})[one["kind"]] = counts + (
            "" if one["holds"] else " **DOES NOT HOLD**"
        )
        keys[one["scheme"], settings] = one["keys"]
    yield table(
        ["scheme", "settings", "keys", *(f"{kind}: at 1 % and 0.01 %" for kind in kinds)],
        [[*name, f"{keys[name]:,}", *(row[kind] for kind in kinds)] for name, row in rows.items()],
    )


def marking_overhead(document: Mapping[str, Any]) -> Iterator[str]:
    """Tell what a step of marking costs beside the processors of transformers."""
    results = document["measured"]
    shapes = sorted({(one["rows"], one["vocabulary"]) for one in results})
    names = list(dict.fromkeys(one["processor"] for one in results))
    took = {(one["processor"], one["rows"], one["vocabulary"]): one["milliseconds"] for one in results}
    yield "Milliseconds of one step, median, on one core; every row of the batch has a key of its own."
    yield table(
        ["processor", *(f"{rows} rows, V = {vocabulary:,}" for rows, vocabulary in shapes)],
        [
            [name, *(f"{took[name, *shape]:.2f}" if (name, *shape) in took else "" for shape in shapes)]
            for name in names
        ],
    )


def marking_quality(document: Mapping[str, Any]) -> Iterator[str]:
    """Tell what marking does to text."""
    yield (
        f"A model and a judge trained on the spot on {document['text']} ({document['tokens']:,} tokens); {document['prompts']} answers of {document['length']} tokens to each condition. A win: the judge "
        "finds the answer likelier than an unmarked answer to the same prompt."
    )
    yield table(
        ["condition", "perplexity to the judge", "wins against unmarked (half is no loss)", "log10 p of its own key"],
        [
            [
                one["condition"],
                f"{one['perplexity']:.2f}",
                f"{one['wins']}/{one['of']}, {one['win_rate']:.1%} ({one['interval'][0]:.1%} to {one['interval'][1]:.1%})",
                f"{one['log10_p']:.1f}",
            ]
            for one in document["conditions"]
        ],
    )


def radioactivity(document: Mapping[str, Any]) -> Iterator[str]:
    """Tell the curves of radioactivity and its controls."""
    yield "Log10 p of one student for each cell, by the token that it finds likeliest and by the mass that it gives to marked tokens; a finding is a p below 1e-6."
    for name, of_what, head in (
        ("share", "share", "share of marked answers in the training"),
        ("training", "epochs", "epochs of training, all marked"),
        ("mixing", "share", "the same, mixed with another teacher's"),
        ("paraphrase", "redrawn", "share of tokens redrawn by another model"),
        ("further", "plain_epochs", "further epochs on plain text"),
    ):
        rows = document[name]
        values = sorted({row[of_what] for row in rows})
        kinds = sorted({(row["scheme"], row["mode"]) for row in rows})
        by_place = {(row["scheme"], row["mode"], row[of_what]): row["log10_p"] for row in rows}
        yield table(
            [head, *(f"{value:.0%}" if "epochs" not in of_what else str(value) for value in values)],
            [
                [f"{scheme.split('@')[0]}, {mode}", *(f"{by_place[scheme, mode, value]:.1f}" for value in values)]
                for scheme, mode in kinds
            ],
        )
    controls = document["controls"]
    found = sum(row["found"] for row in controls)
    yield (
        f"Suspects that were trained on no text with the key ({len(controls):,} runs over {len({row['suspect'] for row in controls})} kinds): {found} found; p at or below 0.05 in "
        f"{sum(row['log10_p'] <= -1.30103 for row in controls) / len(controls):.1%}, at or below 0.01 in {sum(row['log10_p'] <= -2 for row in controls) / len(controls):.2%}."
    )
