"""Small hand-made populations for tests of detection: accounts, what they carry, and what they sent.

Account number i has the hash 10 i + 7, so that numbers and hashes are never mistaken for each other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from stillwatch.detection.campaigns.candidate import Candidate, build_candidate, measure_background
from stillwatch.detection.campaigns.queries import STUDY
from stillwatch.detection.campaigns.study import Study
from stillwatch.detection.links.attributes import AttributeTable, attribute_table
from stillwatch.detection.links.groups import Group
from stillwatch.detection.links.kinds import Kind
from stillwatch.detection.profiles.accounts import Accounts
from stillwatch.detection.profiles.queries import FEATURE_BINS, FEATURES
from stillwatch.engines.arrow_schema import arrow_schema
from stillwatch.records.sketch import CAPABILITY_SIGNS

DAY_US = 86_400_000_000


def hashes_of(accounts: int) -> np.ndarray:
    return 10 * np.arange(accounts, dtype=np.int64) + 7


def accounts_of(accounts: int, exchanges: int = 100, **given: Any) -> Accounts:
    """Accounts that all sent `exchanges`; anything else by name."""
    counts = np.full(accounts, exchanges, dtype=np.int64)
    zeros = np.zeros(accounts, dtype=np.int64)
    fields: dict[str, Any] = {
        "hashes": hashes_of(accounts),
        "ids": tuple(f"account-{number:04d}" for number in range(accounts)),
        "exchanges": counts,
        "sampled": counts,
        "first_us": zeros,
        "last_us": zeros + 30 * DAY_US,
        "active_days": zeros + 10,
        "prompts": counts,
        "extraction": zeros,
        "capabilities": np.zeros((accounts, len(CAPABILITY_SIGNS)), dtype=np.int64),
        "created_us": np.full(accounts, np.nan),
        "licensed": np.zeros(accounts, dtype=bool),
        "reference": np.ones(accounts, dtype=bool),
        "observed": np.ones(accounts, dtype=bool),
        "histograms": {
            name: np.zeros((accounts, width), dtype=np.int32)
            for name, width in zip(FEATURES, FEATURE_BINS, strict=True)
        },
    }
    return Accounts(**{**fields, **given})


def table_of(
    accounts: int, carried: Iterable[tuple[Kind, int, int, int]], sampled: int | Sequence[int] = 100
) -> AttributeTable:
    """Build the table from (kind, value, account number, exchanges that carry it)."""
    rows = sorted((int(kind), value, 10 * number + 7, exchanges) for kind, value, number, exchanges in carried)
    columns = list(zip(*rows, strict=True)) or [(), (), (), ()]
    shared = pa.table(
        {
            name: pa.array(column, pa.int64())
            for name, column in zip(("kind", "value", "account", "exchanges"), columns, strict=True)
        }
    )
    return attribute_table(shared, hashes_of(accounts), np.broadcast_to(np.asarray(sampled, dtype=np.int64), accounts))


def study_of(accounts: int, sent: Sequence[Mapping[str, Any]]) -> Study:
    """Build the study from rows that say `number` and any columns; what is not said is null, and `delivery` counts up."""
    schema = arrow_schema(STUDY.gives)
    rows = [
        {
            "intent": 0,
            "source_no": 0,
            "source_offset": place,
            "source_length": 1,
            "time_us": place,
            "day": 0,
            "hour": 0,
            "minute": 0,
        }
        | {"delivery": place, "account": 10 * row["number"] + 7, "spans": [], "bands": []}
        | {name: value for name, value in row.items() if name != "number"}
        for place, row in enumerate(sent)
    ]
    rows.sort(key=lambda row: (row["account"], row["delivery"]))
    columns = {field.name: pa.array([row.get(field.name) for row in rows], field.type) for field in schema}
    return Study(pa.table(columns, schema=schema), hashes_of(accounts))


def candidate_of(
    members: Sequence[int],
    *,
    accounts: Accounts,
    table: AttributeTable | None = None,
    study: Study | None = None,
    seed: str = "infrastructure",
    places: Sequence[int] = (),
) -> Candidate:
    table = table or table_of(len(accounts), [])
    group = Group(
        members=np.array(sorted(members), dtype=np.int64),
        seed=seed,
        places=np.array(places, dtype=np.int64),
    )
    background = measure_background(accounts, table)
    return build_candidate(group, accounts, table, study or study_of(len(accounts), []), background, "digest")
