"""The campaign families by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from stillwatch.simulation.behaviour import Setting
from stillwatch.simulation.campaigns import templated
from stillwatch.simulation.population import Cohort


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """One campaign family."""

    plant: Callable[[int, Setting], Cohort]
    everyday: bool = True
    """Part of `all-families`; the incidents of the letters are not."""
    single: bool = False
    """A campaign of one account."""
    weight: float = 1.0
    """Relative size in presets where families share the accounts."""
    smallest: int = 4
    """Fewest accounts."""


FAMILIES: dict[str, Family] = {
    "shared infrastructure": Family(plant=templated.naive),
    "residential proxies": Family(plant=templated.residential),
    "paraphrased scaffold": Family(plant=templated.paraphrased),
    "injected text": Family(plant=templated.injected),
    "june letter": Family(plant=templated.injected, everyday=False, smallest=8),
}
"""Campaign family by name."""
