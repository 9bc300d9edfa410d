"""Facts about accounts from a file apart from the logs, hashed like the log columns so that they link accounts the same way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stillwatch.detection.links.queries import FACTS
from stillwatch.engines.arrow_schema import arrow_schema


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of accounts apart from the logs, by account hash."""

    table: pa.Table
    """Schema FACTS of `links.queries`."""
    licensed: npt.NDArray[np.int64]
    """[f] hashes of accounts whose agreement allows distillation."""
    created_us: dict[int, int]
    """Account hash -> registration time."""
    closed_us: dict[int, int] = field(default_factory=dict)
    """Account hash -> time at which the provider closed the account."""


def no_facts() -> Facts:
    """Return the facts of a run without an accounts file."""
    return Facts(table=arrow_schema(FACTS).empty_table(), licensed=np.zeros(0, np.int64), created_us={})


def facts_of(rows: pa.Table, hash_value: Callable[[str, str], int]) -> Facts:
    """Hash the rows of an accounts file.

    Args:
        rows: Schema ACCOUNT_FACTS.
        hash_value: (kind, value) -> the hash that the sketch column of that kind has.
    """
    accounts = [hash_value("account", account) for account in rows["account_id"].to_pylist()]
    columns: dict[str, list[int | None]] = {}
    for column, source in (
        ("payment", "payment_id"),
        ("email_domain", "email_domain"),
        ("organization", "organization_id"),
    ):
        columns[column] = [None if value is None else hash_value(column, value) for value in rows[source].to_pylist()]
    created = dict(zip(accounts, rows["account_created_us"].to_pylist(), strict=True))
    closed = dict(zip(accounts, rows["closed_us"].to_pylist(), strict=True))
    licensed = [
        account for account, licence in zip(accounts, rows["licence"].to_pylist(), strict=True) if licence is not None
    ]
    return Facts(
        table=pa.table({"account": accounts, **columns}, schema=arrow_schema(FACTS)),
        licensed=np.array(licensed, dtype=np.int64),
        created_us={account: created_us for account, created_us in created.items() if created_us is not None},
        closed_us={account: closed_us for account, closed_us in closed.items() if closed_us is not None},
    )
