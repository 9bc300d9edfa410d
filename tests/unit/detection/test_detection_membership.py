"""Which accounts of a selected candidate are flagged: those that bear the evidence themselves."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from planted_accounts import accounts_of, candidate_of, table_of

from stillwatch.detection.campaigns.candidate import Candidate
from stillwatch.detection.campaigns.claims.conduct import measure_conduct
from stillwatch.detection.campaigns.membership import standing_members
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


def standing(one: Candidate, *spoken: str) -> list[int]:
    results = {"elicitation": claim("elicitation", 40.0)} | {name: claim(name, 40.0) for name in spoken}
    conduct = measure_conduct(one.accounts, np.arange(ACCOUNTS))
    return standing_members(one, results, conduct).tolist()


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
