"""Power of the served-transcript test: how much of the served answers a suspect must have been trained on to be found.

Takes the number of exchanges, the level, and the ranks of a positive control where there is one. Gives the chance of being found for each
share of the exchanges that was used, by simulation with the plan's seed. An exchange that was used ranks as the positive control's do; without
one it is taken to rank first, which is the most that training can do, so that the power is then an upper bound, and says so.
"""

from __future__ import annotations

import math

import numpy as np

from stillwatch.records.suspect import Power
from stillwatch.statistics.arguments import FloatArray
from stillwatch.statistics.e_process import first_crossing, rank_log_e_path
from stillwatch.statistics.rank_uniform import critical_sum
from stillwatch.suspects.test import Setting
from stillwatch.suspects.transcript_ranks import Kind, Planned

SHARES = (0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0)
"""Of the exchanges that were used."""
ROUNDS = 400
"""Of simulation for each share: a standard error of 0.02 where the power is 0.8."""
WANTED_POWER = 0.8


def power_of(exchanges: int, plan: Planned, setting: Setting, known: FloatArray | None) -> Power:
    """Work out the power.

    Args:
        exchanges: that were scored, at least 1.
        plan: of the test.
        setting: of the test.
        known: ranks of a positive control, [n], or null.
    """
    rng = np.random.default_rng([setting.seed, Kind.POWER])
    critical = critical_sum(exchanges, math.log(min(setting.alpha, 0.49)))
    curve = []
    for share in SHARES:
        found = 0
        for _ in range(ROUNDS):
            used = rng.random(exchanges) < share
            remembered = (
                rng.choice(known, exchanges) if known is not None else rng.random(exchanges) / (plan.least_unseen + 1)
            )
            ranks = np.where(used, remembered, rng.random(exchanges))
            if plan.stop_at:
                found += first_crossing(rank_log_e_path(ranks), -math.log(setting.alpha)) is not None
            else:
                found += bool(ranks.sum() <= critical)
        curve.append((share, found / ROUNDS))
    enough = next((share for share, chance in curve if chance >= WANTED_POWER), None)
    as_what = (
        "as well as the positive control does"
        if known is not None
        else "so well that they rank first (the most there can be)"
    )
    statement = (
        f"With these {exchanges} exchanges, a suspect that was trained on {enough:.0%} of them and remembers them {as_what} "
        f"is found at level {setting.alpha:g} with a chance of {WANTED_POWER:g} or more."
        if enough is not None
        else f"With these {exchanges} exchanges, even a suspect that was trained on all of them and remembers them {as_what} "
        f"is found at level {setting.alpha:g} with a chance below {WANTED_POWER:g}."
    )
    return Power(statement=statement, curve=tuple(curve))
