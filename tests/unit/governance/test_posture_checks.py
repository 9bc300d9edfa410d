"""Each check of posture, on evidence by which it holds, by which it fails, and which does not cover it."""

from __future__ import annotations

import pytest
from posture_evidence_samples import (
    NOW_US,
    Row,
    ago,
    approval,
    assets,
    bundle,
    coverage,
    decision,
    drill,
    evidence,
    key,
    law_change,
    run,
    seal,
    spread,
)

from stillwatch.governance.posture.checking import CHECKS
from stillwatch.governance.posture.control import Outcome
from stillwatch.governance.posture.evidence import EntryKind, Evidence

REAL = {"url": "https://models.example.com"}
LOOK, REVEAL = EntryKind.TEXT_LOOKED_AT, EntryKind.KEY_REVEALED
SAMPLE: Row = (EntryKind.SHADOW_SEALED, 40, "bob", {"id": "s-1"})
ERASED: Row = (EntryKind.SHADOW_ERASED, 2, "bob", {"id": "s-1"})
SHARED: Row = (EntryKind.INDICATORS_SHARED, 1, "bob", {"set": "i-1"})
DATA_SET = {"kind": "data set", "name": "own", "marks": ["spring"]}
CANARIES: Row = (EntryKind.CANARY_SLOTS, 20, "bob", {"challenge_id": "spring"})
CASES: dict[str, tuple[Evidence, Evidence, Evidence]] = {
    # check: (holds, fails, does not cover)
    "campaign_drill": (evidence(spread()), evidence(spread(state="measured-fail")), evidence()),
    "spread_drill": (evidence(spread()), evidence(spread(seeds=1, state="measured-fail")), evidence(drill("campaign", settings={"profile": "naive"}))),
    "marking_drill": (evidence(key(), drill("marking")), evidence(drill("marking", state="measured-fail")), evidence(drill("marking", 2), key(1))),
    "surface_drill": (
        evidence(drill("surface", settings=REAL)), evidence(drill("surface", settings=REAL, state="measured-fail")), evidence(drill("surface", settings={"url": "own"})),
    ),
    "log_drill": (evidence(drill("log")), evidence(drill("log", state="measured-fail")), evidence(drill("log", 31))),
    "false_alarms": (evidence(spread()), evidence(spread(alarms=1, state="measured-fail")), evidence(spread(seeds=19))),
    "detection_runs": (evidence(run(6)), evidence(run(8)), evidence()),
    "alert_fields": (evidence(run(3), decision(2)), evidence(run(3), decision(2, evaluations=[])), evidence(run(3), decision(91))),
    "actions_follow": (evidence(decision(9), bundle(1, 48, "d-1")), evidence(decision(9), bundle(1, 48)), evidence(decision(9, action="allow"))),
    "bundle_fresh": (evidence(bundle(0.5, 24)), evidence(bundle(2, 24)), evidence()),
    "mark_keys": (evidence(key()), evidence(key(ends=1)), evidence()),
    "provider_mark": (evidence(key(level="provider")), evidence(key(level="provider", ends=1), key()), evidence(key())),
    "key_reveals": (
        evidence(key(), (REVEAL, 1, "bob", {"handles": ["mk-1"], "purpose": "case-1"})), evidence(key(), (REVEAL, 1, "bob", {"handles": ["mk-1"], "purpose": " "})), evidence(),
    ),
    "looks_at_text": (evidence((LOOK, 1, "bob", {"purpose": "case-1"})), evidence((LOOK, 1, "bob", {})), evidence()),
    "second_person": (evidence(decision(), approval(0)), evidence(decision(), approval(0, actor="bob")), evidence(decision())),
    "indicators_shared": (evidence(decision(40), SHARED), evidence(decision(31)), evidence(decision(29))),
    "ledger_signed": (
        evidence(size=5, signed=5, seals=(seal(1),)), evidence(size=5, signed=3, oldest_unsigned_us=ago(2), seals=(seal(1),)), evidence(),
    ),
    "retention": (evidence(assets(retention_days=30), SAMPLE, ERASED), evidence(assets(retention_days=30), SAMPLE), evidence(assets(), SAMPLE)),
    "usage_attributed": (evidence(coverage()), evidence(coverage(attributed=99)), evidence(coverage(tokens=0))),
    "log_fields": (evidence(coverage()), evidence(coverage(missing=("2026-11-20",))), evidence(coverage(31))),
    "log_tokens": (evidence(coverage()), evidence(coverage(filled=9)), evidence()),
    "assets_known": (evidence(assets()), evidence(assets(gaps=2)), evidence()),
    "data_set_canaries": (evidence(CANARIES, assets(listed=(DATA_SET,))), evidence(assets(listed=(DATA_SET,))), evidence(assets())),
    "law_work": (
        evidence(law_change(40), (EntryKind.LAW_WORK_CLOSED, 1, "bob", {"id": "w-1"})), evidence(law_change(31)), evidence(),
    ),
}  # fmt: skip


def test_every_check_has_its_three_cases() -> None:
    assert set(CASES) == set(CHECKS)


@pytest.mark.parametrize("outcome", list(Outcome))
@pytest.mark.parametrize("name", sorted(CASES))
def test_a_check_holds_fails_and_does_not_cover(name: str, outcome: Outcome) -> None:
    found = CHECKS[name](CASES[name][list(Outcome).index(outcome)])
    assert found.outcome is outcome, found.why
    assert len(found.why) > 10
    if outcome is Outcome.HOLDS:
        assert found.until_us is None or found.until_us > NOW_US


@pytest.mark.parametrize(
    ("later", "says"),
    [
        (drill("log", version="0.0.9"), "was of version 0.0.9"),
        (drill("log", 30), "expired on"),
        (drill("log", 2), "change of routes"),
    ],
)
def test_a_result_ends_with_age_version_and_routes(later: Row, says: str) -> None:
    found = CHECKS["log_drill"](evidence(assets(3), later, assets(1, routes=("chat", "messages"))))
    assert found.outcome is Outcome.NOT_COVERED
    assert says in found.why


def test_a_result_outlives_a_register_with_the_same_routes() -> None:
    assert CHECKS["log_drill"](evidence(assets(3), drill("log", 2), assets(1))).outcome is Outcome.HOLDS


def test_a_retired_key_ends_the_drill_of_marks() -> None:
    found = CHECKS["marking_drill"](
        evidence(key(), drill("marking", 2), (EntryKind.KEY_RETIRED, 1, "bob", {"handle": "mk-1"}))
    )
    assert (found.outcome, "changes of mark keys" in found.why) == (Outcome.NOT_COVERED, True)


def test_what_went_well_on_few_seeds_is_no_measurement_and_what_failed_once_is() -> None:
    assert CHECKS["campaign_drill"](evidence(spread(seeds=3))).outcome is Outcome.NOT_COVERED
    assert CHECKS["campaign_drill"](evidence(spread(seeds=3, state="measured-fail"))).outcome is Outcome.FAILS


def test_the_newest_result_counts_and_not_the_best() -> None:
    found = CHECKS["campaign_drill"](evidence(spread(5), spread(1, state="measured-fail")))
    assert (found.outcome, found.entries) == (Outcome.FAILS, (1,))


def test_a_key_that_marks_before_its_entry_or_after_its_reveal_fails() -> None:
    assert "before they were committed to" in CHECKS["mark_keys"](evidence(key(10, begins=11))).why
    revealed = CHECKS["mark_keys"](evidence(key(), (REVEAL, 1, "bob", {"handles": ["mk-1"], "purpose": "case-1"})))
    assert (revealed.outcome, "forge or strip" in revealed.why) == (Outcome.FAILS, True)


def test_a_reversed_decision_waits_for_no_bundle() -> None:
    appeal = (EntryKind.APPEAL_DECIDED, 1, "carol", {"decision": "d-1", "outcome": "reversed"})
    assert CHECKS["actions_follow"](evidence(decision(9), appeal)).outcome is Outcome.HOLDS


def test_a_ledger_without_anybody_elses_word_fails() -> None:
    found = CHECKS["ledger_signed"](evidence(size=5, signed=5))
    assert (found.outcome, "anybody else" in found.why) == (Outcome.FAILS, True)
