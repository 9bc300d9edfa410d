"""Selection: which candidates are campaigns, at a promised false-discovery rate.

Takes one e-value per candidate, and which candidates are promising. Gives those that weighted e-BH selects (Wang & Ramdas, JRSS B 2022,
Section 5): the expected share of false ones among the selected is at most the level, whatever the dependence between candidates. An
account of several selected candidates belongs to the one with most evidence; that is settled when campaigns are assembled.

Half of the level is dealt to all candidates alike, the other half to the promising ones: an e-value times `K s` is an e-value on
average over the K candidates when the shares s add up to 1. Shares must not look at what the e-values look at. Candidates are promising by
rare text and request parameters that their members have in common (`links/groups.py`); under the stated nulls, hours, addresses, cards,
registrations, contents and signs are what they are for any customers who have a text in common. Template lift alone looks at the
same, and pays for all texts of the run at once (Bonferroni), so that its e-values may be weighed in any way.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stillwatch.statistics.false_discovery import e_q_values


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The result for all candidates."""

    q_values: npt.NDArray[np.float64]
    """[k] smallest level at which e-BH selects the candidate."""
    kept: tuple[int, ...]
    """Selected candidates, strongest first; of equal ones the smaller group first, then by members."""
    needed: npt.NDArray[np.float64]
    """[k] log e that the candidate needed, given how many were selected."""


UNTESTED = -1_000.0
"""log e of a candidate that was considered and not tested."""


PROMISING_SHARE = 0.5
"""Of the level, dealt to promising candidates; the rest is dealt to all, the promising ones included."""


def select(
    log_es: list[float],
    members: list[npt.NDArray[np.int64]],
    considered: int,
    level: float,
    *,
    promising: npt.NDArray[np.bool_] | None = None,
    promised: int = 0,
) -> Selection:
    """Select at a false-discovery rate.

    Args:
        log_es: [k] natural log e-values.
        members: [k] account numbers of each candidate.
        considered: All candidates, k at least; those that were not tested have an e-value of nothing.
        level: The promised rate, in (0, 1).
        promising: [k] candidates that share the half of the level; none by default.
        promised: All promising candidates, those that were not tested included; 0 deals the level to all alike.
    """
    if not log_es:
        return Selection(q_values=np.zeros(0), kept=(), needed=np.zeros(0))
    weights = np.zeros(len(log_es))
    if promising is not None and promised:
        more = promising * (PROMISING_SHARE * considered / promised)
        weights = np.log(1.0 - PROMISING_SHARE + more)
    weighed = [log_e + weight for log_e, weight in zip(log_es, weights.tolist(), strict=True)]
    q_values = e_q_values([*weighed, *[UNTESTED] * (considered - len(log_es))])[: len(log_es)]
    order = sorted(range(len(log_es)), key=lambda place: (-log_es[place], len(members[place]), members[place].tolist()))
    kept = tuple(place for place in order if q_values[place] <= level)
    needed = math.log(considered / (level * max(len(kept), 1))) - weights
    return Selection(q_values=q_values, kept=kept, needed=needed)
