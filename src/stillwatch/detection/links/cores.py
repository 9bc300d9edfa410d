"""Cores: accounts inside a group whose whole profiles lie closer together than unrelated accounts do.

A shared address, client or parameter set is also carried by bystanders. Takes a group and the account histograms. Gives the
dense parts of the group as groups of their own: accounts whose third-nearest neighbour inside the group is nearer than 95 of
100 accounts find in a random draw of the same size, joined through such neighbours (density linkage, Ester et al., KDD 1996).
The number of subsets that were searched goes with each core as a penalty, so that tests which look at the same histograms
stay valid. Quadratic in the group, therefore capped at `LARGEST` members (the first by account hash).
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy import sparse

from stillwatch.detection.links.groups import LEAST_MEMBERS, Group
from stillwatch.detection.profiles.accounts import Accounts
from stillwatch.detection.profiles.closeness import shares
from stillwatch.detection.profiles.queries import FEATURES

LARGEST = 2_000
NEIGHBOUR = 3
RADIUS_QUANTILE = 0.05

Floats = npt.NDArray[np.float32]
Numbers = npt.NDArray[np.int64]


def profile_vectors(accounts: Accounts, numbers: Numbers) -> Floats:
    """Return [m, d] vectors whose Euclidean distance is the Hellinger distance summed over the histogram features."""
    parts = [np.sqrt(shares(accounts.histograms[feature][numbers])) for feature in FEATURES]
    return np.concatenate(parts, axis=1).astype(np.float32)


def core_groups(group: Group, accounts: Accounts, rng: np.random.Generator) -> tuple[Group, ...]:
    """Return the dense parts of a group that are smaller than the group itself.

    Args:
        group: At least `LEAST_MEMBERS` members.
        accounts: All accounts.
        rng: Draws the random accounts that set the radius.
    """
    members = group.members[:LARGEST]
    pool = np.flatnonzero(accounts.reference & (accounts.exchanges >= 20))
    if len(members) < 2 * LEAST_MEMBERS or len(pool) < 2 * LEAST_MEMBERS:
        return ()
    drawn = np.sort(rng.choice(pool, size=min(len(members), len(pool)), replace=False))
    radius = float(
        np.quantile(_neighbour_distances(_squared_distances(profile_vectors(accounts, drawn))), RADIUS_QUANTILE)
    )
    distances = _squared_distances(profile_vectors(accounts, members))
    dense = _neighbour_distances(distances) <= radius
    dense &= accounts.exchanges[members] >= 20
    near = (distances <= radius) & dense[:, None] & dense[None, :]
    labels = sparse.csgraph.connected_components(sparse.csr_matrix(near), directed=False)[1]
    cores = []
    for label in np.unique(labels[dense]):
        chosen = members[dense & (labels == label)]
        if LEAST_MEMBERS <= len(chosen) < len(group.members):
            cores.append(
                Group(
                    members=chosen,
                    seed=group.seed,
                    places=group.places,
                    searched=group.searched + log_subsets(len(group.members), len(chosen)),
                )
            )
    return tuple(cores)


def log_subsets(size: int, chosen: int) -> float:
    """Return ln of the number of subsets of that size, the price of having searched them all."""
    return math.lgamma(size + 1) - math.lgamma(chosen + 1) - math.lgamma(size - chosen + 1)


def _squared_distances(vectors: Floats) -> Floats:
    lengths = (vectors * vectors).sum(axis=1)
    squared = lengths[:, None] + lengths[None, :] - 2.0 * (vectors @ vectors.T)
    np.fill_diagonal(squared, 0.0)
    clipped: Floats = np.maximum(squared, 0.0)
    return clipped


def _neighbour_distances(distances: Floats) -> Floats:
    place = min(NEIGHBOUR, len(distances) - 1)
    nearest: Floats = np.partition(distances, place, axis=1)[:, place]
    return nearest
