"""Collector: records of a split, one after another, become outputs of bounded size.

Takes records with their places. Gives `SplitOutput`s in order. Rows are gathered until a batch is full by rows or bytes;
where it is cut changes no row.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any

import numpy as np
import pyarrow as pa

from stillwatch.intake.errors import SURPRISES, PassedOver, RecordError
from stillwatch.intake.exchange_batch import FLAT_NAMES, SCHEMA, Positions, Reading, exchange_batch
from stillwatch.intake.field_path import look_up
from stillwatch.intake.formats.format import Format, Joined, Orphan, Place, Record
from stillwatch.intake.formats.generic import GENERIC
from stillwatch.intake.split import SplitOutput, Tally
from stillwatch.records.campaign import Quarantined

BATCH_ROWS = 65_536
BATCH_BYTES = 64 << 20
_GATHERED_ROWS = 16_384
"""Rows gathered before they are typed; more do not make it faster, since the rows then leave the processor's cache."""
_GATHERED_BYTES = 32 << 20
"""Bytes of log lines gathered before they are typed; half the batch's limit, as some text is kept twice."""


class Collector:
    """Gathers the records of one split."""

    def __init__(self, form: Format, reading: Reading) -> None:
        """Begin a split.

        Args:
            form: format of all its records.
            reading: paths, settings and zone.
        """
        self._form = form
        self._reading = reading
        self._joiner = None if form.joiner is None else form.joiner(reading.settings)
        settings = reading.settings
        self.is_flat = form is GENERIC and settings.account_field is None and settings.time_field is None
        """True where records are their own flat rows, so that nothing has to be done for them."""
        self._rows: list[Mapping[str, Any]] = []
        self._places: list[Place] = []
        self._bytes = 0
        self._quarantined: list[Quarantined] = []
        self._read: Counter[int] = Counter()
        self._refused: Counter[int] = Counter()
        self._notes: Counter[str] = Counter()

    def add(self, record: Any, place: Place) -> None:
        """Take one record. Call `drain` now and then, at least once per block of input."""
        self._bytes += place.length
        if self._joiner is None:
            self._read[place.source] += 1
        try:
            self._take(record, place)
        except PassedOver as passed:
            self._read[place.source] -= 1
            self._notes[f"passed over: {passed.reason}"] += 1
        except RecordError as error:
            self._refuse_taken(place, error.reason)
        except SURPRISES as error:
            # Clients choose much of what a log holds; none of it may stop the reading of everybody else's lines.
            self._refuse_taken(place, f"a structure that {self._form.title} does not have ({type(error).__name__})")

    def add_flat(self, record: Any, place: Place) -> bool:
        """Take a record that is its own flat row: what `add` does, in a fraction of the time.

        Returns:
            False where the record is no such row, and `add` has to judge it.
        """
        if not self.is_flat or type(record) is not dict or ("time" not in record and "account_id" not in record):
            return False
        self._bytes += place[2]
        self._read[place[0]] += 1
        self._rows.append(record)
        self._places.append(place)
        return True

    def _refuse_taken(self, place: Place, reason: str) -> None:
        if self._joiner is not None:  # of a joined format what the joiner gives was counted, and this it did not give
            self._read[place.source] += 1
        self._refuse(place, reason)

    def add_bytes(self, size: int) -> None:
        """Count bytes of records whose places have no length (Parquet rows)."""
        self._bytes += size

    def drain(self) -> Iterator[SplitOutput]:
        """Yield an output if a batch is full."""
        if len(self._rows) >= _GATHERED_ROWS or self._bytes >= _GATHERED_BYTES:
            yield from self.release()

    def refuse(self, place: Place, reason: str) -> None:
        """Set a record aside that could not be read at all."""
        self._read[place.source] += 1
        self._refuse(place, reason)

    def _refuse(self, place: Place, reason: str) -> None:
        self._refused[place.source] += 1
        self._quarantined.append(
            Quarantined(file=self._reading.paths[place.source], offset=place.offset, length=place.length, reason=reason)
        )

    def _take(self, record: Any, place: Place) -> None:
        if self._joiner is not None:
            self._take_joined(self._joiner.add(record, place))
            return
        if not isinstance(record, Mapping):
            records = record if isinstance(record, list) and record else None
            if records is None or not all(isinstance(item, Mapping) for item in records):
                raise RecordError(f"a JSON {type(record).__name__}, expected an object")
        else:
            records = [record]
        parse = self._form.parse
        if parse is None:  # a format has a parser or a joiner; see tests of the registry
            raise RecordError("the format has no parser")
        for item in records:
            for row, scope in parse(item, self._reading.settings):
                self._keep(row, scope, place)

    def _take_joined(self, results: Any) -> None:
        """Take what a joiner gives. Of a joined format exchanges are counted rather than lines, several of which make one."""
        for result in results:
            self._read[result.place.source] += 1
            if isinstance(result, Joined):
                self._keep(result.row, result.record, result.place)
            elif isinstance(result, Orphan):
                self._refuse(result.place, result.reason)

    def _keep(self, row: Mapping[str, Any], scope: Record, place: Place) -> None:
        settings = self._reading.settings
        if settings.account_field is not None:
            row = {**row, "account_id": look_up(scope, settings.account_field)}
        if settings.time_field is not None:
            row = {**row, "time": look_up(scope, settings.time_field)}
        self._rows.append(row)
        self._places.append(place)

    def finish(self) -> Iterator[SplitOutput]:
        """Yield what is left at the end of the split; always at least one output."""
        if self._joiner is not None:
            self._take_joined(self._joiner.finish())
            self._notes.update(self._joiner.notes())
        yield from self.release()

    def release(self) -> Iterator[SplitOutput]:
        """Type what was gathered and yield it."""
        rows, places = self._rows, self._places
        self._rows, self._places, self._bytes = [], [], 0
        if not rows:
            yield self._output(pa.RecordBatch.from_pylist([], schema=SCHEMA))
            return
        lying = np.fromiter(chain.from_iterable(places), np.int64, 3 * len(places)).reshape(-1, 3)
        positions = Positions(source_no=lying[:, 0].astype(np.int32), offset=lying[:, 1], length=lying[:, 2])
        named = set().union(*rows).intersection(FLAT_NAMES)

        def column(name: str) -> list[Any] | None:
            return [row.get(name) for row in rows] if name in named else None

        batch, rejected = exchange_batch(
            column, rows=len(rows), positions=positions, reading=self._reading, notes=self._notes
        )
        self.set_aside(rejected)
        yield from self.give(batch)

    def set_aside(self, rejected: list[Quarantined]) -> None:
        """Count rows that the typing refused."""
        numbers = {path: number for number, path in self._reading.paths.items()}
        self._quarantined.extend(rejected)
        self._refused.update(numbers[entry.file] for entry in rejected)

    def count(self, source: int, rows: int) -> None:
        """Count rows that did not come through `add`."""
        self._read[source] += rows

    @property
    def notes(self) -> Counter[str]:
        """Counted notes, to be added to."""
        return self._notes

    def give(self, batch: Any) -> Iterator[SplitOutput]:
        """Yield a batch, halved until it keeps the limits, with what was set aside until now."""
        if batch.num_rows > 1 and (batch.nbytes > BATCH_BYTES or batch.num_rows > BATCH_ROWS):
            half = batch.num_rows // 2
            yield from self.give(batch.slice(0, half))
            yield from self.give(batch.slice(half))
            return
        yield self._output(batch)

    def _output(self, batch: Any) -> SplitOutput:
        output = SplitOutput(
            batch=batch,
            quarantined=tuple(self._quarantined),
            rows_read=sum(self._read.values()),
            tallies=tuple(
                Tally(source_no=source, read=self._read[source], quarantined=self._refused[source])
                for source in sorted(self._read.keys() | self._refused.keys())
            ),
            notes=tuple(sorted(self._notes.items())),
        )
        self._quarantined, self._read, self._refused, self._notes = [], Counter(), Counter(), Counter()
        return output
