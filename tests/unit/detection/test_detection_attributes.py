"""The account x attribute table against plain dictionaries."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from planted_accounts import table_of

from stillwatch.detection.links.attributes import LEAST_SHARE, ranges
from stillwatch.detection.links.kinds import Kind

ACCOUNTS = 12
CARRIED = st.dictionaries(
    st.tuples(
        st.sampled_from([Kind.SPAN, Kind.SHAPE, Kind.IP, Kind.PAYMENT]),
        st.integers(-3, 3),
        st.integers(0, ACCOUNTS - 1),
    ),
    st.integers(2, 50),
    max_size=60,
)


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 7)), max_size=20))
def test_ranges_are_concatenated_aranges(pieces: list[tuple[int, int]]) -> None:
    starts = np.array([start for start, _ in pieces], dtype=np.int64)
    ends = starts + np.array([length for _, length in pieces], dtype=np.int64)
    expected = [place for start, length in pieces for place in range(start, start + length)]
    assert ranges(starts, ends).tolist() == expected


@given(CARRIED)
def test_the_table_says_what_was_put_in(carried: dict[tuple[Kind, int, int], int]) -> None:
    """Both directions, degrees and rarity; values of one carrier are left out. No filter applies: 50 sampled, shares from 4%."""
    table = table_of(ACCOUNTS, [(*key, exchanges) for key, exchanges in carried.items()], sampled=50)
    carriers: dict[tuple[int, int], list[int]] = {}
    for kind, value, number in sorted(carried):
        carriers.setdefault((int(kind), value), []).append(number)
    wide = {key: sorted(found) for key, found in sorted(carriers.items()) if len(found) >= 2}
    assert list(zip(table.kinds.tolist(), table.values.tolist(), strict=True)) == list(wide)
    assert [table.carriers_of(place).tolist() for place in range(len(wide))] == list(wide.values())
    assert table.degrees.tolist() == [len(found) for found in wide.values()]
    assert table.rarity.tolist() == pytest.approx([math.log(ACCOUNTS / len(found)) for found in wide.values()])
    everyone = np.arange(ACCOUNTS)
    owner, held = table.held_by(everyone)
    expected = [
        (number, place) for number in range(ACCOUNTS) for place, found in enumerate(wide.values()) if number in found
    ]
    assert list(zip(owner.tolist(), held.tolist(), strict=True)) == expected


def test_what_few_accounts_carry_weighs_more_and_what_all_carry_weighs_nothing() -> None:
    table = table_of(
        8, [(Kind.IP, value, number, 1) for value, carriers in ((1, 2), (2, 4), (3, 8)) for number in range(carriers)]
    )
    assert table.rarity.tolist() == pytest.approx([math.log(4), math.log(2), 0.0])


@pytest.mark.parametrize(
    ("sampled", "exchanges", "kept"),
    [
        (1_000, math.ceil(1_000 * LEAST_SHARE), True),
        (1_000, math.ceil(1_000 * LEAST_SHARE) - 1, False),
        (40, 2, True),
        (40, 1, False),
        (19, 1, True),
    ],
)
def test_text_on_too_little_of_an_account_does_not_mark_it(sampled: int, exchanges: int, *, kept: bool) -> None:
    carried = [(Kind.SPAN, 5, 0, sampled), (Kind.SPAN, 5, 1, sampled), (Kind.SPAN, 5, 2, exchanges)]
    table = table_of(4, carried, sampled=sampled)
    assert (2 in table.carriers_of(0)) is kept


def test_parameters_mark_an_account_only_when_most_requests_use_them() -> None:
    carried = [(Kind.BEHAVIOUR, 5, number, exchanges) for number, exchanges in enumerate((100, 80, 79, 1))]
    assert table_of(4, carried).carriers_of(0).tolist() == [0, 1]


def test_infrastructure_marks_an_account_however_rarely_it_is_used() -> None:
    """A card is an account's card, also where the logs name it once; a fact of the accounts file counts zero exchanges."""
    carried = [(Kind.PAYMENT, 5, number, exchanges) for number, exchanges in enumerate((100, 1, 0))]
    assert table_of(4, carried).carriers_of(0).tolist() == [0, 1, 2]
