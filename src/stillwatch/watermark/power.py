"""Power: how many distinct units a test of a mark needs.

Takes a scheme, the number of keys and the level. Gives a number of units. By the normal approximation, which agrees with the exact tails
within 5 % where a thousand units or more are needed: n = ((z_alpha/keys + z_power) spread / excess)^2.
"""

from __future__ import annotations

import math

from scipy import special

from stillwatch.statistics.arguments import open_probability, positive, whole_number
from stillwatch.watermark.scheme import Scheme

POWER = 0.95


def units_needed(scheme: Scheme, keys: int, alpha: float, *, excess: float | None = None, power: float = POWER) -> int:
    """Give the distinct units with which a mean excess is found among so many keys.

    Args:
        scheme: the mark.
        keys: keys tested together, 1 or more.
        alpha: chance of any false name, in (0, 1).
        excess: mean excess of the statistic for each unit; null for what the scheme is planned for.
        power: chance of finding it, in (0, 1).

    Returns:
        Number of units, 1 or more.

    Raises:
        ArgumentError: for an argument outside its range.
    """
    keys, alpha, power = (
        whole_number("keys", keys, low=1),
        open_probability("alpha", alpha),
        open_probability("power", power),
    )
    excess = positive("excess", scheme.planned_excess if excess is None else excess)
    quantiles = -float(special.ndtri(alpha / keys)) + float(special.ndtri(power))
    return max(1, math.ceil((quantiles * scheme.spread / excess) ** 2))
