"""Two-sample test (T1): are a suspect's answers to our prompts drawn as our model's are?

Takes several answers of each party to each prompt. Gives a distance with its interval, a p-value for a difference, a p-value for sameness
within a margin, and an e-value that is valid whenever one stops.

Method: maximum mean discrepancy with the Hamming kernel on the first characters, only answers to one prompt being compared (A. Gretton and
others, JMLR 13, 2012; I. Gao, P. Liang and C. Guestrin, "Model equality testing", ICLR 2025). Under the null the two parties' answers to
a prompt are exchangeable, and so labels are permuted within each prompt: (1 + permutations at or above) / (1 + permutations) is exact. All sums are
whole numbers, so that equal arrangements give equal floats. That no difference was shown is no sameness: sameness is stated by a one-sided t-test of
the prompts' distances against a margin (D. Schuirmann 1987; P. Hall 1992 for their skewness). One by one, a bet on which of a pair is ours is antisymmetric in the pair, and the
product of bets is a test martingale (S. Shekhar and A. Ramdas, "Nonparametric two-sample testing by betting", 2023). Complexity: prompts x
answers^2 x (characters + permutations).

What it does not show: another temperature, system prompt or version of our own model is a difference too. The margin is only as good as the
models that it was taken from.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import special

from stillwatch.statistics.arguments import FloatArray
from stillwatch.statistics.e_values import mean_log_e

READ_CHARACTERS: Final = 200
LEAST_PROMPTS: Final = 10
LEAST_ANSWERS: Final = 2
"""Of each party to each prompt: with one there is no distance within a party."""
BETS: Final = (0.05, 0.1, 0.2, 0.4, 0.6, 0.8)
"""Shares of the capital that are staked, each on its own path; the paths' capitals are averaged."""

Counts = npt.NDArray[np.int64]
Answers = Sequence[Sequence[str]]
"""[prompts][answers]: what one party answered to each prompt, in the order in which it was asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Distance:
    """How far apart two parties answer."""

    squared: float
    """Squared maximum mean discrepancy, unbiased, and so negative at times; 0 for parties that answer alike, 2 at most."""
    low: float
    high: float
    """One-sided bounds at 95 % each."""
    log_p: float
    """For the null that both answer alike, natural."""
    prompts: int
    answers: int
    """Of both parties together."""
    by_prompt: FloatArray
    """[prompts]."""


def distance(ours: Answers, theirs: Answers, *, permutations: int, rng: np.random.Generator) -> Distance:
    """Compare two parties' answers, prompt by prompt.

    Args:
        ours: at least `LEAST_ANSWERS` to each prompt.
        theirs: to the same prompts, in the same order.
        permutations: of the labels, at least 1.
        rng: its seed belongs in the claim.

    Raises:
        ValueError: for other numbers of prompts, no prompt, or fewer answers.
    """
    blocks = [matches(mine, other) for mine, other in zip(ours, theirs, strict=True)]
    sizes = [(len(mine), len(other)) for mine, other in zip(ours, theirs, strict=True)]
    if not sizes or min(min(size) for size in sizes) < LEAST_ANSWERS:
        raise ValueError(f"got {len(sizes)} prompts, expected some with at least {LEAST_ANSWERS} answers of each party")
    within_ours, between, within_theirs = (np.zeros(permutations + 1) for _ in range(3))
    by_prompt = np.empty(len(blocks))
    for place, (block, (mine, other)) in enumerate(zip(blocks, sizes, strict=True)):
        labels = np.zeros((permutations + 1, mine + other))
        labels[:, :mine] = 1.0
        labels[1:] = rng.permuted(labels[1:], axis=1)
        # Whole numbers below 2^53: exact in floats.
        with_ours = labels @ block
        sums = (with_ours * labels).sum(axis=1), (with_ours * (1.0 - labels)).sum(axis=1)
        last = block.sum() - sums[0] - 2.0 * sums[1]
        within_ours += sums[0]
        between += sums[1]
        within_theirs += last
        by_prompt[place] = _squared(sums[0][0], sums[1][0], last[0], [(mine, other)])
    squared = np.array(
        [_squared(*three, sizes) for three in zip(within_ours, between, within_theirs, strict=True)], dtype=np.float64
    )
    above = int((squared[1:] >= squared[0]).sum())
    low, high = _bounds(by_prompt)
    return Distance(
        squared=float(squared[0]),
        low=low,
        high=high,
        log_p=math.log1p(above) - math.log1p(permutations) + 0.0,
        prompts=len(blocks),
        answers=sum(mine + other for mine, other in sizes),
        by_prompt=by_prompt,
    )


def sameness_log_p(by_prompt: FloatArray, margin: float) -> float:
    """Return log p for the null that the parties' mean distance over the prompts is at least the margin.

    A one-sided t-test with P. Hall's correction for skewness (JRSS-B 54, 1992), since distances near 0 are skewed to the right. It is still too
    small by up to a half in simulation at the margin, and is therefore doubled; then it rejects at most as often as it says.

    Args:
        by_prompt: unbiased squared distances, [prompts], at least 2.
        margin: above 0.

    Returns:
        log p, natural; small where the parties are shown to be nearer than the margin.
    """
    mean, spread = float(by_prompt.mean()), float(by_prompt.std(ddof=1))
    if spread == 0.0:
        return -math.inf if mean < margin else 0.0
    t = (mean - margin) / spread * math.sqrt(len(by_prompt))
    skew = float(((by_prompt - mean) ** 3).mean()) / spread**3 / math.sqrt(len(by_prompt))
    corrected = t + skew * t * t / 3.0 + skew * skew * t**3 / 27.0 + skew / 6.0
    p = 2.0 * float(special.stdtr(len(by_prompt) - 1, corrected))
    return min(0.0, math.log(p)) if p > 0.0 else -math.inf


def largest_distance(by_prompt: FloatArray) -> float:
    """Return the smallest margin within which the parties are shown to be the same at 5 %: the upper 95 % bound, [0, 2]."""
    low, high = 0.0, 2.0
    for _ in range(50):
        middle = 0.5 * (low + high)
        low, high = (low, middle) if sameness_log_p(by_prompt, middle) <= math.log(0.05) else (middle, high)
    return high


def pair_bets_log_e(ours: Answers, theirs: Answers) -> FloatArray:
    """Return the log capital after each round, by bets on which answer of a pair is ours.

    In round k the k-th answers of both parties to each prompt form a pair. The bettor compares both with all earlier answers to the prompt: if
    the first is more like our earlier ones than the second is, it stakes on the first. The payoff changes its sign with the pair, so that
    its expectation is 0 while the two parties answer alike, whatever was bet.

    Args:
        ours: [prompts][answers]; the round of an answer is its place.
        theirs: to the same prompts; rounds beyond the shorter are left out.

    Returns:
        log e, natural, [rounds]; by Ville's inequality it reaches log(1 / alpha) at any time with a chance of at most alpha.
    """
    rounds = min(min(len(mine), len(other)) for mine, other in zip(ours, theirs, strict=True))
    blocks = [matches(mine[:rounds], other[:rounds]) for mine, other in zip(ours, theirs, strict=True)]
    capital = np.zeros(len(BETS))
    stakes = np.array(BETS)
    squares, seen = 0.0, 0
    path = np.zeros(rounds)
    for now in range(rounds):
        for block in blocks:
            if now == 0:
                continue  # nothing to compare with yet
            lead = block[now] - block[rounds + now]
            signal = float(lead[:now].mean() - lead[rounds : rounds + now].mean())
            if seen:
                scale = 2.0 * math.sqrt(squares / seen)
                payoff = (
                    min(1.0, max(-1.0, signal / scale)) if scale > 0.0 else math.copysign(float(signal != 0.0), signal)
                )
                capital += np.log1p(stakes * payoff)
            squares += signal * signal
            seen += 1
        path[now] = mean_log_e(capital)
    return path


def matches(ours: Sequence[str], theirs: Sequence[str]) -> Counts:
    """Count for each two answers the places among the first characters that agree; places behind both ends agree.

    Returns:
        [answers, answers], ours first, in [0, `READ_CHARACTERS`]; 0 on the diagonal.
    """
    texts = [*ours, *theirs]
    codes = np.zeros((len(texts), READ_CHARACTERS), dtype=np.int32)
    for place, text in enumerate(texts):
        kept = text[:READ_CHARACTERS]
        codes[place, : len(kept)] = [ord(character) + 1 for character in kept]
    agree: Counts = (codes[:, None, :] == codes[None, :, :]).sum(axis=2, dtype=np.int64)
    np.fill_diagonal(agree, 0)
    return agree


def _squared(within_ours: float, between: float, within_theirs: float, sizes: Sequence[tuple[int, int]]) -> float:
    """Put the sums of agreeing places together; each is divided by its number of pairs."""
    first = sum(mine * (mine - 1) for mine, _ in sizes)
    cross = sum(mine * other for mine, other in sizes)
    last = sum(other * (other - 1) for _, other in sizes)
    return float(within_ours / first - 2.0 * between / cross + within_theirs / last) / READ_CHARACTERS


def _bounds(by_prompt: FloatArray) -> tuple[float, float]:
    """Give one-sided bounds at 95 % each."""
    if len(by_prompt) < LEAST_PROMPTS:
        return -2.0, 2.0
    error = float(by_prompt.std(ddof=1)) / math.sqrt(len(by_prompt))
    reach = float(special.stdtrit(len(by_prompt) - 1, 0.95)) * error
    return float(by_prompt.mean()) - reach, largest_distance(by_prompt)
