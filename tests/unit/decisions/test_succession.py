"""Succession: when a decision is the same again, and on whom an older one still acts."""

from __future__ import annotations

from dataclasses import replace

import pytest
from terms_samples import campaign

from stillwatch.decisions.decision_record import decision_record, read_decision, supersedes_of
from stillwatch.decisions.errors import DecisionRecordError
from stillwatch.decisions.succession import acting, proposals_of
from stillwatch.records.campaign import Campaign
from stillwatch.records.decision import Action, Approval, Decision, WhenStale

NOW, DAY = 1_780_000_000_000_000, 86_400_000_000
BLOCK = Decision(
    id="d-block", campaign_id="c-1", finding="operator", terms=("api@1",), action=Action.BLOCK, would=Action.BLOCK,
    members=("a-1", "a-2"), claims=("c-1/lift",), clauses=("api@1/no",), recorded=(), evaluations=("{}",), remark="", from_us=NOW,
    until_us=NOW + 30 * DAY, notice="", appeal="us", when_stale=WhenStale.CLOSED,
)  # fmt: skip
APPROVED = Approval(decision_id="d-block", proposed_by="bob", approved_by="carol", approved_us=NOW)


def about(*members: str, name: str = "c-1") -> Campaign:
    return replace(campaign(), id=name, members=members)


def test_the_same_is_the_same_whatever_the_time_and_the_numbers_behind_it() -> None:
    again = replace(BLOCK, id="d-again", from_us=NOW + DAY, until_us=NOW + 31 * DAY, evaluations=("{1}",), notice="new")
    (one,) = proposals_of(about(*BLOCK.members), [again], [BLOCK], frozenset(), NOW + DAY)
    assert (one.decision, one.is_new, one.supersedes) == (BLOCK, False, ())


@pytest.mark.parametrize(
    "change",
    [
        {"action": Action.CHALLENGE}, {"claims": ("c-1/other",)}, {"clauses": ()}, {"terms": ("api@2",)}, {"finding": "reseller"},
        {"would": Action.MARK}, {"recorded": ("api@1/x",)},
    ],
)  # fmt: skip
def test_what_changes_supersedes(change: dict[str, object]) -> None:
    made = replace(BLOCK, id="d-new", **change)  # type: ignore[arg-type]
    (one,) = proposals_of(about(*BLOCK.members), [made], [BLOCK], frozenset(), NOW)
    assert (one.decision, one.is_new, one.supersedes) == (made, True, ("d-block",))


def test_a_campaign_that_has_grown_supersedes_and_one_that_overlaps_does_not() -> None:
    grown = replace(BLOCK, id="d-new", campaign_id="c-2", members=("a-1", "a-2", "a-3"))
    (one,) = proposals_of(about("a-1", "a-2", "a-3", name="c-2"), [grown], [BLOCK], frozenset(), NOW)
    assert one.supersedes == ("d-block",)
    other = replace(BLOCK, id="d-new", campaign_id="c-3", members=("a-2", "a-3"))
    (one,) = proposals_of(about("a-2", "a-3", name="c-3"), [other], [BLOCK], frozenset(), NOW)
    assert (one.is_new, one.supersedes) == (True, ())


def test_what_has_ended_or_is_superseded_is_proposed_again() -> None:
    again = replace(BLOCK, id="d-again")
    (one,) = proposals_of(about(*BLOCK.members), [again], [BLOCK], frozenset(), NOW + 30 * DAY)
    assert (one.is_new, one.supersedes) == (True, ())
    (one,) = proposals_of(about(*BLOCK.members), [again], [BLOCK], frozenset({"d-block"}), NOW)
    assert (one.is_new, one.supersedes) == (True, ("d-block",))


def on(
    decisions: list[Decision], approvals: dict[str, Approval], supersedes: dict[str, tuple[str, ...]]
) -> dict[str, tuple[str, ...]]:
    return {one.id: members for one, members in acting(decisions, approvals, supersedes, NOW)}


def test_the_older_acts_until_the_newer_has_begun_for_that_account() -> None:
    newer = replace(BLOCK, id="d-newer", members=("a-2", "a-3"))
    held = {"d-block": APPROVED}
    links = {"d-newer": ("d-block",)}
    assert on([BLOCK, newer], held, links) == {"d-block": ("a-1", "a-2")}  # the newer block waits for approval
    both = {**held, "d-newer": replace(APPROVED, decision_id="d-newer")}
    assert on([BLOCK, newer], both, links) == {"d-block": ("a-1",), "d-newer": ("a-2", "a-3")}
    later = replace(newer, from_us=NOW + DAY)
    assert on([BLOCK, later], both, links) == {"d-block": ("a-1", "a-2")}  # its notice runs


def test_an_account_that_is_cleared_is_let_go_at_once_and_stays_so() -> None:
    cleared = replace(BLOCK, id="d-clear", action=Action.ALLOW, finding="victim", until_us=NOW)
    links = {"d-clear": ("d-block",)}
    assert on([BLOCK, cleared], {"d-block": APPROVED}, links) == {}
    short = replace(BLOCK, id="d-short", action=Action.THROTTLE, from_us=NOW - 2 * DAY, until_us=NOW - DAY)
    assert on([BLOCK, short], {"d-block": APPROVED}, {"d-short": ("d-block",)}) == {}


def test_the_record_says_what_is_superseded() -> None:
    import hashlib  # noqa: PLC0415

    from stillwatch.integrity.canonical import canonical_bytes  # noqa: PLC0415

    sound = replace(BLOCK, id=f"d-{hashlib.sha256(canonical_bytes(replace(BLOCK, id=''))).hexdigest()[:12]}")
    record = decision_record(sound, ("d-1", "d-2"))
    assert (read_decision(record), supersedes_of(record)) == (sound, ("d-1", "d-2"))
    assert supersedes_of(decision_record(sound)) == ()
    for wrong in (b"[]", b'{"supersedes": [1]}', b"{"):
        with pytest.raises(DecisionRecordError, match="do not list what they supersede"):
            supersedes_of(wrong)
