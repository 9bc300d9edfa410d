"""Reads files through the plan as an engine does: every split by itself, from its JSON text."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import settings

from stillwatch.intake.exchange_batch import SCHEMA
from stillwatch.intake.plan import IntakePlan, plan
from stillwatch.intake.read import read_split
from stillwatch.intake.settings import IntakeSettings
from stillwatch.intake.sources import expand_paths
from stillwatch.intake.split import Split, SplitOutput
from stillwatch.records.campaign import Quarantined

# A deadline measures how busy the machine is, not the code; each run tries the same examples.
settings.register_profile("steady", deadline=None, derandomize=True)
settings.load_profile("steady")

SHARED = Path(os.environ.get("STILLWATCH_SHARED") or Path(__file__).resolve().parents[3] / ".." / "shared")


@dataclass(frozen=True)
class Result:
    plan: IntakePlan
    outputs: list[SplitOutput]

    @property
    def table(self) -> pa.Table:
        return pa.Table.from_batches([output.batch for output in self.outputs], schema=SCHEMA)

    @property
    def rows(self) -> list[dict]:
        """The exchanges, without the columns that are null."""
        return [{name: value for name, value in row.items() if value is not None} for row in self.table.to_pylist()]

    @property
    def row(self) -> dict:
        (row,) = self.rows
        return row

    @property
    def quarantined(self) -> list[Quarantined]:
        return [entry for output in self.outputs for entry in output.quarantined]

    @property
    def reasons(self) -> list[str]:
        return [entry.reason for entry in self.quarantined]

    @property
    def notes(self) -> dict[str, int]:
        total: Counter[str] = Counter()
        for output in self.outputs:
            total.update(dict(output.notes))
        return dict(total)

    @property
    def formats(self) -> list[str]:
        return [file.format_name for file in self.plan.files]


def read_all(*paths: Path | str, format_name: str = "auto", split_bytes: int = 64 << 20, **declared: object) -> Result:
    planned = plan(
        expand_paths([str(path) for path in paths]),
        format_name,
        IntakeSettings(**declared),  # type: ignore[arg-type]
        split_bytes=split_bytes,
    )
    outputs = [
        output for split in planned.splits for output in read_split(Split.from_json(split.to_json()), planned.settings)
    ]
    return Result(plan=planned, outputs=outputs)


@pytest.fixture
def read():
    return read_all


@pytest.fixture
def sample():
    """Path of a sample record of a log format."""

    def path(name: str) -> Path:
        found = SHARED / "samples" / name
        if not found.exists():
            pytest.skip(f"sample records are not here: {found} (set STILLWATCH_SHARED to their folder)")
        return found

    return path
