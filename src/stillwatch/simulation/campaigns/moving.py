"""Pools that move: from probing to scale, to a new model, from banned accounts to new ones; and the incidents of the letters."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from stillwatch.simulation.behaviour import Setting, symbol
from stillwatch.simulation.calendar import PIVOT_MODEL
from stillwatch.simulation.campaigns.operator import Choices, draw_choices, pool
from stillwatch.simulation.campaigns.templated import inject, scaffold, target
from stillwatch.simulation.population import Cohort
from stillwatch.simulation.text.mixtures import MIXTURES


def explore_then_exploit(size: int, setting: Setting) -> Cohort:
    """First every exchange tries another technique, then the winner goes out at scale."""
    draw = setting.draw
    cohort = pool(size, replace(draw_choices(setting), stagger=0.04 * setting.days), setting)
    streams = cohort.streams
    streams["mixture"] = target(setting)
    if draw.random() < 0.6:
        inject(streams, setting)
    else:
        scaffold(streams, setting)
    streams["explore"] = symbol("scaffold.probe")
    share = float(draw.uniform(0.12, 0.35))
    streams["explore_until"] = streams["start"].min() + share * (streams["end"].max() - streams["start"].min())
    streams["ramp"] = float(draw.uniform(0.4, 1.4))
    return cohort


def pivot(size: int, setting: Setting) -> Cohort:
    """Within a day of a release half of the pool's traffic or more goes to the new model."""
    draw = setting.draw
    choices = draw_choices(setting)
    cohort = pool(size, choices, setting)
    streams = cohort.streams
    streams["mixture"] = target(setting, ("coding", "agentic", "code", "reasoning"))
    scaffold(streams, setting)
    _span_release(cohort, choices, setting)
    streams["switch"] = setting.release + float(draw.uniform(0.05, 0.6)) + 0.25 * draw.random(size)
    streams["next_model"] = PIVOT_MODEL
    streams["next_share"] = float(draw.uniform(0.45, 0.95))
    return cohort


def ban_and_replacement(size: int, setting: Setting) -> Cohort:
    """Half of the pool is closed by the provider; within days fresh accounts go on with the same work."""
    draw = setting.draw
    choices = replace(draw_choices(setting), stagger=0.03 * setting.days)
    cohort = pool(size, choices, setting)
    cohort.streams["mixture"] = target(setting)
    if draw.random() < 0.4:
        inject(cohort.streams, setting)
    else:
        scaffold(cohort.streams, setting)
    _ban(
        cohort,
        setting,
        at=float(draw.uniform(0.35, 0.6)) * setting.days,
        delay=float(draw.uniform(0.2, 3.0)),
        share=0.5,
    )
    return cohort


def june_letter(size: int, setting: Setting) -> Cohort:
    """The letter of June 2026: one constant text in every request forces the reasoning inline; two pools.

    The first pool (two in five accounts) has residential exits, disposable mail and virtual cards; after it is banned the
    traffic goes on through the second. About 26 exchanges per account and day over 45 days.
    """
    draw = setting.draw
    choices = replace(
        draw_choices(setting),
        network="residential proxies",
        mail="disposable",
        accounts_per_card=int(draw.choice([1, 2, 3])),
        stagger=0.08 * setting.days,
        evenness=0.3,
        hours="flat" if draw.random() < 0.5 else "staff",
        rate=26.0,
    )
    cohort = pool(size, choices, setting)
    cohort.streams["mixture"] = MIXTURES["general"]
    inject(cohort.streams, setting)
    _stretch(cohort, setting)
    _ban(cohort, setting, at=0.45 * setting.days, delay=1.0, share=0.4)
    return cohort


def february_shared_payment(size: int, setting: Setting) -> Cohort:
    """Synchronised accounts with shared payment harvest reasoning, rubric grades and rewrites."""
    draw = setting.draw
    choices = replace(
        draw_choices(setting), accounts_per_card=12, one_client=1.0, one_parameters=1.0, evenness=0.08,
        rhythm_depth=1.2, stagger=0.02 * setting.days, rate=40.0,
    )  # fmt: skip
    cohort = pool(size, choices, setting)
    streams = cohort.streams
    task = draw.choice(3, size=size, p=[0.5, 0.35, 0.15])
    streams["mixture"] = np.array([MIXTURES["reasoning"], MIXTURES["pair"], MIXTURES["science"]])[task]
    wordings = ("scaffold.reasoning.before", "scaffold.rubric", "scaffold.censor")
    streams["before"] = np.array([symbol(name) for name in wordings])[task]
    _stretch(cohort, setting)
    return cohort


def february_access_paths(size: int, setting: Setting) -> Cohort:
    """Several access paths and account types: agentic work, tools and data analysis through hundreds of accounts."""
    draw = setting.draw
    parts = np.array_split(np.arange(size), 3)
    choices = replace(draw_choices(setting), network="mixed", rate=60.0)
    cohort = pool(size, choices, setting)
    streams = cohort.streams
    streams["mixture"] = MIXTURES["agentic"]
    for number, part in enumerate(parts):
        streams["endpoint"][part] = number
        streams["agent"][part] = streams["other_agent"][part[0]] if len(part) else 0
        streams["zone"][part] = (choices.zone + 3 * number + 11) % 23 - 11
    streams["before"] = symbol("scaffold.agent")
    streams["tools"] = streams["scaffold_key"]
    streams["scaffold_variants"] = 3
    late = draw.random(size) < 0.4
    streams["mixture"] = np.where(late, MIXTURES["analysis"], streams["mixture"])
    streams["after"] = np.where(late, symbol("scaffold.reasoning.after"), -1)
    _stretch(cohort, setting)
    return cohort


def february_pivot(size: int, setting: Setting) -> Cohort:
    """Agentic coding; within 24 hours of a release nearly half of the traffic goes to the new model."""
    draw = setting.draw
    cohort = pool(size, replace(draw_choices(setting), rate=60.0), setting)
    streams = cohort.streams
    streams["mixture"] = MIXTURES["agentic"]
    streams["before"] = symbol("scaffold.agent")
    _stretch(cohort, setting)
    streams["switch"] = setting.release + 0.2 + 0.5 * draw.random(size)
    streams["next_model"] = PIVOT_MODEL
    streams["next_share"] = 0.48
    return cohort


def _span_release(cohort: Cohort, choices: Choices, setting: Setting) -> None:
    """Lay the windows of use about the release."""
    draw, streams, size = setting.draw, cohort.streams, len(cohort.streams)
    used = np.clip(streams["exchanges"] / choices.rate, 3.0, setting.days * 0.8)
    begin = setting.release - used * draw.uniform(0.35, 0.65, size)
    streams["start"] = np.clip(begin, 0.0, setting.days - used)
    streams["end"] = streams["start"] + used
    cohort.accounts["created"] = np.minimum(cohort.accounts["created"], streams["start"] - 0.02)


def _stretch(cohort: Cohort, setting: Setting) -> None:
    """Use the accounts over most of the world's days."""
    draw, size = setting.draw, len(cohort.streams)
    cohort.streams["start"] = 0.1 * setting.days * draw.random(size)
    cohort.streams["end"] = setting.days * (1.0 - 0.1 * draw.random(size))
    cohort.accounts["created"] = np.minimum(cohort.accounts["created"], cohort.streams["start"] - 0.02)


def _ban(cohort: Cohort, setting: Setting, *, at: float, delay: float, share: float) -> None:
    """Close the first part of the pool about a day and start the other part after it, registered for the purpose."""
    draw, accounts, streams = setting.draw, cohort.accounts, cohort.streams
    size = len(accounts)
    first = np.arange(size) < max(round(share * size), 1)
    closed = at + 0.4 * draw.random(size)
    length = np.maximum(streams["end"] - streams["start"], 2.0)
    fresh = np.minimum(at + delay + 1.2 * draw.random(size), setting.days - 2.0)
    streams["start"] = np.where(first, np.maximum(closed - length, 0.05 * at * draw.random(size)), fresh)
    streams["end"] = np.where(first, closed, np.minimum(fresh + length, setting.days))
    accounts["closed"] = np.where(first, closed, np.inf)
    registered = np.where(
        draw.random(size) < 0.3, fresh - draw.exponential(90.0, size), fresh - 1.5 * draw.random(size)
    )
    accounts["created"] = np.where(first, np.minimum(accounts["created"], streams["start"] - 0.02), registered)
