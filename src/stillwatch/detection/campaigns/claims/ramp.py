"""Ramp: the members rise from their own earlier level at one time, closer together than customers that rise as much.

An account rises where its cumulative count lies farthest below a straight line (CUSUM; Page 1954, "Continuous inspection schemes"),
if it sends at least twice as much from then on. For each member that rises, the centre is the median rise of the other such members. Its
distance from the centre is ranked among the distances that it would have if, in its own life, it had risen at the place at which
some reference account rose in that one's life: members that merely live in the same days rise as near as that by chance, and so do all
accounts in a release rush. Members that do not rise count as far. Members with small p are then counted (`ranking.py`).

Null: members rise on days of their own, and are at most `PRODUCT_FACTOR` times as likely as customers to do so near to the centre: a
product's launch or season moves its customers too. It is listed against no explanation: on simulated campaigns and honest groups it
has no power beyond common conduct (`docs/detection.md`). It does not show a harvest. Complexity: members times reference accounts.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stillwatch.detection.campaigns.candidate import LEAST_REFERENCE, Candidate
from stillwatch.detection.campaigns.claims.ranking import rank_p_values
from stillwatch.detection.campaigns.claims.stating import Procedure
from stillwatch.detection.links.groups import LEAST_MEMBERS
from stillwatch.detection.profiles.histories import LEAST_RISE, Histories
from stillwatch.records.claim import Claim, Inconclusive, Question

PRODUCT_FACTOR = 3.0
"""Customers that one launch or season moves are so many times as likely as any customer to rise near to the others. With it, none of 3,333
honest groups that could be tested in five development worlds had an e-value above e^0.9."""
THRESHOLDS = (0.01, 0.02, 0.05, 0.1)

PROCEDURE = Procedure(
    name="ramp against own baseline",
    question=Question.COORDINATION,
    null_hypothesis=(
        "The members rise from their own earlier level on days of their own: at most three times as likely as customers"
        " that rise as much to do so near to the others."
    ),
    assumptions=(
        "under the null the place of a member's rise within its life is exchangeable with reference accounts' places",
        "customers of one product are at most 3 times as likely as any customer to rise near to the others",
        "left-out medians make members dependent only through their common centre, which is neglected",
    ),
    method="ramp-against-own-baseline/v1",
    decides=False,
)

Floats = npt.NDArray[np.float64]


def ramp_claim(candidate: Candidate, histories: Histories) -> Claim | Inconclusive:
    """Count members that rise nearer to the others' time than customers would."""
    members = candidate.members
    rising = members[~np.isnan(histories.rise[members])]
    places = histories.rise[candidate.outsiders]
    places = np.sort(places[~np.isnan(places)])
    if len(rising) < LEAST_MEMBERS or len(places) < LEAST_REFERENCE:
        return PROCEDURE.cannot(
            f"{len(rising)} members and {len(places)} reference accounts rise from a level of their own",
            f"{LEAST_MEMBERS} members and {LEAST_REFERENCE} reference accounts that come to send {LEAST_RISE:.0f} times as much",
        )
    near = near_p_values(
        histories.first_us[rising], histories.last_us[rising] - histories.first_us[rising], histories.rise[rising], places
    )  # fmt: skip
    p_values = np.concatenate([near, np.ones(len(members) - len(rising))])
    ranked = rank_p_values(p_values, len(places), thresholds=THRESHOLDS, factor=PRODUCT_FACTOR)
    return PROCEDURE.from_log_e(
        ranked.log_e,
        statement=(
            f"{len(rising)} of {ranked.tested} members come to send at least {LEAST_RISE:.0f} times as much as before; {ranked.members} do so"
            f" nearer to the others' time than {1 - ranked.threshold:.0%} of {ranked.reference} rises of other customers would be."
        ),
        statistic_name=f"members within the nearest {ranked.threshold:.0%}",
        statistic=ranked.members,
        n=ranked.tested,
        n_unit="accounts",
        input_digest=candidate.input_digest,
    )


def near_p_values(first: Floats, life: Floats, rise: Floats, places: Floats) -> Floats:
    """Return each member's conformal p-value of rising so near to the median rise of the others.

    Args:
        first: [m] time of the first exchange, any unit; at least two members.
        life: [m] time from the first to the last exchange, same unit.
        rise: [m] place of the rise within the life, in [0, 1].
        places: [n] places of reference accounts' rises within their lives, ascending.

    Returns:
        [m] in (0, 1].
    """
    times = first + rise * life
    found = np.ones(len(times))
    for place in range(len(times)):
        centre = float(np.median(np.delete(times, place)))
        drawn = np.abs(first[place] + places * life[place] - centre)
        found[place] = (1.0 + int((drawn <= abs(times[place] - centre)).sum())) / (len(places) + 1.0)
    return found
