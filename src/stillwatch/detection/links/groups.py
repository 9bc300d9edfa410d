"""Candidate groups: accounts that share text, infrastructure or request parameters.

Takes the account x attribute table. Gives candidate groups, each with what it was seeded from. An attribute is a hub node: its
carriers are one set, never pairs of accounts. Values with the same carriers are one set; a set joins the widest set of which it
covers enough (carriers of one template vary by sampling), and never a chain of sets; strict and loose merging both give groups. Where a text is used by honest
accounts too, its intersections with rare infrastructure and request parameters are groups of their own. Cost is linear in the table,
and in accounts times `SETS_PER_ACCOUNT` squared for the overlaps.

A group is only where to look: whether it means anything is asked in `campaigns/`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

from stillwatch.detection.links.attributes import AttributeTable
from stillwatch.detection.links.kinds import INFRASTRUCTURE_KINDS, TEXT_KINDS, Kind

LEAST_MEMBERS = 3
SETS_PER_ACCOUNT = 24
LARGEST_INFRASTRUCTURE_SHARE = 0.2
"""Infrastructure or parameters on more than a fifth of all accounts are common and seed nothing."""

COVERAGES = (0.85, 0.5)
"""Shares of a wider set that a set must cover to join it: nearly all of it, or half."""
LARGEST_PART = 0.8
"""An intersection with more of a text group than this is the group itself."""

PARTING_KINDS = (
    int(Kind.PAYMENT),
    int(Kind.IP),
    int(Kind.NETWORK),
    int(Kind.TLS),
    int(Kind.BEHAVIOUR),
    int(Kind.TOOLS),
)
"""Kinds that part the users of one text into groups."""

Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A candidate group of accounts."""

    members: Numbers
    """Account numbers, ascending."""
    seed: str
    """`text`, `infrastructure`, `parameters`, or `alone`."""
    places: Numbers
    """Places in the attribute table of the values that seeded it, ascending; empty for `alone`."""
    searched: float = 0.0
    """ln of the number of subsets that were searched to find it; a penalty on p-values that used what was searched."""


def seed_groups(table: AttributeTable) -> tuple[Group, ...]:
    """Return the groups seeded by text, by infrastructure and by request parameters, in a fixed order."""
    degrees = table.degrees
    narrow = degrees <= max(LEAST_MEMBERS, LARGEST_INFRASTRUCTURE_SHARE * table.accounts)
    enough = degrees >= LEAST_MEMBERS
    text = np.isin(table.kinds, [int(kind) for kind in (*TEXT_KINDS, Kind.SYSTEM)]) & enough
    infrastructure = np.isin(table.kinds, [int(kind) for kind in INFRASTRUCTURE_KINDS]) & enough & narrow
    parameters = np.isin(table.kinds, [int(Kind.BEHAVIOUR), int(Kind.TOOLS)]) & enough & narrow
    groups: list[Group] = []
    for seed, chosen in (("text", text), ("infrastructure", infrastructure), ("parameters", parameters)):
        found: dict[bytes, Group] = {}
        for coverage in COVERAGES:
            for group in _merged_sets(table, np.flatnonzero(chosen), seed, coverage):
                found.setdefault(group.members.tobytes(), group)
        groups.extend(found.values())
    return (
        *groups,
        *_intersections(table, groups, np.flatnonzero(np.isin(table.kinds, PARTING_KINDS) & enough & narrow)),
    )


def _intersections(table: AttributeTable, groups: list[Group], places: Numbers) -> list[Group]:
    """Return the parts of text groups that also share one rare value of infrastructure or parameters."""
    wide = [group for group in groups if group.seed == "text" and len(group.members) > LEAST_MEMBERS]
    if not wide or not len(places):
        return []
    rows = np.repeat(np.arange(len(wide)), [len(group.members) for group in wide])
    members = np.concatenate([group.members for group in wide])
    text = sparse.csr_matrix((np.ones(len(rows), np.int32), (rows, members)), shape=(len(wide), table.accounts))
    overlap = (text @ _incidence(table, places).T).tocoo()
    enough = overlap.data >= LEAST_MEMBERS
    narrow = overlap.data <= LARGEST_PART * np.array([len(wide[row].members) for row in overlap.row])
    chosen = np.flatnonzero(enough & narrow)
    order = chosen[np.lexsort((overlap.col[chosen], overlap.row[chosen]))]
    parts: list[Group] = []
    seen: set[tuple[int, bytes]] = set()
    for position in order:
        group, place = wide[overlap.row[position]], int(places[overlap.col[position]])
        shared = np.intersect1d(group.members, table.carriers_of(place), assume_unique=True)
        key = (int(overlap.row[position]), shared.tobytes())
        if len(shared) >= LEAST_MEMBERS and key not in seen:
            seen.add(key)
            both = np.sort(np.append(group.places, place))
            parts.append(Group(members=shared, seed="text", places=both, searched=math.log(len(places))))
    return parts


def _merged_sets(table: AttributeTable, places: Numbers, seed: str, coverage: float) -> list[Group]:
    """Merge the carrier sets of these values and return one group per merged set, in order of their first value."""
    if not len(places):
        return []
    set_of_place = _distinct_sets(table, places)
    representatives = np.unique(set_of_place, return_index=True)[1]
    incidence = _incidence(table, places[representatives])
    label_of_place = _leaders(incidence, coverage)[set_of_place]
    by_label = np.argsort(label_of_place, kind="stable")
    bounds = np.flatnonzero(np.diff(label_of_place[by_label], prepend=-1))
    groups = []
    for chosen in np.split(by_label, bounds[1:]):
        members = np.unique(np.concatenate([table.carriers_of(place) for place in places[chosen]]))
        groups.append(Group(members=members, seed=seed, places=np.sort(places[chosen])))
    return groups


def _distinct_sets(table: AttributeTable, places: Numbers) -> Numbers:
    """Number the values so that values with exactly the same carriers share a number."""
    sums = np.concatenate(([np.uint64(0)], np.cumsum(_mix(table.carriers.astype(np.uint64)), dtype=np.uint64)))
    keys = sums[table.starts[places + 1]] - sums[table.starts[places]]
    return np.unique(np.stack([keys, table.degrees[places].astype(np.uint64)]), axis=1, return_inverse=True)[1].ravel()


def _mix(numbers: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Scatter account numbers over 64 bits (SplitMix64's finaliser), so that sums of them tell sets apart."""
    mixed = numbers + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def _incidence(table: AttributeTable, places: Numbers) -> sparse.csr_matrix:
    """Sets x accounts, keeping for each account the `SETS_PER_ACCOUNT` widest sets."""
    degrees = table.degrees[places]
    accounts = np.concatenate([table.carriers_of(place) for place in places])
    sets = np.repeat(np.arange(len(places)), degrees)
    order = np.lexsort((sets, -degrees[sets], accounts))
    accounts, sets = accounts[order], sets[order]
    first = np.flatnonzero(np.diff(accounts, prepend=-1))
    rank = np.arange(len(accounts)) - np.repeat(first, np.diff(np.append(first, len(accounts))))
    kept = rank < SETS_PER_ACCOUNT
    ones = np.ones(int(kept.sum()), dtype=np.int32)
    return sparse.csr_matrix((ones, (sets[kept], accounts[kept])), shape=(len(places), table.accounts))


def _leaders(incidence: sparse.csr_matrix, coverage: float) -> Numbers:
    """Give each set its leader: the widest set, not led itself, of which it covers at least `coverage`."""
    sizes = np.asarray(incidence.sum(axis=1)).ravel()
    overlap = (incidence @ incidence.T).tocsr()
    leader = np.full(len(sizes), -1, dtype=np.int64)
    for place in np.lexsort((np.arange(len(sizes)), -sizes)):
        if leader[place] >= 0:
            continue
        row = slice(overlap.indptr[place], overlap.indptr[place + 1])
        near = overlap.indices[row][overlap.data[row] >= coverage * sizes[place]]
        leader[near[leader[near] < 0]] = place
        leader[place] = place
    return leader
