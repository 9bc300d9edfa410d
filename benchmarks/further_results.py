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

from benchmarks import gateway_page, marks_page, served_transcript_page
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
        title="Calibration of the detector of marks",
        file="marks_calibration.json",
        command=("benchmarks.marks_calibration", "--out", "OUT"),
        tell=marks_page.marks_calibration,
    ),
    Part(
        title="Speed of the detector of marks",
        file="marks_speed.json",
        command=("benchmarks.marks_speed", "--wheels", "build/peers/wheels", "--out", "OUT"),
        tell=marks_page.marks_speed,
    ),
    Part(
        title="Marking: cost of a step",
        file="marking_overhead.json",
        command=("benchmarks.marking_overhead", "--out", "OUT"),
        tell=marks_page.marking_overhead,
    ),
    Part(
        title="Marking: what it does to text",
        file="marking_quality.json",
        command=("benchmarks.marking_quality", "--text", "../shared/data/text/tinystories_1000.jsonl", "--out", "OUT"),
        tell=marks_page.marking_quality,
    ),
    Part(
        title="Radioactivity of marks",
        file="radioactivity_study.json",
        command=("benchmarks.radioactivity_study", "--out", "OUT"),
        tell=marks_page.radioactivity,
    ),
    Part(
        title="Latency of the gateway",
        file="gateway_latency.json",
        command=("benchmarks.gateway_latency", "--out", "OUT"),
        tell=gateway_page.gateway,
    ),
    Part(
        title="Throughput of the LiteLLM proxy",
        file="litellm_throughput.json",
        command=("benchmarks.litellm_throughput", "--pairs", "20", "--out", "OUT"),
        tell=gateway_page.litellm,
    ),
    Part(
        title="Drills: what a campaign gets",
        file="drill_answers.json",
        command=("benchmarks.drill_answers", "--seeds", "20", "--out", "OUT"),
        tell=gateway_page.drills,
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
