"""Which accounts of a selected candidate are flagged: those that bear the evidence themselves."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from planted_accounts import accounts_of, candidate_of, table_of
from planted_hours import by_habit, read

from stillwatch.detection.campaigns.candidate import LEAST_EXCHANGES, Candidate
from stillwatch.detection.campaigns.claims.conduct import measure_conduct
from stillwatch.detection.campaigns.membership import standing_members
from stillwatch.detection.links.groups import LEAST_MEMBERS
from stillwatch.detection.links.kinds import Kind
from stillwatch.detection.profiles.queries import FEATURE_BINS, FEATURES
from stillwatch.records.claim import Claim, Question

ACCOUNTS, EXCHANGES = 600, 120
WORKERS, BYSTANDERS = range(6), range(300, 304)


def claim(name: str, log_e: float) -> Claim:
    return Claim(
        name=name, question=Question.COORDINATION, statement="", null_hypothesis="nothing", n=1, n_unit="accounts",
        statistic_name="s", statistic=0.0, log_p=None, log_e=log_e, assumptions=("none",), method="planted/v1",
    )  # fmt: skip


def candidate(
    carried: Sequence[tuple[Kind, int, int, int]] = (), harvesting: Sequence[int] = (*WORKERS, *BYSTANDERS)
) -> Candidate:
    """Six workers with one conduct and four bystanders with lives of their own; who harvests has a sign in every prompt."""
    rng = np.random.default_rng(8)
    histograms = {name: np.zeros((ACCOUNTS, bins), np.int32) for name, bins in zip(FEATURES, FEATURE_BINS, strict=True)}
    days = rng.integers(4, 28, ACCOUNTS)
    days[list(WORKERS)] = 9
    for name in ("hours", "gaps"):
        bins = histograms[name].shape[1]
        common = rng.dirichlet(np.full(bins, 0.4))
        for number in range(ACCOUNTS):
            own = common if number in WORKERS else rng.dirichlet(np.full(bins, 0.4))
            histograms[name][number] = rng.multinomial(EXCHANGES, own)
    extraction = np.zeros(ACCOUNTS, np.int64)
    extraction[list(harvesting)] = EXCHANGES
    accounts = accounts_of(
        ACCOUNTS, exchanges=EXCHANGES, histograms=histograms, active_days=days, extraction=extraction
    )
    return candidate_of((*WORKERS, *BYSTANDERS), accounts=accounts, table=table_of(ACCOUNTS, carried))


NEEDED = 10.0


def standing(one: Candidate, *spoken: str, **ordinary: float) -> list[int]:
    """Members that stand, after claims of one hand that speak, and claims against ordinary use by name (underscores for spaces)."""
    against = {name.replace("_", " "): log_e for name, log_e in ordinary.items()} or {"elicitation": 40.0}
    results = {name: claim(name, log_e) for name, log_e in against.items()} | {
        name: claim(name, 40.0) for name in spoken
    }
    conduct = measure_conduct(one.accounts, np.arange(ACCOUNTS))
    return standing_members(one, results, conduct, NEEDED).tolist()


def test_who_is_not_in_step_with_the_others_does_not_bear_a_claim_of_conduct_or_synchrony() -> None:
    assert standing(candidate(), "common conduct") == list(WORKERS)
    assert standing(candidate(), "synchrony") == list(WORKERS)


def test_who_does_not_harvest_bears_nothing() -> None:
    assert standing(candidate(harvesting=[0, 1, 2, 3]), "common conduct") == [0, 1, 2, 3]


def test_a_card_of_the_members_ties_them_and_a_network_that_strangers_share_does_not() -> None:
    card = [(Kind.PAYMENT, 1, number, 1) for number in (0, 1, 2)]
    network = [(Kind.NETWORK, 2, number, 1) for number in (*BYSTANDERS, *range(400, 440))]
    assert standing(candidate([*card, *network]), "infrastructure lift") == [0, 1, 2]


def test_no_claim_of_one_hand_that_speaks_leaves_nobody() -> None:
    assert standing(candidate()) == []


def test_who_bears_any_claim_that_alone_suffices_stands_and_not_only_who_bears_the_strongest() -> None:
    """Half of the workers ask in phrases, the other half for concealed reasoning."""
    one = candidate(harvesting=[0, 1, 2])
    one.accounts.capabilities[[3, 4, 5], -1] = EXCHANGES
    assert standing(one, "common conduct", elicitation=40.0, concealed_reasoning=-5.0) == [0, 1, 2]
    assert standing(one, "common conduct", elicitation=40.0, concealed_reasoning=30.0) == list(WORKERS)


def test_a_claim_suffices_alone_when_it_does_as_one_of_those_that_are_averaged() -> None:
    one = candidate(harvesting=[0, 1, 2])
    one.accounts.capabilities[[3, 4, 5], -1] = EXCHANGES
    enough = NEEDED + math.log(2)
    assert standing(one, "common conduct", elicitation=40.0, concealed_reasoning=enough + 1e-9) == list(WORKERS)
    assert standing(one, "common conduct", elicitation=40.0, concealed_reasoning=enough - 1e-9) == [0, 1, 2]
    # The strongest is borne even where it needs the others.
    assert standing(one, "common conduct", elicitation=3.0, concealed_reasoning=2.0) == [0, 1, 2]


def test_a_stream_dealt_out_stands_beside_other_claims_for_those_in_step_only() -> None:
    card = [(Kind.PAYMENT, 1, number, 1) for number in (0, *BYSTANDERS)]
    one = candidate(card, harvesting=[0, BYSTANDERS[0]])
    spoken = ("common conduct", "infrastructure lift")
    assert standing(one, *spoken, elicitation=40.0) == [0, BYSTANDERS[0]]  # both harvest, and share a card
    dealt = standing(one, *spoken, elicitation=40.0, one_stream_dealt_out=30.0)
    assert dealt == [*WORKERS, BYSTANDERS[0]]
    # Dealt out alone: a card ties nobody to it, whoever harvests.
    assert standing(one, *spoken, elicitation=-5.0, one_stream_dealt_out=30.0) == list(WORKERS)


@pytest.mark.parametrize("busy", [3, 2, 1])
def test_few_busy_members_who_meet_in_their_minutes_are_compared_in_their_hours_too(busy: int) -> None:
    """Synchrony asks no number of exchanges of a member; all that membership compares must have been read."""
    members = range(LEAST_MEMBERS)
    exchanges = np.where(np.isin(np.arange(ACCOUNTS), range(busy, LEAST_MEMBERS)), 5, EXCHANGES)
    accounts = accounts_of(ACCOUNTS, exchanges=EXCHANGES, extraction=np.where(np.arange(ACCOUNTS) < busy, EXCHANGES, 0))
    one = candidate_of(members, accounts=replace(accounts, exchanges=exchanges))
    conduct = measure_conduct(one.accounts, np.flatnonzero(exchanges >= LEAST_EXCHANGES))
    rng = np.random.default_rng(busy)
    compared = conduct.compared([one.members]).tolist()
    assert bool(compared) is (busy > 1)
    hours = read(ACCOUNTS, [row for number in compared for row in by_habit(rng, number, 20)])
    results = {name: claim(name, 40.0) for name in ("elicitation", "synchrony")}
    assert standing_members(one, results, conduct.with_hours(hours), NEEDED).tolist() == []
