"""The honest classes by name, with their share of accounts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from stillwatch.simulation.behaviour import Setting
from stillwatch.simulation.honest import automation, conversation, exceptional, products
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
    "casual chat": HonestClass(plant=conversation.casual_chat, share=34.0, ordinary=True),
    "office worker": HonestClass(plant=conversation.office_worker, share=11.0, ordinary=True),
    "developer app": HonestClass(plant=products.developer_app, share=9.0, ordinary=True, automation=True),
    "coding agent": HonestClass(plant=automation.coding_agent, share=9.0, ordinary=True, automation=True),
    "support bot": HonestClass(plant=products.support_bot, share=2.5, ordinary=True, automation=True),
    "tinkerer": HonestClass(plant=conversation.tinkerer, share=6.0, ordinary=True, automation=True),
    "plug-in fleet": HonestClass(plant=products.plugin_fleet, share=7.0, automation=True),
    "enterprise seat": HonestClass(plant=products.enterprise_seat, share=5.5),
    "homework class": HonestClass(plant=exceptional.homework_class, share=2.2),
    "benchmark harness": HonestClass(plant=automation.benchmark_harness, share=1.8, automation=True),
    "batch labeller": HonestClass(plant=automation.batch_labeller, share=2.0, automation=True),
    "aggregator": HonestClass(plant=products.aggregator, share=0.5, automation=True),
    "judge suite": HonestClass(plant=automation.judge_suite, share=1.2, automation=True),
    "localisation firm": HonestClass(plant=automation.localisation_firm, share=0.8, automation=True),
    "CI fleet": HonestClass(plant=automation.ci_fleet, share=1.8, automation=True),
    "release rush": HonestClass(plant=conversation.release_rush, share=2.2),
    "tutor product": HonestClass(plant=products.tutor_product, share=0.8, automation=True),
    "agency card": HonestClass(plant=products.agency_card, share=1.4, automation=True),
    "nightly batch": HonestClass(plant=automation.nightly_batch, share=1.4, automation=True),
    "licensed partner": HonestClass(plant=exceptional.licensed_partner, share=0.22, automation=True),
    "contract red team": HonestClass(plant=exceptional.contract_red_team, share=0.12, automation=True),
    "stolen key": HonestClass(plant=exceptional.stolen_key, share=0.2, automation=True, needs_campaign=True),
}
"""Honest class by name."""
