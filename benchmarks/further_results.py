"""The second half of docs/results.md: what was measured beyond detection, from the JSON of the other benchmarks.

Takes the files that the benchmarks wrote into build/benchmarks. Gives the sections between two markers of docs/results.md; a benchmark whose
file is not there is named as not measured. With --run, every benchmark that has no file is run first, one after the other.

    python -m benchmarks.further_results
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import served_transcript_page
from benchmarks.results_page import table

ROOT = Path(__file__).resolve().parents[1]
BEGIN, END = "<!-- further:begin -->", "<!-- further:end -->"
Lines = Iterator[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One section."""

    title: str
    file: str
    command: tuple[str, ...]
    """Arguments after `python -m`; `OUT` stands for the file."""
    tell: Callable[[Mapping[str, Any]], Lines]


def transcripts(document: Mapping[str, Any]) -> Lines:
    """Tell T4 and T3."""
    yield (
        "Log10 p of students that were trained on the spot on what a teacher served; suspects that never saw it stand in the first table. Paraphrase is a share of tokens "
        "rewritten by another model."
    )
    for lines in (
        served_transcript_page.calibration_table(document["calibration"]),
        served_transcript_page.student_table(document["students"]),
        served_transcript_page.power_table(document["students"]),
        served_transcript_page.challenge_table(document.get("challenges", [])),
    ):
        yield "\n".join(lines)


def of(part: Sequence[Any]) -> str:
    """Write a count of a whole."""
    return f"{part[0]:,}/{part[1]:,}, {part[0] / part[1]:.1%}"


def real_models(document: Mapping[str, Any]) -> Lines:
    """Tell T2 and T1 on real answers, beside another tool."""
    rows = []
    for one in document["t2"]:
        for name, row in one["features"].items():
            first = f"{row['parent first']}/{row['of']} ({row['interval'][0]:.0%} to {row['interval'][1]:.0%})"
            called = (
                f"{row['at or below the level']}/{row['of']}"
                if row.get("at or below the level") is not None
                else "not counted"
            )
            rows.append([one["set"], one["pairs"], f"kinship, {name}", first, called])
    for one in document.get("peer", []):
        for prompts in ("20 prompts", "all prompts"):
            for mode, row in one.get(prompts, {}).items():
                rows.append(
                    [
                        one["set"],
                        "derived",
                        f"{one['tool']}, {mode}, {prompts}",
                        of(row["true parent first"]),
                        of(row["derived called derived"]),
                    ]
                )
    yield table(
        ["answers of", "pairs", "test", "true parent first (goal 95 %)", f"called kin (at {document['level']})"], rows
    )
    rows = []
    for one in document["unrelated"]:
        for name, row in one["features"].items():
            low, high = row["interval of the rate"]
            families = f"{row['called kin of one pair of each two families']}/{row['pairs of families']} ({low:.1%} to {high:.1%})"
            rows.append([one["set"], f"kinship, {name}", of([row["called kin"], row["pairs"]]), families])
    for one in document.get("peer", []):
        for mode, row in one.get("20 prompts", {}).items():
            rows.append(
                [one["set"], f"{one['tool']}, {mode}, 20 prompts", of(row["unrelated called derived"]), "not counted"]
            )
    yield table(["answers of", "test", "unrelated pairs called kin", "one pair of each two families"], rows)
    t1 = document["t1"]
    yield (
        f"Answer equality on {t1['models']} models, {t1['prompts']} prompts and {t1['samples of each']} samples of each: splits of one model called different "
        f"{of(t1['splits of one model called different'])}, by bets {of(t1['splits of one model called different by bets'])}; two models told apart "
        f"{of(t1['two models told apart'])}, two of one family {of(t1['two models of one family told apart'])}."
    )


def own_use(document: Mapping[str, Any]) -> Lines:
    """Tell the audit of own use."""
    speed = {name: f"{value / 1e6:.1f} MB/s" for name, value in document["bytes_per_second"].items()}
    other = document.get("detect_secrets")
    if other:
        speed["detect-secrets 1.5.0, structured plugins, secrets only"] = f"{other['bytes_per_second'] / 1e6:.2f} MB/s"
    yield table(["what runs, one core", "speed (goal 20 MB/s)"], list(speed.items()))
    rows = [
        [kind, f"{row['found']}/{row['planted']}, {row['share']:.1%} ({row['low']:.1%} to {row['high']:.1%})"]
        for kind, row in document["recall"].items()
    ]
    yield table(["planted, by Faker and other makers", "found"], rows)
    flagged = document["flagged_clean"]
    yield f"On {document['prompts']:,} real prompts {flagged['per_10000_prompts']:.1f} in 10,000 were flagged, some of them rightly."


def radioactivity(document: Mapping[str, Any]) -> Lines:
    """Tell the curves of radioactivity and its controls."""
    yield "Log10 p of one student for each cell, by the token that it finds likeliest and by the mass that it gives to marked tokens; a finding is a p below 1e-6."
    for name, of_what, head in (
        ("share", "share", "share of marked answers in the training"),
        ("mixing", "share", "the same, mixed with another teacher's"),
        ("paraphrase", "redrawn", "share of tokens redrawn by another model"),
        ("further", "plain_epochs", "further epochs on plain text"),
    ):
        rows = document[name]
        values = sorted({row[of_what] for row in rows})
        kinds = sorted({(row["scheme"], row["mode"]) for row in rows})
        by_place = {(row["scheme"], row["mode"], row[of_what]): row["log10_p"] for row in rows}
        yield table(
            [head, *(f"{value:.0%}" if of_what != "plain_epochs" else str(value) for value in values)],
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


def marks_speed(document: Mapping[str, Any]) -> Lines:
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


def gateway(document: Mapping[str, Any]) -> Lines:
    """Tell what the gateway adds to a request."""
    measured = document["measured"]
    alone = ", ".join(f"{kind} {value:.1f} us" for kind, value in measured["decide_us"].items())
    spent = measured["asgi"]["processor_us"]
    yield (
        f"A decision alone: {alone}. Processor time of a request through the middleware: {spent['with']:.0f} us, {spent['without']:.0f} us without. Bundle of {measured['accounts']:,} accounts, "
        f"{measured['rate']:.0f} requests a second, open loop."
    )
    rows = []
    for name, what, goals in (
        ("ASGI middleware, in process", "asgi", ("0.3", "1")),
        ("reverse proxy over loopback", "proxy", ("none", "none")),
    ):
        for word, goal in zip(("p50", "p99"), goals, strict=True):
            one = measured[what][word]
            rows.append(
                [name, word, f"{one['added']:.2f} ms", f"{one['added_least']:.2f} to {one['added_most']:.2f} ms", goal]
            )
    yield table(["where", "", "added, median of the rounds", "least to most", "goal, ms"], rows)


PARTS = (
    Part(
        title="Suspects: served transcripts (T4) and committed challenges (T3)",
        file="served_transcript_study.json",
        command=("benchmarks.served_transcript_study", "--out", "OUT"),
        tell=transcripts,
    ),
    Part(
        title="Suspects: kinship (T2) and answer equality (T1) on the answers of real models",
        file="real_suspects.json",
        command=("benchmarks.real_suspects", "--out", "OUT"),
        tell=real_models,
    ),
    Part(
        title="Radioactivity of marks",
        file="radioactivity_study.json",
        command=("benchmarks.radioactivity_study", "--out", "OUT"),
        tell=radioactivity,
    ),
    Part(
        title="Speed of the detector of marks",
        file="marks_speed.json",
        command=("benchmarks.marks_speed", "--out", "OUT"),
        tell=marks_speed,
    ),
    Part(
        title="Latency of the gateway",
        file="gateway_latency.json",
        command=("benchmarks.gateway_latency", "--out", "OUT"),
        tell=gateway,
    ),
    Part(title="Audit of own use", file="own_use.json", command=("benchmarks.own_use", "--out", "OUT"), tell=own_use),
)


def sections(folder: Path) -> Lines:
    """Give every section."""
    for part in PARTS:
        yield f"## {part.title}"
        path = folder / part.file
        command = " ".join(("python -m", *part.command)).replace("OUT", f"build/benchmarks/{part.file}")
        if not path.is_file():
            yield f"Not measured on this version; `{command}` does it."
            continue
        document = json.loads(path.read_text(encoding="utf-8"))
        made = [
            f"`{command}`",
            *(f"{name} {document[name]}" for name in ("version", "seed", "date") if name in document),
        ]
        yield ", ".join(made) + "."
        yield from part.tell(document)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the sections."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--run", action="store_true", help="run what has no file yet")
    parser.add_argument("--benchmarks", type=Path, default=ROOT / "build" / "benchmarks")
    parser.add_argument("--page", type=Path, default=ROOT / "docs" / "results.md")
    asked = parser.parse_args(arguments)
    for part in PARTS if asked.run else ():
        path = asked.benchmarks / part.file
        if not path.is_file():
            sys.stderr.write(f"==> {part.title}\n")
            words = [str(path) if word == "OUT" else word for word in part.command]
            subprocess.run([sys.executable, "-m", *words], check=False, cwd=ROOT)
    text = asked.page.read_text(encoding="utf-8")
    before = text.split(BEGIN)[0].rstrip("\n")
    after = text.split(END)[1] if END in text else "\n"
    asked.page.write_text(
        f"{before}\n\n{BEGIN}\n" + "\n\n".join(sections(asked.benchmarks)) + f"\n{END}{after}", encoding="utf-8"
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
