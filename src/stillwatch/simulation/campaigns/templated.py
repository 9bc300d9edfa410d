"""Pools that wear a template: shared infrastructure, residential proxies, paraphrases, a constant injected text."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from stillwatch.simulation.behaviour import Setting, symbol
from stillwatch.simulation.campaigns.operator import draw_choices, pool
from stillwatch.simulation.population import Cohort, Place
from stillwatch.simulation.text.mixtures import MIXTURES

_TARGETS = ("reasoning", "maths", "code", "analysis", "general", "science")


def target(setting: Setting, names: tuple[str, ...] = _TARGETS) -> int:
    """Draw the capability that a campaign harvests, as number of a mixture."""
    return MIXTURES[str(setting.draw.choice(names))]


def naive(size: int, setting: Setting) -> Cohort:
    """Shared machines, shared cards, one client, one template."""
    draw = setting.draw
    choices = replace(
        draw_choices(setting), network="shared machines", accounts_per_card=int(draw.choice([4, 12, 1_000])), one_client=1.0
    )
    cohort = pool(size, choices, setting)
    streams = cohort.streams
    streams["mixture"] = target(setting)
    streams["before"] = symbol("scaffold.reasoning.before")
    streams["after"] = symbol("scaffold.reasoning.after")
    return cohort


def residential(size: int, setting: Setting) -> Cohort:
    """Residential exits, virtual cards; a template around every task."""
    draw = setting.draw
    cards = int(draw.choice([1, 1, 2, 3]))
    cohort = pool(size, replace(draw_choices(setting), network="residential proxies", accounts_per_card=cards), setting)
    streams = cohort.streams
    streams["mixture"] = target(setting)
    streams["before"] = symbol("scaffold.reasoning.before") if draw.random() < 0.7 else -1
    streams["after"] = symbol("scaffold.reasoning.after")
    return cohort


def paraphrased(size: int, setting: Setting) -> Cohort:
    """The scaffold is rewritten: one of some hundreds of wordings, or a fresh one for each exchange."""
    cohort = pool(size, draw_choices(setting), setting)
    streams = cohort.streams
    streams["mixture"] = target(setting)
    streams["before"] = symbol("scaffold.reasoning.before")
    streams["after"] = symbol("scaffold.reasoning.after")
    streams["scaffold_variants"] = int(setting.draw.choice([0, 40, 200, 600]))
    return cohort


def injected(size: int, setting: Setting) -> Cohort:
    """One constant text in every request that forces the reasoning into the visible answer, wherever it stands."""
    draw = setting.draw
    cohort = pool(size, draw_choices(setting), setting)
    streams = cohort.streams
    streams["mixture"] = target(setting, ("general", "reasoning", "coding", "relay"))
    streams["before"] = symbol("scaffold.trace")
    streams["place"] = int(draw.choice([Place.ANYWHERE, Place.ANYWHERE, Place.BEFORE, Place.AFTER]))
    after = streams["place"] == Place.AFTER
    streams["after"] = np.where(after, streams["before"], -1)
    streams["before"] = np.where(after, -1, streams["before"])
    return cohort
