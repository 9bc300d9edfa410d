"""Pivot: the group moves to a newly released model at once, faster than other customers.

For each release inside the traffic, a member's pivot share is the share of its exchanges in the 48 hours after the release that
use the new model. Members are ranked among reference accounts that were active in the same hours (conformal p-values); the number
of members in the top tenth is binomial under the null. Releases are paid for by Bonferroni. A release rush moves everybody,
hence the reference moves too; an alias `latest` moves its users together and looks the same as a pivot.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stillwatch.detection.campaigns.candidate import LEAST_REFERENCE, Candidate
from stillwatch.detection.campaigns.claims.stating import Procedure
from stillwatch.detection.links.groups import LEAST_MEMBERS
from stillwatch.records.claim import Claim, Inconclusive, Question
from stillwatch.statistics.tails import binomial_upper_log_p

Releases = tuple[tuple[str, int], ...]
"""(model, release time in microseconds UTC)."""

TOP = 0.1
LEAST_EXCHANGES = 3
"""Exchanges in the window, at the least."""

PROCEDURE = Procedure(
    name="pivot to a new model",
    question=Question.COORDINATION,
    null_hypothesis="The members take up a new model in its first 48 hours as other customers do.",
    assumptions=(
        "under the null each member is exchangeable with the reference accounts active in the same 48 hours",
        "Bonferroni over the releases",
    ),
    method="pivot/v1",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PivotShares:
    """Of one release: share of each account's exchanges in the window that use the new model; NaN when too few."""

    model: str
    shares: npt.NDArray[np.float64]
    """[accounts]"""


def pivot_claim(candidate: Candidate, releases: tuple[PivotShares, ...]) -> Claim | Inconclusive:
    """Test the release to which the members moved most."""
    if not releases:
        return PROCEDURE.cannot(
            "no release calendar, or no release inside the traffic", "--releases FILE that covers the traffic"
        )
    best: tuple[float, str, int, int] | None = None
    for release in releases:
        mine = release.shares[candidate.members]
        mine = mine[~np.isnan(mine)]
        reference = candidate.background.in_order(f"pivot to {release.model}", release.shares.__getitem__)
        others = reference.without(candidate.members)
        if len(mine) < LEAST_MEMBERS or len(others) < LEAST_REFERENCE:
            continue
        p_values = (1.0 + len(others) - np.searchsorted(others, mine, side="left")) / (len(others) + 1.0)
        top = int((p_values <= TOP).sum())
        log_p = binomial_upper_log_p(top, len(mine), TOP)
        if best is None or log_p < best[0]:
            best = (log_p, release.model, top, len(mine))
    if best is None:
        return PROCEDURE.cannot(
            "too few members or reference accounts were active in the 48 hours after a release",
            f"{LEAST_MEMBERS} members and {LEAST_REFERENCE} reference accounts with {LEAST_EXCHANGES} exchanges each",
        )
    log_p, model, top, n = best
    return PROCEDURE.from_log_p(
        log_p,
        searched=math.log(len(releases)),
        statement=f"{top} of {n} members moved to {model} within 48 hours as only one customer in ten did.",
        statistic_name="members in the top tenth",
        statistic=top,
        n=n,
        n_unit="accounts",
        input_digest=candidate.input_digest,
    )
