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

ALTERNATIVES = (0.05, 0.15, 0.35, 0.65, 0.95)
"""Chances of a coincidence under an operator; the e-value is averaged over them."""


def infrastructure_lift_claim(candidate: Candidate) -> Claim | Inconclusive:
    """Procedure all kinds that did not seed the group."""
    table, members = candidate.table, candidate.members
    seeded = set(table.kinds[candidate.group.places].tolist())
    if int(Kind.IP) in seeded:
        seeded.add(int(Kind.NETWORK))
    if int(Kind.NETWORK) in seeded:
        seeded.add(int(Kind.IP))
    log_es, coincidences, kinds_read = [], {}, 0
    for kind in IDENTITY_KINDS:
        if int(kind) in seeded or not np.any(table.kinds == int(kind)):
            continue
        kinds_read += 1
        log_e, found = _sequential(candidate, kind)
        log_es.append(log_e)
        if found:
            coincidences[kind.title] = found
    if not kinds_read or len(members) < 2:
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


def _sequential(candidate: Candidate, kind: Kind) -> tuple[float, int]:
    """Return (log e, coincidences) of one kind over the members in order."""
    table = candidate.table
    places = np.flatnonzero(table.kinds == int(kind))
    first, last = table.starts[places[0]], table.starts[places[-1] + 1]
    carriers = table.carriers[first:last]
    owner = np.repeat(places, table.degrees[places])
    mine = np.isin(carriers, candidate.members)
    # (member, value) rows in the order of the members.
    order = np.lexsort((owner[mine], carriers[mine]))
    members, values = carriers[mine][order], owner[mine][order]
    degrees = table.degrees
    present: set[int] = set()
    mass = 0
    outcomes, chances = [], []
    start = 0
    ends = np.searchsorted(members, candidate.members, side="right")
    for position, end in enumerate(ends):
        held = values[start:end].tolist()
        start = int(end)
        if position:
            outcomes.append(any(value in present for value in held))
            chances.append(min(max(mass, 1) / table.accounts * max(len(held), 1), 0.999))
        for value in held:
            if value not in present:
                present.add(value)
                mass += int(degrees[value])
    return _martingale(np.array(outcomes), np.array(chances)), int(np.sum(outcomes))


def _martingale(outcomes: npt.NDArray[np.bool_], chances: npt.NDArray[np.float64]) -> float:
    """Average the likelihood ratios of `ALTERNATIVES` against the null chances; steps where the null is likelier bet nothing."""
    log_es = []
    for alternative in ALTERNATIVES:
        bet = chances < alternative
        ratio = np.where(outcomes[bet], alternative / chances[bet], (1.0 - alternative) / (1.0 - chances[bet]))
        log_es.append(float(np.log(ratio).sum()))
    return mean_log_e(log_es)
