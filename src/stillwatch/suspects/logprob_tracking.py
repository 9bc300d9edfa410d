"""Log-probability tracking (T5): has an endpoint that should serve our model, or one version of it, changed?

Takes, round by round, the log-probability of the first token on a fixed set of prompts. Gives evidence of a change that may be looked at
after every round for as long as one likes.

Method: T. Chauvin and others, "Log probability tracking of LLM APIs" (2025), made valid at any time. The first rounds fix a centre, the median of
each prompt. The strangeness of a later round is the mean distance of its log-probabilities from the centre. While nothing changes, later rounds
are exchangeable, and each one's rank among the rounds before is uniform and independent of them (conformal test martingale; V. Vovk, "Testing
randomness online", 2021). A bet on large strangeness is started afresh at every round, with a share of the capital that falls as
1 / (s (s + 1)), so that a late change is not paid for by the quiet time before it. Complexity: prompts x rounds.

What it does not show: what changed: weights, precision, hardware, template or system prompt. An endpoint whose noise grows with the load of the
day breaks exchangeability; rounds belong at like times of day.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from stillwatch.statistics.arguments import FloatArray, Floats, finite_vector
from stillwatch.statistics.conformal import sequential_ranks
from stillwatch.statistics.e_process import EXPONENTS
from stillwatch.statistics.errors import TooLittleDataError

CENTRE_ROUNDS: Final = 5
LEAST_ROUNDS: Final = 15
"""With fewer rounds after the centre no rank is small enough to speak of a change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracked:
    """What the rounds show."""

    strangeness: FloatArray
    """Mean distance from the centre, nats, [rounds after the centre]."""
    log_e_path: FloatArray
    """log e after each of them, natural; reaches log(1 / alpha) at any time with a chance of at most alpha while nothing changes."""


def track(rounds: npt.NDArray[np.floating] | Sequence[Floats], rng: np.random.Generator) -> Tracked:
    """Bet on a change, round by round.

    Args:
        rounds: natural log-probabilities, [rounds, prompts], in the order of time; a missing one is NaN and is left out.
        rng: settles ties; its seed belongs in the claim.

    Raises:
        TooLittleDataError: for fewer than `CENTRE_ROUNDS` + `LEAST_ROUNDS` rounds, or a prompt without a centre.
    """
    values = np.asarray(rounds, dtype=np.float64)
    if values.ndim != 2 or len(values) < CENTRE_ROUNDS + LEAST_ROUNDS:
        raise TooLittleDataError(f"got {len(values)} rounds, expected at least {CENTRE_ROUNDS + LEAST_ROUNDS}")
    if bool(np.isnan(values[:CENTRE_ROUNDS]).all(axis=0).any()) or bool(np.isnan(values).all(axis=1).any()):
        raise TooLittleDataError("got a prompt or a round without any log-probability; leave it out")
    centre = np.nanmedian(values[:CENTRE_ROUNDS], axis=0)
    strangeness = np.nanmean(np.abs(values[CENTRE_ROUNDS:] - centre), axis=1)
    # Small ranks speak against the null, and so the strangest come first.
    ranks = sequential_ranks(-strangeness, rng)
    return Tracked(strangeness=strangeness, log_e_path=restarted_log_e_path(ranks))


def restarted_log_e_path(ranks: Floats) -> FloatArray:
    """Return the log evidence that ranks are too low from some round on, the round being unknown.

    The bet that starts at round s holds 1 / (s (s + 1)) of the capital; what has not started yet is kept. So the whole is a test martingale
    as each bet is.

    Args:
        ranks: uniform and independent under the null, in (0, 1], [n].

    Returns:
        log e after each round, natural, [n].
    """
    values = finite_vector("ranks", ranks)
    powers = np.array(EXPONENTS)
    running = np.full(powers.size, -math.inf)
    path = np.empty(values.size)
    for place, rank in enumerate(values.tolist()):
        start = place + 1
        running = np.logaddexp(running, -math.log(start * (start + 1.0)))
        running += np.log(powers) + (powers - 1.0) * math.log(rank)
        waiting = -math.log(start + 1.0)  # the shares of all starts still to come sum to 1 / (start + 1)
        path[place] = np.logaddexp(np.logaddexp.reduce(running) - math.log(powers.size), waiting)
    return path
