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
from stillwatch.detection.campaigns.explanations import NOT_ASKED
from stillwatch.records.campaign import Explanation, Finding
from stillwatch.records.sketch import EXTRACTION_SIGNS
from stillwatch.statistics.tails import hypergeometric_upper_log_p

Numbers = npt.NDArray[np.int64]

RESELLER_SHARE = 0.6
"""A harvest that is at most this share of the median member's exchanges rides on others' traffic."""
VICTIM_LOG_P = math.log(1e-4)
"""Largest ln p at which two sides of an account are told apart: to accuse a victim is worse than to miss a member."""
EARLY = 0.05
CLIENT_COLUMNS = ("tls", "user_agent", "network")
"""What tells two users of one account apart."""
CLIENTS, NETWORKS = ("tls", "user_agent", "configuration"), ("network",)
"""The two kinds of column: with what somebody sends, and from where. A configuration alone tells nothing: it changes with the task."""
LATER_US = 86_400 * 1_000_000
"""A stolen key is abused after its owner began to use it: the harvest's first twentieth lies this much later than the rest's."""
ESTABLISHED_US = 14 * 86_400 * 1_000_000
"""Or the account was registered so long before: its owner's beginning may lie before the logs."""
GROUP_SHARE = 0.15
"""A client is the group's when at least this share of the other members use it, and the member's own otherwise."""
LEAST_ROWS = 5
"""Exchanges on each side of a split, at the least."""
LICENSED_SHARE = 0.8


def victims(candidate: Candidate) -> Numbers:
    """Return members whose harvest came later and from other clients or addresses than the rest of their traffic.

    Null, per member: harvest and other exchanges come from the same clients. Fisher's exact test of each client or network against
    (harvest, other); an operator who mixes a harvest into other traffic relays both.
    Harvest are the exchanges with the group's text or with a sign of harvesting. Where no text tells them apart, clients do: exchanges
    from the group's clients, which began days after exchanges from the member's own, or long after the registration, and came from
    other networks too. An operator's older client, or a machine that moved, is one of the two only.
    """
    found = [
        member
        for member in candidate.members
        if _is_split(candidate, int(member))
        or _has_foreign_clients(candidate, int(member))
        or _is_shared(candidate, int(member))
    ]
    return np.array(found, dtype=np.int64)


def _is_split(candidate: Candidate, member: int) -> bool:
    study = candidate.study
    mine = study.numbers[candidate.rows] == member
    rows = candidate.rows[mine]
    harvest = _harvesting(candidate, mine)
    if min(int(harvest.sum()), int((~harvest).sum())) < LEAST_ROWS:
        return False
    times = study.column("time_us").values[rows]
    return _began(times, harvest) - _began(times, ~harvest) >= LATER_US and _two_clients(candidate, rows, harvest)


def _two_clients(
    candidate: Candidate, rows: Numbers, side: npt.NDArray[np.bool_], columns: tuple[str, ...] = CLIENT_COLUMNS
) -> bool:
    """Tell whether the exchanges on one side come from other clients or networks than those on the other."""
    for name in columns:
        column = candidate.study.column(name)
        known = column.known[rows]
        if known.any() and _told_apart(column.values[rows][known], side[known]):
            return True
    return False


def _told_apart(values: Numbers, side: npt.NDArray[np.bool_]) -> bool:
    """Tell whether a value is on one side more than chance puts it there: Fisher's exact test, Bonferroni over values and sides.

    Values that are seen less than `LEAST_ROWS` times tell nothing by themselves: residential exits on both sides do not show two hands. That no
    value at all is on both sides may tell it (`_apart_log_p`).
    """
    distinct, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    inside = np.bincount(inverse[side], minlength=len(distinct))
    drawn, population = int(side.sum()), len(values)
    for count, hits in zip(counts.tolist(), inside.tolist(), strict=True):
        if count >= LEAST_ROWS:
            log_p = min(
                hypergeometric_upper_log_p(hits, population, count, drawn),
                hypergeometric_upper_log_p(count - hits, population, count, population - drawn),
            )
            if log_p + math.log(2 * len(distinct)) <= VICTIM_LOG_P:
                return True
    apart = not ((inside > 0) & (inside < counts)).any()
    return apart and _apart_log_p(counts.tolist(), drawn) <= VICTIM_LOG_P


def _apart_log_p(counts: list[int], drawn: int) -> float:
    """Return ln of the chance that no value is on both sides, when so many exchanges are drawn for one side at random.

    It is the number of sets of values that make up the one side, over all ways to draw it; exact.
    """
    ways = [1, *[0] * drawn]
    for count in counts:
        for total in range(drawn, count - 1, -1):
            ways[total] += ways[total - count]
    return math.log(ways[drawn]) - math.log(math.comb(sum(counts), drawn))


def _has_foreign_clients(candidate: Candidate, member: int) -> bool:
    study, rows = candidate.study, candidate.rows
    owners = study.numbers[rows]
    mine = owners == member
    times = study.column("time_us").values[rows][mine]
    harvest = _harvesting(candidate, mine)
    for name in (*CLIENT_COLUMNS, "configuration"):
        column = study.column(name)
        if not column.known[rows].all():
            continue
        values = column.values[rows]
        pairs = np.unique(np.stack([values[~mine], owners[~mine]]), axis=1)
        shared, others = np.unique(pairs[0], return_counts=True)
        foreign = np.isin(values[mine], shared[others >= max(2.0, GROUP_SHARE * (len(candidate.members) - 1))])
        if min(int(foreign.sum()), int((~foreign).sum())) < LEAST_ROWS:
            continue
        # One hand may use two clients, or two networks; with two hands both change, or what is sent does.
        if not _told_apart(harvest.astype(np.int64), foreign) and not _two_hands(candidate, rows[mine], foreign, name):
            continue
        if _came_later(candidate, member, times, foreign):
            return True
    return False


def _is_shared(candidate: Candidate, member: int) -> bool:
    """Tell whether two clients of an account have each their own networks, whoever else uses such a client.

    An owner and a thief may both use the commonest library; a machine with a client and another machine with another one are two hands.
    """
    study = candidate.study
    rows = candidate.rows[study.numbers[candidate.rows] == member]
    network = study.column("network")
    if not network.known[rows].all():
        return False
    times = study.column("time_us").values[rows]
    for column in (study.column(name) for name in CLIENTS):
        if not column.known[rows].all():
            continue
        values, counts = np.unique(column.values[rows], return_counts=True)
        for value in values[(counts >= LEAST_ROWS) & (counts <= len(rows) - LEAST_ROWS)]:
            side = column.values[rows] == value
            if _told_apart(network.values[rows], side) and any(
                _came_later(candidate, member, times, part) for part in (side, ~side)
            ):
                return True
    return False


def _came_later(candidate: Candidate, member: int, times: Numbers, side: npt.NDArray[np.bool_]) -> bool:
    """Tell whether one side of an account began days after the other, or long after the registration."""
    began = _began(times, side)
    registered = float(candidate.accounts.created_us[member])
    return began - _began(times, ~side) >= LATER_US or began - registered >= ESTABLISHED_US


def _began(times: Numbers, side: npt.NDArray[np.bool_]) -> float:
    return float(np.quantile(times[side], EARLY))


def _two_hands(candidate: Candidate, rows: Numbers, foreign: npt.NDArray[np.bool_], name: str) -> bool:
    """Tell whether exchanges that one column tells apart are told apart by the other kind of column, client or network, as well.

    Where the logs have no other kind, the one column has to do.
    """
    others = CLIENTS if name in NETWORKS else NETWORKS
    known = any(candidate.study.column(other).known[rows].any() for other in others)
    if not known:
        return name != "configuration"
    return _two_clients(candidate, rows, foreign, others)


def _harvesting(candidate: Candidate, mine: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """[rows of a member] exchanges with the group's text or with a sign of harvesting."""
    rows = candidate.rows[mine]
    harvest: npt.NDArray[np.bool_] = (candidate.study.column("intent").values[rows] & int(EXTRACTION_SIGNS)) != 0
    if candidate.group.seed == "text":
        harvest |= candidate.harvest[mine]
    return harvest


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


def unselected_finding(
    explanations: Sequence[Explanation], coordinated: bool, members: int
) -> tuple[Finding, str] | None:
    """Name what stands behind a candidate that was not selected; null when it is not even shown to be coordinated."""
    if members == 1:
        return Finding.UNRESOLVED, (
            "A single account stands out against every explanation, but one account among so few customers cannot be told"
            " from chance at the promised rate; look at its exchanges, or give more reference traffic."
        )
    if not coordinated:
        return None
    weakest = min(explanations, key=lambda explanation: (explanation.log_e, explanation.remark == NOT_ASKED))
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
