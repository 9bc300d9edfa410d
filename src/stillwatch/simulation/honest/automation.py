"""Honest automation: benchmark runs, labelling, judge suites, continuous integration, localisation, nightly batches, coding agents."""

from __future__ import annotations

import numpy as np

from stillwatch.simulation.behaviour import Setting, coding_agents, organizations, scripted, symbol, volume
from stillwatch.simulation.calendar import HOURS
from stillwatch.simulation.exchanges import ENDPOINTS
from stillwatch.simulation.honest.products import grouped
from stillwatch.simulation.identity import AddressKind
from stillwatch.simulation.population import Cohort, Hold, Items, draw_keys, new_accounts, new_streams
from stillwatch.simulation.text.mixtures import MIXTURES

_SUITES = ("maths", "code", "science", "reasoning", "agent", "general")


def _programs(count: int, setting: Setting, median: float, spread: float) -> Cohort:
    draw = setting.draw
    accounts = new_accounts(count, setting.days, draw)
    organizations(accounts, draw)
    streams = new_streams(accounts, np.arange(count), setting.days, draw)
    scripted(streams, setting)
    volume(streams, median, spread, setting)
    streams["system_key"] = draw_keys(count, draw)
    streams["scaffold_key"] = draw_keys(count, draw)
    return Cohort(accounts=accounts, streams=streams)


def benchmark_harness(count: int, setting: Setting) -> Cohort:
    """Unrelated researchers who run the same public suites with the same harness: same items in the same order.

    Each has their own machines, card, days and model; most run a prefix of the suite, some several times.
    """
    draw = setting.draw
    cohort = _programs(count, setting, 85.0, 0.9)
    streams = cohort.streams
    suites = len(_SUITES)
    suite = draw.integers(0, suites, count)
    # The suites are public: the key does not depend on the seed of the class.
    streams["pool"] = (np.uint64(7_000) + np.arange(suites, dtype=np.uint64))[suite]
    streams["pool_size"] = np.array([1_300, 164, 570, 450, 300, 805])[suite]
    streams["items"] = Items.SEQUENCE
    streams["paste_share"] = 0.0
    streams["mixture"] = np.array([MIXTURES[name] for name in _SUITES])[suite]
    # Harness wording is public too: three harnesses, with or without the request for steps.
    harness = draw.integers(0, 3, count)
    streams["scaffold_key"] = (np.uint64(9_000) + np.arange(3, dtype=np.uint64))[harness]
    streams["before"] = np.where(draw.random(count) < 0.9, symbol("scaffold.benchmark"), -1)
    streams["after"] = np.where(draw.random(count) < 0.4, symbol("scaffold.reasoning.after"), -1)
    streams["temperature"] = np.where(draw.random(count) < 0.6, 0.0, streams["temperature"])
    length = 0.4 + 3.0 * draw.random(count)
    start = draw.random(count) * np.maximum(setting.days - length, 0.0)
    streams["start"] = np.maximum(start, streams["start"])
    streams["end"] = np.minimum(streams["start"] + length, setting.days)
    cohort.accounts["created"] = np.minimum(cohort.accounts["created"], streams["start"])
    return cohort


def batch_labeller(count: int, setting: Setting) -> Cohort:
    """Labelling and extraction shops: one short template, own documents, hundreds of thousands of times."""
    draw = setting.draw
    cohort = _programs(count, setting, 80.0, 0.9)
    streams = cohort.streams
    streams["before"] = symbol("scaffold.extract")
    streams["mixture"] = np.array([MIXTURES["label"], MIXTURES["support"], MIXTURES["product"]])[
        draw.integers(0, 3, count)
    ]
    streams["system"] = np.where(draw.random(count) < 0.3, symbol("system.app"), -1)
    streams["temperature"] = np.where(draw.random(count) < 0.5, 0.0, streams["temperature"])
    return cohort


def judge_suite(count: int, setting: Setting) -> Cohort:
    """Regression suites with a model as judge: the same answers to the same items are graded again at each run."""
    draw = setting.draw
    cohort = _programs(count, setting, 90.0, 0.8)
    streams = cohort.streams
    streams["items"] = Items.DAILY
    streams["paste_share"] = 0.0
    streams["pool_size"] = draw.integers(8, 60, count)
    streams["mixture"] = MIXTURES["pair"]
    inline = draw.random(count) < 0.6
    streams["before"] = np.where(inline, symbol("scaffold.rubric"), -1)
    streams["system"] = np.where(inline, -1, symbol("system.judge"))
    streams["hours"] = HOURS["nightly"]
    streams["minute"] = np.where(draw.random(count) < 0.7, draw.choice([0, 15, 30], size=count), -1)
    streams["address_kind"] = AddressKind.CLOUD
    streams["noise"] = 0.2
    streams["rest"] = np.where(draw.random(count) < 0.7, 0.0, 0.5)
    return cohort


def ci_fleet(count: int, setting: Setting) -> Cohort:
    """Runners of firms: many keys of one organisation, one review template, from rented machines, at every push."""
    draw = setting.draw
    cohort = _programs(count, setting, 45.0, 0.7)
    accounts, streams = cohort.accounts, cohort.streams
    firm = grouped(count, 14.0, 5, draw)
    firms = int(firm.max()) + 1
    accounts["organization"] = draw_keys(firms, draw)[firm]
    accounts["payment"] = draw_keys(firms, draw)[firm]
    accounts["email"] = (1_000 + draw.integers(0, 1 << 24, firms))[firm]
    lead = np.searchsorted(firm, np.arange(firms))
    for name in ("temperature", "top_p", "max_tokens", "agent", "endpoint", "model", "zone", "parameter_spread"):
        values = streams[name].copy()
        streams[name] = values[lead][firm]
    streams["scaffold_key"] = draw_keys(firms, draw)[firm]
    streams["before"] = symbol("scaffold.review")
    streams["mixture"] = MIXTURES["diff"]
    streams["address_kind"] = AddressKind.CLOUD
    streams["address_key"] = draw_keys(firms, draw)[firm]
    streams["address_pool"] = 24
    streams["address_hold"] = Hold.SESSION
    streams["hours"] = np.where(draw.random(firms) < 0.8, HOURS["developer"], HOURS["flat"])[firm]
    streams["rhythm"] = draw_keys(firms, draw)[firm]
    streams["rhythm_depth"] = 0.6
    streams["tools"] = np.where((draw.random(firms) < 0.3)[firm], draw_keys(firms, draw)[firm], 0)
    return cohort


def localisation_firm(count: int, setting: Setting) -> Cohort:
    """Localisation firms: a few accounts each, one glossary template, strings of their clients, in weekday hours."""
    draw = setting.draw
    cohort = _programs(count, setting, 95.0, 0.8)
    accounts, streams = cohort.accounts, cohort.streams
    firm = grouped(count, 7.0, 3, draw)
    firms = int(firm.max()) + 1
    accounts["organization"] = draw_keys(firms, draw)[firm]
    accounts["payment"] = draw_keys(firms, draw)[firm]
    streams["scaffold_key"] = draw_keys(firms, draw)[firm]
    streams["system_key"] = draw_keys(firms, draw)[firm]
    inline = (draw.random(firms) < 0.6)[firm]
    streams["before"] = np.where(inline, symbol("scaffold.translate"), -1)
    streams["system"] = np.where(inline, -1, symbol("system.translate"))
    streams["mixture"] = np.where(draw.random(count) < 0.7, MIXTURES["string"], MIXTURES["product"])
    streams["address_kind"] = AddressKind.OFFICE
    streams["address_key"] = draw_keys(firms, draw)[firm]
    streams["hours"] = HOURS["office"]
    return cohort


def nightly_batch(count: int, setting: Setting) -> Cohort:
    """Batch jobs after midnight: summaries of the day's records, started by a timer at the full hour."""
    draw = setting.draw
    cohort = _programs(count, setting, 85.0, 1.0)
    streams = cohort.streams
    streams["hours"] = np.where(draw.random(count) < 0.7, HOURS["nightly"], HOURS["morning"])
    streams["minute"] = draw.choice([0, 0, 5, 10, 30], size=count)
    streams["endpoint"] = np.where(draw.random(count) < 0.7, ENDPOINTS.index("batch"), streams["endpoint"])
    streams["before"] = symbol("scaffold.extract")
    streams["mixture"] = np.array([MIXTURES["label"], MIXTURES["selection"]])[draw.integers(0, 2, count)]
    streams["streaming"] = False
    return cohort


def coding_agent(count: int, setting: Setting) -> Cohort:
    """Users of coding agents: one giant system prompt, the same for everybody, tools, long sessions, own code."""
    draw = setting.draw
    cohort = _programs(count, setting, 62.0, 0.8)
    streams = cohort.streams
    product = draw.choice(4, size=count, p=[0.45, 0.3, 0.15, 0.1])
    streams["agent"] = coding_agents(4, draw)[product]
    streams["other_agent"] = coding_agents(count, draw)
    streams["other_agent_share"] = 0.4
    streams["system"] = symbol("system.giant")
    # Agents are public products: their prompt does not depend on the seed of the class.
    streams["system_key"] = (np.uint64(5_000) + np.arange(4, dtype=np.uint64))[product]
    streams["tools"] = (np.uint64(6_000) + np.arange(4, dtype=np.uint64))[product]
    streams["talks"] = True
    streams["session_ids"] = True
    streams["depth"] = 0.0
    streams["session"] = 6.0 + draw.gamma(2.0, 4.0, count)
    streams["gap_mean"] = 2.6 + 0.8 * draw.random(count)
    streams["gap_spread"] = 1.0
    streams["hours"] = np.where(draw.random(count) < 0.75, HOURS["developer"], HOURS["owl"])
    home = draw.random(count) < 0.75
    streams["address_kind"] = np.where(home, AddressKind.HOME, AddressKind.OFFICE)
    streams["temperature"] = np.array([1.0, 0.0, np.nan, 0.2])[product]
    streams["max_tokens"] = np.array([32_000, 8_192, 16_000, 4_096])[product]
    streams["streaming"] = True
    streams["parameter_spread"] = 0.0
    streams["mixture"] = MIXTURES["coding agent"]
    return cohort
