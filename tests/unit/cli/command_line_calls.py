"""What the tests of the command line share: a folder as `detect` writes it, and the way of calling a command line."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

EVIDENCE_TESTS = Path(__file__).resolve().parents[1] / "evidence"
if str(EVIDENCE_TESTS) not in sys.path:  # the hand-made incident is written once
    sys.path.insert(0, str(EVIDENCE_TESTS))

import example_incident as example  # noqa: E402

from stillwatch.cli.main import run  # noqa: E402
from stillwatch.evidence.incident_report import campaigns_document, render_report  # noqa: E402

ORDINARY = "acct_ordinary"
LONER = "acct_loner"
MISSING_TEST = {"name": "output harvest", "reason": "no exchange has answer text", "needed": "the column `response`"}


class Said(NamedTuple):
    """What a command line gave."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """The JSON document; fails where standard output holds anything else."""
        return dict(json.loads(self.out))


@pytest.fixture
def stillwatch(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Said]:
    """Run a command line in this process, the same whatever terminal the tests have."""
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.delenv("FORCE_COLOR", raising=False)

    def call(*arguments: str | Path) -> Said:
        capsys.readouterr()
        code = run([str(argument) for argument in arguments])
        said = capsys.readouterr()
        return Said(int(code), said.out, said.err)

    return call


def write_case(folder: Path) -> Path:
    """Write the hand-made incident as `detect` would."""
    incident = example.incident()
    folder.mkdir(parents=True, exist_ok=True)
    document = campaigns_document(
        version="0.1.0", fdr=0.01, campaigns=incident.campaigns, considered=incident.considered
    )
    (folder / "campaigns.json").write_text(json.dumps(document), encoding="utf-8")
    (folder / "run.json").write_text(
        json.dumps({"version": "0.1.0", "tests_not_run": [MISSING_TEST]}), encoding="utf-8"
    )
    (folder / "report.html").write_text(render_report(incident), encoding="utf-8")
    flagged = {one.id for one in incident.campaigns}
    rows = [
        {"account_id": account, "flagged": one.id in flagged, "finding": one.finding.value,
         "campaign_id": one.id if one.id in flagged else None,  # a row names only what is reported
         "q_value": one.q_value, "exchanges": 195, "first_seen": one.first_seen_us, "last_seen": one.last_seen_us}
        for one in (*incident.campaigns, *incident.considered)
        for account in one.members
    ]  # fmt: skip
    rows += [
        {"account_id": account, "flagged": False, "campaign_id": None, "finding": "ordinary", "q_value": None,
         "exchanges": 1, "first_seen": 0, "last_seen": 1_000_000}
        for account in (ORDINARY, LONER)
    ]  # fmt: skip
    time = pa.timestamp("us", tz="UTC")
    schema = pa.schema(
        [
            ("account_id", pa.string()), ("flagged", pa.bool_()), ("campaign_id", pa.string()), ("finding", pa.string()),
            ("q_value", pa.float64()), ("exchanges", pa.int64()), ("first_seen", time), ("last_seen", time),
        ]
    )  # fmt: skip
    rows.sort(key=lambda row: str(row["account_id"]))
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), folder / "accounts.parquet")
    return folder


@pytest.fixture
def case(tmp_path: Path) -> Path:
    """Give a folder as `detect` writes it."""
    return write_case(tmp_path / "case")
