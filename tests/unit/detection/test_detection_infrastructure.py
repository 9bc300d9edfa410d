"""Infrastructure lift: the stated chance is never below the true one, and operators are told from crowds."""

from __future__ import annotations

import numpy as np
import pytest
from planted_accounts import accounts_of, candidate_of, table_of

from stillwatch.detection.campaigns.claims.infrastructure_lift import (
    _martingale,
    _sequential,
    infrastructure_lift_claim,
)
from stillwatch.detection.links.attributes import AttributeTable
from stillwatch.detection.links.kinds import Kind
from stillwatch.records.claim import Claim, Inconclusive

ACCOUNTS = 200


def crowd(seed: int) -> AttributeTable:
    """Addresses of very different popularity; some accounts use several."""
    rng = np.random.default_rng(seed)
    popularity = 1.0 / np.arange(1, 61)
    used = {
        (int(rng.choice(60, p=popularity / popularity.sum())), number)
        for number in range(ACCOUNTS)
        for _ in range(1 + number % 3)
    }
    return table_of(ACCOUNTS, [(Kind.IP, value, number, 1) for value, number in used])


@pytest.mark.parametrize("seed", range(12))
def test_the_stated_chance_is_at_least_the_true_one_at_every_step(seed: int) -> None:
    """For a random draw of accounts: of all accounts not yet drawn, the share that brings a value already there."""
    table = crowd(seed)
    members = np.random.default_rng(1_000 + seed).permutation(ACCOUNTS)[:25]
    owner, held = table.held_by(members)
    outcomes, chances = _sequential(owner, held, table.degrees[held], len(members), ACCOUNTS)
    carried = [set(table.held_by(np.array([number]))[1].tolist()) for number in range(ACCOUNTS)]
    present: set[int] = set()
    for step, member in enumerate(members.tolist()):
        if step:
            waiting = [number for number in range(ACCOUNTS) if number not in members[:step]]
            single = [number for number in waiting if len(carried[number]) == len(carried[member])]
            true = np.mean([bool(carried[number] & present) for number in single])
            assert outcomes[step - 1] == bool(carried[member] & present)
            assert chances[step - 1] >= min(true, 0.999) - 1e-9
        present |= carried[member]


@pytest.mark.parametrize("chance", [0.001, 0.1, 0.4, 0.7, 0.96])
def test_a_step_at_the_stated_chance_is_fair_or_worse(chance: float) -> None:
    """The exact mean over both outcomes of one step, and of three."""
    for steps in (1, 3):
        mean = 0.0
        for outcome in range(2**steps):
            seen = np.array([bool(outcome >> step & 1) for step in range(steps)])
            likelihood = float(np.prod(np.where(seen, chance, 1.0 - chance)))
            mean += likelihood * float(np.exp(_martingale(seen, np.full(steps, chance))))
        assert mean <= 1.0 + 1e-9


def lift(carried: list[tuple[Kind, int, int, int]], members: range, **group: object) -> Claim | Inconclusive:
    table = table_of(ACCOUNTS, carried)
    return infrastructure_lift_claim(candidate_of(members, accounts=accounts_of(ACCOUNTS), table=table, **group))


def test_a_card_that_only_members_have_is_evidence() -> None:
    claim = lift([(Kind.PAYMENT, 5, number, 1) for number in range(20)], range(20), seed="text")
    assert isinstance(claim, Claim)
    assert claim.statistic == 19
    assert claim.log_e > 30.0


def test_an_address_that_a_crowd_has_is_not() -> None:
    claim = lift([(Kind.IP, 5, number, 1) for number in range(180)], range(20), seed="text")
    assert isinstance(claim, Claim)
    assert claim.log_e < 1.0


def test_one_firm_among_the_customers_of_a_product_is_not() -> None:
    claim = lift([(Kind.PAYMENT, 5, number, 1) for number in range(12)], range(60), seed="text")
    assert isinstance(claim, Claim)
    assert claim.log_e < 0.0


def test_what_seeded_the_group_is_not_counted_as_evidence_for_it() -> None:
    carried = [(Kind.PAYMENT, 5, number, 1) for number in range(20)]
    assert isinstance(lift(carried, range(20), places=[0]), Inconclusive)


def test_an_address_seed_silences_its_network_too() -> None:
    carried = [(kind, 5, number, 1) for kind in (Kind.IP, Kind.NETWORK) for number in range(20)]
    assert isinstance(lift(carried, range(20), places=[0]), Inconclusive)


def test_clients_say_nothing_about_who_stands_behind_them() -> None:
    carried = [(kind, 5, number, 1) for kind in (Kind.USER_AGENT, Kind.TLS) for number in range(20)]
    assert isinstance(lift(carried, range(20), seed="text"), Inconclusive)
