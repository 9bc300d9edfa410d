"""Operator: the choices that any operator of a pool makes, drawn per campaign.

Takes a pool size and a setting. Gives accounts and streams whose registration, network, client, parameters, hours and volumes
follow the choices. Nothing is fixed: what one campaign shares another one hides.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stillwatch.simulation.behaviour import Setting, browser_agents, gateways, library_agents, model_choice, scripted
from stillwatch.simulation.calendar import HOURS
from stillwatch.simulation.identity import COMPANY, DISPOSABLE_MAIL, AddressKind
from stillwatch.simulation.population import Cohort, Hold, Items, Role, Rows, draw_keys, new_accounts, new_streams

_SMALLEST_HARVEST = 5.0
"""Exchanges of a pool, in means of the world's accounts."""
NETWORKS = ("shared machines", "own machines", "residential proxies", "vpn", "mixed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What one operator decided."""

    network: str
    """One of `NETWORKS`."""
    accounts_per_card: int
    """1: a card for each account."""
    mail: str
    """disposable, free, domain or mixed."""
    one_client: float
    """Share of accounts that use the operator's own client string."""
    one_parameters: float
    """Share of accounts with the same sampling parameters."""
    hours: str
    zone: int
    rhythm_depth: float
    """How strongly the shared scheduler modulates hours and days; 0 for none."""
    rate: float
    """Exchanges per account and active day."""
    volume: float
    """Exchanges per account, in means of the world."""
    evenness: float
    """Log spread of volumes in the pool: a work queue gives small ones."""
    bought: float
    """Share of accounts bought with an older registration date."""
    rest: float
    """Share of days on which an account is left alone."""
    session_ids: bool
    depth: float
    """Share of a further turn in the history sent along."""
    documents: float
    """Share of tasks that come with material to read."""
    stagger: float
    """Days over which the accounts come into use."""


def draw_choices(setting: Setting) -> Choices:
    """Draw an operator's choices."""
    draw = setting.draw
    return Choices(
        network=str(draw.choice(NETWORKS, p=[0.24, 0.24, 0.3, 0.1, 0.12])),
        accounts_per_card=int(draw.choice([1, 1, 1, 2, 4, 12, 1_000])),
        mail=str(draw.choice(["disposable", "free", "free", "domain", "mixed", "mixed"])),
        one_client=float(draw.choice([1.0, 1.0, 0.7, 0.4])),
        one_parameters=float(draw.choice([1.0, 1.0, 1.0, 0.8])),
        hours=str(draw.choice(["flat", "flat", "staff", "staff", "developer", "night", "day"])),
        zone=int(draw.choice([-8, -5, 0, 1, 2, 3, 5, 7, 8, 8, 9])),
        rhythm_depth=float(draw.choice([0.25, 0.5, 0.8, 1.2])),
        rate=float(draw.uniform(7.0, 26.0)),
        volume=float(draw.uniform(0.5, 1.35)),
        evenness=float(draw.choice([0.08, 0.15, 0.3, 0.6])),
        bought=float(draw.choice([0.1, 0.35, 0.7])),
        rest=float(draw.choice([0.0, 0.0, 0.3, 0.5])),
        session_ids=bool(draw.random() < 0.45),
        depth=float(draw.choice([0.0, 0.0, 0.0, 0.3, 0.6])),
        documents=float(draw.uniform(0.08, 0.5)) if draw.random() < 0.65 else 0.0,
        stagger=float(draw.uniform(0.0, 0.35)) * setting.days,
    )


def pool(size: int, choices: Choices, setting: Setting) -> Cohort:
    """Accounts and harvesting streams of one pool."""
    draw = setting.draw
    accounts = _register(size, choices, setting)
    streams = new_streams(accounts, np.arange(size), setting.days, draw)
    scripted(streams, setting)
    _time(accounts, streams, choices, setting)
    _connect(streams, choices, draw)
    _configure(streams, choices, setting)
    streams["harvest"] = True
    streams["fixed"] = True
    streams["items"] = Items.QUEUE
    streams["pool"] = draw_keys(1, draw)[0]
    streams["pool_size"] = int(draw.integers(20_000, 400_000))
    streams["scaffold_key"] = draw_keys(1, draw)[0]
    return Cohort(accounts=accounts, streams=streams)


def _register(size: int, choices: Choices, setting: Setting) -> Rows:
    """Registrations: cards shared or not, mail domains, ages."""
    draw = setting.draw
    accounts = new_accounts(size, setting.days, draw)
    if choices.accounts_per_card > 1:
        cards = draw_keys(size // choices.accounts_per_card + 1, draw)
        accounts["payment"] = cards[np.arange(size) // choices.accounts_per_card]
    replaced = draw.random(size) < (1.0 if choices.mail != "mixed" else 0.5)
    if choices.mail == "domain":
        accounts["email"] = COMPANY + int(draw.integers(0, 1 << 24))
    elif choices.mail in ("disposable", "mixed"):
        disposable = 100 + draw.integers(0, len(DISPOSABLE_MAIL), size)
        accounts["email"] = np.where(replaced & (draw.random(size) < 0.6), disposable, accounts["email"])
    # An organisation for each account, one for all, or none.
    form = draw.choice(["own", "one", "none"], p=[0.35, 0.1, 0.55])
    if form != "none":
        accounts["organization"] = draw_keys(size if form == "own" else 1, draw)
    accounts["role"] = Role.OPERATOR
    return accounts


def _time(accounts: Rows, streams: Rows, choices: Choices, setting: Setting) -> None:
    """Volumes, windows of use and ages; an account is used for as many days as its volume takes at the rate."""
    draw, size, days = setting.draw, len(streams), setting.days
    spread = np.exp(choices.evenness * draw.standard_normal(size).clip(-2.0, 2.0))
    # A smaller pool uses each account more.
    level = max(choices.volume, _SMALLEST_HARVEST / size)
    streams["exchanges"] = np.maximum(level * setting.mean_volume * spread, 4.0)
    used = np.clip(streams["exchanges"] / choices.rate / (1.0 - choices.rest), 1.5, days)
    # Some harvests are over, some still go on when the log ends.
    place = 1.0 if draw.random() < 0.3 else draw.random() ** 0.7
    begin = place * np.maximum(days - used.max() - choices.stagger, 0.0)
    streams["start"] = np.clip(begin + choices.stagger * draw.random(size), 0.0, days - used)
    streams["end"] = streams["start"] + used
    age = np.where(draw.random(size) < choices.bought, draw.exponential(240.0, size), draw.exponential(9.0, size))
    accounts["created"] = streams["start"] - 0.02 - age
    accounts["closed"] = np.inf
    streams["hours"] = HOURS[choices.hours]
    streams["zone"] = choices.zone
    streams["rhythm"] = draw_keys(1, draw)[0]
    streams["rhythm_depth"] = choices.rhythm_depth
    streams["noise"] = 0.15
    streams["rest"] = choices.rest
    streams["session_ids"] = choices.session_ids
    streams["depth"] = choices.depth
    streams["paste_share"] = choices.documents
    streams["weekend"] = 1.0 if choices.hours == "flat" else float(draw.choice([0.2, 0.6, 1.0]))


def _connect(streams: Rows, choices: Choices, draw: np.random.Generator) -> None:
    """Networks: a few shared machines, a machine each, residential exits that honest homes use too, or VPN gateways."""
    size = len(streams)
    kinds = {
        "shared machines": AddressKind.CLOUD, "own machines": AddressKind.CLOUD,
        "residential proxies": AddressKind.HOME, "vpn": AddressKind.VPN,
    }  # fmt: skip
    network = np.full(size, choices.network)
    if choices.network == "mixed":
        network = draw.choice(NETWORKS[:4], size=size)
    streams["address_kind"] = [kinds[str(name)] for name in network]
    shared = network == "shared machines"
    proxied = network == "residential proxies"
    streams["address_key"] = np.where(shared, draw_keys(1, draw)[0], draw_keys(size, draw))
    streams["address_pool"] = np.select(
        [shared, proxied], [int(draw.integers(2, 9)), 1 + draw.geometric(0.08, size)], 1
    )
    streams["address_hold"] = np.where(proxied, draw.choice([Hold.DAY, Hold.SESSION, Hold.EXCHANGE]), Hold.DAY)
    gateways(streams, draw)


def _configure(streams: Rows, choices: Choices, setting: Setting) -> None:
    """Client, parameters and model: shared by all or most of the pool."""
    draw, size = setting.draw, len(streams)
    same_client = draw.random(size) < choices.one_client
    agent = browser_agents(1, draw)[0] if draw.random() < 0.15 else library_agents(1, draw)[0]
    streams["agent"] = np.where(same_client, agent, streams["agent"])
    streams["other_agent_share"] = np.where(same_client, 0.0, streams["other_agent_share"])
    same = draw.random(size) < choices.one_parameters
    for name in ("temperature", "top_p", "max_tokens", "streaming", "endpoint"):
        streams[name] = np.where(same, streams[name][0], streams[name])
    streams["parameter_spread"] = np.where(same, 0.0, streams["parameter_spread"])
    model_choice(streams, setting)
    if draw.random() < 0.8:
        for name in ("model", "next_model", "next_share"):
            streams[name] = streams[name][0]
        streams["switch"] = np.where(
            np.isfinite(streams["switch"][0]), setting.release + draw.exponential(3.0, size), np.inf
        )
    burst = draw.random() < 0.5
    streams["session"] = 2.0 + 6.0 * draw.random() if burst else 1.0
    streams["gap_mean"] = 1.5 + 3.0 * draw.random()
    streams["gap_spread"] = 0.3 + 0.7 * draw.random()
