"""The campaign families by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from stillwatch.simulation.behaviour import Setting
from stillwatch.simulation.campaigns import hidden, moving, templated
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
    "shared infrastructure": Family(plant=templated.shared_infrastructure),
    "residential proxies": Family(plant=templated.residential_proxies),
    "paraphrased scaffold": Family(plant=templated.paraphrased_scaffold),
    "injected text": Family(plant=templated.injected_text),
    "resold mixture": Family(plant=hidden.resold_mixture),
    "low and slow": Family(plant=hidden.low_and_slow),
    "bare prompts": Family(plant=hidden.bare_prompts),
    "rubric grading": Family(plant=templated.rubric_grading),
    "agent trajectories": Family(plant=hidden.agent_trajectories),
    "explore then exploit": Family(plant=moving.explore_then_exploit),
    "model pivot": Family(plant=moving.pivot),
    "ban and replacement": Family(plant=moving.ban_and_replacement),
    "other language": Family(plant=templated.other_language),
    "single whale": Family(plant=hidden.single_whale, single=True),
    "june letter": Family(plant=moving.june_letter, everyday=False, smallest=8),
    "february shared payment": Family(plant=moving.february_shared_payment, everyday=False, weight=1.0, smallest=8),
    "february access paths": Family(plant=moving.february_access_paths, everyday=False, weight=1.4, smallest=8),
    "february pivot": Family(plant=moving.february_pivot, everyday=False, weight=1.8, smallest=8),
}
"""Campaign family by name."""
