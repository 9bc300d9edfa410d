"""Openness: do accounts show that they are one customer's?

Takes accounts and the values that they carry. Gives which of them declare an organisation in common, and whether they openly are one
customer's. An organisation is declared. A payment is not: an operator pays for accounts that pretend to be strangers. Who pays for
several accounts and works from one place hides nothing either; one purse behind accounts that never share a network does.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stillwatch.detection.links.attributes import AttributeTable
from stillwatch.detection.links.kinds import Kind

OPEN_SHARE = 0.5
"""A value on this share of the members is the members' value."""
SPREAD = 3
"""A network is the members' own when at most this many times their number of accounts use it: gateways are everybody's."""

Numbers = npt.NDArray[np.int64]


def declaring(table: AttributeTable, members: Numbers) -> npt.NDArray[np.bool_]:
    """[m] members that declare an organisation which another member declares too."""
    owner, held = table.held_by(members)
    declared = table.kinds[held] == int(Kind.ORGANIZATION)
    organizations, inverse, counts = np.unique(held[declared], return_inverse=True, return_counts=True)
    found = np.zeros(len(members), dtype=bool)
    if len(organizations):
        found[owner[declared][counts[inverse] >= 2]] = True
    return found


def declares_one_organization(table: AttributeTable, members: Numbers) -> bool:
    """Tell whether one organisation is on most members."""
    return _most(table, members, Kind.ORGANIZATION)


def pays_from_one_place(table: AttributeTable, members: Numbers) -> bool:
    """Tell whether most members share one payment and do not hide that they work together.

    They hide it when networks are known in this run and no network of their own is on most of them.
    """
    networks_known = bool((table.kinds == int(Kind.NETWORK)).any())
    return _most(table, members, Kind.PAYMENT) and (not networks_known or _most(table, members, Kind.NETWORK, SPREAD))


def _most(table: AttributeTable, members: Numbers, kind: Kind, spread: float | None = None) -> bool:
    """Tell whether one value of a kind is on `OPEN_SHARE` of the members, and on at most `spread` times as many accounts."""
    held = table.held_by(members)[1]
    held = held[table.kinds[held] == int(kind)]
    if spread is not None:
        held = held[table.degrees[held] <= spread * len(members)]
    if not len(held):
        return False
    return int(np.unique(held, return_counts=True)[1].max()) >= OPEN_SHARE * len(members)
