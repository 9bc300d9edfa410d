"""Decisions: who is held to what, each finding's own treatment, monotone in evidence, four eyes, and what reaches the bundle."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import terms_samples as samples
from hypothesis import given, settings
from hypothesis import strategies as st
from terms_samples import DAY, NOW, accepted, campaign, evaluators

from stillwatch.decisions.approval import approve, needs_approval, takes_effect
from stillwatch.decisions.compile_policy import compile_terms
from stillwatch.decisions.decide import decide, terms_in_force
from stillwatch.decisions.decision_record import decision_record, read_decision
from stillwatch.decisions.enforcement_bundle import bundle_of
from stillwatch.decisions.errors import DecisionRecordError, FourEyesError
from stillwatch.decisions.evaluate import replay
from stillwatch.integrity.enforcement_bundle import read_bundle, write_bundle
from stillwatch.integrity.signing import SignatureType, SignerKey
from stillwatch.records.campaign import Finding
from stillwatch.records.decision import STRICTNESS, Action, Approval, Decision, WhenStale
from stillwatch.records.terms import Terms

POOLING = samples.clause(
    "no-pooling", "{coordinated: true, harvesting: true}",
    more="    when_stale: closed\n    notice_days: 2\n    cure_days: 14\n    duration_days: 60\n",
)  # fmt: skip
TRAINING = samples.clause("no-training", "{harvesting: true}", action="throttle")
RECORDED = samples.clause("big", "{harvest_exchanges: {above: 100}}", mode="record")
TERMS = samples.read(POOLING, TRAINING, RECORDED)
ALL = [accepted(one) for one in ("a-1", "a-2", "a-3")]
KEY = SignerKey(name="example.com/bundles", type=SignatureType.NOTE, seed=bytes(range(32)))


def one_decision(finding: Finding = Finding.OPERATOR, terms: Terms = TERMS, **more: object) -> Decision:
    (decision,) = decide(campaign(finding=finding, **more), ALL, evaluators(terms), NOW)
    return decision


def test_a_block_says_all_that_it_rests_on() -> None:
    decision = one_decision()
    assert decision.action is Action.BLOCK
    assert decision.members == ("a-1", "a-2", "a-3")
    assert decision.claims == ("c-0123456789ab/template lift",)
    assert decision.terms == ("sample@1",)
    assert decision.clauses == ("sample@1/no-pooling", "sample@1/no-training")
    assert decision.recorded == ("sample@1/big",)
    assert (decision.from_us, decision.until_us) == (NOW + 2 * DAY, NOW + 62 * DAY)
    assert decision.when_stale is WhenStale.CLOSED
    assert decision.appeal == "appeals@example.com"
    assert replay(decision.evaluations[0].encode(), compile_terms(TERMS)).breached == (
        "big",
        "no-pooling",
        "no-training",
    )


def test_the_notice_names_clause_period_and_appeal_and_no_other_account() -> None:
    notice = one_decision().notice
    for part in (
        "clause 1.1: Customer will not train on Output.",
        "2026-05-30",
        "within 14 days",
        "appeals@example.com",
        "A person will look",
    ):
        assert part in notice
    assert not any(member in notice for member in ("a-1", "a-2", "a-3"))


def test_nobody_is_held_to_what_they_did_not_accept() -> None:
    acceptances = [accepted("a-1"), accepted("a-2", at=NOW)]  # the second accepted after the campaign was last seen
    without, held = decide(campaign(), acceptances, evaluators(TERMS), NOW)
    assert (without.members, without.action, without.clauses, without.notice) == (("a-2", "a-3"), Action.ALLOW, (), "")
    assert "did not accept" in without.remark
    assert (held.members, held.action) == (("a-1",), Action.BLOCK)


def test_the_version_in_force_is_the_last_that_was_accepted_in_time() -> None:
    later = replace(samples.read(TRAINING), version="2")
    acceptances = [*ALL, accepted("a-2", version="2", at=NOW - 2 * DAY), accepted("a-3", version="2", at=NOW)]
    assert terms_in_force(acceptances, NOW - DAY) == {
        "a-1": (("sample", "1"),), "a-2": (("sample", "2"),), "a-3": (("sample", "1"),)
    }  # fmt: skip
    old, new = decide(campaign(), acceptances, evaluators(TERMS, later), NOW)
    assert (old.members, old.action, old.terms) == (("a-1", "a-3"), Action.BLOCK, ("sample@1",))
    assert (new.members, new.action, new.terms) == (("a-2",), Action.THROTTLE, ("sample@2",))


def test_several_terms_are_held_at_once() -> None:
    policy = replace(
        samples.read(samples.clause("usage", "{harvesting: true}", action="challenge")), name="usage-policy"
    )
    (decision,) = decide(
        campaign(), [*ALL, *(accepted(one.account_id, "usage-policy") for one in ALL)], evaluators(samples.read(TRAINING), policy), NOW
    )  # fmt: skip
    assert decision.action is Action.CHALLENGE
    assert decision.clauses == ("sample@1/no-training", "usage-policy@1/usage")
    assert len(decision.evaluations) == 2


@pytest.mark.parametrize(
    ("finding", "action"),
    [
        (Finding.OPERATOR, Action.BLOCK),
        (Finding.RESELLER, Action.CHALLENGE),
        (Finding.VICTIM, Action.ALLOW),
        (Finding.LICENSED, Action.ALLOW),
        (Finding.LOOK_ALIKE, Action.ALLOW),
        (Finding.UNRESOLVED, Action.ALLOW),
        (Finding.ORDINARY, Action.ALLOW),
    ],
)
def test_each_finding_has_its_own_treatment(finding: Finding, action: Action) -> None:
    decision = one_decision(finding)
    assert decision.action is action
    assert STRICTNESS.index(decision.would) <= STRICTNESS.index({Finding.OPERATOR: Action.BLOCK}.get(finding, action))
    assert bool(decision.notice) == (action is not Action.ALLOW or finding is Finding.VICTIM)


def test_a_victim_is_told_to_change_the_key_and_that_nothing_is_held_against_them() -> None:
    notice = one_decision(Finding.VICTIM).notice
    assert "make a new key" in notice
    assert "Nothing is held against you" in notice


def test_a_reseller_is_asked_for_end_users() -> None:
    assert "pass on an id for each end user" in one_decision(Finding.RESELLER).notice


def test_a_licence_is_a_clause_like_any_other() -> None:
    licensed = samples.read(
        POOLING,
        TRAINING,
        samples.licence("no-pooling, no-training", "{licensed: true, harvest_exchanges: {below: 901}}"),
    )
    order = replace(samples.read(samples.GRANT), name="order-form")
    both = [*ALL, *(accepted(one.account_id, "order-form") for one in ALL)]
    for harvest, acceptances, action in (
        (900, both, Action.ALLOW),
        (901, both, Action.BLOCK),  # beyond what the licence allows
        (900, ALL, Action.BLOCK),  # the terms speak of a licence, and these accounts have none
    ):
        (decision,) = decide(campaign(harvest_exchanges=harvest), acceptances, evaluators(licensed, order), NOW)
        assert decision.action is action


def test_a_mark_tells_nobody_since_the_terms_did() -> None:
    decision = one_decision(
        terms=samples.read(samples.clause("marked", "{harvesting: true}", action="mark"), samples.DISCLOSURE)
    )
    assert (decision.action, decision.notice) == (Action.MARK, "")


def test_record_mode_does_nothing_and_says_what_it_would() -> None:
    decision = one_decision(terms=samples.read(POOLING.replace("mode: enforce", "mode: record")))
    assert (decision.action, decision.would, decision.clauses) == (Action.ALLOW, Action.BLOCK, ())
    assert decision.recorded == ("sample@1/no-pooling",)


CLAUSES = st.lists(
    st.tuples(
        st.sampled_from(["harvest_exchanges", "evidence_log10", "exchanges_per_day", "accounts"]),
        st.integers(0, 60),
        st.sampled_from(["throttle", "challenge", "block"]),
        st.sampled_from(["record", "enforce"]),
    ),
    min_size=1, max_size=6, unique_by=lambda one: one[:2],
)  # fmt: skip
EVIDENCE = st.tuples(st.integers(0, 100), st.floats(0, 200), st.floats(0, 100))


@settings(max_examples=60, deadline=None)
@given(
    clauses=CLAUSES, licence_below=st.integers(1, 80), low=EVIDENCE, more=EVIDENCE,
    finding=st.sampled_from([Finding.OPERATOR, Finding.RESELLER, Finding.LICENSED]),
)  # fmt: skip
def test_decisions_are_monotone_in_evidence(
    clauses: list[tuple[str, int, str, str]],
    licence_below: int,
    low: tuple[int, float, float],
    more: tuple[int, float, float],
    finding: Finding,
) -> None:
    texts = [
        samples.clause(f"c-{number}", f"{{{fact}: {{above: {limit}}}, harvesting: true}}", action=action, mode=mode)
        for number, (fact, limit, action, mode) in enumerate(clauses)
    ]
    terms = samples.read(
        *texts, samples.licence("c-0", f"{{licensed: true, harvest_exchanges: {{below: {licence_below}}}}}")
    )
    weak, strong = (
        one_decision(finding, terms, harvest_exchanges=harvest, log_e=log_e, rate_per_account_day=rate)
        for harvest, log_e, rate in (low, tuple(a + b for a, b in zip(low, more, strict=True)))
    )
    assert STRICTNESS.index(strong.action) >= STRICTNESS.index(weak.action)
    assert STRICTNESS.index(strong.would) >= STRICTNESS.index(weak.would)
    assert set(weak.clauses) <= set(strong.clauses)


def test_evidence_without_bound_and_without_number_is_decided() -> None:
    terms = samples.read(samples.clause("strong", "{evidence_log10: {above: 100}}"))
    assert one_decision(terms=terms, log_e=float("inf")).action is Action.BLOCK
    assert one_decision(terms=terms, log_e=float("-inf")).action is Action.ALLOW


def test_no_action_lowers_quality() -> None:
    assert [one.value for one in STRICTNESS] == ["allow", "mark", "throttle", "challenge", "block"]
    assert set(STRICTNESS) == set(Action)


def test_a_record_reads_back_and_a_changed_one_does_not() -> None:
    decision = one_decision()
    record = decision_record(decision)
    assert read_decision(record) == decision
    for old, new in (
        (b'"a-3"', b'"a-4"'),
        (b'"action":"block"', b'"action":"allow"'),
        (b"decision/v1", b"decision/v2"),
        (b'"remark"', b'"remarks"'),
    ):
        assert old in record
        with pytest.raises(DecisionRecordError):
            read_decision(record.replace(old, new))
    with pytest.raises(DecisionRecordError):
        read_decision(json.dumps({"format": "stillwatch-decision/v1", "decision": []}).encode())


def test_a_block_needs_a_second_pair_of_eyes() -> None:
    decision = one_decision()
    assert needs_approval(decision)
    for same in ("bob", " Bob", "BOB", "\uff42ob"):
        with pytest.raises(FourEyesError, match="ask somebody else"):
            approve(decision, "bob", same, NOW)
    approval = approve(decision, "bob", "carol", NOW)
    assert (approval.proposed_by, approval.approved_by) == ("bob", "carol")
    with pytest.raises(FourEyesError, match="has ended"):
        approve(decision, "bob", "carol", decision.until_us)
    with pytest.raises(FourEyesError, match="only a block needs one"):
        approve(replace(decision, action=Action.THROTTLE), "bob", "carol", NOW)


def test_what_takes_effect() -> None:
    decision = one_decision()
    approval = approve(decision, "bob", "carol", NOW)
    begun = decision.from_us
    assert takes_effect(decision, approval, begun)
    assert not takes_effect(decision, None, begun)
    assert not takes_effect(decision, replace(approval, approved_by="Bob"), begun)
    assert not takes_effect(decision, replace(approval, decision_id="d-other"), begun)
    assert not takes_effect(decision, approval, begun - 1)
    assert not takes_effect(decision, approval, decision.until_us)
    assert takes_effect(replace(decision, action=Action.THROTTLE), None, begun)
    assert not takes_effect(replace(decision, action=Action.ALLOW), approval, begun)


def bundled(decisions: list[Decision], approvals: dict[str, Approval], now: int) -> dict[str, Action]:
    bundle, accounts = bundle_of(
        decisions, approvals, name="g", version=1, issued_us=now, expires_us=now + DAY, requests_per_minute=10
    )
    loaded = read_bundle(write_bundle(bundle, accounts, KEY), KEY.verifier)
    return {account: loaded.action(account, now) for account in ("a-1", "a-2", "a-3", "a-4")}


def test_the_bundle_holds_what_takes_effect_and_of_two_the_stricter() -> None:
    block = one_decision()
    throttle = replace(block, id="d-throttle", action=Action.THROTTLE, members=("a-3", "a-4"))
    now = block.from_us
    approvals = {block.id: approve(block, "bob", "carol", NOW)}
    allowed = dict.fromkeys(("a-1", "a-2"), Action.ALLOW)
    assert bundled([block, throttle], {}, now) == {**allowed, "a-3": Action.THROTTLE, "a-4": Action.THROTTLE}
    for order in ([block, throttle], [throttle, block]):
        assert bundled(order, approvals, now) == {
            **dict.fromkeys(("a-1", "a-2", "a-3"), Action.BLOCK),
            "a-4": Action.THROTTLE,
        }
    assert set(bundled([block, throttle], approvals, NOW).values()) == {Action.ALLOW}
