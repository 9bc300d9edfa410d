"""Explore, then exploit: the members first try many techniques in ever new wordings, then work with few templates.

Public reports tell of thousands of requests each with another extraction technique, followed by a harvest with those that worked
(signal 13). For each account, in order of time: of the first quarter of its sampled prompts and of the last half, the shares that try a
technique (signs of probing, hidden reasoning or its language) in a wording that the account does not use again and again, and the shares
in a wording that it does use again and again (a tenth of its prompts begin or end so). A member's number is the smaller of two changes: how far
trying falls, and how far templates rise. It is ranked among the reference accounts' numbers (`ranking.py`): an application in
development also turns to its template, a red team also tries, but not one after the other.

Null: each member changes as other customers do. It speaks against ordinary use where the template that won is worded in ways that the
other signs do not know. It says nothing of coordination, and a pool that explored through other accounts is not seen. Linear in accounts.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stillwatch.detection.campaigns.candidate import LEAST_REFERENCE, Candidate
from stillwatch.detection.campaigns.claims.ranking import rank_largest
from stillwatch.detection.campaigns.claims.stating import Procedure
from stillwatch.detection.profiles.histories import Histories, Integers
from stillwatch.records.claim import Claim, Inconclusive, Question

LEAST_EARLY = 5
"""Sampled prompts in the first quarter, at the least; the last half has about twice as many."""
LEAST_CHANGE = 0.1
"""Changes up to this are treated as none."""

PROCEDURE = Procedure(
    name="explore, then exploit",
    question=Question.EXTRACTION,
    null_hypothesis="The members turn from trying techniques to templates no more than other customers do.",
    assumptions=(
        "under the null each member is exchangeable with the reference accounts, independently of the other members",
        "techniques are known by phrases in nine languages",
    ),
    method="explore-then-exploit/v1",
)


def exploration_claim(candidate: Candidate, histories: Histories) -> Claim | Inconclusive:
    """Rank the members' change from trying techniques to templates."""
    early = histories.tried["early"]
    members = candidate.members[early[candidate.members] >= LEAST_EARLY]
    others = candidate.outsiders[early[candidate.outsiders] >= LEAST_EARLY]
    if not len(members) or len(others) < LEAST_REFERENCE:
        return PROCEDURE.cannot(
            f"{len(members)} members and {len(others)} reference accounts have {LEAST_EARLY} early prompts",
            f"a member and {LEAST_REFERENCE} reference accounts with {4 * LEAST_EARLY} prompts each",
        )
    change = changes(histories.tried)
    ranked = rank_largest(np.where(change[members] > LEAST_CHANGE, change[members], -1.0), change[others])
    tried, asked = (int(histories.tried[name][members].sum()) for name in ("early_tried", "early"))
    used, later = (int(histories.tried[name][members].sum()) for name in ("late_templated", "late"))
    return PROCEDURE.from_log_e(
        ranked.log_e,
        statement=(
            f"{tried} of {asked} early prompts try a technique in a wording of their own, {used} of {later} late ones follow a template;"
            f" {ranked.members} of {ranked.tested} members change so more than {1 - ranked.threshold:.0%} of {ranked.reference} other customers."
        ),
        statistic_name=f"members in the top {ranked.threshold:.0%}",
        statistic=ranked.members,
        n=ranked.tested,
        n_unit="accounts",
        input_digest=candidate.input_digest,
    )


def changes(tried: dict[str, Integers]) -> npt.NDArray[np.float64]:
    """Return, for each account, the smaller of the fall of trying and the rise of templates, in [-1, 1]."""
    early, late = np.maximum(tried["early"], 1), np.maximum(tried["late"], 1)
    fall = tried["early_tried"] / early - tried["late_tried"] / late
    rise = tried["late_templated"] / late - tried["early_templated"] / early
    smaller: npt.NDArray[np.float64] = np.minimum(fall, rise)
    return smaller
