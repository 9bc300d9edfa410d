"""The account x attribute table in memory: which accounts carry which values, and how rare each value is.

Takes the rows of `shared` (values carried by at least two accounts). Gives arrays grouped by value. The rarity of a value is
ln(accounts / carriers), the column weight by which FRAUDAR (Hooi et al., KDD 2016) keeps popular columns from merging
everybody: a NAT address or a common client weighs next to nothing by its own frequency. Linear in the rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stillwatch.detection.links.kinds import TEXT_KINDS, Kind

LEAST_SHARE = 0.02
"""A text value on fewer of an account's exchanges than this share (and 2 exchanges) does not mark the account."""


@dataclass(frozen=True, kw_only=True)  # no slots: degrees and rarity are counted when first asked for
class AttributeTable:
    """Values and their carriers, in the order of (kind, value)."""

    kinds: npt.NDArray[np.int32]
    """[v] kind of each value."""
    values: npt.NDArray[np.int64]
    """[v] hash of each value."""
    starts: npt.NDArray[np.int64]
    """[v + 1] value j is carried by `carriers[starts[j]:starts[j + 1]]`."""
    carriers: npt.NDArray[np.int64]
    """[e] account numbers, ascending within a value."""
    exchanges: npt.NDArray[np.int64]
    """[e] sampled exchanges of the carrier that carry the value."""
    held_starts: npt.NDArray[np.int64]
    """[accounts + 1] account i carries the values at `held[held_starts[i]:held_starts[i + 1]]`."""
    held: npt.NDArray[np.int64]
    """[e] places of values, ascending within an account."""
    accounts: int
    """All accounts seen."""
    paying: npt.NDArray[np.bool_] | None = None
    """[accounts] accounts whose payment is known, shared or not; null where no payment is."""

    @cached_property
    def degrees(self) -> npt.NDArray[np.int64]:
        """[v] carriers of each value."""
        return np.diff(self.starts)

    @cached_property
    def rarity(self) -> npt.NDArray[np.float64]:
        """[v] ln(accounts / carriers), in nats."""
        return np.log(self.accounts / np.maximum(self.degrees, 1))

    def held_by(self, members: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Return (position in `members`, place of a value) of everything that these accounts carry."""
        starts, ends = self.held_starts[members], self.held_starts[members + 1]
        return np.repeat(np.arange(len(members)), ends - starts), self.held[ranges(starts, ends)]

    def carriers_of(self, place: int) -> npt.NDArray[np.int64]:
        """Account numbers that carry the value at that place."""
        return self.carriers[self.starts[place] : self.starts[place + 1]]


def ranges(starts: npt.NDArray[np.int64], ends: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Concatenate the integer ranges [starts[i], ends[i])."""
    lengths = ends - starts
    total = int(lengths.sum())
    if total == 0:
        return np.zeros(0, dtype=np.int64)
    offsets = np.repeat(starts - np.concatenate(([0], np.cumsum(lengths)[:-1])), lengths)
    joined: npt.NDArray[np.int64] = offsets + np.arange(total)
    return joined


def attribute_table(
    shared: pa.Table,
    account_hashes: npt.NDArray[np.int64],
    sampled: npt.NDArray[np.int64],
    paying: npt.NDArray[np.bool_] | None = None,
) -> AttributeTable:
    """Build the table, leaving out text that marks too little of an account's traffic.

    Args:
        shared: Rows of query `shared`, sorted by (kind, value, account).
        account_hashes: [n] sorted hashes; the place of a hash is the account's number.
        sampled: [n] sampled exchanges of each account.
        paying: [n] accounts whose payment is known; null where no payment is.

    Returns:
        Values that at least two accounts carry after the filter.
    """
    kinds = shared["kind"].to_numpy().astype(np.int32)
    values = shared["value"].to_numpy()
    numbers = np.searchsorted(account_hashes, shared["account"].to_numpy())
    exchanges = shared["exchanges"].to_numpy()
    text = np.isin(kinds, [int(kind) for kind in TEXT_KINDS])
    least = np.where(sampled[numbers] >= 20, np.maximum(2, np.ceil(LEAST_SHARE * sampled[numbers])), 1)
    kept = ~text | (exchanges >= least)
    # Parameters and tools describe an account only when much of its traffic uses them.
    kept &= (kinds != int(Kind.BEHAVIOUR)) | (exchanges >= 0.8 * sampled[numbers])
    kept &= (kinds != int(Kind.CONFIGURATION)) | (exchanges >= 0.5 * sampled[numbers])
    kept &= (kinds != int(Kind.TOOLS)) | (exchanges >= 0.3 * sampled[numbers])
    kinds, values, numbers, exchanges = kinds[kept], values[kept], numbers[kept], exchanges[kept]
    new = np.ones(len(kinds), dtype=bool)
    new[1:] = (kinds[1:] != kinds[:-1]) | (values[1:] != values[:-1])
    firsts = np.flatnonzero(new)
    degrees = np.diff(np.append(firsts, len(kinds)))
    wide = np.repeat(degrees >= 2, degrees)
    firsts = firsts[degrees >= 2]
    kinds_out, values_out = kinds[firsts], values[firsts]
    starts = np.concatenate(([0], np.cumsum(degrees[degrees >= 2]))).astype(np.int64)
    carriers = numbers[wide].astype(np.int64)
    owner = np.repeat(np.arange(len(kinds_out)), np.diff(starts))
    by_account = np.argsort(carriers, kind="stable")
    return AttributeTable(
        kinds=kinds_out,
        values=values_out,
        starts=starts,
        carriers=carriers,
        exchanges=exchanges[wide],
        held_starts=np.concatenate(([0], np.cumsum(np.bincount(carriers, minlength=len(account_hashes))))),
        held=owner[by_account],
        accounts=len(account_hashes),
        paying=paying,
    )
