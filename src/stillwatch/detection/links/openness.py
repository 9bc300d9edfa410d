"""Openness: do accounts show that they are one customer's?

Takes accounts and the values that they carry. Gives which of them declare an organisation in common, and whether they openly are one
customer's. An organisation is declared, and counts where anything bears it out: its accounts pay together, work from one place, or have mail of
its own. A payment alone is not declared: an operator pays for accounts that pretend to be strangers. Who pays for several accounts, works
from one place and registers them under a mail domain of its own hides nothing either; one purse behind accounts that never share a
network does, and so does one behind mail addresses of strangers.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from stillwatch.detection.links.attributes import AttributeTable
from stillwatch.detection.links.kinds import Kind

OPEN_SHARE = 0.5
"""A value on this share of the members is the members' value."""
BEARING_OUT = (Kind.PAYMENT, Kind.NETWORK, Kind.EMAIL_DOMAIN)
"""What bears out an organisation that accounts declare; any one of them is enough, for a firm may work anywhere or pay by department."""
OWN_KINDS = (Kind.NETWORK, Kind.EMAIL_DOMAIN)
"""What shows one customer, where it is known and the members' own."""
SPREAD = 3
"""A network or mail domain is the members' own when at most this many times their number of accounts use it: gateways and mail services are
everybody's."""

Numbers = npt.NDArray[np.int64]


def declaring(table: AttributeTable, members: Numbers) -> npt.NDArray[np.bool_]:
    """[m] members that declare an organisation which another member declares too."""
    found = np.zeros(len(members), dtype=bool)
    for _, own in _organizations(table, members):
        found[own] = True
    return found


def openly_declaring(table: AttributeTable, members: Numbers) -> npt.NDArray[np.bool_]:
    """[m] members that declare an organisation which another member declares too, and which anything bears out."""
    found = np.zeros(len(members), dtype=bool)
    known = _known(table, BEARING_OUT)
    for organization, own in _organizations(table, members):
        widest = SPREAD * int(table.degrees[organization])
        found[own] = not known or any(
            _most(table, members[own], kind, widest=None if kind is Kind.PAYMENT else widest) for kind in known
        )
    return found


def declares_one_organization(table: AttributeTable, members: Numbers) -> bool:
    """Tell whether one organisation, which anything bears out, is on most members."""
    return _most(table, members[openly_declaring(table, members)], Kind.ORGANIZATION, least=OPEN_SHARE * len(members))


def pays_in_its_own_name(table: AttributeTable, members: Numbers) -> bool:
    """Tell whether most members share one payment and do not hide that they work together.

    They hide it when networks are known in this run and no network of their own is on most of them; or when mail domains are known and
    none of their own is. In the incident that was reported in February 2026 accounts that paid together and sent in step were the harvest.
    """
    widest = SPREAD * len(members)
    return _most(table, members, Kind.PAYMENT) and all(
        _most(table, members, kind, widest=widest) for kind in _known(table, OWN_KINDS)
    )


def _organizations(table: AttributeTable, members: Numbers) -> Iterator[tuple[int, Numbers]]:
    """Give each organisation that two members or more declare: its place in the table, and the places of its members."""
    owner, held = table.held_by(members)
    declared = np.flatnonzero(table.kinds[held] == int(Kind.ORGANIZATION))
    declared = declared[np.argsort(held[declared], kind="stable")]
    for own in np.split(declared, np.flatnonzero(np.diff(held[declared])) + 1):
        if len(own) >= 2:
            yield int(held[own[0]]), owner[own]


def _known(table: AttributeTable, kinds: tuple[Kind, ...]) -> tuple[Kind, ...]:
    """Return the kinds of which this run knows any value."""
    return tuple(kind for kind in kinds if (table.kinds == int(kind)).any())


def _most(
    table: AttributeTable, members: Numbers, kind: Kind, *, widest: float | None = None, least: float | None = None
) -> bool:
    """Tell whether one value of a kind is on `least` members (`OPEN_SHARE` of them), and on at most `widest` accounts in all."""
    held = table.held_by(members)[1]
    held = held[table.kinds[held] == int(kind)]
    if widest is not None:
        held = held[table.degrees[held] <= widest]
    if not len(held):
        return False
    least = OPEN_SHARE * len(members) if least is None else least
    return int(np.unique(held, return_counts=True)[1].max()) >= least
