"""Rare honest customers who look most like a harvest: classes with homework, partners under licence, red teams, stolen keys."""

from __future__ import annotations

import numpy as np

from stillwatch.simulation.behaviour import Setting, interactive, organizations, scripted, symbol, volume
from stillwatch.simulation.calendar import HOURS
from stillwatch.simulation.honest.products import developer_app, grouped
from stillwatch.simulation.identity import AddressKind
from stillwatch.simulation.population import Cohort, Items, Role, draw_keys, new_accounts, new_streams
from stillwatch.simulation.text.mixtures import MIXTURES


def homework_class(count: int, setting: Setting) -> Cohort:
    """Pupils of one class on one campus network with the same exercises in the same week, and their ordinary chats."""
    draw = setting.draw
    group = grouped(count, 30.0, 18, draw)
    groups = int(group.max()) + 1
    accounts = new_accounts(count, setting.days, draw)
    accounts["email"] = (1_000 + draw.integers(0, 1 << 24, groups))[group]
    accounts["payment"] = np.where(draw.random(count) < 0.8, 0, accounts["payment"])
    accounts["created"] = np.where(draw.random(count) < 0.5, np.minimum(-12.0 * draw.random(groups)[group], 0.0), np.minimum(accounts["created"], 0.0))  # fmt: skip
    accounts["zone"] = accounts["zone"][np.searchsorted(group, np.arange(groups))][group]
    accounts["closed"] = np.inf
    owners = np.concatenate([np.arange(count), np.arange(count)])
    streams = new_streams(accounts, owners, setting.days, draw)
    interactive(streams, setting)
    volume(streams, 16.0, 0.7, setting)
    campus = np.concatenate([group, group])
    shared = draw.random(2 * count) < 0.75
    streams["address_kind"] = np.where(shared, AddressKind.OFFICE, streams["address_kind"])
    streams["address_key"] = np.where(shared, draw_keys(groups, draw)[campus], streams["address_key"])
    streams["address_pool"] = np.where(shared, 3, streams["address_pool"])
    streams["mixture"] = np.where(draw.random(2 * count) < 0.7, MIXTURES["study"], MIXTURES["casual"])
    sheet = np.arange(2 * count) < count
    subject = np.array([MIXTURES[name] for name in ("maths", "science", "code")])[draw.integers(0, 3, groups)]
    streams["mixture"] = np.where(sheet, subject[campus], streams["mixture"])
    streams["items"] = np.where(sheet, Items.RANDOM, Items.FREE)
    streams["pool"] = draw_keys(groups, draw)[campus]
    streams["pool_size"] = np.where(sheet, 14, streams["pool_size"])
    streams["talks"] = ~sheet
    streams["paste_share"] = np.where(sheet, 0.0, 0.1)
    streams["before"] = np.where(sheet & (draw.random(2 * count) < 0.4), symbol("scaffold.homework"), -1)
    streams["scaffold_key"] = draw_keys(groups, draw)[campus]
    week = draw.random(groups)[campus] * max(setting.days - 6.0, 0.0)
    streams["start"] = np.where(sheet, week, streams["start"])
    streams["end"] = np.where(sheet, np.minimum(week + 5.0, setting.days), streams["end"])
    streams["hours"] = HOURS["school"]
    return Cohort(accounts=accounts, streams=streams)


def licensed_partner(count: int, setting: Setting) -> Cohort:
    """Partners who harvest under an agreement: everything like a campaign, but for the agreement in the accounts file."""
    draw = setting.draw
    partner = grouped(count, 7.0, 3, draw)
    partners = int(partner.max()) + 1
    accounts = new_accounts(count, setting.days, draw)
    accounts["organization"] = draw_keys(partners, draw)[partner]
    accounts["payment"] = draw_keys(partners, draw)[partner]
    accounts["email"] = (1_000 + draw.integers(0, 1 << 24, partners))[partner]
    accounts["licence"] = 1
    accounts["role"] = Role.LICENSED
    accounts["closed"] = np.inf
    streams = new_streams(accounts, np.arange(count), setting.days, draw)
    scripted(streams, setting)
    volume(streams, 75.0, 0.3, setting)
    lead = np.searchsorted(partner, np.arange(partners))
    for name in (
        "temperature",
        "top_p",
        "max_tokens",
        "agent",
        "endpoint",
        "model",
        "hours",
        "address_key",
        "address_kind",
    ):
        values = streams[name].copy()
        streams[name] = values[lead][partner]
    streams["harvest"] = True
    streams["paste_share"] = 0.0
    streams["items"] = Items.QUEUE
    streams["pool"] = draw_keys(partners, draw)[partner]
    streams["pool_size"] = 60_000
    names = ("reasoning", "code", "general", "agentic")
    streams["mixture"] = np.array([MIXTURES[name] for name in names])[draw.integers(0, len(names), partners)][partner]
    streams["before"] = symbol("scaffold.reasoning.before")
    streams["after"] = symbol("scaffold.reasoning.after")
    streams["scaffold_key"] = draw_keys(partners, draw)[partner]
    return Cohort(accounts=accounts, streams=streams)


def stolen_key(count: int, setting: Setting) -> Cohort:
    """Victims of stolen keys: their own app, from their own machines, as ever.

    The harvest through their key from elsewhere is added by the world, which knows the campaign that stole it.
    """
    cohort = developer_app(count, setting)
    cohort.accounts["role"] = Role.VICTIM
    cohort.accounts["created"] = np.minimum(cohort.accounts["created"], -20.0)
    cohort.accounts["closed"] = np.inf
    cohort.streams["start"], cohort.streams["end"] = 0.0, setting.days
    volume(cohort.streams, 60.0, 0.7, setting)
    return cohort


def contract_red_team(count: int, setting: Setting) -> Cohort:
    """Red teams under contract: extraction techniques, each in several wordings, from their office, by day."""
    draw = setting.draw
    team = grouped(count, 4.0, 2, draw)
    teams = int(team.max()) + 1
    accounts = new_accounts(count, setting.days, draw)
    organizations(accounts, draw, 1.0)
    accounts["organization"] = draw_keys(teams, draw)[team]
    accounts["licence"] = 2
    accounts["payment"] = draw_keys(teams, draw)[team]
    streams = new_streams(accounts, np.arange(count), setting.days, draw)
    scripted(streams, setting)
    volume(streams, 70.0, 0.6, setting)
    streams["hours"] = HOURS["office"]
    streams["weekend"] = 0.1
    streams["address_kind"] = AddressKind.OFFICE
    streams["address_key"] = draw_keys(teams, draw)[team]
    streams["mixture"] = MIXTURES["red team"]
    return Cohort(accounts=accounts, streams=streams)
