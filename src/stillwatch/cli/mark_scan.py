"""The verb `mark scan`: which documents of a data set bear a mark, and of which campaigns."""

from __future__ import annotations

import math
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich import box
from rich.table import Table

from stillwatch.cli.errors import OptionError
from stillwatch.cli.exit_codes import ExitCode
from stillwatch.cli.options import DebugOption, JsonOption, bytes_of
from stillwatch.cli.progress_display import stage_progress
from stillwatch.cli.terminal import Terminal, open_terminal
from stillwatch.cli.verb_help import VerbHelp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stillwatch.records.progress import Progress
    from stillwatch.watermark.scan.documents import ScanResult
    from stillwatch.watermark.scan.spool import TokenSpool
    from stillwatch.watermark.scan.statements import KeyStatement
    from stillwatch.watermark.tokenizers import Tokenizer

HELP = VerbHelp(
    name="scan",
    purpose="Find the marked documents of a data set, at a stated false-discovery rate, and the campaigns that they are of.",
    examples=("stillwatch mark scan marked/answers.jsonl --keys marked/keys.jsonl --out marked/documents.parquet",),
    writes="the file of --out, a row for each document. With --json it prints every number and claim.",
)
ENDINGS = (".jsonl", ".ndjson", ".jsonl.gz", ".ndjson.gz", ".parquet", ".txt", ".txt.gz", ".npy")
MOST_ROWS = 20
MOST_NAMES = 1_000
"""Of documents that were too short; all are in the file of --out."""


def scan(
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATHS...", help="Folders, or JSON lines, Parquet, text or NumPy files.")
    ],
    *,
    keys: Annotated[
        Path, typer.Option("--keys", metavar="FILE", help="All keys ever issued, as `keys export` writes them.")
    ],
    tokenizer: Annotated[
        Path | None, typer.Option("--tokenizer", metavar="FILE", help="tokenizer.json, .model or .tiktoken; for texts.")
    ] = None,
    field: Annotated[
        str | None, typer.Option("--field", metavar="NAME", help="Field of the answer's text or ids.")
    ] = None,
    fdr: Annotated[float, typer.Option("--fdr", help="False-discovery rate over documents.")] = 0.01,
    alpha: Annotated[
        float, typer.Option("--alpha", help="Chance of naming any key over the whole set wrongly.")
    ] = 1e-6,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Parquet, a row for each document.")] = None,
    memory: Annotated[str, typer.Option("--memory", help="For comparing documents with each other.")] = "1GiB",
    as_json: JsonOption = False,
    debug: DebugOption = False,  # noqa: ARG001  # read by the entry point
) -> ExitCode:
    """Scan a data set."""
    for name, value in (("--fdr", fdr), ("--alpha", alpha)):
        if not 0.0 < value < 1.0:
            raise OptionError(f"{name} got {value}, expected a number between 0 and 1, such as 0.01.")
    memory_bytes = bytes_of(memory, "--memory")
    # Kernels and readers are loaded only when a set is scanned, so that help is instant.
    from stillwatch.watermark.key_file import read_key_file  # noqa: PLC0415
    from stillwatch.watermark.scan.documents import scan_documents  # noqa: PLC0415
    from stillwatch.watermark.scan.spool import TokenSpool  # noqa: PLC0415
    from stillwatch.watermark.scan.statements import key_statements, untested  # noqa: PLC0415
    from stillwatch.watermark.token_files import corpus_digest  # noqa: PLC0415
    from stillwatch.watermark.tokenizers import tokenizer_of  # noqa: PLC0415

    terminal = open_terminal(as_json=as_json)
    files = scan_files(paths)
    issued = read_key_file(keys)
    opened = tokenizer_of(tokenizer, issued)
    with stage_progress(terminal) as progress, TokenSpool() as spool:
        read_documents(spool, files, opened, field, progress)
        result = scan_documents(spool, issued, level=fdr, memory_bytes=memory_bytes, progress=progress)
    digest = corpus_digest(files)
    statements, short = key_statements(result, alpha, digest), untested(result)
    if out is not None:
        _write(out, result)
    _say(terminal, result, statements, len(files))
    if short is not None:
        terminal.say(f"Not tested: {short.reason}.")
    terminal.document(
        {
            "verb": "mark scan", "fdr": fdr, "alpha": alpha, "input_digest": digest,
            "tokenizer_digest": "" if opened is None else opened.digest, **_numbers(result, digest),
            "keys": [_key_row(one) for one in statements], "not_tested": None if short is None else asdict(short),
        }
    )  # fmt: skip
    return ExitCode.DONE


def _say(terminal: Terminal, result: ScanResult, statements: Sequence[KeyStatement], files: int) -> None:
    """Tell people what was found."""
    terminal.say(
        f"{len(result.documents):,} documents in {files:,} files, {result.tested:,} long enough to test; {len(result.keys):,} keys; "
        f"{len(result.selected):,} bear a mark at a false-discovery rate of {result.level:g}."
    )
    if result.selected:
        terminal.people.print(_table(result))
    for one in statements:
        if one.found:
            key = one.total.key
            terminal.say(f"Over the whole set: {key.level.value} key {key.handle}, {key.assigned_to}.")


def _numbers(result: ScanResult, digest: str) -> dict[str, Any]:
    """Give the numbers of the documents, the surest first."""
    from stillwatch.watermark.scan.statements import document_claim  # noqa: PLC0415

    return {
        "documents": len(result.documents),
        "tested": result.tested,
        "least_units": result.least_units,
        "selected": [
            {
                "document": one.name,
                "units": one.units,
                "repeated": one.repeated,
                "log_p": one.log_p,
                "q_value": one.q_value,
                "keys": [asdict(key) for key in one.keys],
                "claim": asdict(document_claim(one, result, digest)),
            }
            for one in sorted(result.selected, key=lambda one: (one.log_p, one.name))
        ],
        "too_short": [one.name for one in result.documents if not one.tested][:MOST_NAMES],
    }


def scan_files(paths: Sequence[Path]) -> list[Path]:
    """Give the files of folders, in the order of their paths, and the files that were named.

    Raises:
        OptionError: where there is none.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            found += sorted(one for one in path.rglob("*") if one.is_file() and one.name.endswith(ENDINGS))
        elif path.is_file():
            found.append(path)
        else:
            raise OptionError(f"{path}: there is no such file or folder.")
    if not found:
        raise OptionError(f"no file ends in {', '.join(ENDINGS)}; name a folder that holds some.")
    return found


def read_documents(
    spool: TokenSpool, files: Sequence[Path], tokenizer: Tokenizer | None, field: str | None, progress: Progress
) -> None:
    """Read every document into the spool; its name is file and number in the file, from 1."""
    from stillwatch.watermark.token_files import Fields, documents  # noqa: PLC0415

    progress.begin("reading", sum(path.stat().st_size for path in files))
    for path in files:
        number = 0
        for batch in documents([path], tokenizer, Fields(answer=field)):
            for document in batch:
                number += 1
                spool.add(f"{path}#{number}", document.tokens)
        progress.advance(path.stat().st_size)
    progress.end()
    if not len(spool):
        raise OptionError("the files hold no document.")


def _table(result: ScanResult) -> Table:
    """Give campaigns and keys with the documents that are attributed to them."""
    table = Table(header_style="bold", expand=False, box=box.SIMPLE_HEAD)
    for name, right in (
        ("key", False),
        ("for", False),
        ("documents", True),
        ("scored in the set", True),
        ("log10 p in the set", True),
    ):
        table.add_column(name, justify="right" if right else "left", no_wrap=True)
    ranked = sorted((one for one in result.keys if one.documents), key=lambda one: (-one.documents, one.key.handle))
    for one in ranked[:MOST_ROWS]:
        table.add_row(
            one.key.handle, f"{one.key.level.value} {one.key.assigned_to}"[:40], f"{one.documents:,}", f"{one.units:,}",
            f"{one.log_p / math.log(10.0):.1f}",
        )  # fmt: skip
    if len(ranked) > MOST_ROWS:
        table.caption = f"{len(ranked) - MOST_ROWS:,} more keys in the document of --json"
    return table


def _key_row(one: KeyStatement) -> dict[str, Any]:
    key = one.total.key
    return {
        "handle": key.handle, "level": key.level.value, "assigned_to": key.assigned_to, "scheme": key.scheme, "commitment": key.commitment,
        "scored": one.total.units, "statistic": one.total.statistic, "log_p": one.total.log_p, "adjusted_p": one.adjusted_p,
        "found": one.found, "documents": one.total.documents, "answer": asdict(one.answer),
    }  # fmt: skip


def _write(path: Path, result: ScanResult) -> None:
    """Write a row for each document."""
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.parquet as pq  # noqa: PLC0415

    from stillwatch.cli.errors import OutputError  # noqa: PLC0415

    schema = pa.schema(
        [
            ("document", pa.string()), ("tokens", pa.int64()), ("units", pa.int64()), ("repeated", pa.int64()), ("tested", pa.bool_()),
            ("log_p", pa.float64()), ("q_value", pa.float64()), ("marked", pa.bool_()), ("keys", pa.list_(pa.string())),
        ]
    )  # fmt: skip
    rows = [
        {"document": one.name, "tokens": one.tokens, "units": one.units, "repeated": one.repeated, "tested": one.tested, "log_p": one.log_p,
         "q_value": one.q_value, "marked": bool(one.keys), "keys": [key.handle for key in one.keys]}
        for one in result.documents
    ]  # fmt: skip
    try:
        pq.write_table(pa.Table.from_pylist(rows, schema=schema), path)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror}). Name a file that you may write.") from error
