"""Result files: what `stillwatch detect` wrote into a folder, read back.

Takes the folder. Gives campaigns, one account's row and the facts of the run, without reading all accounts.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.cli.errors import ResultFileError
from stillwatch.evidence.incident_report import CampaignsFile, read_campaigns_document

ACCOUNTS_FILE = "accounts.parquet"
CAMPAIGNS_FILE = "campaigns.json"
REPORT_FILE = "report.html"
RUN_FILE = "run.json"
QUARANTINE_FILE = "quarantine.jsonl"
RESULT_FILES = (ACCOUNTS_FILE, CAMPAIGNS_FILE, REPORT_FILE, RUN_FILE, QUARANTINE_FILE)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountRow:
    """A row of accounts.parquet."""

    account_id: str
    flagged: bool
    campaign_id: str | None
    finding: str
    q_value: float | None
    exchanges: int
    first_seen: str
    """ISO 8601, UTC."""
    last_seen: str


def read_campaigns(folder: Path) -> CampaignsFile:
    """Read campaigns.json.

    Args:
        folder: a folder that `stillwatch detect` wrote.

    Raises:
        ResultFileError: where the file is missing or no JSON.
        CampaignsFileError: where its layout is another.
    """
    file = folder / CAMPAIGNS_FILE
    return read_campaigns_document(_json(file), str(file))


def read_run(folder: Path) -> dict[str, Any]:
    """Read run.json.

    Args:
        folder: a folder that `stillwatch detect` wrote.

    Raises:
        ResultFileError: where the file is missing or no JSON.
    """
    return _json(folder / RUN_FILE)


def read_account(folder: Path, account_id: str) -> AccountRow | None:
    """Read one account's row.

    Args:
        folder: a folder that `stillwatch detect` wrote.
        account_id: the provider's account.

    Returns:
        The row; null where the detection never saw the account.

    Raises:
        ResultFileError: where the file is missing or no accounts file.
    """
    file = folder / ACCOUNTS_FILE
    try:
        rows = pq.read_table(file, filters=[("account_id", "=", account_id)]).to_pylist()
        if not rows:
            return None
        row = rows[0]
        return AccountRow(
            account_id=row["account_id"],
            flagged=row["flagged"],
            campaign_id=row["campaign_id"],
            finding=row["finding"],
            q_value=row["q_value"],
            exchanges=row["exchanges"],
            first_seen=_iso(row["first_seen"]),
            last_seen=_iso(row["last_seen"]),
        )
    except (OSError, KeyError, pa.ArrowException) as error:
        raise _unreadable(file, error) from error


def _iso(value: Any) -> str:
    """Give a Parquet timestamp in ISO 8601."""
    return str(value.isoformat()).replace("+00:00", "Z")


def _json(file: Path) -> dict[str, Any]:
    """Read a JSON object."""
    try:
        content = json.loads(file.read_bytes())
    except (OSError, ValueError) as error:
        raise _unreadable(file, error) from error
    if not isinstance(content, dict):
        raise _unreadable(file, TypeError())
    return content


def _unreadable(file: Path, error: Exception) -> ResultFileError:
    """Say which file is missing or broken, never what stands in it."""
    got = "no such file" if isinstance(error, FileNotFoundError) else type(error).__name__
    return ResultFileError(
        f"{file} cannot be read: got {got}, expected a file that `stillwatch detect` wrote. "
        f"Name the folder that was given as --out; it holds {', '.join(RESULT_FILES)}."
    )
