"""Findings: what stands behind a candidate and behind each of its members, in one word.

Takes a tested and selected (or not selected) candidate. Gives the finding, its reason, and the members that are somebody else's
victims or act under an agreement. Missing telemetry makes a finding unresolved, never innocent and never guilty.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from stillwatch.detection.campaigns.candidate import Candidate
from stillwatch.records.campaign import Explanation, Finding

Numbers = npt.NDArray[np.int64]

RESELLER_SHARE = 0.6
"""A harvest that is at most this share of the median member's exchanges rides on others' traffic."""
VICTIM_LOG_P = math.log(1e-6)
LEAST_ROWS = 5
"""Exchanges on each side of a split, at the least."""
LICENSED_SHARE = 0.8


def victims(candidate: Candidate) -> Numbers:
    """Return members whose harvest comes from other clients or addresses than the rest of their traffic.

    Null, per member: harvest and other exchanges come from the same clients. If no value of a column is on both sides, the
    chance of such a split among n exchanges with h harvested ones is at most 2^(values - 1) / C(n, h) when exchanges are
    exchangeable. Rotating addresses (a value per exchange) can show nothing here, by that factor.
    """
    found = [member for member in candidate.members if _is_split(candidate, int(member))]
    return np.array(found, dtype=np.int64)


def _is_split(candidate: Candidate, member: int) -> bool:
    mine = candidate.study.numbers[candidate.rows] == member
    harvest = candidate.harvest[mine]
    n, h = len(harvest), int(harvest.sum())
    if min(h, n - h) < LEAST_ROWS:
        return False
    rows = candidate.rows[mine]
    for name in ("tls", "user_agent", "network"):
        column = candidate.study.column(name)
        if not column.known[rows].all():
            continue
        values = column.values[rows]
        inside, outside = np.unique(values[harvest]), np.unique(values[~harvest])
        if len(np.intersect1d(inside, outside)):
            continue
        ways = math.lgamma(n + 1) - math.lgamma(h + 1) - math.lgamma(n - h + 1)
        if (len(inside) + len(outside) - 1) * math.log(2.0) - ways <= VICTIM_LOG_P:
            return True
    return False


def selected_finding(candidate: Candidate, remaining: Numbers) -> tuple[Finding, str]:
    """Name what stands behind a selected candidate, judged on the members that are no victims."""
    licensed = candidate.accounts.licensed[remaining]
    if len(licensed) and licensed.mean() >= LICENSED_SHARE:
        return (
            Finding.LICENSED,
            f"{int(licensed.sum())} of {len(licensed)} members act under an agreement that allows distillation.",
        )
    if not len(remaining):
        return (
            Finding.VICTIM,
            "Every member's harvest comes from other clients than the member's own traffic: stolen keys.",
        )
    share = float(np.median([_harvest_share(candidate, int(member)) for member in remaining]))
    if candidate.group.seed == "text" and share <= RESELLER_SHARE:
        return Finding.RESELLER, (
            f"The harvest is {share:.0%} of the median member's exchanges; the rest is other traffic through the same accounts."
        )
    return Finding.OPERATOR, "Every innocent explanation that applies was rejected."


def unselected_finding(explanations: Sequence[Explanation], coordinated: bool) -> tuple[Finding, str] | None:
    """Name what stands behind a candidate that was not selected; null when it is not even shown to be coordinated."""
    if not coordinated:
        return None
    weakest = min(explanations, key=lambda explanation: explanation.log_e)
    if not weakest.tested:
        return Finding.UNRESOLVED, f"The explanation '{weakest.name}' could not be tested. {weakest.remark}"
    if weakest.rejected:
        return (
            Finding.UNRESOLVED,
            f"Every explanation was rejected, but not strongly enough for the promised rate; weakest: '{weakest.name}'.",
        )
    return Finding.LOOK_ALIKE, f"'{weakest.name}' was not rejected. {weakest.remark}"


def _harvest_share(candidate: Candidate, member: int) -> float:
    mine = candidate.study.numbers[candidate.rows] == member
    return float(candidate.harvest[mine].mean()) if mine.any() else 0.0
