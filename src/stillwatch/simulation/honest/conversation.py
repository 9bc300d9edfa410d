"""People in conversation: casual users, students, office workers; most of the accounts of a provider."""

from __future__ import annotations

import numpy as np

from stillwatch.simulation.behaviour import Setting, interactive, volume
from stillwatch.simulation.population import Cohort, new_accounts, new_streams
from stillwatch.simulation.text.mixtures import FOREIGN, MIXTURES

_LANGUAGE_WEIGHT = np.array([0.22, 0.2, 0.22, 0.12, 0.12, 0.12])


def casual_chat(count: int, setting: Setting) -> Cohort:
    """People who chat about everything, two in five in another language than English."""
    draw = setting.draw
    accounts = new_accounts(count, setting.days, draw)
    streams = new_streams(accounts, np.arange(count), setting.days, draw)
    interactive(streams, setting)
    volume(streams, 16.0, 1.05, setting)
    english = np.where(draw.random(count) < 0.75, MIXTURES["casual"], MIXTURES["curious"])
    english = np.where(draw.random(count) < 0.12, MIXTURES["study"], english)
    foreign = np.array([MIXTURES[f"chat {name}"] for name in FOREIGN])
    chosen = foreign[draw.choice(len(foreign), size=count, p=_LANGUAGE_WEIGHT / _LANGUAGE_WEIGHT.sum())]
    streams["mixture"] = np.where(draw.random(count) < 0.4, chosen, english)
    return Cohort(accounts=accounts, streams=streams)
