"""Products built on the API: one system prompt or template, many end users behind one account or one template on many keys."""

from __future__ import annotations

import numpy as np

from stillwatch.simulation.behaviour import (
    Setting,
    interactive,
    library_agents,
    organizations,
    scripted,
    symbol,
    volume,
)
from stillwatch.simulation.calendar import HOURS
from stillwatch.simulation.identity import AddressKind
from stillwatch.simulation.population import Cohort, Hold, Place, draw_keys, new_accounts, new_streams
from stillwatch.simulation.randomness import Integers
from stillwatch.simulation.text.mixtures import MIXTURES


def grouped(count: int, mean: float, least: int, draw: np.random.Generator) -> Integers:
    """Group number per row: groups of skewed size about `mean`, at least `least`."""
    sizes: list[int] = []
    while sum(sizes) < count:
        sizes.append(max(least, round(mean * float(draw.gamma(1.5, 1.0)) / 1.5)))
    return np.repeat(np.arange(len(sizes)), sizes)[:count]


def developer_app(count: int, setting: Setting) -> Cohort:
    """Apps with one system prompt or template of their own; their end users write what they like."""
    draw = setting.draw
    accounts = new_accounts(count, setting.days, draw)
    organizations(accounts, draw)
    streams = new_streams(accounts, np.arange(count), setting.days, draw)
    scripted(streams, setting)
    volume(streams, 52.0, 0.95, setting)
    streams["system_key"] = draw_keys(count, draw)
    streams["system"] = np.where(draw.random(count) < 0.7, symbol("system.app"), -1)
    kinds = ("support", "casual", "selection", "label", "study", "office", "creative", "relay", "product", "reasoning")
    streams["mixture"] = np.array([MIXTURES[kind] for kind in kinds])[draw.integers(0, len(kinds), count)]
    template = draw.random(count) < 0.55
    wrappers = np.array([symbol(f"scaffold.{name}") for name in ("extract", "plugin", "extract", "tutor", "translate")])
    chosen = wrappers[draw.integers(0, len(wrappers), count)]
    streams["before"] = np.where(template, chosen, -1)
    streams["after"] = np.where(template & (draw.random(count) < 0.25), symbol("scaffold.reasoning.after"), -1)
    streams["scaffold_key"] = draw_keys(count, draw)
    streams["place"] = np.where(draw.random(count) < 0.8, Place.AROUND, Place.ANYWHERE)
    return Cohort(accounts=accounts, streams=streams)


def plugin_fleet(count: int, setting: Setting) -> Cohort:
    """A few plug-ins whose one template goes out under every customer's own key, with the customer's own text in it."""
    draw = setting.draw
    accounts = new_accounts(count, setting.days, draw)
    streams = new_streams(accounts, np.arange(count), setting.days, draw)
    interactive(streams, setting)
    volume(streams, 32.0, 0.85, setting)
    # One plug-in has most of the keys, the rest follow at a distance.
    plugins = 5
    plugin = draw.choice(plugins, size=count, p=np.array([0.55, 0.2, 0.12, 0.08, 0.05]))
    streams["scaffold_key"] = draw_keys(plugins, draw)[plugin]
    streams["before"] = symbol("scaffold.plugin")
    streams["mixture"] = MIXTURES["selection"]
    streams["session"] = 1.0
    streams["talks"] = False
    streams["agent"] = library_agents(plugins, draw)[plugin]
    streams["other_agent_share"] = 0.0
    for name in ("temperature", "top_p", "max_tokens", "endpoint", "model", "parameter_spread"):
        values = streams[name].copy()
        streams[name] = values[plugin]
    streams["switch"] = np.where(draw.random(plugins) < 0.5, setting.release + 3.0 * draw.random(plugins), np.inf)[
        plugin
    ]
    streams["next_share"] = 1.0
    return Cohort(accounts=accounts, streams=streams)


def enterprise_seat(count: int, setting: Setting) -> Cohort:
    """Staff of firms: one invoice, one mail domain, one gateway address, the same client roll-out, the same office hours."""
    draw = setting.draw
    firm = grouped(count, 45.0, 12, draw)
    firms = int(firm.max()) + 1
    accounts = new_accounts(count, setting.days, draw)
    accounts["organization"] = draw_keys(firms, draw)[firm]
    accounts["payment"] = draw_keys(firms, draw)[firm]
    accounts["email"] = (1_000 + draw.integers(0, 1 << 24, firms))[firm]
    rollout = -draw.exponential(150.0, firms)
    accounts["created"] = np.minimum(rollout[firm] + 3.0 * draw.random(count), setting.days * 0.6)
    accounts["zone"] = accounts["zone"][np.searchsorted(firm, np.arange(firms))][firm]
    streams = new_streams(accounts, np.arange(count), setting.days, draw)
    interactive(streams, setting)
    streams["hours"] = HOURS["office"]
    streams["weekend"] = 0.08
    streams["address_kind"] = AddressKind.OFFICE
    streams["address_key"] = draw_keys(firms, draw)[firm]
    streams["address_pool"] = (1 + draw.geometric(0.6, firms))[firm]
    streams["agent"] = draw.integers(0, 8, firms)[firm]
    streams["other_agent_share"] = 0.0
    assistant = (draw.random(firms) < 0.5)[firm]
    streams["system"] = np.where(assistant, symbol("system.app"), -1)
    streams["system_key"] = draw_keys(firms, draw)[firm]
    volume(streams, 30.0, 0.8, setting)
    streams["mixture"] = MIXTURES["office"]
    return Cohort(accounts=accounts, streams=streams)


def tutor_product(count: int, setting: Setting) -> Cohort:
    """Tutors that ask for worked solutions, step by step, all day, to pupils' exercises."""
    draw = setting.draw
    accounts = new_accounts(count, setting.days, draw)
    organizations(accounts, draw)
    streams = new_streams(accounts, np.arange(count), setting.days, draw)
    scripted(streams, setting)
    streams["hours"] = HOURS["school"]
    volume(streams, 80.0, 0.9, setting)
    names = ("maths", "study", "reasoning", "science")
    streams["mixture"] = np.array([MIXTURES[name] for name in names])[draw.integers(0, len(names), count)]
    streams["system"] = symbol("system.tutor")
    streams["system_key"] = draw_keys(count, draw)
    streams["before"] = symbol("scaffold.tutor")
    streams["after"] = np.where(draw.random(count) < 0.5, symbol("scaffold.reasoning.after"), -1)
    streams["scaffold_key"] = draw_keys(count, draw)
    return Cohort(accounts=accounts, streams=streams)


def agency_card(count: int, setting: Setting) -> Cohort:
    """Client accounts of agencies: one agency card pays for many firms that do different things from different places."""
    draw = setting.draw
    agency = grouped(count, 14.0, 5, draw)
    cohort = developer_app(count, setting)
    accounts, streams = cohort.accounts, cohort.streams
    accounts["payment"] = draw_keys(int(agency.max()) + 1, draw)[agency]
    accounts["organization"] = draw_keys(count, draw)
    volume(streams, 40.0, 1.0, setting)
    return cohort


def aggregator(count: int, setting: Setting) -> Cohort:
    """Routers and chat fronts under contract: everybody's ordinary traffic through one account, round the clock."""
    draw = setting.draw
    accounts = new_accounts(count, setting.days, draw)
    organizations(accounts, draw, 1.0)
    streams = new_streams(accounts, np.arange(count), setting.days, draw)
    scripted(streams, setting)
    streams["hours"] = HOURS["day"]
    streams["address_kind"] = AddressKind.CLOUD
    streams["address_pool"] = 4 + draw.integers(0, 20, count)
    streams["address_hold"] = Hold.EXCHANGE
    streams["parameter_spread"] = 0.7
    volume(streams, 200.0, 0.8, setting)
    streams["mixture"] = MIXTURES["relay"]
    return Cohort(accounts=accounts, streams=streams)


def support_bot(count: int, setting: Setting) -> Cohort:
    """Support desks: a long fixed system prompt, tools, and short questions of thousands of customers."""
    draw = setting.draw
    accounts = new_accounts(count, setting.days, draw)
    organizations(accounts, draw, 0.8)
    streams = new_streams(accounts, np.arange(count), setting.days, draw)
    scripted(streams, setting)
    streams["talks"] = True
    streams["session"] = 3.5
    streams["gap_mean"] = 3.9
    streams["system"] = symbol("system.app")
    streams["system_key"] = draw_keys(count, draw)
    streams["tools"] = draw_keys(count, draw)
    volume(streams, 75.0, 0.9, setting)
    streams["mixture"] = MIXTURES["support desk"]
    return Cohort(accounts=accounts, streams=streams)
