"""Infrastructure lift: members share addresses, cards, clients or registrations more than unrelated accounts would.

Members are taken in the order of their hash. For each kind, each member either brings a value that an earlier member has
(a coincidence) or not; for unrelated accounts the chance is at most the share of all accounts that carry a value already
present. The likelihood ratio against higher chances, averaged over them, is a test martingale, hence an e-value (Shafer 2021).
Kinds are averaged (valid under any dependence). Popular values pay for themselves: a NAT address carried by many makes a
coincidence likely and adds nothing. Kinds that seeded the group are left out. Clients (user agent, TLS) are left out too: the
customers of one product share its client library without sharing an operator.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stillwatch.detection.campaigns.candidate import Candidate
from stillwatch.detection.campaigns.claims.stating import Procedure
from stillwatch.detection.links.kinds import IDENTITY_KINDS, Kind
from stillwatch.records.claim import Claim, Inconclusive, Question
from stillwatch.statistics.e_values import mean_log_e

PROCEDURE = Procedure(
    name="infrastructure lift",
    question=Question.COORDINATION,
    null_hypothesis=(
        "The members are unrelated customers: a member brings a payment, address, e-mail domain or organisation of an"
        " earlier member no more often than a random account of this run would."
    ),
    assumptions=(
        "under the null each member is a random draw of all accounts, given the members before it",
        "values that seeded the group are not counted",
    ),
    method="infrastructure-lift/v1",
)

ALTERNATIVES = (0.5, 0.65, 0.8, 0.95)
"""Chances of a coincidence under an operator, over which the e-value is averaged: most members are tied to another. A large group
in which some are (a firm behind one address among a product's customers) is no evidence, whatever its size."""


def infrastructure_lift_claim(candidate: Candidate) -> Claim | Inconclusive:
    """Procedure all kinds that did not seed the group."""
    table, members = candidate.table, candidate.members
    seeded = set(table.kinds[candidate.group.places].tolist())
    if int(Kind.IP) in seeded:
        seeded.add(int(Kind.NETWORK))
    if int(Kind.NETWORK) in seeded:
        seeded.add(int(Kind.IP))
    owner, held = table.held_by(members)
    kinds = table.kinds[held]
    log_es: list[float] = []
    coincidences: dict[str, int] = {}
    for kind in IDENTITY_KINDS:
        if int(kind) in seeded or not candidate.background.carries[kind]:
            continue
        mine = kinds == int(kind)
        outcomes, chances = _sequential(
            owner[mine], held[mine], table.degrees[held[mine]], len(members), table.accounts
        )
        log_es.append(_martingale(outcomes, chances))
        if outcomes.any():
            coincidences[kind.title] = int(outcomes.sum())
    if not log_es or len(members) < 2:
        return PROCEDURE.cannot(
            "no infrastructure column besides what seeded the group",
            "payment, address, e-mail domain or organisation columns",
        )
    listed = ", ".join(f"{count} by {title}" for title, count in coincidences.items()) or "none"
    return PROCEDURE.from_log_e(
        mean_log_e(log_es),
        statement=f"Of {len(members)} members, these bring a value that an earlier member has: {listed}.",
        statistic_name="coincidences",
        statistic=sum(coincidences.values()),
        n=len(members),
        n_unit="accounts",
        input_digest=candidate.input_digest,
    )


def _sequential(
    owner: npt.NDArray[np.int64],
    held: npt.NDArray[np.int64],
    degrees: npt.NDArray[np.int64],
    members: int,
    accounts: int,
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.float64]]:
    """Return, for every member but the first, whether it brings a value already present, and the chance of that.

    Args:
        owner: [h] positions of members, ascending.
        held: [h] the values that they carry.
        degrees: [h] carriers of each value among all accounts.
        members: Number of members.
        accounts: Number of all accounts.
    """
    new = np.zeros(len(held), dtype=bool)
    new[np.unique(held, return_index=True)[1]] = (
        True  # an account carries a value once: what is not new is an earlier member's
    )
    outcomes = np.bincount(owner[~new], minlength=members) > 0
    mass = np.concatenate(([0], np.cumsum(np.where(new, degrees, 0))))[np.searchsorted(owner, np.arange(members))]
    brought = np.bincount(owner, minlength=members)
    chances = np.minimum(np.maximum(mass, 1) / accounts * np.maximum(brought, 1), 0.999)
    return outcomes[1:], chances[1:]


def _martingale(outcomes: npt.NDArray[np.bool_], chances: npt.NDArray[np.float64]) -> float:
    """Average the likelihood ratios of `ALTERNATIVES` against the null chances; steps where the null is likelier bet nothing."""
    log_es = []
    for alternative in ALTERNATIVES:
        bet = chances < alternative
        ratio = np.where(outcomes[bet], alternative / chances[bet], (1.0 - alternative) / (1.0 - chances[bet]))
        log_es.append(float(np.log(ratio).sum()))
    return mean_log_e(log_es)
