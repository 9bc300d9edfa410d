"""Template lift: more accounts share a text than unrelated writers would.

Null: a distinct text value gets its further carriers as a Poisson number with the mean measured over all text values of this
run. The value with most members is compared with that, times the number of values looked at (Bonferroni). It shows that the
text has a common source. It does not show whose: a plug-in, a course or a benchmark also is a common source.
"""

from __future__ import annotations

import math

import numpy as np

from stillwatch.detection.campaigns.candidate import Candidate
from stillwatch.detection.campaigns.claims.stating import Procedure
from stillwatch.detection.links.kinds import TEXT_KINDS, Kind
from stillwatch.records.claim import Claim, Inconclusive, Question
from stillwatch.statistics.tails import poisson_upper_log_p

PROCEDURE = Procedure(
    name="template lift",
    question=Question.COORDINATION,
    null_hypothesis="The members write independently; a text gets further carriers at the rate of all texts of this run.",
    assumptions=(
        "further carriers of a text by chance are Poisson",
        "Bonferroni over all distinct text values of the run",
    ),
    method="template-lift/v1",
)


def template_lift_claim(candidate: Candidate, coincidences: dict[int, tuple[int, int]]) -> Claim | Inconclusive:
    """Procedure the text value that most members share.

    Args:
        candidate: The group.
        coincidences: Kind -> (distinct values, carriers) over the whole run.
    """
    table = candidate.table
    best = None
    for place in candidate.group.places:
        kind = Kind(int(table.kinds[place]))
        if kind in (*TEXT_KINDS, Kind.SYSTEM):
            members = int(np.isin(table.carriers_of(place), candidate.members, assume_unique=True).sum())
            if best is None or members > best[0]:
                best = (members, kind)
    if best is None:
        return PROCEDURE.cannot("the group was not seeded by shared text", "prompts or system prompts that members share")
    members, kind = best
    values, carriers = coincidences[int(kind)]
    mean = max((carriers - values) / max(values, 1), 1.0 / max(values, 1))
    return PROCEDURE.from_log_p(
        poisson_upper_log_p(members - 1, mean),
        searched=math.log(max(values, 1)),
        statement=f"{members} accounts carry one {kind.title}; a text of this run has {mean:.4f} further carriers on average.",
        statistic_name="members that carry the value",
        statistic=members,
        n=values,
        n_unit="distinct text values",
        input_digest=candidate.input_digest,
    )
