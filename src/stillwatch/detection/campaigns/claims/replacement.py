"""Replacement after a ban: some members stop together, and within days other members start with the same work.

A member stops at the time at which the provider closed it, where that is known, else at its last exchange if others go on for days
after it; it starts at its first exchange if others were there for days before it (`profiles/histories.py`). Two things
are asked, each of all members that it concerns:

- *Together.* A stop's distance from the median of the other members' stops is ranked among reference accounts' stops.
- *After.* The share of the members' stops in the `WITHIN_US` before a member's start is ranked among the starts of reference accounts.

Most of them must stand out (`ranking.py`). Null: customers end on days of their own, or begin without regard to the others' end; the
e-value is the smaller of the two, so it is one when either is true. Customers of one product are at most `PRODUCT_FACTOR` times as likely as any to
end near to the others, or to begin in the days after: a launch and a season move them. A closed class alone ends together, a launch alone begins together.
It does not show that a ban was the cause: a customer that moves to new accounts looks the same. Complexity: (members + reference) log.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stillwatch.detection.campaigns.candidate import LEAST_REFERENCE, Candidate
from stillwatch.detection.campaigns.claims.ranking import Ranked, rank_p_values
from stillwatch.detection.campaigns.claims.stating import Procedure
from stillwatch.detection.profiles.histories import DAY_US, Histories
from stillwatch.records.claim import Claim, Inconclusive, Question

WITHIN_US = 4 * DAY_US
LEAST_STOPS = 3
LEAST_STARTS = 3
THRESHOLDS = (0.02, 0.05, 0.1, 0.2)
PRODUCT_FACTOR = 2.0
"""Customers of one product are so many times as likely as any to stop near to the others or to start in the days after."""

PROCEDURE = Procedure(
    name="replacement after a ban",
    question=Question.COORDINATION,
    null_hypothesis=(
        "The members end on days of their own, or those that begin do so without regard to the others' end; customers of"
        " one product are at most twice as likely as any to do either near to the others."
    ),
    assumptions=(
        "under the null each member's first and last day are exchangeable with those of reference accounts that begin or end in the run",
        "customers of one product are at most 2 times as likely as any customer to end together or to begin after it",
        "left-out medians make members dependent only through their common centre, which is neglected",
    ),
    method="replacement-after-a-ban/v1",
)

Floats = npt.NDArray[np.float64]


def replacement_claim(candidate: Candidate, histories: Histories) -> Claim | Inconclusive:
    """Count members that stop together, and members that start after them."""
    stops, other_stops = (
        _known(histories.stopped_us[numbers]) for numbers in (candidate.members, candidate.outsiders)
    )
    starts, other_starts = (
        _known(histories.started_us[numbers]) for numbers in (candidate.members, candidate.outsiders)
    )
    if len(stops) < LEAST_STOPS or len(starts) < LEAST_STARTS:
        return PROCEDURE.cannot(
            f"{len(stops)} members end and {len(starts)} begin inside the traffic",
            f"{LEAST_STOPS} that end and {LEAST_STARTS} that begin days after the traffic's first and before its last day",
        )
    if min(len(other_stops), len(other_starts)) < LEAST_REFERENCE:
        return PROCEDURE.cannot(
            f"{len(other_stops)} reference accounts end and {len(other_starts)} begin inside the traffic",
            f"{LEAST_REFERENCE} of each",
        )
    together = _ranked(together_p_values(stops, other_stops), len(other_stops))
    after = _ranked(after_p_values(stops, starts, other_starts), len(other_starts))
    return PROCEDURE.from_log_e(
        min(together.log_e, after.log_e),
        statement=(
            f"{together.members} of {together.tested} members that end do so nearer to the others than {1 - together.threshold:.0%} of customers"
            f" that end; {after.members} of {after.tested} that begin do so after more of these ends than {1 - after.threshold:.0%} of customers that begin."
        ),
        statistic_name="members that begin after the others' end",
        statistic=after.members,
        n=together.tested + after.tested,
        n_unit="ends and beginnings",
        input_digest=candidate.input_digest,
    )


def together_p_values(stops: Floats, others: Floats) -> Floats:
    """Return each stop's conformal p-value of lying so near to the median of the other members' stops.

    Args:
        stops: [m] members' stops, at least two.
        others: [n] reference accounts' stops.
    """
    found = np.ones(len(stops))
    for place, stop in enumerate(stops):
        centre = float(np.median(np.delete(stops, place)))
        found[place] = (1.0 + int((np.abs(others - centre) <= abs(stop - centre)).sum())) / (len(others) + 1.0)
    return found


def after_p_values(stops: Floats, starts: Floats, others: Floats) -> Floats:
    """Return each start's conformal p-value of following so many of the stops within `WITHIN_US`.

    Args:
        stops: [k] members' stops.
        starts: [m] members' starts.
        others: [n] reference accounts' starts.
    """
    ranked = np.sort(_followed(stops, others))
    reached = len(others) - np.searchsorted(ranked, _followed(stops, starts), side="left")
    p_values: Floats = (1.0 + reached) / (len(others) + 1.0)
    return p_values


def _followed(stops: Floats, starts: Floats) -> npt.NDArray[np.int64]:
    """[m] stops in the time `WITHIN_US` before each start; an account's own stop is after its start."""
    ordered = np.sort(stops)
    counts: npt.NDArray[np.int64] = np.searchsorted(ordered, starts, side="left") - np.searchsorted(
        ordered, starts - WITHIN_US, side="left"
    )
    return counts


def _ranked(p_values: Floats, reference: int) -> Ranked:
    return rank_p_values(p_values, reference, thresholds=THRESHOLDS, factor=PRODUCT_FACTOR)


def _known(times: Floats) -> Floats:
    known: Floats = times[~np.isnan(times)]
    return known
