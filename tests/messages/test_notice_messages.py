"""What account holders are told, word by word: a block, a challenge of a reseller, and the holder of a stolen key.

Where a text changes on purpose, write it anew with `python tests/messages/test_notice_messages.py`, and read the difference.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from stillwatch.decisions.notices import notice_for
from stillwatch.decisions.terms.lint import read_terms
from stillwatch.records.campaign import Finding
from stillwatch.records.decision import Action, Decision, WhenStale

HERE = Path(__file__).parent / "notices"
TERMS = read_terms(
    b"terms: api\nversion: '3'\ntitle: API terms\nappeal: appeals@example.com\nwording: 7.3 Customer will not pool accounts.\nclauses:\n"
    b"  - {id: no-pooling, kind: coordination, class: measure, mode: enforce, clause: '7.3', says: Customer will not pool accounts.,\n"
    b"     action: block, when: {coordinated: true, harvesting: true}, cure_days: 14}\n",
    None,
    "api.yaml",
)
CASES = {
    "block.txt": (Finding.OPERATOR, Action.BLOCK),
    "reseller.txt": (Finding.RESELLER, Action.CHALLENGE),
    "throttle.txt": (Finding.OPERATOR, Action.THROTTLE),
    "stolen_key.txt": (Finding.VICTIM, Action.ALLOW),
}


def text(name: str) -> str:
    """Give a notice."""
    finding, action = CASES[name]
    decision = Decision(
        id="", campaign_id="c-0123456789ab", finding=finding.value, terms=("api@3",), action=action, would=action, members=("a-1", "a-2"),
        claims=(), clauses=("api@3/no-pooling",), recorded=(), evaluations=(), remark="", from_us=1_780_000_000_000_000,
        until_us=1_782_592_000_000_000, notice="", appeal="appeals@example.com", when_stale=WhenStale.OPEN,
    )  # fmt: skip
    return notice_for(decision, [(TERMS, TERMS.clauses[0])]) + "\n"


@pytest.mark.parametrize("name", CASES)
def test_the_notice_is_this(name: str) -> None:
    assert text(name) == (HERE / name).read_text(encoding="utf-8")


if __name__ == "__main__":
    for file in CASES:
        (HERE / file).write_text(text(file), encoding="utf-8")
    sys.exit(0)
