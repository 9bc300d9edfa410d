"""Selection: which candidates are campaigns, at a promised false-discovery rate.

Takes one e-value per candidate. Gives those that e-BH selects (Wang & Ramdas, JRSS B 2022): the expected share of false ones among
the selected is at most the level, whatever the dependence between candidates. Overlapping candidates are resolved afterwards:
an account belongs to the selected candidate with most evidence, and a candidate that mostly repeats a stronger one is dropped.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stillwatch.statistics.false_discovery import e_q_values

LARGEST_OVERLAP = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The result for all candidates."""

    q_values: npt.NDArray[np.float64]
    """[k] smallest level at which e-BH selects the candidate."""
    kept: tuple[int, ...]
    """Selected candidates that do not mostly repeat a stronger one, strongest first."""


def select(log_es: list[float], members: list[npt.NDArray[np.int64]], level: float, accounts: int) -> Selection:
    """Select at a false-discovery rate.

    Args:
        log_es: [k] natural log e-values.
        members: [k] account numbers of each candidate.
        level: The promised rate, in (0, 1).
        accounts: Number of accounts.
    """
    if not log_es:
        return Selection(q_values=np.zeros(0), kept=())
    q_values = e_q_values(log_es)
    taken = np.zeros(accounts, dtype=bool)
    kept = []
    order = sorted(
        range(len(log_es)), key=lambda place: (-log_es[place], -len(members[place]), members[place].tolist())
    )
    for place in order:
        if q_values[place] > level:
            continue
        if taken[members[place]].mean() > LARGEST_OVERLAP:
            continue
        taken[members[place]] = True
        kept.append(place)
    return Selection(q_values=q_values, kept=tuple(kept))
