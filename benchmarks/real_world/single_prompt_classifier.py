"""The baseline of a single-prompt text classifier, on random splits and on prompt families it has not seen.

Takes the benign and extraction prompt sets. Gives the area under the ROC curve of a logistic regression on hashed word
and character n-grams, trained and tested (a) on a random split of all prompts and (b) on disjoint halves of the prompt
families of each kind, over several draws of the halves. The gap is what the classifier owes to knowing the families.

Logistic regression with an L2 penalty, minimised by L-BFGS; hashing as in Weinberger et al. 2009 (arXiv 0902.2206). Cost
is linear in the characters kept (at most 600 per prompt). What it does not show: a large model's embedding may carry
over better; the labels are about campaigns, and an honest person can send each of these prompts.

    python -m benchmarks.real_world.single_prompt_classifier
"""

from __future__ import annotations

import argparse
import json
import re
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path

import duckdb
import numpy as np
from benchmarks.real_world.compose import shared_folder
from benchmarks.real_world.errors import SourceAbsentError, WorldSettingsError
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.sparse import csr_matrix
from scipy.stats import rankdata

BUCKETS = 1 << 17
CHARACTERS = 600
PER_SET = 600
"""Prompts per data set at most: 23,694 utterances must not decide what benign means."""
PENALTY = 1.0
_WORD = re.compile(r"\w+|[^\w\s]")


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledPrompts:
    """Prompts with their kind and prompt family."""

    features: csr_matrix
    """Hashed n-gram counts, rows of unit length, float64 [n, BUCKETS]."""
    extraction: NDArray[np.bool_]
    family: NDArray[np.str_]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassifierFigures:
    """What the baseline reaches."""

    prompts: int
    families: int
    random_split: float
    """Area under the curve on a random half of all prompts."""
    unseen_families: tuple[float, ...]
    """Area under the curve on families that were not trained on, one per draw of the halves."""
    seed: int

    @property
    def unseen_mean(self) -> float:
        """Mean over the draws."""
        return float(np.mean(self.unseen_families))


def hashed_features(prompts: Sequence[str]) -> csr_matrix:
    """Return hashed counts of words, word pairs and characters in fours, rows of unit Euclidean length."""
    rows: list[int] = []
    columns: list[int] = []
    for number, prompt in enumerate(prompts):
        text = prompt[:CHARACTERS].lower()
        words = _WORD.findall(text)
        grams = set(words)
        grams.update(f"{first} {second}" for first, second in pairwise(words))
        grams.update(f"#{text[place : place + 4]}" for place in range(len(text) - 3))
        buckets = {zlib.crc32(gram.encode()) % BUCKETS for gram in grams}
        rows += [number] * len(buckets)
        columns += sorted(buckets)
    counts = csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(len(prompts), BUCKETS))
    lengths = np.sqrt(np.asarray(counts.multiply(counts).sum(axis=1)).ravel())
    scale = csr_matrix((1.0 / np.maximum(lengths, 1.0), (np.arange(len(prompts)), np.arange(len(prompts)))))
    return csr_matrix(scale @ counts)


def area_under_curve(scores: NDArray[np.float64], positive: NDArray[np.bool_]) -> float:
    """Return the area under the ROC curve by ranks, ties counted half.

    Raises:
        WorldSettingsError: when one of the two kinds is absent.
    """
    positives = int(positive.sum())
    negatives = len(positive) - positives
    if not positives or not negatives:
        raise WorldSettingsError(f"area under the curve: got {positives} positive and {negatives} negative prompts, "
                                 "expected some of each")  # fmt: skip
    ranks = rankdata(scores)
    return float((ranks[positive].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def train(features: csr_matrix, positive: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the weights, intercept last, float64 [BUCKETS + 1]; both kinds weigh the same."""
    signs = np.where(positive, 1.0, -1.0)
    weight = np.where(positive, 0.5 / max(positive.sum(), 1), 0.5 / max((~positive).sum(), 1)) * len(positive)

    def objective(values: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        margins = signs * (features @ values[:-1] + values[-1])
        slopes = -signs * weight / (1.0 + np.exp(np.clip(margins, -500, 500)))
        loss = float((weight * np.logaddexp(0.0, -margins)).sum() + 0.5 * PENALTY * (values[:-1] ** 2).sum())
        return loss, np.r_[features.T @ slopes + PENALTY * values[:-1], slopes.sum()]

    result = minimize(objective, np.zeros(BUCKETS + 1), jac=True, method="L-BFGS-B", options={"maxiter": 60})
    return np.asarray(result.x)


def load_prompts(shared: Path, seed: int) -> LabelledPrompts:
    """Read benign and extraction prompts, at most `PER_SET` of each data set; controls are left out.

    Raises:
        SourceAbsentError: when the prompt files are not there.
    """
    pattern = shared / "data" / "prompts_*" / "*.parquet"
    if not list((shared / "data").glob("prompts_*/*.parquet")):
        raise SourceAbsentError(f"prompts: got no file at {pattern}, expected the third-party data set")
    with duckdb.connect() as connection:
        # The chain-of-thought sweep holds the questions of the reasoning benchmark: one family.
        rows = connection.execute(
            "select prompt, kind = 'extraction', case family when 'cot_sweep' then 'reasoning_benchmark' else family end "
            "from (select *, row_number() over (partition by dataset order "
            "by md5(id || ?)) as place from read_parquet(?) where kind in ('benign', 'extraction') and length(prompt) > 0) "
            "where place <= ? order by dataset, place",
            [str(seed), str(pattern), PER_SET],
        ).fetchall()
    return LabelledPrompts(
        features=hashed_features([row[0] for row in rows]),
        extraction=np.asarray([row[1] for row in rows], dtype=np.bool_),
        family=np.asarray([row[2] for row in rows]),
    )


def _tested(prompts: LabelledPrompts, learned: NDArray[np.bool_]) -> float:
    values = train(prompts.features[learned], prompts.extraction[learned])
    scores = prompts.features[~learned] @ values[:-1] + values[-1]
    return area_under_curve(scores, prompts.extraction[~learned])


def study(shared: Path, seed: int, draws: int = 6) -> ClassifierFigures:
    """Train and test the baseline.

    Args:
        shared: the folder that holds `data/`.
        seed: of the splits.
        draws: halves of the families tried, at least 1.

    Returns:
        The figures.

    Raises:
        SourceAbsentError: when the prompt files are not there.
    """
    rng = np.random.default_rng(seed)
    prompts = load_prompts(shared, seed)
    at_random = _tested(prompts, rng.random(len(prompts.extraction)) < 0.5)
    unseen = []
    for _ in range(draws):
        chosen: set[str] = set()
        for kind in (False, True):
            names = np.unique(prompts.family[prompts.extraction == kind])
            chosen.update(rng.permutation(names)[: len(names) // 2].tolist())
        unseen.append(_tested(prompts, np.isin(prompts.family, sorted(chosen))))
    return ClassifierFigures(
        prompts=len(prompts.extraction),
        families=len(np.unique(prompts.family)),
        random_split=at_random,
        unseen_families=tuple(unseen),
        seed=seed,
    )


def main() -> None:
    """Print the figures as JSON."""
    parser = argparse.ArgumentParser(description="Single-prompt classifier on seen and unseen prompt families.")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--draws", type=int, default=6)
    parser.add_argument("--shared", type=Path, default=shared_folder())
    given = parser.parse_args()
    figures = study(given.shared, given.seed, given.draws)
    print(json.dumps(asdict(figures) | {"unseen_mean": figures.unseen_mean}, indent=2))


if __name__ == "__main__":
    main()
