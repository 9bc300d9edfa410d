"""Template lift: more accounts share a template than unrelated writers would.

Null: a template value (in two different prompts of an account at least) gets its further carriers as a Poisson number, with a mean
of the 0.75 quantile of further carriers over all values of this run, at least one in the number of values. The value with most
members is compared with that, times the number of values looked at, and the kind of text that says most is taken (Bonferroni). It shows that the text has a common source. It
does not show whose: a plug-in, a course or a benchmark also is a common source.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from stillwatch.detection.campaigns.candidate import Candidate
from stillwatch.detection.campaigns.claims.stating import Procedure
from stillwatch.detection.links.kinds import TEXT_KINDS, Kind
from stillwatch.records.claim import Claim, Inconclusive, Question
from stillwatch.statistics.tails import poisson_upper_log_p

USUAL_QUANTILE = 0.75
Degrees = dict[int, tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]

PROCEDURE = Procedure(
    name="template lift",
    question=Question.COORDINATION,
    null_hypothesis="The members write independently; a text gets further carriers at the rate of all texts of this run.",
    assumptions=(
        "further carriers of a text by chance are Poisson",
        "Bonferroni over all distinct text values of the run and over kinds of text",
    ),
    method="template-lift/v2",
)


def template_lift_claim(candidate: Candidate, degrees: Degrees) -> Claim | Inconclusive:
    """Procedure the text value that most members share.

    Args:
        candidate: The group.
        degrees: Kind -> (carriers, values with so many carriers), over the whole run.
    """
    table = candidate.table
    most: dict[Kind, int] = {}
    for place in candidate.group.places:
        kind = Kind(int(table.kinds[place]))
        if kind in (*TEXT_KINDS, Kind.SYSTEM):
            carried = int(np.isin(table.carriers_of(place), candidate.members, assume_unique=True).sum())
            most[kind] = max(most.get(kind, 0), carried)
    most = {kind: carried for kind, carried in most.items() if carried}
    if not most:
        return PROCEDURE.cannot(
            "the group was not seeded by shared text", "prompts or system prompts that members share"
        )
    log_p, kind = min((_log_p(members, *degrees[int(kind)]), kind) for kind, members in most.items())
    carriers, counts = degrees[int(kind)]
    usual = _usual(carriers, counts)
    return PROCEDURE.from_log_p(
        log_p,
        searched=math.log(len(most)),
        statement=f"{most[kind]} accounts carry one {kind.title}; three quarters of this run's texts have {usual} further carriers or fewer.",
        statistic_name="members that carry the value",
        statistic=most[kind],
        n=int(counts.sum()),
        n_unit="distinct text values",
        input_digest=candidate.input_digest,
    )


def _log_p(members: int, carriers: npt.NDArray[np.int64], counts: npt.NDArray[np.int64]) -> float:
    """Ln p of so many carriers of one value, times the number of values of the kind."""
    values = int(counts.sum())
    mean = max(float(_usual(carriers, counts)), 1.0 / values)
    return poisson_upper_log_p(members - 1, mean) + math.log(values)


def _usual(carriers: npt.NDArray[np.int64], counts: npt.NDArray[np.int64]) -> int:
    """Further carriers of the value at the `USUAL_QUANTILE` of all values."""
    return int(carriers[np.searchsorted(np.cumsum(counts), USUAL_QUANTILE * counts.sum())]) - 1
