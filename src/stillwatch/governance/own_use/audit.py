"""The audit: exchanges of our own people and services go in, findings come out.

Takes batches of exchanges. Gives findings by check. It keeps, for each value that was found, a count and the first places; for each key and
account, a few facts; and no text.
"""

from __future__ import annotations

import datetime as dt
import fnmatch
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from stillwatch.governance.own_use.findings import MOST_PLACES, FindingPlace, UseFinding, fingerprint, mask
from stillwatch.governance.own_use.policy import UsePolicy
from stillwatch.governance.own_use.presidio import PresidioScanner
from stillwatch.governance.own_use.scan import Scanner
from stillwatch.governance.own_use.source_code import RepositoryIndex
from stillwatch.sketches.text_column import TextColumn, text_column

TEXTS = ("prompt", "system_prompt", "response")
HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US


@dataclass(slots=True, kw_only=True)
class _Value:
    """What is kept of a value."""

    masked: str
    count: int = 0
    first_us: int = 2**62
    last_us: int = -(2**62)
    owners: set[str] = field(default_factory=set)
    places: list[FindingPlace] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class _KeyUse:
    """What is kept of an API key."""

    accounts: set[str] = field(default_factory=set)
    countries: dict[int, set[str]] = field(default_factory=dict)
    """By hour."""


class UseAudit:
    """Collects findings."""

    def __init__(
        self,
        *,
        scanner: Scanner,
        policy: UsePolicy,
        key: bytes,
        repositories: RepositoryIndex | None = None,
        canaries: Sequence[bytes] = (),
        presidio: PresidioScanner | None = None,
    ) -> None:
        """Prepare an audit.

        Args:
            scanner: for secrets and personal data.
            policy: what is allowed.
            key: of the fingerprints; kept by the audited, the same for all audits that are to be compared.
            repositories: our own source code; null where none was named.
            canaries: texts that must never leave.
            presidio: asked of every text besides; null for most.
        """
        self._scanner, self._policy, self._key = scanner, policy, key
        self._repositories, self._canaries = repositories, tuple(canaries)
        self._presidio = presidio
        self._values: dict[tuple[str, str, str], _Value] = {}
        self._keys: dict[str, _KeyUse] = {}
        self._days: set[int] = set()
        self.exchanges = 0
        self.text_bytes = 0

    def take(self, batch: pa.RecordBatch, files: Sequence[str]) -> None:
        """Read a batch.

        Args:
            batch: columns of `EXCHANGE`.
            files: path of each source number.
        """
        rows = _Rows(batch, files)
        self.exchanges += batch.num_rows
        self._days.update(np.unique(np.floor_divide(rows.times, DAY_US)).tolist())
        for name in TEXTS:
            column = text_column(batch, name)
            if column.valid.any():
                self._texts(name, column, rows)
        self._settings_of_use(batch, rows)

    def _texts(self, name: str, column: TextColumn, rows: _Rows) -> None:
        """Look for what must not be in a text."""
        self.text_bytes += int(column.offsets[-1] - column.offsets[0])
        for match in self._scanner.scan(column.data, column.offsets):
            if match.kind == "secret":
                self._add("secret", match.rule, match.value, mask(match.value), rows, match.row, (name, match.start))
            elif match.kind not in self._policy.allowed_kinds:
                self._add(
                    "personal data", match.kind, match.value, mask(match.value), rows, match.row, (name, match.start)
                )
        for row in range(len(column.offsets) - 1):
            if self._repositories is None and self._presidio is None and not self._canaries:
                break
            text = column.data[column.offsets[row] : column.offsets[row + 1]].tobytes()
            for canary in self._canaries:
                start = text.find(canary)
                if start >= 0:
                    self._add("canary", "canary", canary, mask(canary), rows, row, (name, start))
            for file, _ in self._repositories.matches(text) if self._repositories is not None else ():
                self._add("source code", file, file.encode(), file, rows, row, (name, 0))

            if self._presidio is not None:
                self._ask_presidio(text.decode("utf-8", "replace"), name, rows, row)

    def _ask_presidio(self, text: str, name: str, rows: _Rows, row: int) -> None:
        """Add what Presidio says of a text."""
        for entity, start, end in self._presidio.scan(text) if self._presidio is not None else ():
            kind = f"presidio {entity.lower().replace('_', ' ')}"
            if kind not in self._policy.allowed_kinds:
                value = text[start:end].encode()
                self._add("personal data", kind, value, mask(value), rows, row, (name, len(text[:start].encode())))

    def _settings_of_use(self, batch: pa.RecordBatch, rows: _Rows) -> None:
        """Compare models, endpoints, regions, accounts and keys with the policy."""
        policy = self._policy
        for check, column, allowed in (
            ("model not sanctioned", "model", policy.models),
            ("endpoint not sanctioned", "endpoint", policy.endpoints),
            ("region not sanctioned", "country", policy.regions),
            ("account not sanctioned", "account_id", policy.accounts),
        ):
            if allowed is None or column not in batch.schema.names:
                continue
            values = batch.column(column).to_pylist()
            refused = {
                one
                for one in set(values)
                if one is not None and not any(fnmatch.fnmatchcase(one, name) for name in allowed)
            }
            for row, value in enumerate(values):
                if value in refused:
                    self._add(check, value, value.encode(), value, rows, row, None)
        if "api_key_id" in batch.schema.names:
            self._keys_of(batch, rows)

    def _keys_of(self, batch: pa.RecordBatch, rows: _Rows) -> None:
        countries = batch.column("country").to_pylist() if "country" in batch.schema.names else [None] * batch.num_rows
        for row, key in enumerate(batch.column("api_key_id").to_pylist()):
            if key is None:
                continue
            use = self._keys.setdefault(key, _KeyUse())
            use.accounts.add(rows.accounts[row])
            country = countries[row]
            if country is not None:
                use.countries.setdefault(int(rows.times[row]) // HOUR_US, set()).add(country)
            if len(use.accounts) > 1:
                self._add("key shared", key, key.encode(), key, rows, row, None)
            if self._policy.keys is not None and key not in self._policy.keys:
                self._add("key without owner", key, key.encode(), key, rows, row, None)

    def _add(
        self, check: str, kind: str, value: bytes, masked: str, rows: _Rows, row: int, place: tuple[str, int] | None
    ) -> None:
        """Count a value."""
        name = (check, kind, fingerprint(self._key, check, kind, value))
        kept = self._values.setdefault(name, _Value(masked=masked))
        time = int(rows.times[row])
        kept.count += 1
        kept.first_us, kept.last_us = min(kept.first_us, time), max(kept.last_us, time)
        kept.owners.add(self._policy.owner(rows.accounts[row]))
        if len(kept.places) < MOST_PLACES:
            column, start = place or ("", 0)
            kept.places.append(
                FindingPlace(
                    file=rows.files[int(rows.numbers[row])], offset=int(rows.offsets[row]), column=column, start=start,
                    length=len(value) if place else 0,
                )
            )  # fmt: skip

    def findings(self, today: dt.date) -> tuple[UseFinding, ...]:
        """Give what was found, and what is missing.

        Args:
            today: for attestations that end.
        """
        found = [
            UseFinding(
                fingerprint=digest, check=check, kind=kind, masked=one.masked, clause=self._policy.clause(check), owner=", ".join(sorted(one.owners)[:5]),
                count=one.count, first_us=one.first_us, last_us=one.last_us, places=tuple(one.places),
            )
            for (check, kind, digest), one in self._values.items()
        ]  # fmt: skip
        found += [self._missing(check, what) for check, what in self._absences(today)]
        return tuple(sorted(found, key=lambda one: (one.check, one.kind, one.fingerprint)))

    def _absences(self, today: dt.date) -> Iterator[tuple[str, str]]:
        """Name what should be there and is not, and what shows only over all exchanges, in whatever order they came."""
        for key in self._policy.keys or ():
            if key not in self._keys:
                yield "key unused", key
        for key, use in sorted(self._keys.items()):
            if any(len(found | use.countries.get(hour + 1, set())) > 1 for hour, found in use.countries.items()):
                yield "key in two countries", key
        for one in self._policy.settings:
            if not one.shown_by or one.until < today.isoformat():
                yield "setting not shown", one.name
        if self._days:
            whole = range(min(self._days), max(self._days) + 1)
            for day in (one for one in whole if one not in self._days):
                yield "log gap", (dt.date(1970, 1, 1) + dt.timedelta(days=day)).isoformat()

    def _missing(self, check: str, what: str) -> UseFinding:
        return UseFinding(
            fingerprint=fingerprint(self._key, check, what, b""), check=check, kind=what, masked=what, clause=self._policy.clause(check), owner="", count=1,
            first_us=0, last_us=0, places=(),
        )  # fmt: skip


class _Rows:
    """What a finding says of an exchange."""

    def __init__(self, batch: pa.RecordBatch, files: Sequence[str]) -> None:
        self.times = np.asarray(batch.column("time_us").cast(pa.int64()))
        self.accounts: list[str] = batch.column("account_id").to_pylist()
        self.numbers = np.asarray(batch.column("source_no"))
        self.offsets = np.asarray(batch.column("source_offset"))
        self.files = files
