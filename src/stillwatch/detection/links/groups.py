"""Candidate groups: accounts that share text, infrastructure or request parameters.

Takes the account x attribute table. Gives candidate groups, each with what it was seeded from. An attribute is a hub node: its
carriers are one set, never pairs of accounts. Values with the same carriers are one set; sets that overlap by half or more of
the larger are merged (average carriers of one template vary by sampling). Cost is linear in the table, and in accounts times
`SETS_PER_ACCOUNT` squared for the overlaps.

A group is only where to look: whether it means anything is asked in `campaigns/`.
"""

from __future__ import annotations

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
    parameters = (table.kinds == int(Kind.BEHAVIOUR)) & enough & narrow
    groups: list[Group] = []
    for seed, chosen in (("text", text), ("infrastructure", infrastructure), ("parameters", parameters)):
        groups.extend(_merged_sets(table, np.flatnonzero(chosen), seed))
    return tuple(groups)


def _merged_sets(table: AttributeTable, places: Numbers, seed: str) -> list[Group]:
    """Merge the carrier sets of these values and return one group per merged set, in order of their first value."""
    if not len(places):
        return []
    set_of_place = _distinct_sets(table, places)
    representatives = np.unique(set_of_place, return_index=True)[1]
    incidence = _incidence(table, places[representatives])
    label_of_place = _overlap_components(incidence)[set_of_place]
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


def _overlap_components(incidence: sparse.csr_matrix) -> npt.NDArray[np.int32]:
    """Label sets so that sets which overlap by at least half of the larger get one label."""
    sizes = np.asarray(incidence.sum(axis=1)).ravel()
    overlap = (incidence @ incidence.T).tocoo()
    close = 2 * overlap.data >= np.maximum(sizes[overlap.row], sizes[overlap.col])
    pairs = sparse.coo_matrix(
        (np.ones(int(close.sum()), dtype=np.int8), (overlap.row[close], overlap.col[close])), shape=overlap.shape
    )
    labels: npt.NDArray[np.int32] = sparse.csgraph.connected_components(pairs, directed=False)[1]
    return labels
