from __future__ import annotations

import numpy as np
import pytest
from benchmarks.real_world import arrivals
from benchmarks.real_world.arrivals import (
    DAY,
    DAYS,
    WINDOWS,
    Arrivals,
    Client,
    automation,
    operator,
    person,
    sessions_of,
)


def _client(weights: np.ndarray, total: float = 4e6, variation: float = 1.0) -> Client:
    return Client(
        name="m-small/0",
        model="m-small",
        total=total,
        weights=weights / weights.sum(),
        variation=np.full(WINDOWS, variation),
        output_tokens=np.arange(101, dtype=np.float64),
    )


@pytest.fixture
def trace() -> Arrivals:
    office = (np.arange(WINDOWS) % 144 >= 48).astype(np.float64)
    return Arrivals(
        clients=(_client(np.ones(WINDOWS)), _client(office)),
        persons=(np.array([100.0, 160.0, 90_000.0]), np.array([5 * DAY + 1.0])),
        chat_output_tokens=np.array([1, 2, 3]),
    )


def test_automation_follows_its_client(trace):
    office = trace.clients[1]
    rng = np.random.default_rng(1)
    times = automation(office, rng, cap=900)
    assert len(times) == 900  # 4e6 / 4000 is above the cap
    assert (np.diff(times) >= 0).all()
    assert times.min() >= 0
    assert times.max() < DAYS * DAY
    # Eight quiet hours a day stay quiet, wherever the time zone puts them.
    by_hour = np.bincount((times % DAY // 3600).astype(int), minlength=24)
    assert (by_hour == 0).sum() == 8


def test_small_clients_have_at_least_one_event():
    client = _client(np.ones(WINDOWS), total=1.0)
    assert len(automation(client, np.random.default_rng(2), cap=10)) == 1


def test_bursty_windows_have_bursts():
    rng = np.random.default_rng(3)
    one_window = np.zeros(WINDOWS)
    one_window[1000] = 1.0
    spread = {
        variation: np.std(np.diff(automation(_client(one_window, variation=variation), rng, cap=500)))
        for variation in (0.1, 4.0)
    }
    assert spread[4.0] > 5 * spread[0.1]


def test_persons_stay_within_the_world(trace):
    rng = np.random.default_rng(4)
    for _ in range(300):
        times = person(trace, rng)
        assert len(times) >= 1
        assert (np.diff(times) >= 0).all()
        assert times.min() >= 0
        assert times.max() < DAYS * DAY


def test_sessions_break_at_long_silence():
    assert sessions_of(np.array([0.0, 60.0, 1_900.0, 1_960.0, 9_000.0])).tolist() == [0, 0, 1, 1, 2]
    assert sessions_of(np.zeros(0)).tolist() == []


@pytest.mark.parametrize("dispatch", ["queue", "batches", "alone"])
def test_an_operator_keeps_the_rate_and_the_days(trace, dispatch):
    rng = np.random.default_rng(5)
    per_account = operator(
        trace, rng, accounts=10, per_day=20.0, first_day=2.0, last_day=12.0, round_the_clock=False, dispatch=dispatch
    )
    assert len(per_account) == 10
    total = sum(map(len, per_account))
    assert abs(total - 2_000) < 6 * np.sqrt(2_000)
    everything = np.concatenate(per_account)
    assert everything.min() >= 2.0 * DAY
    assert everything.max() < 12.0 * DAY + 5_400
    assert all((np.diff(times) >= 0).all() for times in per_account)


def test_batches_put_all_accounts_into_the_same_hours(trace):
    hours = {}
    for dispatch in ("batches", "alone"):
        per_account = operator(
            trace, np.random.default_rng(6), accounts=8, per_day=20.0, first_day=0.0, last_day=14.0,
            round_the_clock=True, dispatch=dispatch,
        )  # fmt: skip
        hours[dispatch] = len(np.unique(np.concatenate(per_account) // 3600))
    assert hours["batches"] < hours["alone"] / 2


def test_the_real_trace_keeps_its_heavy_tail(shared):
    trace = arrivals.load(shared)
    totals = np.sort([client.total for client in trace.clients])
    assert len(trace.clients) > 300
    assert len(trace.persons) == 2_125
    assert totals[-len(totals) // 10 :].sum() > 0.8 * totals.sum()
    for client in trace.clients:
        assert client.weights.sum() == pytest.approx(1.0)
        assert (np.diff(client.output_tokens) >= 0).all()
