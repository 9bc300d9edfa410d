"""The way of one exchange, step by step: from a log line to the row of its account, as the numbered files of this folder.

python tests/journey/following.py            say what changed
python tests/journey/following.py --write    write the numbered files and docs/one-exchange.md again
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import small_world

from stillwatch.detection.profiles.queries import EXCHANGES, PROFILES
from stillwatch.engines.protocol import open_engine
from stillwatch.intake.plan import plan
from stillwatch.intake.read import read_split
from stillwatch.intake.settings import IntakeSettings
from stillwatch.intake.sources import expand_paths
from stillwatch.pipeline import DetectSettings, detect
from stillwatch.records.progress import Silent
from stillwatch.sketches.batch import sketch_batch

JOURNEY = Path(__file__).resolve().parent
PAGE = JOURNEY.parents[1] / "docs" / "one-exchange.md"
NOW_US = 1_764_547_200_000_000 + 365 * 86_400_000_000
"""1 December 2026: after everything."""
DIGITS = 6
"""Significant digits of a number on the page."""
MOST_LISTED = 3
"""Of a campaign's members, exhibits, links and days; its explanations are all shown."""

TITLES = {
    "00_log_line": "The log line",
    "10_exchange": "Exchange",
    "20_sketch": "ExchangeSketch",
    "30_profile": "The account's profile",
    "40_claims": "Claims",
    "50_campaign": "Campaign",
    "60_account_row": "The account's row",
}
WORDS = {
    "00_log_line": "One line of the provider's own log, in the generic flat format. Everything else on this page is made from lines like it.",
    "10_exchange": (
        "Intake reads the line to one flat row. Times are microseconds UTC; what the log does not have is null and left out here. The last"
        " three values say where the line lies, so that every later statement can be traced to bytes."
    ),
    "20_sketch": (
        "The kernels turn the row into hashes, bits and counts. No text can be read back from it, and nothing after this step has text. Such"
        " rows are what `stillwatch sketch` and the guard keep in place of a log ([sketches.md](sketches.md)). The"
        " hash is stillwatch's own, the same inline and in batch on every engine. `shape` is the prompt with numbers masked, `spans` are"
        " fingerprints of eight words each, `intent` holds the signs that a single prompt shows."
    ),
    "30_profile": "Over all exchanges of the account, one row of integers, counted in SQL. Hour, gap and length histograms stand beside it.",
    "40_claims": (
        "The account's text, card and network put it into candidate groups. Each test of such a group is a claim against its own null"
        " hypothesis, or says why there is none. `log_e` is the natural logarithm of an e-value: under the null it is at most 1 on average, so"
        " large values speak against the null."
    ),
    "50_campaign": (
        "Every innocent explanation is a null hypothesis of its own, with the tests that can speak against it. The campaign's evidence is that"
        " against the explanation nearest to standing. Candidates are selected by e-BH at the promised rate; `q_value` is the smallest rate"
        " at which this one is selected. Long lists are cut here and say how much is left out."
    ),
    "60_account_row": "The row of `accounts.parquet`. This is what other systems read.",
}


def follow(folder: Path) -> dict[str, Any]:
    """Run the small world and give each step of the followed exchange.

    Args:
        folder: an empty folder.

    Returns:
        Step name -> document, in order.
    """
    path = small_world.write_world(folder)
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    line = [row for row in lines if row["account_id"] == small_world.FOLLOWED][7]
    split_plan = plan(expand_paths((str(path),)), "auto", IntakeSettings(now_us=NOW_US))
    batches = [output.batch for split in split_plan.splits for output in read_split(split, split_plan.settings)]
    sketches = [sketch_batch(batch) for batch in batches if batch.num_rows]
    case = folder / "case"
    detect(DetectSettings(paths=(str(path),), out=case, threads=1, now_us=NOW_US), Silent())
    campaigns = json.loads((case / "campaigns.json").read_text(encoding="utf-8"))["campaigns"]
    (campaign,) = [found for found in campaigns if small_world.FOLLOWED in found["members"]]
    rows = pq.read_table(case / "accounts.parquet").to_pylist()
    (row,) = [row for row in rows if row["account_id"] == small_world.FOLLOWED]
    claims = {name: campaign.pop(name) for name in ("claims", "inconclusive")}
    steps = {
        "00_log_line": line,
        "10_exchange": _row_of(batches, line["exchange_id"]),
        "20_sketch": _row_of(sketches, line["exchange_id"]),
        "30_profile": _profile(sketches, folder / "engine"),
        "40_claims": claims,
        "50_campaign": campaign,
        "60_account_row": {name: str(value) if name.endswith("_seen") else value for name, value in row.items()},
    }
    return {name: _rounded(document, shorten=name == "50_campaign") for name, document in steps.items()}


def page(steps: dict[str, str]) -> str:
    """Give docs/one-exchange.md with these steps.

    Args:
        steps: step name -> the text of its file.
    """
    parts = [
        "# The way of one exchange\n",
        (
            "One exchange from its log line to the row of its account, as it passes the stages of `pipeline.py`. The steps are the files of"
            " `tests/journey/`: a test makes them again and compares, and this page is made from them"
            " (`python tests/journey/following.py --write`). The world is `tests/journey/small_world.py`: 200 customers, and 40 accounts"
            " of one operator.\n"
        ),
    ]
    for name, text in steps.items():
        parts.append(
            f"## {name[:2]}. {TITLES[name]}\n\n{WORDS[name]}\n\n`tests/journey/{name}.json`\n\n```json\n{text}```\n"
        )
    return "\n".join(parts)


def text_of(document: Any) -> str:
    """Give a document as the text of its file."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _row_of(batches: list[pa.RecordBatch], exchange_id: str) -> dict[str, Any]:
    """Give the row of one exchange without its nulls."""
    (row,) = [row for batch in batches for row in batch.to_pylist() if row["exchange_id"] == exchange_id]
    return {name: value for name, value in row.items() if value is not None}


def _profile(sketches: list[pa.RecordBatch], work: Path) -> dict[str, Any]:
    engine = open_engine("duckdb", work=work, memory_limit_bytes=512 << 20, threads=1)
    try:
        engine.register("deliveries", pa.Table.from_batches(sketches))
        engine.save(EXCHANGES)
        rows = engine.run(PROFILES).to_pylist()
    finally:
        engine.close()
    (row,) = [row for row in rows if row["account_id"] == small_world.FOLLOWED]
    return {name: value for name, value in row.items() if name != "other_id"}


def _rounded(value: Any, *, shorten: bool) -> Any:
    """Round numbers, so that another processor's last digits change nothing, and cut long lists."""
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}")
    if isinstance(value, dict):
        cut = {name: shorten and name != "explanations" for name in value}
        return {name: _rounded(inner, shorten=cut[name]) for name, inner in value.items() if name != "source_file"}
    if isinstance(value, list):
        cut_off = len(value) - MOST_LISTED if shorten else 0
        shown = [_rounded(inner, shorten=shorten) for inner in (value[:MOST_LISTED] if cut_off > 0 else value)]
        return [*shown, f"and {cut_off} more"] if cut_off > 0 else shown
    return value


def main() -> int:
    """Make the steps again; write them, or say which changed."""
    with tempfile.TemporaryDirectory() as folder:
        made = {name: text_of(document) for name, document in follow(Path(folder)).items()}
    wanted = {JOURNEY / f"{name}.json": text for name, text in made.items()} | {PAGE: page(made)}
    changed = [path for path, text in wanted.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    for path in changed:
        if "--write" in sys.argv[1:]:
            path.write_text(wanted[path], encoding="utf-8")
        sys.stdout.write(f"{'wrote' if '--write' in sys.argv[1:] else 'changed'}: {path.name}\n")
    return 0 if "--write" in sys.argv[1:] or not changed else 1


if __name__ == "__main__":
    sys.exit(main())
