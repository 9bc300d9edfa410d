"""Running `mark detect`: keys and files in, a table and a document out. Texts are never shown; keys only by handle."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich import box
from rich.table import Table

from stillwatch.cli.errors import OptionError
from stillwatch.cli.progress_display import stage_progress
from stillwatch.cli.terminal import Terminal
from stillwatch.evidence.incident_report.wording import shown
from stillwatch.records.claim import Claim
from stillwatch.watermark.detection import KeyResult, KeyScorer, Plan
from stillwatch.watermark.key_file import read_key_file
from stillwatch.watermark.token_files import Fields, corpus_digest, documents
from stillwatch.watermark.tokenizers import tokenizer_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """A corpus and what the keys score on it."""

    results: list[KeyResult]
    documents: int
    tokens: int
    input_digest: str
    tokenizer_digest: str
    """Empty where files held ids alone."""


def read_and_score(
    files: Sequence[Path],
    key_file: Path,
    tokenizer_file: Path | None,
    fields: Fields,
    plan: Plan,
    memory_bytes: int,
    terminal: Terminal,
) -> Scored:
    """Read keys and files, and score.

    Raises:
        OptionError: for a file that does not exist.
        TokenizerError: where keys were used under another tokenizer than the one given.
    """
    missing = [path for path in files if not path.is_file()]
    if missing:
        raise OptionError(f"{missing[0]}: there is no such file.")
    keys = read_key_file(key_file)
    tokenizer = tokenizer_of(tokenizer_file, keys)
    scorer = KeyScorer(keys, memory_bytes=memory_bytes)
    try:
        with stage_progress(terminal) as progress:
            count = tokens = 0
            progress.begin("reading", sum(path.stat().st_size for path in files))
            for batch in documents(files, tokenizer, fields, progress):
                count += len(batch)
                tokens += scorer.add(batch)
            progress.end()
            digest = corpus_digest(files)
            results = scorer.results(plan, digest, progress)
    finally:
        scorer.close()
    return Scored(
        results=results, documents=count, tokens=tokens, input_digest=digest,
        tokenizer_digest="" if tokenizer is None else tokenizer.digest,
    )  # fmt: skip


def answers_table(results: Sequence[KeyResult], most: int) -> Table:
    """Give the table: keys that are found first, then by p-value."""
    table = Table(header_style="bold", expand=False, box=box.SIMPLE_HEAD)
    table.add_column("key", no_wrap=True)
    table.add_column("for", no_wrap=True)
    table.add_column("scored", justify="right")
    table.add_column("statistic", justify="right")
    table.add_column("log10 p", justify="right")
    table.add_column("adjusted p", justify="right")
    table.add_column("random keys above", justify="right")
    table.add_column("conclusion", no_wrap=True)
    ranked = sorted(results, key=lambda one: (not one.found, one.log_p, one.key.handle))
    for one in ranked[:most]:
        word = "✓ found" if one.found else ("- not found" if isinstance(one.answer, Claim) else "? inconclusive")
        table.add_row(
            shown(one.key.handle, 28), shown(f"{one.key.level.value} {one.key.assigned_to}", 28), f"{one.count:,}",
            f"{one.statistic:,.1f}", f"{one.log_p / math.log(10.0):.1f}", f"{one.adjusted_p:.2g}",
            f"{one.decoys_above} of {one.decoys}", word,
        )  # fmt: skip
    if len(ranked) > most:
        table.caption = f"{len(ranked) - most:,} more keys in the document of --json"
    return table


def answers_document(scored: Scored) -> dict[str, Any]:
    """Give all numbers."""
    return {
        "documents": scored.documents,
        "tokens": scored.tokens,
        "input_digest": scored.input_digest,
        "tokenizer_digest": scored.tokenizer_digest,
        "keys": [
            {
                "handle": one.key.handle, "level": one.key.level.value, "assigned_to": one.key.assigned_to,
                "scheme": one.key.scheme, "parameters": one.scheme.parameters, "commitment": one.key.commitment,
                "scored": one.count, "statistic": one.statistic, "log_p": one.log_p, "adjusted_p": one.adjusted_p,
                "decoys": one.decoys, "decoys_above": one.decoys_above, "decoys_rejected_at_1_percent": one.decoys_rejected,
                "decoy_log_p": one.decoy_log_p, "found": one.found,
                "claim" if isinstance(one.answer, Claim) else "inconclusive": asdict(one.answer),
            }
            for one in scored.results
        ],
    }  # fmt: skip
