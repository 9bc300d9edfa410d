"""What `audit training-data` does: rows of a folder, looked at for signs of other providers, and held against what they allow."""

from __future__ import annotations

import datetime as dt
import gzip
import html
import io
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

from stillwatch.cli.errors import OptionError, ResultFileError
from stillwatch.cli.ledger_options import write_out
from stillwatch.governance.clean_hands.licences import (
    SHIPPED_PROVIDERS,
    UNKNOWN,
    ProviderTerms,
    provider_named,
    read_providers,
)
from stillwatch.governance.clean_hands.near_copies import NearCopies
from stillwatch.governance.clean_hands.signs import IdentityStatements, provenance, texts

if TYPE_CHECKING:
    from stillwatch.records.progress import Progress

BATCH = 2_000
ENDINGS = (".jsonl", ".json", ".jsonl.gz", ".jsonl.zst", ".parquet", ".txt", ".md")
MARKS_LEVEL = 0.01
NO_TERMS = "no terms in the register"


def run(
    folder: Path,
    out: Path,
    licences: Path | None,
    licensed: Sequence[Path],
    marks: MarksAsked | None,
    progress: Progress,
    today: dt.date,
) -> dict[str, Any]:
    """Audit a folder, write the page and the document, and give the document.

    Raises:
        StillwatchError: for a folder, register or licensed set that cannot be used.
    """
    providers = read_providers(licences or SHIPPED_PROVIDERS)
    files = training_files(folder)
    if not files:
        raise OptionError(f"{folder} holds no file that ends in {', '.join(ENDINGS)}.")
    copies = _licensed_sets(licensed)
    statements = IdentityStatements(providers)
    counts: Counter[tuple[str, str, str, str]] = Counter()
    rows_of_file: dict[str, int] = {}
    unread: Counter[str] = Counter()
    progress.begin("auditing training data", len(files))
    for path in files:
        name = str(path.relative_to(folder)) if folder.is_dir() else path.name
        for batch in _batches(path, unread, name):
            rows_of_file[name] = rows_of_file.get(name, 0) + len(batch)
            _count_signs(batch, name, providers, statements, copies, counts)
        progress.advance(1)
    progress.end()
    for name, owner, handle in _marked(folder, marks, progress) if marks is not None else ():
        known = provider_named(owner, providers)
        counts[name, known.provider if known else owner, "mark", handle] += 1
    terms = {one.provider: one for one in providers}
    findings = [_finding(key, count, rows_of_file[key[0]], terms) for key, count in sorted(counts.items())]
    document: dict[str, Any] = {
        "day": today.isoformat(), "folder": str(folder), "rows": sum(rows_of_file.values()), "files": rows_of_file, "unread": dict(unread), "findings": findings,
        "licensed_rows": 0 if copies is None else copies.rows,
    }  # fmt: skip
    for file_name, text in (
        ("training-data.json", json.dumps(document, indent=2) + "\n"),
        ("training-data.html", _page(document)),
    ):
        write_out(out / file_name, text.encode())
    return document


@dataclass(frozen=True, slots=True, kw_only=True)
class MarksAsked:
    """Marks to look for."""

    keys: Path
    """Key file, as `mark scan` reads it."""
    tokenizer: Path | None
    """Needed where the set holds texts."""


def _marked(folder: Path, marks: MarksAsked, progress: Progress) -> Iterator[tuple[str, str, str]]:
    """Give file, whose key, and the key's handle for every document that bears a mark, at a false-discovery rate of 1 % over documents."""
    from stillwatch.cli.mark_scan import read_documents, scan_files  # noqa: PLC0415
    from stillwatch.watermark.key_file import read_key_file  # noqa: PLC0415
    from stillwatch.watermark.scan.documents import scan_documents  # noqa: PLC0415
    from stillwatch.watermark.scan.spool import TokenSpool  # noqa: PLC0415
    from stillwatch.watermark.tokenizers import tokenizer_of  # noqa: PLC0415

    issued = read_key_file(marks.keys)
    owners = {one.handle: one.assigned_to for one in issued}
    with TokenSpool() as spool:
        read_documents(spool, scan_files([folder]), tokenizer_of(marks.tokenizer, issued), None, progress)
        result = scan_documents(spool, issued, level=MARKS_LEVEL, memory_bytes=1 << 30, progress=progress)
    for one in result.selected:
        path = Path(one.name.rpartition("#")[0])
        name = str(path.relative_to(folder)) if folder.is_dir() else path.name
        for key in one.keys:
            yield name, owners[key.handle], key.handle


def training_files(folder: Path) -> list[Path]:
    """Give the files of a folder that can be read, or the one file that was named."""
    if folder.is_file():
        return [folder]
    return [one for one in sorted(folder.rglob("*")) if one.is_file() and one.name.lower().endswith(ENDINGS)]


def _count_signs(
    batch: Sequence[Mapping[str, Any]],
    name: str,
    providers: Sequence[ProviderTerms],
    statements: IdentityStatements,
    copies: NearCopies | None,
    counts: Counter[tuple[str, str, str, str]],
) -> None:
    """Count each sign of each row once."""
    answers = [list(texts(row)) for row in batch]
    for row, said in zip(batch, answers, strict=True):
        for value, provider in set(provenance(row, providers)):
            counts[name, provider.provider if provider else value[:60], "provenance field", ""] += 1
        for one in {found.provider for text in said if (found := statements.find(text)) is not None}:
            counts[name, one, "names itself", ""] += 1
    if copies is not None:
        for licence, one_set in copies.find(["\n".join(said) for said in answers]):
            counts[name, one_set, "near copy", licence] += 1


def _finding(
    key: tuple[str, str, str, str], count: int, rows: int, terms: Mapping[str, ProviderTerms]
) -> dict[str, Any]:
    name, provider, sign, licence = key
    known = terms.get(provider)
    if sign == "near copy":
        state, basis, law = ("allowed" if licence else UNKNOWN), licence or "the licensed set names no licence", ""
    else:
        state, basis, law = (known.training, known.terms, known.law) if known else (UNKNOWN, NO_TERMS, "")
    return {
        "file": name, "provider": provider, "sign": sign, "rows": count, "share": count / rows, "state": state, "basis": basis, "law": law,
    }  # fmt: skip


def _licensed_sets(folders: Sequence[Path]) -> NearCopies | None:
    """Index the rows of licensed sets; a file LICENCE or LICENSE in the folder says under what."""
    if not folders:
        return None
    copies = NearCopies()
    for folder in folders:
        if not folder.exists():
            raise OptionError(f"--licensed {folder}: there is no such folder.")
        said = [one for one in (folder / "LICENCE", folder / "LICENSE") if one.is_file()]
        licence = said[0].read_text(encoding="utf-8", errors="replace").strip().splitlines()[0][:120] if said else ""
        for path in training_files(folder):
            for batch in _batches(path, Counter(), str(path)):
                copies.add(["\n".join(texts(row)) for row in batch], licence, folder.name)
    return copies


def _batches(path: Path, unread: Counter[str], name: str) -> Iterator[list[Mapping[str, Any]]]:
    """Read a file's rows; lines that are no JSON objects are counted."""
    if path.name.lower().endswith(".parquet"):
        try:
            with pq.ParquetFile(path) as file:
                for batch in file.iter_batches(BATCH):
                    yield batch.to_pylist()
        except pa.ArrowException as error:
            raise ResultFileError(f"{path}: cannot be read as Parquet; write the file again.") from error
        return
    if path.suffix.lower() in {".txt", ".md"}:
        with path.open(encoding="utf-8", errors="replace") as text:
            paragraphs = [{"text": one} for one in text.read().split("\n\n") if one.strip()]
        for start in range(0, len(paragraphs), BATCH):
            yield list[Mapping[str, Any]](paragraphs[start : start + BATCH])
        return
    rows: list[Mapping[str, Any]] = []
    for line in _lines(path):
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            unread[name] += 1
            continue
        found = row if isinstance(row, list) else [row]
        rows += [one for one in found if isinstance(one, dict)]
        unread[name] += sum(not isinstance(one, dict) for one in found)
        if len(rows) >= BATCH:
            yield rows
            rows = []
    if rows:
        yield rows


def _lines(path: Path) -> Iterator[bytes]:
    """Give the lines of a JSONL file, or the whole of a JSON file."""
    if path.name.endswith(".json"):
        yield path.read_bytes()
        return
    with path.open("rb") as raw:
        stream: Any = raw
        if path.name.endswith(".gz"):
            stream = gzip.open(raw)  # noqa: SIM115  # closed with the file below
        elif path.name.endswith(".zst"):
            stream = io.BufferedReader(zstandard.ZstdDecompressor().stream_reader(raw))
        yield from (line for line in stream if line.strip())


_WORDS = {"allowed": "✓ allowed", "forbidden": "● forbidden", "conditional": "○ conditional", "unknown": "? unknown"}


def _page(document: Mapping[str, Any]) -> str:
    from stillwatch.governance.own_use.exports import PAGE_STYLE  # noqa: PLC0415

    rows = "".join(
        f"<tr><td>{_WORDS[one['state']]}</td><td>{html.escape(one['provider'])}</td><td>{html.escape(one['sign'])}</td><td>{html.escape(one['file'])}</td>"
        f'<td class="n">{one["rows"]:,}</td><td class="n">{one["share"]:.2%}</td><td>{html.escape(one["basis"])}</td></tr>'
        for one in sorted(document["findings"], key=lambda item: (item["state"] == "allowed", -item["rows"]))
    )
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Audit of training data</title><meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'"><style>{PAGE_STYLE}</style></head><body>
<h1>Audit of training data</h1><p>{document["rows"]:,} rows in {len(document["files"])} files, on {html.escape(document["day"])}.</p>
<table><tr><th>state</th><th>provider or set</th><th>sign</th><th>file</th><th>rows</th><th>share</th><th>basis</th></tr>{rows}</table>
<p><small>A sentence in which a text names a model is an annotation, no proof: people write such sentences, and models name the wrong maker. No sign found is no proof of none.
This is not legal advice.</small></p></body></html>
"""
