"""Bursts: accounts that act in the same hours of the same days are nearer than their habits make them, and only those."""

from __future__ import annotations

import numpy as np
import pytest
from planted_hours import DAYS, OFFICE, by_habit, by_queue, queue_of, read
from scipy import stats

from stillwatch.detection.campaigns.claims.bursts import SMOOTH, ActiveHours, burst_distances
from stillwatch.detection.errors import DetectionError

CUSTOMERS, POOL, HOURS = 400, 20, 30
MEMBERS = np.arange(POOL)
ALL = np.ones(POOL, dtype=bool)


def pool(seed: int, filled: int | None) -> ActiveHours:
    """Everybody keeps the same days and the same hours of the day; the first `POOL` accounts work off one queue, if there is one."""
    rng = np.random.default_rng(seed)
    queue = None if filled is None else queue_of(rng, filled)
    acted = []
    for number in range(CUSTOMERS):
        if queue is not None and number < POOL:
            acted += by_queue(rng, number, HOURS, queue)
        else:
            acted += by_habit(rng, number, HOURS)
    return read(CUSTOMERS, acted)


def ranks(hours: ActiveHours) -> np.ndarray:
    """[m] share of customers that are as near to the members as each member is."""
    near, others = burst_distances(hours, MEMBERS, ALL, hours.of(np.arange(POOL, CUSTOMERS)))
    return np.searchsorted(np.sort(others), near, side="right") / len(others)


def test_who_works_off_one_queue_is_nearer_than_customers_of_the_same_days_and_hours_of_the_day() -> None:
    assert len(queue_of(np.random.default_rng(1), 60)) == len(set(queue_of(np.random.default_rng(1), 60))) == 60
    assert ranks(pool(1, filled=60)).max() == 0.0


def test_who_keeps_the_same_days_and_hours_of_the_day_meets_by_chance_only() -> None:
    found = np.concatenate([ranks(pool(seed, filled=None)) for seed in range(20)])
    near = int((found <= 0.05).sum())
    assert near <= stats.binom.isf(1e-6, len(found), 0.05), near


def test_days_and_hours_of_the_day_alone_are_habits_however_narrow() -> None:
    """A night shift of two days: unlike everybody else, yet its members meet no more than the shift explains."""
    shift = [24 * day + hour for day in (3, 4) for hour in range(2, 6)]
    everybody = [row for number in range(POOL, 60) for row in by_habit(np.random.default_rng(number), number, HOURS)]
    hours = read(60, [(number, hour, 3) for number in range(POOL) for hour in shift] + everybody)
    near, _ = burst_distances(hours, MEMBERS, ALL, hours.of(np.arange(POOL, 60)))
    assert near == pytest.approx(np.zeros(POOL), abs=0.01)


def test_the_distance_is_the_likelihood_ratio_that_is_stated() -> None:
    """Two accounts make the centre, half of their time in the first hours of two days: worked out by hand for a third one."""
    hours = read(3, [(0, 8, 2), (0, 32, 2), (1, 8, 5), (1, 33, 5), (2, 8, 1), (2, 33, 3)])
    _, (third,) = burst_distances(hours, np.array([0, 1]), np.array([True, True]), hours.of(np.array([2])))
    habit = {8: 0.5 * 0.75, 33: 0.5 * 0.25}  # shares of the day times shares of the hour of the day
    centre = {8: 0.5, 33: 0.25}
    expected = sum(
        share * np.log((2 * centre[cell] + SMOOTH * habit[cell]) / ((2 + SMOOTH) * habit[cell]))
        for cell, share in ((8, 0.25), (33, 0.75))
    )
    assert third == pytest.approx(-expected, abs=2e-3)


def test_an_account_is_left_out_of_its_own_centre() -> None:
    """Who has hours of its own is as far from the others whether its own are counted in or not; what others share draws it near."""
    rng = np.random.default_rng(4)
    queue = queue_of(rng, 60)
    acted = [row for number in range(9) for row in by_queue(rng, number, HOURS, queue)] + by_habit(rng, 9, HOURS)
    hours = read(10, acted)
    members, nobody = np.arange(10), hours.of(np.zeros(0, np.int64))
    inside, _ = burst_distances(hours, members, np.ones(10, dtype=bool), nobody)
    outside, _ = burst_distances(hours, members, members < 9, nobody)
    _, as_reference = burst_distances(hours, members[:9], np.ones(9, dtype=bool), hours.of(np.array([9])))
    assert inside[9] == pytest.approx(outside[9])
    assert outside[9] == pytest.approx(as_reference[0])
    for number in range(9):  # and a member of the pool as if the pool were the eight others
        others = members[:9] != number
        _, alone = burst_distances(hours, members[:9][others], np.ones(8, dtype=bool), hours.of(np.array([number])))
        near, _ = burst_distances(hours, members[:9], np.ones(9, dtype=bool), nobody)
        assert near[number] == pytest.approx(alone[0], abs=1e-9)


def test_hours_count_by_their_minutes_in_shares_of_the_account() -> None:
    once = read(2, [(0, 8, 1), (0, 9, 3), (1, 8, 7)])
    often = read(2, [(0, 8, 20), (0, 9, 60), (1, 8, 7)])
    assert once.of(np.array([0])).toarray().tolist() == [[0.25, 0.75]]
    assert (once.shares != often.shares).nnz == 0


def test_days_and_hours_of_the_day_are_those_of_the_log() -> None:
    hours = read(2, [(0, 24 * DAYS[3] + OFFICE[1], 1), (1, 24 * DAYS[1] + OFFICE[2], 1)])
    assert hours.day.tolist() == [0, 1]
    assert hours.hour.tolist() == [OFFICE[2], OFFICE[1]]


@pytest.mark.parametrize("acted", [[], [(0, 8, 1), (2, 9, 1)]])
def test_an_account_whose_hours_were_not_read_is_refused(acted: list[tuple[int, int, int]]) -> None:
    hours = read(3, acted)
    unread = np.array([1, 1]) if acted else np.array([0, 1])
    with pytest.raises(
        DetectionError, match=r"^the active hours of 2 of 2 accounts were not read; expected all that are"
    ):
        hours.of(unread)
