"""Training order (T5, palimpsest): does a suspect remember the order in which we shuffled our own training data?

Takes the suspect's losses on examples that we trained on, in the order in which our model saw them, and a reference model's losses on the same.
Gives an exact p-value by permutation and an e-value that is valid whenever one stops.

Method: R. Kuditipudi and others, "Blackbox model provenance via palimpsestic membership inference" (2025). What a model saw last it knows best,
and what was trained on from it still does. We drew the shuffle. A suspect that does not come from our run is independent of it, so that the
losses, in order of training, are exchangeable: Spearman's correlation of order and loss has its permutation law, and each loss's rank among those
before it is uniform and independent of the ranks before (V. Vovk, A. Gammerman and G. Shafer 2005), on which `e_process` bets. Subtracting a
reference model's losses only lowers the noise. Complexity: n log n, and n for each permutation.

What it does not show: anything about training on our outputs. The order must have been drawn at random and kept secret; a curriculum will not do.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

from stillwatch.statistics.arguments import FloatArray, Floats, finite_vector, whole_number
from stillwatch.statistics.conformal import sequential_ranks
from stillwatch.statistics.e_process import rank_log_e_path
from stillwatch.suspects.errors import MaterialError

LEAST_EXAMPLES = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderKept:
    """What the losses say of the order."""

    correlation: float
    """Spearman's, of order and loss difference; negative where later examples are known better."""
    log_p: float
    """Exact for the null of no relation, one-sided, natural; at least -log(1 + permutations)."""
    log_e_path: FloatArray
    """log e after each example, natural, [examples]: for the same null."""


def order_kept(
    losses: Floats, reference: Floats, *, permutations: int, rng: np.random.Generator, batch: int = 256
) -> OrderKept:
    """Test whether later examples have lower losses.

    Args:
        losses: of the suspect, nats per token, [n], in the order of our training.
        reference: of a model that does not come from ours, on the same examples; zeros for none.
        permutations: at least 1.
        rng: of permutations and ties; its seed belongs in the claim.
        batch: permutations drawn side by side.

    Raises:
        TooLittleDataError: for fewer than `LEAST_EXAMPLES`.
        ArgumentError: for NaN or infinity.
        MaterialError: for lists of different length.
    """
    values = finite_vector("losses", losses, least=LEAST_EXAMPLES)
    others = finite_vector("reference", reference, least=LEAST_EXAMPLES)
    if values.size != others.size:
        raise MaterialError(f"got {others.size} reference losses for {values.size} examples, expected one for each")
    permutations = whole_number("permutations", permutations, low=1)
    differences = values - others
    # Twice the ranks are whole numbers, ties included, so that equal arrangements give equal sums.
    ranks = np.rint(2.0 * stats.rankdata(differences)).astype(np.int64)
    places = np.arange(values.size, dtype=np.int64)
    observed = int(ranks @ places)
    below = 0
    for start in range(0, permutations, batch):
        shuffled = rng.permuted(np.tile(ranks, (min(batch, permutations - start), 1)), axis=1)
        below += int((shuffled @ places <= observed).sum())
    return OrderKept(
        correlation=float(np.corrcoef(ranks, places)[0, 1]) if np.ptp(ranks) else 0.0,
        log_p=math.log1p(below) - math.log1p(permutations) + 0.0,
        log_e_path=rank_log_e_path(sequential_ranks(differences, rng)),
    )
