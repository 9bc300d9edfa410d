"""Replacement after a ban: some members end together, and within days other members start with the same work.

Where the provider closed `LEAST_ENDS` members or more (`closed_at` of the accounts file), these are the ends; else the members that fall
silent while others go on for days. A member starts at its first exchange if others were there for days before it
(`profiles/histories.py`). Two things are asked, each of all members that it concerns:

- *Together*, of members that fall silent; closing accounts together is the provider's own act. An end's distance from the median of
  the other members' ends is ranked among reference accounts' ends.
- *After.* Of accounts that begin after `LEAST_ENDS` of the ends, the time from a member's start back to the last `LEAST_ENDS` ends before it
  is ranked among the starts of reference accounts.

Most of them must stand out (`ranking.py`). Null: customers end on days of their own, or begin without regard to the others' end; the
e-value is the smaller of the two, so it is one when either is true. Customers of one product are at most `PRODUCT_FACTOR` times as
likely as any to end near to the others, or to begin in the days after. A closed class ends together, a launch begins together.

One ban and one wave of new accounts are one coincidence of two waves, however many accounts are in them: a launch that happens to
fall in the days after a ban would be called a replacement. It is therefore listed against no explanation, and informs a reader. It does not show that
a ban was the cause either: a customer that moves to new accounts looks the same. Complexity: members times reference accounts.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stillwatch.detection.campaigns.candidate import LEAST_REFERENCE, Candidate
from stillwatch.detection.campaigns.claims.ranking import Ranked, rank_p_values
from stillwatch.detection.campaigns.claims.stating import Procedure
from stillwatch.detection.profiles.histories import Histories
from stillwatch.records.claim import Claim, Inconclusive, Question

LEAST_ENDS = 3
LEAST_STARTS = 3
THRESHOLDS = (0.02, 0.05, 0.1, 0.2)
PRODUCT_FACTOR = 2.0
"""Customers of one product are so many times as likely as any to stop near to the others or to start soon after. With
it, none of 3,161 honest groups that could be tested in five development worlds had an e-value of 1 or more."""

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
    decides=False,
)

Floats = npt.NDArray[np.float64]


def replacement_claim(candidate: Candidate, histories: Histories) -> Claim | Inconclusive:
    """Count members that stop together, and members that start after them."""
    members, outsiders = candidate.members, candidate.outsiders
    closed = len(_known(histories.closed_us[members])) >= LEAST_ENDS
    ended = histories.closed_us if closed else histories.silent_us
    ends, other_ends = _known(ended[members]), _known(ended[outsiders])
    starts, other_starts = _known(histories.started_us[members]), _known(histories.started_us[outsiders])
    if len(ends) >= LEAST_ENDS:
        begun = np.sort(ends)[LEAST_ENDS - 1]
        starts, other_starts = starts[starts > begun], other_starts[other_starts > begun]
    if len(ends) < LEAST_ENDS or len(starts) < LEAST_STARTS:
        return PROCEDURE.cannot(
            f"{len(ends)} members end, and {len(starts)} begin after {LEAST_ENDS} of them",
            f"{LEAST_ENDS} that end days before the traffic does, and {LEAST_STARTS} that begin after",
        )
    if len(other_starts) < LEAST_REFERENCE or (not closed and len(other_ends) < LEAST_REFERENCE):
        return PROCEDURE.cannot(
            f"{len(other_ends)} reference accounts end and {len(other_starts)} begin after {LEAST_ENDS} of the members' ends",
            f"{LEAST_REFERENCE} of each",
        )
    after = _ranked(after_p_values(ends, starts, other_starts), len(other_starts))
    log_e, how = after.log_e, f"The provider closed {len(ends)} members"
    if not closed:
        together = _ranked(together_p_values(ends, other_ends), len(other_ends))
        log_e = min(log_e, together.log_e)
        how = f"{together.members} of {together.tested} members that end do so nearer to the others than {1 - together.threshold:.0%} of customers that end"
    return PROCEDURE.from_log_e(
        log_e,
        statement=(
            f"{how}; {after.members} of {after.tested} that begin later do so sooner after these ends than"
            f" {1 - after.threshold:.0%} of {after.reference} customers that begin later."
        ),
        statistic_name="members that begin after the others' end",
        statistic=after.members,
        n=len(ends) + len(starts),
        n_unit="ends and beginnings",
        input_digest=candidate.input_digest,
    )


def together_p_values(ends: Floats, others: Floats) -> Floats:
    """Return each end's conformal p-value of lying so near to the median of the other members' ends.

    Args:
        ends: [m] members' ends, at least two.
        others: [n] reference accounts' ends.
    """
    found = np.ones(len(ends))
    for place, end in enumerate(ends):
        centre = float(np.median(np.delete(ends, place)))
        found[place] = (1.0 + int((np.abs(others - centre) <= abs(end - centre)).sum())) / (len(others) + 1.0)
    return found


def after_p_values(ends: Floats, starts: Floats, others: Floats) -> Floats:
    """Return each start's conformal p-value of following so soon on the last `LEAST_ENDS` ends before it.

    Args:
        ends: [k] members' ends.
        starts: [m] members' starts, each after `LEAST_ENDS` ends or more; an account's own end is after its start.
        others: [n] reference accounts' starts, likewise.
    """
    waited = np.sort(_waited(ends, others))
    p_values: Floats = (
        (1.0 + np.searchsorted(waited, _waited(ends, starts), side="right")) / (len(others) + 1.0)
    ).astype(np.float64)
    return p_values


def _waited(ends: Floats, starts: Floats) -> Floats:
    """[m] time from each start back to the `LEAST_ENDS`-th last end before it."""
    ordered = np.sort(ends)
    waited: Floats = starts - ordered[np.searchsorted(ordered, starts, side="left") - LEAST_ENDS]
    return waited


def _ranked(p_values: Floats, reference: int) -> Ranked:
    return rank_p_values(p_values, reference, thresholds=THRESHOLDS, factor=PRODUCT_FACTOR)


def _known(times: Floats) -> Floats:
    known: Floats = times[~np.isnan(times)]
    return known
