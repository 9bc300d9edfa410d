"""Indicator files on disk: reading whatever a partner sent, matching, and writing whole or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa

from stillwatch.cli.holdings import read_holdings
from stillwatch.evidence.indicators.documents import MOST_BYTES, read_json_document, read_set_document
from stillwatch.evidence.indicators.errors import IndicatorFileError
from stillwatch.evidence.indicators.keyed import IndicatorKey
from stillwatch.evidence.indicators.match import Matcher
from stillwatch.evidence.indicators.misp import read_misp_event
from stillwatch.evidence.indicators.stix import read_stix_bundle
from stillwatch.intake.settings import IntakeSettings
from stillwatch.records.indicator import IdentifierKind, IndicatorSet

SET_ENDING = ".indicators.json"


def read_indicator_file(file: Path) -> IndicatorSet:
    """Read a STIX bundle, a MISP event or a file of `stillwatch indicators import`; which one is told by content.

    Args:
        file: its path.

    Raises:
        IndicatorFileError: where it cannot be read or holds no indicators.
    """
    try:
        with file.open("rb") as stream:
            content = stream.read(MOST_BYTES + 1)
    except OSError as error:
        raise IndicatorFileError(f"{file} cannot be read: {error.strerror}") from error
    document = read_json_document(content, str(file))
    if document.get("type") == "bundle":
        return read_stix_bundle(document, str(file))
    if "Event" in document or "Object" in document:
        return read_misp_event(document, str(file))
    return read_set_document(document, str(file))


def read_indicator_sets(place: Path) -> tuple[IndicatorSet, ...]:
    """Read one file, or all sets of a folder that `import` wrote.

    Args:
        place: file or folder.

    Raises:
        IndicatorFileError: where nothing is there, or a file cannot be read.
    """
    if not place.is_dir():
        return (read_indicator_file(place),)
    files = sorted(place.glob(f"*{SET_ENDING}"))
    if not files:
        raise IndicatorFileError(
            f"{place} holds no *{SET_ENDING}; run `stillwatch indicators import FILE --into {place}` first"
        )
    return tuple(read_indicator_file(file) for file in files)


def match_indicators(
    place: Path, paths: Sequence[str], accounts: Path | None, key: IndicatorKey, now_us: int, assume_zone: str | None
) -> dict[str, Any]:
    """Match indicators against logs.

    Args:
        place: file or folder of indicators.
        paths: logs.
        accounts: accounts file.
        key: the partners' key.
        now_us: present time, microseconds UTC.
        assume_zone: zone of times that name none.

    Returns:
        Document with the matches and the number of exchanges read.
    """
    sets = read_indicator_sets(place)
    matcher = Matcher(sets, key, now_us)

    def look_at_prompts(batch: pa.RecordBatch, _names: Sequence[str]) -> None:
        matcher.look_at_prompts(batch.column("account_id").to_pylist(), batch.column("prompt"))

    holdings = read_holdings(paths, accounts, IntakeSettings(assume_zone=assume_zone, now_us=now_us), look_at_prompts)
    for kind in IdentifierKind:
        matcher.look_at_identifiers(kind, holdings.carriers(kind))
    return {
        "exchanges": holdings.exchanges,
        "sets": [one.id for one in sets],
        "matches": [
            {**asdict(one), "identifiers": [list(pair) for pair in one.identifiers]} for one in matcher.matches()
        ],
    }
