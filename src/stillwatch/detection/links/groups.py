"""Candidate groups: accounts that share text, infrastructure or request parameters, those with most in common first.

Takes the account x attribute table. Gives candidate groups, each with what it was seeded from. An attribute is a hub node: its
carriers are one set, never pairs of accounts. Values with the same carriers are one set; a set joins the widest set of which it
covers enough (carriers of one template vary by sampling), and never a chain of sets; strict and loose merging both give groups. Where
a text is used by honest accounts too, its intersections with rare infrastructure and request parameters are groups of their own.

More sets of accounts have something in common than can be tested. Those go first whose members have most kinds of thing in common that
few others have (`_in_common`); the rest is not tested, and is counted, because selection pays for every group that was considered. The
first `PROMISING` of each seed by text and request parameters alone get a larger share of the error rate (`campaigns/selection.py`): what they
have in common there is not what the tests look at. Their size does not count then, for a large group needs no larger share.
Cost is linear in the table, and in accounts times `SETS_PER_ACCOUNT` squared for the overlaps.

A group is only where to look: whether it means anything is asked in `campaigns/`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

from stillwatch.detection.links.attributes import AttributeTable
from stillwatch.detection.links.kinds import BEHAVIOUR_KINDS, IDENTITY_KINDS, TEXT_KINDS, Kind

LEAST_MEMBERS = 4
SETS_PER_ACCOUNT = 200
MOST_GROUPS = {"text": 1_000, "parameters": 400, "infrastructure": 400}
MOST_PARTS = 800
"""Groups of each seed, and intersections of groups, that are tested."""
PROMISING = 100
"""Groups of each seed, and intersections, that share half of the error rate. In development worlds small campaigns came among the first 60
by text, of more than a thousand."""
LARGEST_INFRASTRUCTURE_SHARE = 0.2
"""Infrastructure or parameters on more than a fifth of all accounts are common and seed nothing."""

COVERAGES = (0.85, 0.5)
"""Shares of a wider set that a set must cover to join it: nearly all of it, or half."""
LARGEST_PART = 0.8
"""An intersection with more of a text group than this is the group itself."""
SATISFYING = 16
"""Members beyond so many make a group no more worth testing."""
USUAL_SHARE, OTHERS = 0.8, 1.25
"""A value is the group's own when this share of the members carry it, and at most so many times as many accounts as members."""

SEEDING_KINDS = (int(Kind.PAYMENT), int(Kind.NETWORK), int(Kind.ORGANIZATION))
"""Infrastructure that seeds groups: who stands behind an account. An address lies within its network."""
PARTING_KINDS = (int(Kind.PAYMENT), int(Kind.NETWORK), int(Kind.BEHAVIOUR), int(Kind.CONFIGURATION))
"""Kinds that part the users of one text into groups."""
LEAST_PART = 4
"""Members of an intersection, at the least."""
LARGEST_PARTING_SHARE = 0.02
"""A value on more than this share of all accounts parts nobody."""

Numbers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A candidate group of accounts."""

    members: Numbers
    """Account numbers, ascending."""
    seed: str
    """`text`, `infrastructure`, `parameters`, or `alone`."""
    places: Numbers
    """Places in the attribute table of the values that seeded it, ascending; empty for `alone`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seeded:
    """The groups to test, and how many there were."""

    groups: tuple[Group, ...]
    """Those with most in common first; each set of members once."""
    considered: int
    """All sets of members that were weighed, those left out included."""
    promising: npt.NDArray[np.bool_]
    """[g] groups that are among the first by text and parameters."""
    promised: int
    """All promising sets, those left out included."""


def seed_groups(table: AttributeTable, observed: npt.NDArray[np.bool_]) -> Seeded:
    """Return the groups seeded by text, by request parameters and by infrastructure.

    Args:
        table: Values and their carriers.
        observed: [accounts] accounts that are judged; the others are left out of the groups.
    """
    degrees = table.degrees
    narrow = degrees <= max(LEAST_MEMBERS, LARGEST_INFRASTRUCTURE_SHARE * table.accounts)
    enough = degrees >= LEAST_MEMBERS
    text = np.isin(table.kinds, [int(kind) for kind in (*TEXT_KINDS, Kind.SYSTEM)]) & enough
    parameters = np.isin(table.kinds, [int(kind) for kind in BEHAVIOUR_KINDS]) & enough & narrow
    infrastructure = np.isin(table.kinds, SEEDING_KINDS) & enough & narrow
    merged: list[Group] = []
    for seed, chosen in (("text", text), ("parameters", parameters), ("infrastructure", infrastructure)):
        for coverage in COVERAGES:
            merged.extend(_merged_sets(table, np.flatnonzero(chosen), seed, coverage))
    groups = _unique(merged, observed)
    rare = degrees <= max(LEAST_PART, LARGEST_PARTING_SHARE * table.accounts)
    parting = np.flatnonzero(np.isin(table.kinds, PARTING_KINDS) & (degrees >= LEAST_PART) & rare)
    parts, considered = _intersections(table, groups, parting)
    sizes = np.array([min(len(group.members), SATISFYING) for group in groups])
    everything = np.ones(len(table.kinds), dtype=bool)
    heaviest = _first_of_each_seed(groups, _in_common(table, groups, everything) * np.log(sizes), MOST_GROUPS)
    kept = _unique([*heaviest, *(part for part, _ in parts)], observed)
    apart = ~np.isin(table.kinds, [int(kind) for kind in IDENTITY_KINDS])
    first = _first_of_each_seed(groups, _in_common(table, groups, apart), dict.fromkeys(MOST_GROUPS, PROMISING))
    most_surprising = [part for part, _ in sorted(parts, key=lambda pair: -pair[1])][:PROMISING]
    promising = {group.members.tobytes() for group in _unique([*first, *most_surprising], observed)}
    return Seeded(
        groups=tuple(kept),
        considered=len(groups) + considered,
        promising=np.array([group.members.tobytes() in promising for group in kept], dtype=bool),
        promised=len(promising),
    )


def _first_of_each_seed(groups: list[Group], weights: Floats, most: dict[str, int]) -> list[Group]:
    """Return the heaviest groups of each seed, at most so many, seed by seed."""
    ranked = [groups[place] for place in np.argsort(-weights, kind="stable")]
    return [group for seed, count in most.items() for group in [g for g in ranked if g.seed == seed][:count]]


def _unique(groups: Iterable[Group], observed: npt.NDArray[np.bool_]) -> list[Group]:
    """Return each set of observed members once, the first of equal ones; sets that are too small are left out."""
    found: dict[bytes, Group] = {}
    for group in groups:
        members = group.members[observed[group.members]]
        if len(members) >= LEAST_MEMBERS:
            found.setdefault(members.tobytes(), Group(members=members, seed=group.seed, places=group.places))
    return list(found.values())


def _in_common(table: AttributeTable, groups: list[Group], counted: npt.NDArray[np.bool_]) -> Floats:
    """[g] how much a member has in common with the others that few others have, in nats; of the values that are `counted`, [v].

    For each kind, the value of the group's own that weighs most: the share of members that carry it times its rarity; the sum over
    kinds. For the order of tests it is multiplied by ln of the members up to `SATISFYING`: many kinds in a small group outweigh one
    phrase in a large one, and a hub nobody.
    """
    weights = np.zeros(len(groups))
    if not groups:
        return weights
    kinds, kind_of = np.unique(table.kinds, return_inverse=True)
    sizes = np.array([len(group.members) for group in groups])
    values = sparse.csr_matrix(
        (np.ones(len(table.held), np.int32), table.held, table.held_starts), shape=(table.accounts, len(table.values))
    )
    for start in range(0, len(groups), 500):
        part = groups[start : start + 500]
        own = sizes[start : start + 500]
        overlap = (_members(part, table.accounts) @ values).tocoo()
        usual = counted[overlap.col] & (overlap.data >= USUAL_SHARE * own[overlap.row])
        usual &= table.degrees[overlap.col] <= np.maximum(OTHERS * own[overlap.row], own[overlap.row] + 1)
        row, column = overlap.row[usual], overlap.col[usual]
        heaviest = np.zeros((len(part), len(kinds)))
        np.maximum.at(heaviest, (row, kind_of[column]), overlap.data[usual] * table.rarity[column])
        weights[start : start + len(part)] = heaviest.sum(axis=1) / own
    return weights


def _members(groups: list[Group], accounts: int) -> sparse.csr_matrix:
    """Groups x accounts."""
    rows = np.repeat(np.arange(len(groups)), [len(group.members) for group in groups])
    members = np.concatenate([group.members for group in groups])
    return sparse.csr_matrix((np.ones(len(rows), np.int32), (rows, members)), shape=(len(groups), accounts))


def _intersections(
    table: AttributeTable, groups: list[Group], places: Numbers
) -> tuple[list[tuple[Group, float]], int]:
    """Return the parts of text groups that also share one rare value of infrastructure or parameters, and how surprising a member is.

    A part of n members, of a group of g and a value with d carriers, weighs n ln(n N / (g d)), the surprise at meeting so often,
    divided by the square root of n; ln(n N / (g d)) is a member's. The `MOST_PARTS` heaviest parts are returned, and the number of all.
    """
    wide = [group for group in groups if group.seed == "text" and len(group.members) > LEAST_PART]
    if not wide or not len(places):
        return [], 0
    overlap = (_members(wide, table.accounts) @ _incidence(table, places).T).tocoo()
    sizes = np.array([len(group.members) for group in wide])[overlap.row]
    degrees = table.degrees[places][overlap.col]
    chosen = np.flatnonzero((overlap.data >= LEAST_PART) & (overlap.data <= LARGEST_PART * sizes))
    shared = overlap.data[chosen].astype(np.float64)
    surprise = np.log(np.maximum(shared * table.accounts / (sizes[chosen] * degrees[chosen]), 1.0))
    order = np.lexsort((overlap.col[chosen], overlap.row[chosen], -surprise * np.sqrt(shared)))[:MOST_PARTS]
    parts = []
    for position, of_member in zip(chosen[order], surprise[order].tolist(), strict=True):
        group, place = wide[overlap.row[position]], int(places[overlap.col[position]])
        members = np.intersect1d(group.members, table.carriers_of(place), assume_unique=True)
        parts.append((Group(members=members, seed="text", places=np.sort(np.append(group.places, place))), of_member))
    return parts, len(chosen)


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
