"""The link picture: which accounts share which attributes, without a hairball.

Takes a campaign's links and members. Gives coordinates; the template draws them. Accounts with the same set of shared
attributes are one node with their number; attributes that (nearly) all members carry, or that are carried by more
accounts than the record lists, are hubs: drawn once, tied to a bracket around all accounts rather than to each. The order in
each column follows the mean position of the neighbours (the barycentre rule of layered drawing, Sugiyama et al. 1981),
with fixed tie-breaks, so that the same campaign gives the same picture. At most `MOST_ATTRIBUTES` by `MOST_GROUPS`.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from stillwatch.evidence.incident_report.wording import count, counted, shown
from stillwatch.records.campaign import Link

WIDTH = 960.0
BOX_WIDTH = 232.0
GROUP_WIDTH = 208.0
ROW = 54.0
BOX_HEIGHT = 42.0
TOP = 34.0
HUB_SHARE = 0.8
"""Share of the members from which an attribute is tied to all of them at once."""
MOST_ATTRIBUTES = 9
MOST_HUBS = 6
MOST_GROUPS = 10
SWEEPS = 4

FAMILIES = {
    "payment": "money",
    "organization": "money",
    "email_domain": "money",
    "email domain": "money",
    "ip": "network",
    "network": "network",
    "tls": "client",
    "user agent": "client",
    "user_agent": "client",
    "parameters": "client",
    "tools": "client",
}
"""Kind of attribute to colour family; what is not named is prompt content."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A box of the picture."""

    x: float
    y: float
    width: float
    height: float
    title: str
    note: str
    family: str
    """`money`, `network`, `client`, `content` or `accounts`: the colour."""
    common: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """A curve between two boxes."""

    path: str
    width: float
    family: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkPicture:
    """Coordinates in a box of `WIDTH` by `height`."""

    height: float
    hubs: tuple[Node, ...]
    groups: tuple[Node, ...]
    attributes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    bracket: tuple[float, float, float] | None
    """(x, y of top, y of bottom) of the bracket around all accounts; null where there is no hub."""
    left_out: int
    """Links that only the table shows."""
    summary: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Group:
    """Accounts with one and the same set of partly shared attributes."""

    pattern: tuple[int, ...]
    accounts: int
    first: str


def link_picture(links: Sequence[Link], members: Sequence[str]) -> LinkPicture | None:
    """Lay out the picture.

    Args:
        links: shared attributes of the campaign.
        members: account ids of the campaign, sorted.

    Returns:
        The layout; null where nothing is shared.
    """
    ranked = sorted(links, key=lambda link: (-link.rarity * link.members, link.kind, link.value))
    hubs = [link for link in ranked if _is_hub(link, len(members))][:MOST_HUBS]
    partial = [link for link in ranked if not _is_hub(link, len(members))][:MOST_ATTRIBUTES]
    if not hubs and not partial:
        return None
    groups = _groups(partial, members)
    order, groups = _ordered(len(partial), groups)
    partial = [partial[index] for index in order]
    position = {old: new for new, old in enumerate(order)}
    rows = max(len(hubs), len(groups), len(partial))
    height = TOP + rows * ROW
    group_x = (WIDTH - GROUP_WIDTH) / 2 if hubs and partial else (WIDTH - GROUP_WIDTH - 40 if hubs else 40.0)
    hub_nodes = _column(hubs, 8.0, rows, len(members))
    attribute_nodes = _column(partial, WIDTH - BOX_WIDTH - 8.0, rows, len(members))
    group_nodes = tuple(_group_node(group, group_x, _y(index, len(groups), rows)) for index, group in enumerate(groups))
    edges = [
        _edge(group_nodes[at], attribute_nodes[position[index]], group.accounts)
        for at, group in enumerate(groups)
        for index in group.pattern
    ]
    bracket = None
    if hubs:
        bracket = (group_x - 16.0, group_nodes[0].y - 6.0, group_nodes[-1].y + BOX_HEIGHT + 6.0)
        edges += [_hub_edge(node, bracket, link.members) for node, link in zip(hub_nodes, hubs, strict=True)]
    return LinkPicture(
        height=height,
        hubs=hub_nodes,
        groups=group_nodes,
        attributes=attribute_nodes,
        edges=tuple(edges),
        bracket=bracket,
        left_out=len(links) - len(hubs) - len(partial),
        summary=(
            f"{counted(len(members), 'account', 'accounts')}; {len(hubs)} attributes shared by nearly all, "
            f"{len(partial)} shared by a part of them. The table below says the same in words."
        ),
    )


def is_common(link: Link) -> bool:
    """Tell whether more outsiders than members carry the attribute; it is drawn dashed.

    Args:
        link: a shared attribute.
    """
    return link.accounts > 2 * link.members


def _is_hub(link: Link, members: int) -> bool:
    """Tell whether an attribute belongs to all members rather than to some."""
    return link.members > len(link.carriers) or (members > 1 and link.members >= HUB_SHARE * members)


def _groups(partial: Sequence[Link], members: Sequence[str]) -> list[_Group]:
    """Put accounts with equal attributes together; the smallest groups become one."""
    carried: dict[str, list[int]] = defaultdict(list)
    for index, link in enumerate(partial):
        for account in link.carriers:
            carried[account].append(index)
    by_pattern: dict[tuple[int, ...], list[str]] = defaultdict(list)
    for account in members:
        by_pattern[tuple(carried.get(account, ()))].append(account)
    groups = [
        _Group(pattern=pattern, accounts=len(accounts), first=min(accounts)) for pattern, accounts in by_pattern.items()
    ]
    groups.sort(key=lambda group: (-group.accounts, group.pattern, group.first))
    if len(groups) > MOST_GROUPS:
        rest = groups[MOST_GROUPS - 1 :]
        together = tuple(sorted({index for group in rest for index in group.pattern}))
        groups = groups[: MOST_GROUPS - 1]
        groups.append(_Group(pattern=together, accounts=sum(group.accounts for group in rest), first=""))
    return groups


def _ordered(attributes: int, groups: list[_Group]) -> tuple[list[int], list[_Group]]:
    """Order both columns so that few curves cross."""
    order = list(range(attributes))
    for _ in range(SWEEPS):
        place = {index: at for at, index in enumerate(order)}
        groups = sorted(
            groups,
            key=lambda group: (_mean([place[index] for index in group.pattern], attributes), group.pattern),
        )
        neighbours: dict[int, list[int]] = defaultdict(list)
        for at, group in enumerate(groups):
            for index in group.pattern:
                neighbours[index].append(at)
        order = sorted(order, key=lambda index: (_mean(neighbours[index], len(groups)), index))
    return order, groups


def _mean(places: Sequence[int], otherwise: int) -> float:
    """Mean place, or the end where there is none."""
    return sum(places) / len(places) if places else float(otherwise)


def _y(index: int, size: int, rows: int) -> float:
    """Top of a box: each column is centred."""
    return round(TOP + (rows - size) * ROW / 2 + index * ROW, 1)


def _column(links: Sequence[Link], x: float, rows: int, members: int) -> tuple[Node, ...]:
    """Lay out attribute boxes."""
    return tuple(
        Node(
            x=x,
            y=_y(index, len(links), rows),
            width=BOX_WIDTH,
            height=BOX_HEIGHT,
            title=f"{shown(link.kind, 24)} {shown(link.value, 24)}",
            note=f"{count(link.members)} of {count(members)} members; {_beside(link)}",
            family=FAMILIES.get(link.kind, "content"),
            common=is_common(link),
        )
        for index, link in enumerate(links)
    )


def _beside(link: Link) -> str:
    """Say who else carries the attribute."""
    others = max(0, link.accounts - link.members)
    return "nobody else" if others == 0 else f"{count(others)} others"


def _group_node(group: _Group, x: float, y: float) -> Node:
    """Lay out a box of accounts."""
    title = (
        shown(group.first, 26)
        if group.accounts == 1 and group.first
        else counted(group.accounts, "account", "accounts")
    )
    verb = "has" if group.accounts == 1 else "share"
    note = f"{verb} {counted(len(group.pattern), 'attribute', 'attributes')} on the right"
    if not group.first:
        note = "in other combinations"
    elif not group.pattern:
        note = "linked by what all share" if group.accounts > 1 else "no attribute drawn here"
    return Node(x=x, y=y, width=GROUP_WIDTH, height=BOX_HEIGHT, title=title, note=note, family="accounts")


def _edge(group: Node, attribute: Node, accounts: int) -> Edge:
    """Draw a curve from a group to an attribute."""
    start = (group.x + group.width, group.y + group.height / 2)
    return _curve(start, (attribute.x, attribute.y + attribute.height / 2), accounts, attribute.family)


def _hub_edge(hub: Node, bracket: tuple[float, float, float], members: int) -> Edge:
    """Draw a curve from a hub to the bracket around all accounts."""
    x, top, bottom = bracket
    return _curve((hub.x + hub.width, hub.y + hub.height / 2), (x, (top + bottom) / 2), members, hub.family)


def _curve(start: tuple[float, float], end: tuple[float, float], accounts: int, family: str) -> Edge:
    """Draw a smooth curve whose width grows with the logarithm of the accounts."""
    (x1, y1), (x2, y2) = start, end
    bend = (x2 - x1) / 2
    path = f"M{x1:.1f} {y1:.1f}C{x1 + bend:.1f} {y1:.1f} {x2 - bend:.1f} {y2:.1f} {x2:.1f} {y2:.1f}"
    return Edge(path=path, width=round(1.2 + math.log2(max(accounts, 1)) * 0.6, 1), family=family)
