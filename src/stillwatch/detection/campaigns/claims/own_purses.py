"""Purses of their own: members declare one organisation, and each pays for itself.

One customer who runs a product or a job over several accounts pays for them: with one card or invoice, or one for each department.
An operator may write one organisation into forms that are filled in with a virtual card each. Of the members that declare an organisation
in common and whose payment is known, it counts those whose payment no other account of this run has.

Null: an open customer's account has a payment of its own with a chance of at most `OWN_RATE`, given those before it. A university whose
members each pay for themselves is not one customer in this sense; what it stands accused of is then asked like anybody else. It
does not show a harvest, nor one hand. Linear in the members.
"""

from __future__ import annotations

import numpy as np

from stillwatch.detection.campaigns.candidate import Candidate
from stillwatch.detection.campaigns.claims.stating import Procedure
from stillwatch.detection.links.kinds import Kind
from stillwatch.detection.links.openness import declaring
from stillwatch.records.claim import Claim, Inconclusive, Question
from stillwatch.statistics.e_values import bernoulli_log_e

OWN_RATE = 0.05
"""In development worlds each account of an open customer shared its payment; one in twenty is left for a card that was replaced."""
LEAST_MEMBERS = 4

PROCEDURE = Procedure(
    name="purses of their own",
    question=Question.COORDINATION,
    null_hypothesis=(
        "The members are accounts of one customer, who pays for them: at most one in twenty has a payment that no other account has."
    ),
    assumptions=(
        "a customer who openly runs several accounts pays for them together, at least for some at a time",
        "an organisation whose members each pay for themselves is not one customer",
    ),
    method="purses-of-their-own/v1",
)


def own_purses_claim(candidate: Candidate) -> Claim | Inconclusive:
    """Count members of one organisation whose payment is theirs alone."""
    table = candidate.table
    members = candidate.members[declaring(table, candidate.members)]
    members = members[table.paying[members]] if table.paying is not None else members[:0]
    if len(members) < LEAST_MEMBERS:
        return PROCEDURE.cannot(
            f"{len(members)} members declare an organisation in common and have a known payment",
            f"organisation and payment of {LEAST_MEMBERS} members",
        )
    owner, held = table.held_by(members)
    shared = np.unique(owner[table.kinds[held] == int(Kind.PAYMENT)])  # the table has values of two accounts or more
    alone = len(members) - len(shared)
    return PROCEDURE.from_log_e(
        bernoulli_log_e(alone, len(members), OWN_RATE),
        statement=(
            f"{alone} of {len(members)} members that declare an organisation in common have a payment that no other account has;"
            f" one customer's accounts would be {OWN_RATE * len(members):.1f}."
        ),
        statistic_name="members with a payment of their own",
        statistic=alone,
        n=len(members),
        n_unit="accounts",
        input_digest=candidate.input_digest,
    )
