"""The honest classes by name, with their share of accounts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from stillwatch.simulation.behaviour import Setting
from stillwatch.simulation.honest import conversation, products
from stillwatch.simulation.population import Cohort


@dataclass(frozen=True, slots=True, kw_only=True)
class HonestClass:
    """One class of honest customers."""

    plant: Callable[[int, Setting], Cohort]
    share: float
    """Relative share of honest accounts."""
    ordinary: bool = False
    """Ordinary customers stay in every world; look-alikes can be left out by `only`."""
    automation: bool = False
    """Programs rather than people: the leak test compares campaigns with these too."""
    needs_campaign: bool = False
    """The class is a victim of a campaign and is left out of honest worlds."""


CLASSES: dict[str, HonestClass] = {
    "casual chat": HonestClass(plant=conversation.casual_chat, share=36.0, ordinary=True),
    "developer app": HonestClass(plant=products.developer_apps, share=10.0, ordinary=True, automation=True),
}
"""Honest class by name."""
