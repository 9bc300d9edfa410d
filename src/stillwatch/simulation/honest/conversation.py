"""People in conversation: casual users, office workers, enthusiasts of a release, tinkerers; most accounts of a provider."""

from __future__ import annotations

import numpy as np

from stillwatch.simulation.behaviour import Setting, interactive, organizations, scripted, symbol, volume
from stillwatch.simulation.calendar import HOURS, PIVOT_MODEL
from stillwatch.simulation.population import Cohort, draw_keys, new_accounts, new_streams
from stillwatch.simulation.randomness import Integers
from stillwatch.simulation.text.mixtures import FOREIGN, MIXTURES

_LANGUAGE_WEIGHT = np.array([0.22, 0.2, 0.22, 0.12, 0.12, 0.12])


def languages(count: int, share: float, english: Integers, draw: np.random.Generator) -> Integers:
    """Mixtures of a population of which `share` writes in another language than English."""
    foreign = np.array([MIXTURES[f"chat {name}"] for name in FOREIGN])
    chosen = foreign[draw.choice(len(foreign), size=count, p=_LANGUAGE_WEIGHT / _LANGUAGE_WEIGHT.sum())]
    return np.where(draw.random(count) < share, chosen, english)


def casual_chat(count: int, setting: Setting) -> Cohort:
    """People who chat about everything, one in three in another language than English."""
    draw = setting.draw
    accounts = new_accounts(count, setting.days, draw)
    streams = new_streams(accounts, np.arange(count), setting.days, draw)
    interactive(streams, setting)
    volume(streams, 29.0, 0.75, setting)
    english = np.where(draw.random(count) < 0.75, MIXTURES["casual"], MIXTURES["curious"])
    english = np.where(draw.random(count) < 0.12, MIXTURES["study"], english)
    streams["mixture"] = languages(count, 0.35, english, draw)
    return Cohort(accounts=accounts, streams=streams)


def office_worker(count: int, setting: Setting) -> Cohort:
    """Professionals: mail, minutes, tables; paid by their firm, in office hours."""
    draw = setting.draw
    accounts = new_accounts(count, setting.days, draw)
    organizations(accounts, draw, 0.6)
    streams = new_streams(accounts, np.arange(count), setting.days, draw)
    interactive(streams, setting)
    streams["hours"] = np.where(draw.random(count) < 0.8, HOURS["office"], streams["hours"])
    streams["weekend"] = 0.05 + 0.5 * draw.random(count)
    volume(streams, 35.0, 0.75, setting)
    english = np.where(draw.random(count) < 0.8, MIXTURES["office"], MIXTURES["developer"])
    streams["mixture"] = languages(count, 0.25, english, draw)
    return Cohort(accounts=accounts, streams=streams)


def release_rush(count: int, setting: Setting) -> Cohort:
    """Enthusiasts who try a release within hours, at night if need be, and stay with it."""
    draw = setting.draw
    accounts = new_accounts(count, setting.days, draw)
    streams = new_streams(accounts, np.arange(count), setting.days, draw)
    interactive(streams, setting)
    api = draw.random(count) < 0.4
    programs = streams[api]
    scripted(programs, setting)
    programs["talks"] = False
    streams[api] = programs
    fresh = draw.random(count) < 0.4
    accounts["created"] = np.where(fresh, setting.release - 2.0 * draw.random(count), accounts["created"])
    streams["start"] = np.maximum(accounts["created"], 0.0)
    streams["end"] = np.minimum(accounts["closed"], setting.days)
    streams["switch"] = setting.release + draw.exponential(0.35, count)
    streams["next_model"] = PIVOT_MODEL
    streams["next_share"] = 0.6 + 0.4 * draw.random(count)
    volume(streams, 42.0, 0.9, setting)
    # The same favourite tests again: maths, code, riddles.
    names = ("curious", "study", "developer", "general", "casual")
    streams["mixture"] = np.array([MIXTURES[name] for name in names])[draw.integers(0, len(names), count)]
    return Cohort(accounts=accounts, streams=streams)


def tinkerer(count: int, setting: Setting) -> Cohort:
    """Hobby programmers: scripts with common libraries, virtual cards, throw-away mail, at night, from rented machines."""
    draw = setting.draw
    accounts = new_accounts(count, setting.days, draw)
    accounts["email"] = np.where(draw.random(count) < 0.3, 100 + draw.integers(0, 12, count), accounts["email"])
    streams = new_streams(accounts, np.arange(count), setting.days, draw)
    scripted(streams, setting)
    volume(streams, 50.0, 0.9, setting)
    names = ("casual", "curious", "study", "developer", "maths", "code", "creative", "reasoning", "general", "science")
    streams["mixture"] = np.array([MIXTURES[name] for name in names])[draw.integers(0, len(names), count)]
    wrapped = draw.random(count) < 0.5
    wrappers = np.array(
        [symbol(f"scaffold.{name}") for name in ("tutor", "reasoning.before", "extract", "reasoning.before")]
    )
    streams["before"] = np.where(wrapped, wrappers[draw.integers(0, len(wrappers), count)], -1)
    streams["after"] = np.where(draw.random(count) < 0.3, symbol("scaffold.reasoning.after"), -1)
    streams["scaffold_key"] = draw_keys(count, draw)
    return Cohort(accounts=accounts, streams=streams)
