"""Holdings: which account carries which identifier, and prompts batch by batch, read from logs and an accounts file.

Takes paths of logs, as `stillwatch detect` takes them. Gives distinct (account, value) pairs by kind, and shows each batch's prompts to
whoever wants them. Nothing is kept of the prompts. Memory grows with the distinct pairs, not with the exchanges.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.intake.accounts_file import read_account_facts
from stillwatch.intake.plan import IntakePlan, plan
from stillwatch.intake.read import read_split
from stillwatch.intake.settings import IntakeSettings
from stillwatch.intake.sources import expand_paths
from stillwatch.records.indicator import IdentifierKind

COLUMNS = {
    IdentifierKind.PAYMENT: "payment_id",
    IdentifierKind.ORGANIZATION: "organization_id",
    IdentifierKind.EMAIL_DOMAIN: "email_domain",
    IdentifierKind.TLS: "tls_fingerprint",
    IdentifierKind.USER_AGENT: "user_agent",
    IdentifierKind.IP: "ip",
}
_FROM_THE_ACCOUNTS_FILE = (IdentifierKind.PAYMENT, IdentifierKind.ORGANIZATION, IdentifierKind.EMAIL_DOMAIN)
_COMPACT_ROWS = 1_000_000
"""Pairs gathered before repeats are dropped."""

LookAtBatch = Callable[[pa.RecordBatch, Sequence[str]], None]
"""Shown each batch of exchanges, with the path of each source number."""


@dataclass(slots=True, kw_only=True)
class Holdings:
    """What our logs hold."""

    exchanges: int = 0
    pairs: dict[IdentifierKind, pa.Table] = field(default_factory=dict)
    """Distinct (account_id, value) by kind."""

    def carriers(self, kind: IdentifierKind) -> Iterator[tuple[str, str]]:
        """Give the (account id, value) pairs of a kind; networks are those of the addresses.

        Args:
            kind: what the values identify.
        """
        table = self.pairs.get(IdentifierKind.IP if kind is IdentifierKind.NETWORK else kind)
        if table is not None:
            yield from zip(table["account_id"].to_pylist(), table["value"].to_pylist(), strict=True)


def read_holdings(
    paths: Iterable[str], accounts: Path | None, settings: IntakeSettings, look_at_batch: LookAtBatch
) -> Holdings:
    """Read logs once.

    Args:
        paths: files, folders or globs.
        accounts: facts of accounts that the logs do not say.
        settings: declarations for the logs.
        look_at_batch: shown every batch.

    Raises:
        IntakeError: where a file cannot be read.
    """
    planned = plan(expand_paths(tuple(paths)), "auto", settings)
    names = _names(planned)
    holdings = Holdings()
    gathered: dict[IdentifierKind, list[pa.Table]] = {kind: [] for kind in COLUMNS}
    for split in planned.splits:
        for output in read_split(split, planned.settings):
            if output.batch.num_rows:
                holdings.exchanges += output.batch.num_rows
                for kind, column in COLUMNS.items():
                    _gather(gathered[kind], output.batch, column)
                look_at_batch(output.batch, names)
    if accounts is not None:
        facts = read_account_facts(str(accounts), settings.assume_zone).table
        for kind in _FROM_THE_ACCOUNTS_FILE:
            _gather(gathered[kind], facts, COLUMNS[kind])
    for kind, tables in gathered.items():
        if tables:
            holdings.pairs[kind] = _distinct(pa.concat_tables(tables))
    return holdings


def _names(planned: IntakePlan) -> tuple[str, ...]:
    """Return the path of each source number."""
    names = [""] * (1 + max((file.source.number for file in planned.files), default=-1))
    for file in planned.files:
        names[file.source.number] = file.source.path
    return tuple(names)


def _gather(tables: list[pa.Table], rows: Any, column: str) -> None:
    """Add the distinct pairs of a batch; drop repeats between batches when there are many."""
    if column not in rows.schema.names:
        return
    pairs = pa.table({"account_id": rows.column("account_id"), "value": rows.column(column)})
    pairs = pairs.filter(pc.is_valid(pairs["value"]))
    if pairs.num_rows:
        tables.append(_distinct(pairs))
    if sum(table.num_rows for table in tables) > _COMPACT_ROWS and len(tables) > 1:
        tables[:] = [_distinct(pa.concat_tables(tables))]


def _distinct(pairs: pa.Table) -> pa.Table:
    """Drop repeats; sorted, so that the order of the logs does not show."""
    return (
        pairs.group_by(["account_id", "value"])
        .aggregate([])
        .sort_by([("account_id", "ascending"), ("value", "ascending")])
    )
