"""docs/evidence.md says what the code does: roles, the leaf, and the formats."""

from __future__ import annotations

import json
import re
from pathlib import Path

from stillwatch.evidence.access import PERMISSIONS, Permission, Role
from stillwatch.evidence.ledger import leaf_bytes
from stillwatch.records.ledger import LedgerEntry

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "evidence.md").read_text(encoding="utf-8")


def test_the_table_of_roles_is_that_of_the_code() -> None:
    rows = re.findall(
        r"^\| (\w+) \| ([a-z, -]+) \|$", PAGE.partition("### Who may do what")[2].partition("\n##")[0], re.MULTILINE
    )
    said = {role: may.split(", ") for role, may in rows if role != "role"}
    expected = {role.value: [one.value for one in Permission if one in PERMISSIONS[role]] for role in Role}
    assert {role: sorted(may) for role, may in said.items()} == {role: sorted(may) for role, may in expected.items()}


def test_the_leaf_that_is_shown_is_the_leaf_that_is_hashed() -> None:
    (shown,) = re.findall(r'^(\{"actor".*\})$', PAGE, re.MULTILINE)
    said = json.loads(shown)
    entry = LedgerEntry(
        index=0,
        kind=said["kind"],
        recorded_us=said["recorded_us"],
        actor=said["actor"],
        record_digest=said["record_digest"],
        record=b"{}",
    )
    assert leaf_bytes(entry).decode() == shown
