"""Exhibits as items of a case: their exchanges read again from the logs, with what ties each to the bytes of its log line."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from stillwatch.cli.errors import OptionError
from stillwatch.cli.holdings import read_holdings
from stillwatch.evidence.access import Access, TextReference
from stillwatch.evidence.cases.casework import NewItem
from stillwatch.evidence.cases.gathering import exchange_item
from stillwatch.evidence.sealing import SealedRun, exhibit_origin
from stillwatch.intake.settings import IntakeSettings
from stillwatch.records.campaign import Campaign, Exhibit

Place = tuple[str, int]
"""(file name, offset)."""
_READ = 1 << 20


def exhibit_items(
    campaign: Campaign,
    paths: Sequence[str],
    most: int,
    access: Access,
    actor: str,
    purpose: str,
    sealed: SealedRun | None,
) -> list[NewItem]:
    """Read exhibits again; the look at their text is recorded first.

    Args:
        campaign: whose exhibits.
        paths: the logs that the run read.
        most: exhibits at most, the first ones of each claim in turn.
        access: to the ledger that records the look.
        actor: who looks.
        purpose: why; for example the id of the case.
        sealed: what the run sealed; then a log that is no longer the sealed one is refused.

    Raises:
        AccessError: where the actor may not look at text.
        OptionError: where an exhibit is not in these logs.
        SealError: where a log was changed since the run.
    """
    chosen = _chosen(campaign.exhibits, most)
    references = [_reference(one) for one in chosen]
    found, files = access.look_at_text(actor, references, purpose, lambda: _read_exchanges(paths, chosen))
    items = []
    digests: dict[Path, str] = {}
    for one in chosen:
        place = (Path(one.source_file).name, one.source_offset)
        if place not in found:
            raise OptionError(
                f"--exhibits: the exchange at {one.source_offset} of {place[0]!a} is not in these logs; name those that the run read."
            )
        path = files[place[0]]
        if sealed is not None:
            origin = exhibit_origin(sealed, _reference(one), path)
            items.append(exchange_item(one, found[place], origin.span_digest, origin.file_digest))
            continue
        if path not in digests:
            digests[path] = f"sha256:{_digest(path)}"
        items.append(exchange_item(one, found[place], _span_digest(path, one, digests[path]), digests[path]))
    return items


def _reference(exhibit: Exhibit) -> TextReference:
    return TextReference(file=exhibit.source_file, offset=exhibit.source_offset, length=exhibit.source_length)


def _chosen(exhibits: Sequence[Exhibit], most: int) -> list[Exhibit]:
    """Take exhibits of each claim in turn, so that every claim is shown before one is shown twice."""
    by_claim: dict[str, list[Exhibit]] = {}
    for one in exhibits:
        by_claim.setdefault(one.claim, []).append(one)
    ranked = [one for turn in range(len(exhibits)) for listed in by_claim.values() for one in listed[turn : turn + 1]]
    return list({(one.source_file, one.source_offset): one for one in ranked[:most]}.values())


def _read_exchanges(
    paths: Sequence[str], wanted: Sequence[Exhibit]
) -> tuple[dict[Place, dict[str, Any]], dict[str, Path]]:
    # Logs may have been moved since the run, so a place is found by file name; account and time say that it is the same exchange.
    places = {(Path(one.source_file).name, one.source_offset, one.account_id, one.time_us) for one in wanted}
    offsets = np.array(sorted({offset for _, offset, _, _ in places}), dtype=np.int64)
    found: dict[Place, dict[str, Any]] = {}
    files: dict[str, Path] = {}

    def keep(batch: pa.RecordBatch, names: Sequence[str]) -> None:
        here = batch.column("source_offset").to_numpy(zero_copy_only=False)
        for row in np.flatnonzero(np.isin(here, offsets)).tolist():
            path = Path(names[batch.column("source_no")[row].as_py()])
            exchange = batch.slice(row, 1).to_pylist()[0]
            if (path.name, int(here[row]), exchange["account_id"], exchange["time_us"]) in places:
                found[path.name, int(here[row])] = exchange
                files[path.name] = path

    read_holdings(paths, None, IntakeSettings(), keep)
    return found, files


def _span_digest(path: Path, exhibit: Exhibit, file_digest: str) -> str:
    """Return the digest of a log line; of the whole file for a Parquet row and for compressed files, of a run that was not sealed."""
    if exhibit.source_length == 0 or path.suffix in {".gz", ".zst"}:
        return file_digest
    with path.open("rb") as stream:
        stream.seek(exhibit.source_offset)
        return f"sha256:{hashlib.sha256(stream.read(exhibit.source_length)).hexdigest()}"


def _digest(path: Path) -> str:
    state = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(_READ):
            state.update(block)
    return state.hexdigest()
