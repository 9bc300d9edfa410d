"""Pools that hide: among resold traffic, at a few exchanges a day, without any template, or in one account."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from stillwatch.simulation.behaviour import Setting, symbol
from stillwatch.simulation.campaigns.operator import draw_choices, pool
from stillwatch.simulation.campaigns.templated import inject, scaffold, target
from stillwatch.simulation.population import Cohort, Items, Role
from stillwatch.simulation.text.mixtures import MIXTURES


def resold_mixture(size: int, setting: Setting) -> Cohort:
    """A reseller's accounts: 5 to 95% of the traffic is the harvest, the rest is what its customers ask."""
    draw = setting.draw
    choices = replace(draw_choices(setting), volume=float(draw.uniform(0.9, 2.0)))
    cohort = pool(size, choices, setting)
    harvest = cohort.streams
    harvest["mixture"] = target(setting)
    if draw.random() < 0.5:
        inject(harvest, setting)
    else:
        scaffold(harvest, setting)
    cohort.accounts["role"] = Role.RESELLER
    share = np.clip(float(draw.uniform(0.05, 0.95)) + 0.05 * draw.standard_normal(size), 0.05, 0.95)
    ordinary = harvest.copy()
    for column in ("before", "after", "explore"):
        ordinary[column] = -1
    ordinary["harvest"] = False
    ordinary["items"] = Items.FREE
    ordinary["mixture"] = MIXTURES["relay"]
    ordinary["parameter_spread"] = 0.6
    ordinary["paste_share"] = 0.3
    ordinary["exchanges"] = np.maximum(harvest["exchanges"] * (1.0 - share), 1.0)
    harvest["exchanges"] = np.maximum(harvest["exchanges"] * share, 1.0)
    return Cohort(accounts=cohort.accounts, streams=np.concatenate([harvest, ordinary]))


def low_and_slow(size: int, setting: Setting) -> Cohort:
    """5 to 26 exchanges a day for weeks, each account on its own network and card; a template, or one of a few."""
    draw = setting.draw
    choices = replace(
        draw_choices(setting),
        rate=float(draw.uniform(5.0, 9.0)),
        network=str(draw.choice(["residential proxies", "own machines", "vpn"])),
        accounts_per_card=1,
        stagger=0.05 * setting.days,
    )
    cohort = pool(size, choices, setting)
    cohort.streams["mixture"] = target(setting)
    scaffold(cohort.streams, setting)
    cohort.streams["scaffold_variants"] = int(draw.choice([1, 1, 3, 6]))
    return cohort


def bare_prompts(size: int, setting: Setting) -> Cohort:
    """Prompts of one data set and nothing else: no template, own cards and addresses; only rhythm, parameters and sharding."""
    draw = setting.draw
    choices = replace(
        draw_choices(setting),
        network=str(draw.choice(["residential proxies", "own machines"])),
        accounts_per_card=1,
        mail="free",
        one_client=1.0,
        one_parameters=1.0,
        evenness=0.08,
        stagger=0.03 * setting.days,
        rhythm_depth=float(draw.choice([0.8, 1.2])),
    )
    cohort = pool(size, choices, setting)
    streams = cohort.streams
    streams["mixture"] = target(setting, ("maths", "code", "analysis", "science", "reasoning"))
    streams["pool_size"] = int(draw.integers(3_000, 20_000))
    return cohort


def single_whale(size: int, setting: Setting) -> Cohort:
    """One account that harvests alone and much."""
    choices = replace(draw_choices(setting), volume=float(setting.draw.uniform(8.0, 20.0)), rate=200.0)
    cohort = pool(size, choices, setting)
    cohort.streams["mixture"] = target(setting)
    if setting.draw.random() < 0.3:
        inject(cohort.streams, setting)
    else:
        scaffold(cohort.streams, setting)
    return cohort


def stolen_harvest(victims: Cohort, thief: Cohort, setting: Setting) -> Cohort:
    """Give each victim the thief's harvest beside their own use: the thief's texts, machines and hours, the victim's key.

    Args:
        victims: accounts with their own streams.
        thief: the pool that also uses the stolen keys.
        setting: the world.

    Returns:
        The victims with a second stream each.
    """
    draw, count = setting.draw, len(victims.accounts)
    model = thief.streams[thief.streams["harvest"]]
    harvest = model[draw.integers(0, len(model), count)].copy()
    harvest["account"] = np.arange(count)
    own = np.array([victims.streams["api_key"][victims.streams["account"] == number][0] for number in range(count)])
    harvest["api_key"] = own
    harvest["exchanges"] = np.maximum(harvest["exchanges"] * (0.2 + 0.6 * draw.random(count)), 3.0)
    return Cohort(accounts=victims.accounts, streams=np.concatenate([victims.streams, harvest]))


def agent_trajectories(size: int, setting: Setting) -> Cohort:
    """Agent trajectories and tool use: the operator's own agent walks through generated environments."""
    draw = setting.draw
    cohort = pool(size, draw_choices(setting), setting)
    streams = cohort.streams
    streams["mixture"] = target(setting, ("agent", "agentic"))
    form = draw.choice(["system", "prompt", "synthesis"], p=[0.4, 0.4, 0.2])
    if form == "system":
        streams["system"] = symbol("system.agent")
        streams["system_key"] = streams["scaffold_key"]
    else:
        streams["before"] = symbol("scaffold.agent")
    if form == "synthesis":
        streams["mixture"] = target(setting, ("security", "agent"))
        streams["before"] = symbol("scaffold.synthesis")
    streams["tools"] = streams["scaffold_key"] if draw.random() < 0.7 else 0
    streams["session"] = 3.0 + 8.0 * draw.random()
    return cohort
