"""Records from lines of JSON, as canonical bytes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from stillwatch.cli.errors import ResultFileError
from stillwatch.evidence.ledger import LONGEST_RECORD
from stillwatch.integrity.canonical import canonical_bytes
from stillwatch.integrity.errors import CanonicalFormError


def records_of(path: Path, at_a_time: int) -> Iterator[list[bytes]]:
    """Read lines of JSON in batches.

    Args:
        path: the file; empty lines are passed over.
        at_a_time: records in a batch.

    Raises:
        ResultFileError: naming the line that is no JSON, or too long; batches that were given before it stand.
    """
    batch: list[bytes] = []
    try:
        with path.open("rb") as file:
            number = 0
            while line := file.readline(LONGEST_RECORD + 2):
                number += 1
                if len(line) > LONGEST_RECORD + 1:
                    raise ResultFileError(
                        f"{path}:{number}: over {LONGEST_RECORD:,} bytes, expected a record in a line."
                    )
                if line.strip():
                    batch.append(_record(line, f"{path}:{number}"))
                if len(batch) == at_a_time:
                    yield batch
                    batch = []
    except OSError as error:
        raise ResultFileError(f"{path}: cannot be read ({error.strerror}).") from error
    if batch:
        yield batch


def _record(line: bytes, place: str) -> bytes:
    try:
        return canonical_bytes(json.loads(line))
    except CanonicalFormError as error:
        raise ResultFileError(f"{place}: {error}.") from error
    except (ValueError, RecursionError):
        raise ResultFileError(f"{place}: is no JSON; expected one record in each line.") from None
