"""Selection: which candidates are campaigns, at a promised false-discovery rate.

Takes one e-value per candidate. Gives those that e-BH selects (Wang & Ramdas, JRSS B 2022): the expected share of false ones among
the selected is at most the level, whatever the dependence between candidates. An account of several selected candidates belongs to
the one with most evidence; that is settled when campaigns are assembled.
"""

from __future__ import annotations

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


UNTESTED = -1_000.0
"""log e of a candidate that was considered and not tested."""


def select(log_es: list[float], members: list[npt.NDArray[np.int64]], considered: int, level: float) -> Selection:
    """Select at a false-discovery rate.

    Args:
        log_es: [k] natural log e-values.
        members: [k] account numbers of each candidate.
        considered: All candidates, k at least; those that were not tested have an e-value of nothing.
        level: The promised rate, in (0, 1).
    """
    if not log_es:
        return Selection(q_values=np.zeros(0), kept=())
    q_values = e_q_values([*log_es, *[UNTESTED] * (considered - len(log_es))])[: len(log_es)]
    order = sorted(range(len(log_es)), key=lambda place: (-log_es[place], len(members[place]), members[place].tolist()))
    return Selection(q_values=q_values, kept=tuple(place for place in order if q_values[place] <= level))
