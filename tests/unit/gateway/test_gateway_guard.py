"""The guard: every action's verdict, what becomes of it when the bundle is stale, and rates that keep their promise."""

from __future__ import annotations

import asyncio
import resource
import threading

import pytest
from gateway_world import ACCOUNTS, HOUR, NOW, loaded
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.gateway.guard import Guard
from stillwatch.gateway.rates import LocalRates, burst_of
from stillwatch.gateway.request import GatewayRequest, Route, route_of, speaks_anthropic
from stillwatch.records.decision import Action, WhenStale
from stillwatch.records.verdict import ReasonCode, Verdict


def asks(account: str | None, at: int = NOW) -> GatewayRequest:
    return GatewayRequest(account_id=account, time_us=at, route=Route.CHAT)


def test_each_action_has_its_verdict() -> None:
    guard = Guard(loaded(3))
    verdicts = {account: guard.decide(asks(account)) for account in ACCOUNTS}
    rests = {
        "decision_id": "d-block",
        "clauses": ("api@1/no-pooling",),
        "appeal": "appeals@example.com",
        "bundle_version": 3,
    }
    assert verdicts["a-block"] == Verdict(action=Action.BLOCK, reason=ReasonCode.BLOCKED, **rests)
    assert {
        account: (one.action.value, one.reason.value, one.answers, one.key_id) for account, one in verdicts.items()
    } == {
        "a-allow": ("allow", "no-decision", True, None),
        "a-mark": ("mark", "answers-marked", True, "mark-7"),
        "a-throttle": ("throttle", "within-reduced-rate", True, None),
        "a-challenge": ("challenge", "verification-required", False, None),
        "a-block": ("block", "account-suspended", False, None),
    }
    assert guard.decide(asks("a-unknown")) == Verdict(
        action=Action.ALLOW, reason=ReasonCode.NO_DECISION, bundle_version=3
    )
    assert guard.decide(asks(None)).answers
    assert guard.verdicts["no-decision"] == 3


def test_without_a_bundle_everybody_is_answered_and_the_verdict_says_it_is_stale() -> None:
    verdict = Guard().decide(asks("a-block"))
    assert verdict == Verdict(action=Action.ALLOW, reason=ReasonCode.NO_DECISION, stale=True)


@pytest.mark.parametrize("when_stale", list(WhenStale))
def test_a_stale_bundle_acts_where_it_fails_closed_and_says_so(when_stale: WhenStale) -> None:
    guard = Guard(loaded(expires=NOW + HOUR, when_stale=when_stale))
    late = NOW + HOUR
    assert (guard.decide(asks("a-block", late - 1)).stale, guard.decide(asks("a-block", late)).stale) == (False, True)
    acted = {account for account in ACCOUNTS if guard.decide(asks(account, late)).action is not Action.ALLOW}
    assert acted == (set(ACCOUNTS) - {"a-allow"} if when_stale is WhenStale.CLOSED else set())


def test_an_action_ends_by_itself_although_nobody_sends_a_new_bundle() -> None:
    guard = Guard(loaded())
    assert guard.decide(asks("a-block", NOW * 2)).action is Action.ALLOW


def test_a_swap_is_whole_and_keeps_the_counters() -> None:
    guard = Guard(loaded(rate=6))
    assert guard.decide(asks("a-throttle")).reason is ReasonCode.WITHIN_RATE
    guard.swap(
        loaded(
            2, {"a-throttle": list(Action).index(Action.THROTTLE), "a-new": list(Action).index(Action.BLOCK)}, rate=6
        )
    )
    assert guard.decide(asks("a-throttle", NOW + 1)).reason is ReasonCode.OVER_RATE
    assert (guard.decide(asks("a-block")).action, guard.decide(asks("a-new")).action) == (Action.ALLOW, Action.BLOCK)


def test_swaps_while_threads_decide_never_mix_two_bundles() -> None:
    """Version n blocks account n alone: a verdict that blocks it must bear version n, and any other version must let it pass."""
    bundles = [loaded(version, {f"a-{version}": 4}) for version in range(1, 9)]
    guard = Guard(bundles[0])
    wrong: list[Verdict] = []
    done = threading.Event()

    def decide() -> None:
        while not done.is_set():
            for version in range(1, 9):
                verdict = guard.decide(asks(f"a-{version}"))
                if (verdict.action is Action.BLOCK) != (verdict.bundle_version == version):
                    wrong.append(verdict)

    threads = [threading.Thread(target=decide) for _ in range(3)]
    for one in threads:
        one.start()
    for _ in range(200):
        for bundle in bundles:
            guard.swap(bundle)
    done.set()
    for one in threads:
        one.join()
    assert not wrong
    assert sum(guard.verdicts.values()) > 1_000


class Broken(LocalRates):
    """Counters that fail."""

    def wait_us(self, account_id: str, requests_per_minute: int, now_us: int) -> int:
        raise ZeroDivisionError


@pytest.mark.parametrize(
    ("when", "action", "answers"), [(WhenStale.OPEN, Action.ALLOW, True), (WhenStale.CLOSED, Action.BLOCK, False)]
)
def test_a_failure_of_the_guard_itself_is_answered_as_the_operator_set(
    when: WhenStale, action: Action, answers: bool
) -> None:
    guard = Guard(loaded(), rates=Broken(), when_failing=when)
    for verdict in (guard.decide(asks("a-throttle")), asyncio.run(guard.decide_shared(asks("a-throttle")))):
        assert (verdict.action, verdict.reason, verdict.answers) == (action, ReasonCode.GUARD_FAILED, answers)
    assert guard.failures == {"ZeroDivisionError": 2}
    assert guard.decide(asks("a-block")).reason is ReasonCode.BLOCKED  # the others go on


@settings(max_examples=150, deadline=None)
@given(
    rate=st.integers(1, 600),
    gaps=st.lists(st.integers(0, 20_000_000), min_size=1, max_size=120),
)
def test_no_window_holds_more_than_the_rate_and_a_burst(rate: int, gaps: list[int]) -> None:
    rates = LocalRates()
    now, answered, refused = NOW, [], []
    for gap in gaps:
        now += gap
        wait = rates.wait_us("a", rate, now)
        (refused if wait else answered).append(now)
        if wait:
            assert rates.wait_us("a", rate, now) == wait  # a refused request is not counted
            assert LocalRates().wait_us("a", rate, now) == 0
    gap_us = 60_000_000 // rate
    for start in range(len(answered)):
        for end in range(start, len(answered)):
            allowed = burst_of(rate) + (answered[end] - answered[start]) // gap_us
            assert end - start + 1 <= allowed
    assert answered[0] == NOW + gaps[0]


@settings(max_examples=80, deadline=None)
@given(rate=st.integers(1, 600), asked=st.integers(1, 300))
def test_who_waits_as_long_as_told_is_answered(rate: int, asked: int) -> None:
    rates = LocalRates()
    now = NOW
    for _ in range(asked):
        wait = rates.wait_us("a", rate, now)
        if wait:
            assert rates.wait_us("a", rate, now + wait - 1) > 0
            now += wait
            assert rates.wait_us("a", rate, now) == 0


def test_retry_after_is_whole_seconds_rounded_up() -> None:
    guard = Guard(loaded(rate=7))
    assert guard.decide(asks("a-throttle")).retry_after_s is None
    over = guard.decide(asks("a-throttle", NOW + 1_500_000))
    assert (over.reason, over.retry_after_s, over.answers) == (ReasonCode.OVER_RATE, 8, False)  # 60/7 - 1.5 = 7.07


@pytest.mark.slow
def test_a_flood_of_a_million_accounts_leaves_nothing_behind() -> None:
    """Of accounts that the bundle does not name nothing is kept, and of throttled ones no more than the cap."""
    guard = Guard(
        loaded(accounts={f"t-{number}": 2 for number in range(60_000)}), rates=LocalRates(most_accounts=10_000)
    )
    for number in range(60_000):
        guard.decide(asks(f"t-{number}"))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for number in range(1_000_000):
        guard.decide(asks(f"flood-{number}"))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 4_096  # KiB
    assert len(guard.rates) == 10_000
    assert guard.rates.evicted == 50_000
    assert guard.verdicts["no-decision"] == 1_000_000


@pytest.mark.parametrize(
    ("path", "route", "anthropic"),
    [
        ("/v1/chat/completions", Route.CHAT, False),
        ("/v1//chat/completions/", Route.CHAT, False),
        ("/openai/v1/chat/completions", Route.CHAT, False),
        ("/v1/completions", Route.COMPLETION, False),
        ("/v1/responses", Route.RESPONSES, False),
        ("/v1/messages", Route.MESSAGES, True),
        ("/v1/messages/", Route.MESSAGES, True),
        ("/v1/messages/count_tokens", Route.OTHER, True),
        ("/v1/embeddings", Route.EMBEDDINGS, False),
        ("/v1/models", Route.OTHER, False),
        ("/", Route.OTHER, False),
        ("", Route.OTHER, False),
    ],
)
def test_routes(path: str, route: Route, anthropic: bool) -> None:
    assert (route_of(path), speaks_anthropic(path)) == (route, anthropic)
