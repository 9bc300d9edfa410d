"""From notices to changes and work: what is new, what moved, what only flaps, and what a day that comes near opens."""

from __future__ import annotations

from dataclasses import replace

from stillwatch.governance.law.changes import DAY_US, Comparison, Seen
from stillwatch.governance.law.reading import read_register
from stillwatch.records.law import ChangeKind, LawNotice

REGISTER = read_register()
NOW = 1_795_000_000_000_000
BILL = LawNotice(source="congress", identifier="119/HR/8283", title="", date="2026-04-22", says="Reported.", url="")


def compared(seen: dict[str, Seen], *notices: LawNotice, now_us: int = NOW) -> Comparison:
    comparison = Comparison(REGISTER, seen, now_us)
    comparison.take(notices, "sha256:00")
    return comparison


def test_a_followed_thing_that_moves_opens_work_on_all_that_it_touches() -> None:
    seen: dict[str, Seen] = {}
    first = compared(seen, BILL).outcome
    assert [one.kind for one in first.changes] == [ChangeKind.FIRST_SEEN]
    assert [one.subject for one in first.work] == ["register"]
    moved = compared(seen, replace(BILL, says="Passed.", date="2026-11-19"), now_us=NOW + DAY_US).outcome
    (change,) = moved.changes
    assert (change.kind, change.entry_id, change.before, change.after) == (
        ChangeKind.MOVED,
        "us-hr-8283",
        "Reported.",
        "Passed.",
    )
    touched = {f"{kind} {one}" for kind, one in REGISTER["us-hr-8283"].touches.all()}
    assert {one.subject for one in moved.work} == touched | {"register"}
    assert len(touched) >= 10
    assert all(one.change_id == change.id and one.closed_us is None for one in moved.work)


def test_the_same_again_changes_nothing() -> None:
    seen: dict[str, Seen] = {}
    compared(seen, BILL)
    again = compared(seen, BILL, now_us=NOW + DAY_US).outcome
    assert (again.changes, again.work, again.unchanged) == ([], [], 1)


def test_a_state_that_comes_back_within_sixty_days_is_flapping_and_later_it_is_news() -> None:
    seen: dict[str, Seen] = {}
    undated = replace(BILL, date="")
    compared(seen, undated)
    compared(seen, replace(undated, says="Passed."), now_us=NOW + DAY_US)
    back = compared(seen, undated, now_us=NOW + 20 * DAY_US).outcome
    assert (back.changes, back.flapping) == ([], 1)
    compared(seen, replace(undated, says="Passed."), now_us=NOW + 100 * DAY_US)
    late = compared(seen, undated, now_us=NOW + 170 * DAY_US).outcome
    assert [one.kind for one in late.changes] == [ChangeKind.MOVED]


def test_an_older_statement_never_replaces_a_newer_one() -> None:
    seen: dict[str, Seen] = {}
    compared(seen, replace(BILL, says="Passed.", date="2026-11-19"))
    late = compared(seen, BILL).outcome
    assert (late.changes, late.older) == ([], 1)
    assert next(iter(seen.values())).says == "Passed."


def test_a_thing_nobody_follows_is_shown_where_it_speaks_of_the_matter() -> None:
    about = LawNotice(source="feed", identifier="a", title="A court on model extraction", date="", says="x", url="")
    outcome = compared({}, about, replace(about, identifier="b", title="Fish quotas")).outcome
    assert [(one.kind, one.entry_id) for one in outcome.changes] == [(ChangeKind.NEW, None)]
    assert ([one.subject for one in outcome.work], outcome.passed_over) == (["register"], 1)


def test_a_day_that_comes_near_opens_work_once_at_each_stage() -> None:
    seen: dict[str, Seen] = {}
    told = []
    for left in (40, 30, 29, 8, 7, 6, 1, 0, -1, -50):
        comparison = Comparison(REGISTER, seen, NOW)
        comparison.days_that_come_near("2026-11-25", {"eu-ai-act-50": left})
        told += [(left, one.after) for one in comparison.outcome.changes]
        assert len(comparison.outcome.work) == 5 * len(comparison.outcome.changes)
    assert told == [(30, "2026-12-02 within 30 days"), (7, "2026-12-02 within 7 days"), (0, "2026-12-02 has come")]
