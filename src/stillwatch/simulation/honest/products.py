"""Products built on the API: one system prompt or template, many end users behind one account."""

from __future__ import annotations

import numpy as np

from stillwatch.simulation.behaviour import Setting, organizations, scripted, symbol, volume
from stillwatch.simulation.population import Cohort, Place, draw_keys, new_accounts, new_streams
from stillwatch.simulation.text.mixtures import MIXTURES


def developer_apps(count: int, setting: Setting) -> Cohort:
    """Apps with one system prompt or template of their own; their end users write what they like."""
    draw = setting.draw
    accounts = new_accounts(count, setting.days, draw)
    organizations(accounts, draw)
    streams = new_streams(accounts, np.arange(count), setting.days, draw)
    scripted(streams, setting)
    volume(streams, 70.0, 1.35, setting)
    streams["system_key"] = draw_keys(count, draw)
    streams["system"] = np.where(draw.random(count) < 0.7, symbol("system.app"), -1)
    kinds = ("support", "casual", "selection", "label", "study", "office", "creative", "relay", "product")
    streams["mixture"] = np.array([MIXTURES[kind] for kind in kinds])[draw.integers(0, len(kinds), count)]
    template = draw.random(count) < 0.55
    wrappers = np.array([symbol(f"scaffold.{name}") for name in ("extract", "plugin", "extract", "tutor", "translate")])
    chosen = wrappers[draw.integers(0, len(wrappers), count)]
    streams["before"] = np.where(template, chosen, -1)
    streams["after"] = np.where(template & (draw.random(count) < 0.25), symbol("scaffold.reasoning.after"), -1)
    streams["scaffold_key"] = draw_keys(count, draw)
    streams["place"] = np.where(draw.random(count) < 0.8, Place.AROUND, Place.ANYWHERE)
    return Cohort(accounts=accounts, streams=streams)
