"""Accounts in memory: one row of integers per account and its histograms. Everything later refers to accounts by number.

Takes the rows of `profiles`, `sample_sizes` and `histograms`. Gives arrays ordered by account hash. Memory is linear in the
number of accounts (about 650 bytes each), never in the number of exchanges.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stillwatch.detection.errors import DetectionError
from stillwatch.detection.profiles.queries import FEATURE_BINS, FEATURES
from stillwatch.records.sketch import CAPABILITY_SIGNS

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Accounts:
    """All accounts, ordered by hash; `n` of them."""

    hashes: Integers
    ids: tuple[str, ...]
    exchanges: Integers
    sampled: Integers
    first_us: Integers
    last_us: Integers
    active_days: Integers
    prompts: Integers
    extraction: Integers
    capabilities: Integers
    """[n, capabilities] exchanges that show each of `CAPABILITY_SIGNS`."""
    created_us: npt.NDArray[np.float64]
    """Registration time, NaN where unknown."""
    licensed: npt.NDArray[np.bool_]
    """Harvesting is allowed by an agreement."""
    reference: npt.NDArray[np.bool_]
    """May serve as reference: from reference traffic when there is some, else every account."""
    observed: npt.NDArray[np.bool_]
    """Belongs to the traffic that is judged (false for accounts of the reference traffic)."""
    histograms: dict[str, npt.NDArray[np.int32]]
    """Feature -> [n, bins] counts."""

    def __len__(self) -> int:
        """Return the number of accounts."""
        return len(self.hashes)


def load_accounts(
    profiles: pa.Table,
    sample_sizes: pa.Table,
    histograms: pa.Table,
    *,
    licensed_hashes: npt.NDArray[np.int64],
    created_facts: dict[int, int],
    reference_prefix: str | None,
) -> Accounts:
    """Bring the per-account integers into memory.

    Args:
        profiles: Rows of `PROFILES`.
        sample_sizes: Rows of `SAMPLE_SIZES`.
        histograms: Rows of `HISTOGRAMS`.
        licensed_hashes: Account hashes with an agreement that allows distillation.
        created_facts: Account hash -> registration time from an accounts file; it wins over the logs.
        reference_prefix: What ids of accounts of the reference traffic begin with; null when there is none.

    Raises:
        DetectionError: when two account ids share a hash (about 3 in 10^8 runs at a million accounts).
    """
    ids, others = profiles["account_id"].to_pylist(), profiles["other_id"].to_pylist()
    _refuse_shared_hashes(ids, others)
    order = np.argsort(profiles["account"].to_numpy())
    hashes = profiles["account"].to_numpy()[order]

    def column(name: str) -> Integers:
        values: Integers = profiles[name].to_numpy()[order].astype(np.int64)
        return values

    sampled = np.zeros(len(hashes), dtype=np.int64)
    sampled[np.searchsorted(hashes, sample_sizes["account"].to_numpy())] = sample_sizes["sampled"].to_numpy()
    created = profiles["created_us"].to_numpy(zero_copy_only=False)[order].astype(np.float64)
    _put_facts(created, hashes, created_facts)
    from_reference = np.zeros(len(hashes), dtype=bool)
    if reference_prefix is not None:
        from_reference = np.array([ids[place].startswith(reference_prefix) for place in order], dtype=bool)
    return Accounts(
        hashes=hashes,
        ids=tuple(ids[place] for place in order),
        exchanges=column("exchanges"),
        sampled=sampled,
        first_us=column("first_us"),
        last_us=column("last_us"),
        active_days=column("active_days"),
        prompts=column("prompts"),
        extraction=column("extraction"),
        capabilities=np.stack([column(f"capability_{place}") for place in range(len(CAPABILITY_SIGNS))], axis=1),
        created_us=created,
        licensed=np.isin(hashes, licensed_hashes),
        reference=from_reference if reference_prefix is not None else np.ones(len(hashes), dtype=bool),
        observed=~from_reference,
        histograms=_matrices(histograms, hashes),
    )


def _refuse_shared_hashes(ids: list[str], others: list[str]) -> None:
    for mine, other in zip(ids, others, strict=True):
        if mine != other:
            raise DetectionError(
                f"accounts {mine!r} and {other!r} share one 64-bit hash; expected distinct hashes;"
                " rename one of them in the input and run again"
            )


def _put_facts(created: npt.NDArray[np.float64], hashes: Integers, created_facts: dict[int, int]) -> None:
    for account, created_us in created_facts.items():
        place = int(np.searchsorted(hashes, account))
        if place < len(hashes) and hashes[place] == account:
            created[place] = created_us


def _matrices(histograms: pa.Table, hashes: Integers) -> dict[str, npt.NDArray[np.int32]]:
    numbers = np.searchsorted(hashes, histograms["account"].to_numpy())
    feature = histograms["feature"].to_numpy()
    bins = histograms["bin"].to_numpy()
    counts = histograms["exchanges"].to_numpy()
    matrices = {}
    for place, (name, width) in enumerate(zip(FEATURES, FEATURE_BINS, strict=True)):
        matrix = np.zeros((len(hashes), width), dtype=np.int32)
        mine = feature == place
        matrix[numbers[mine], bins[mine]] = np.minimum(counts[mine], np.iinfo(np.int32).max)
        matrices[name] = matrix
    return matrices
