"""The timeline and the link picture: right numbers, fixed order, bounded size."""

from __future__ import annotations

import itertools
import math
import random
from dataclasses import replace

import example_incident as example

from stillwatch.evidence.incident_report import link_picture as links
from stillwatch.evidence.incident_report import timeline_picture as times


def test_timeline_splits_harvest_from_the_rest() -> None:
    line = times.timeline(((10, 5), (12, 20)), ((10, 105), (11, 50), (12, 20)))
    assert line is not None
    assert [(row.harvest, row.rest) for row in line.rows] == [(5, 100), (0, 50), (20, 0)]
    assert [bar.height for bar in line.harvest] == [times.HARVEST_HEIGHT * 5 / 20, times.HARVEST_HEIGHT]
    assert len(line.rest) == 2
    assert line.harvest_top == "20"


def test_a_long_time_is_drawn_in_few_bars_and_loses_nothing() -> None:
    harvest = tuple((day, 1) for day in range(1_000))
    line = times.timeline(harvest, ())
    assert line is not None
    assert len(line.rows) <= times.MOST_BARS
    assert sum(row.harvest for row in line.rows) == 1_000
    assert line.days_per_bar == 9


def test_timeline_stays_in_its_box() -> None:
    for days in (1, 2, 45, 119, 121, 900):
        line = times.timeline(tuple((day, day + 1) for day in range(days)), ())
        assert line is not None
        assert all(bar.x >= times.LEFT and bar.x + bar.width <= times.WIDTH for bar in line.harvest)
        assert all(0 < bar.height <= times.HARVEST_HEIGHT for bar in line.harvest)
        assert len(line.ticks) <= times.MOST_TICKS
        assert all(tick.anchor == "end" or tick.x + times.HALF_LABEL <= times.WIDTH + 1 for tick in line.ticks)


def test_no_day_gives_no_timeline() -> None:
    assert times.timeline((), ()) is None


def test_hubs_are_drawn_once_and_accounts_in_groups() -> None:
    pool = example.pool()
    picture = links.link_picture(pool.links, pool.members)
    assert picture is not None
    assert [node.title for node in picture.hubs] == ["span 9f31c2ab", "parameters 77e0a1d4"]
    assert len(picture.attributes) == 6
    assert len(picture.groups) <= links.MOST_GROUPS
    assert picture.bracket is not None
    assert len(picture.edges) == 2 + sum(
        int(node.note.split()[1]) for node in picture.groups if node.note.startswith(("share", "has"))
    )


def test_every_account_is_in_one_group() -> None:
    pool = example.pool()
    picture = links.link_picture(pool.links, pool.members)
    assert picture is not None
    sizes = [int(node.title.split()[0]) if " account" in node.title else 1 for node in picture.groups]
    assert sum(sizes) == len(pool.members)


def test_the_order_of_links_does_not_matter() -> None:
    pool = example.pool()
    shuffled = list(pool.links)
    random.Random(3).shuffle(shuffled)
    assert links.link_picture(shuffled, pool.members) == links.link_picture(pool.links, pool.members)


def test_boxes_do_not_overlap_and_stay_inside() -> None:
    pool = example.pool()
    many = tuple(
        replace(pool.links[2], kind="ip", value=f"{number:08x}", carriers=pool.members[number : number + 3], members=3)
        for number in range(40)
    )
    picture = links.link_picture((*pool.links, *many), pool.members)
    assert picture is not None
    assert picture.left_out == 48 - len(picture.hubs) - len(picture.attributes)
    for column in (picture.hubs, picture.groups, picture.attributes):
        tops = [node.y for node in column]
        assert all(below - above >= links.BOX_HEIGHT for above, below in itertools.pairwise(tops))
        assert all(node.x >= 0 and node.x + node.width <= links.WIDTH for node in column)
        assert all(node.y + node.height <= picture.height for node in column)


def test_links_with_more_members_than_are_listed_are_hubs() -> None:
    members = tuple(f"a{number:05d}" for number in range(25_000))
    link = example.link("prefix", "ab", members, members=9_000, accounts=9_000, seen=100_000)
    picture = links.link_picture((link,), members)
    assert picture is not None
    assert len(picture.hubs) == 1
    assert [node.title for node in picture.groups] == ["25,000 accounts"]


def test_nothing_shared_gives_no_picture() -> None:
    assert links.link_picture((), ("a", "b")) is None


def test_an_attribute_of_outsiders_is_dashed() -> None:
    assert links.is_common(example.link("tls", "aa", ["a"], members=60, accounts=540))
    assert not links.is_common(example.link("tls", "aa", ["a"], members=60, accounts=100))
    assert math.isclose(example.link("tls", "aa", ["a"], members=1, accounts=30).rarity, math.log(100))
