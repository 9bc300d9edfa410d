"""Arrivals: totals are met, windows are kept, queues hand out every item once."""

import numpy as np
import pytest

from stillwatch.simulation.arrivals import Schedule
from stillwatch.simulation.calendar import DAY_US, FIRST_DAY_US, HOURS, is_weekend
from stillwatch.simulation.population import Items, new_accounts, new_streams


def streams(count, days=10, exchanges=40):
    draw = np.random.default_rng(4)
    accounts = new_accounts(count, days, draw)
    accounts["created"], accounts["closed"] = -1.0, np.inf
    made = new_streams(accounts, np.arange(count), days, draw)
    made["exchanges"] = exchanges
    return made


def walk(made, days=10, seed=8):
    schedule = Schedule(made, days, seed)
    return [schedule.day(day) for day in range(days)]


def column(events, name):
    return np.concatenate([getattr(day, name) for day in events])


def test_every_stream_sends_exactly_its_total():
    made = streams(30)
    made["exchanges"] = np.arange(30) + 1
    made["rest"] = 0.6
    events = walk(made)
    assert np.array_equal(np.bincount(column(events, "stream"), minlength=30), np.arange(30) + 1)


def test_times_rise_and_stay_in_their_day():
    made = streams(50)
    made["session"], made["gap_mean"], made["gap_spread"] = 5.0, 5.0, 1.2
    for day, events in enumerate(walk(made)):
        assert np.all(np.diff(events.time_us) >= 0)
        assert events.time_us.min(initial=FIRST_DAY_US + day * DAY_US) >= FIRST_DAY_US + day * DAY_US
        assert events.time_us.max(initial=0) < FIRST_DAY_US + (day + 1) * DAY_US


def test_sessions_that_end_with_the_day_do_not_end_at_one_instant():
    made = streams(400)
    made["session"], made["gap_mean"], made["gap_spread"] = 8.0, 7.5, 1.0
    made["hours"] = HOURS["owl"]
    times = column(walk(made), "time_us")
    assert len(np.unique(times)) > 0.999 * len(times)


def test_windows_are_kept_to_the_second():
    made = streams(40)
    made["start"], made["end"] = 3.25, 4.5
    times = (column(walk(made), "time_us") - FIRST_DAY_US) / DAY_US
    assert len(times) == 40 * 40
    assert times.min() >= 3.25
    assert times.max() <= 4.5


def test_ordinals_count_each_stream_in_time_order():
    made = streams(20)
    events = walk(made)
    for stream in range(20):
        assert np.array_equal(column(events, "ordinal")[column(events, "stream") == stream], np.arange(40))


def test_a_queue_hands_out_every_item_once_over_all_streams():
    made = streams(12)
    made["items"], made["pool"], made["pool_size"] = Items.QUEUE, 77, 480
    items = column(walk(made), "item")
    assert np.array_equal(np.sort(items), np.arange(480))


def test_a_sequence_starts_over_and_a_daily_run_starts_each_day():
    made = streams(2)
    made["items"], made["pool_size"] = [Items.SEQUENCE, Items.DAILY], 7
    events = walk(made)
    sequence = column(events, "item")[column(events, "stream") == 0]
    assert np.array_equal(sequence, np.arange(40) % 7)
    for day in events:
        daily = day.item[day.stream == 1]
        assert np.array_equal(daily, np.arange(len(daily)) % 7)


def test_office_hours_and_weekends_are_quiet():
    made = streams(200, days=14)
    made["hours"], made["zone"], made["weekend"], made["noise"] = HOURS["office"], 3, 0.05, 0.1
    events = walk(made, days=14)
    local = (column(events, "time_us") // 3_600_000_000 + 3) % 24
    assert np.mean((local >= 8) & (local < 18)) > 0.8
    counts = np.array([len(day.stream) for day in events])
    weekend = np.array([is_weekend(day) for day in range(14)])
    assert counts[weekend].mean() < 0.2 * counts[~weekend].mean()


def test_a_shared_rhythm_moves_streams_together():
    # Rate per hour of two halves of a pool: correlated with a shared scheduler, not without one.
    def agreement(rhythm):
        made = streams(60, exchanges=200)
        made["hours"], made["noise"] = HOURS["flat"], 0.0
        made["rhythm"], made["rhythm_depth"] = rhythm, 1.2
        events = walk(made)
        hour = (column(events, "time_us") - FIRST_DAY_US) // 3_600_000_000
        half = column(events, "stream") < 30
        return np.corrcoef(np.bincount(hour[half], minlength=240), np.bincount(hour[~half], minlength=240))[0, 1]

    assert agreement(5) > 0.8
    assert agreement(0) < 0.4


@pytest.mark.parametrize("seed", [1, 2])
def test_equal_seeds_give_equal_events(seed):
    made = streams(25)
    first, second = walk(made, seed=seed), walk(made, seed=seed)
    assert np.array_equal(column(first, "time_us"), column(second, "time_us"))
    assert np.array_equal(column(first, "key"), column(second, "key"))
    assert not np.array_equal(column(first, "time_us"), column(walk(made, seed=seed + 10), "time_us"))
