"""Behaviour: the ordinary ways in which people and programs use an API.

Takes streams. Sets their hours, clients, networks, parameters and models as honest customers have them: the classes and
campaigns start from here and say only what is special about them. Operators are drawn from the same distributions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stillwatch.simulation.calendar import HOURS, PIVOT_MODEL, Model
from stillwatch.simulation.identity import AGENT_NUMBER, AGENTS, BROWSERS, CODING_AGENTS, LIBRARIES, AddressKind
from stillwatch.simulation.population import Hold, Rows, draw_keys
from stillwatch.simulation.randomness import Integers, Reals
from stillwatch.simulation.text.grammar import load

_BROWSER_WEIGHT = np.array([30, 16, 18, 17, 6, 7, 2, 4.0])
_LIBRARY_WEIGHT = np.array([13, 11, 6, 10, 5, 7, 4, 9, 6, 4, 6, 4, 2, 3, 4, 2, 2, 2.0])
TEMPERATURES = np.array([np.nan, 0.0, 0.2, 0.3, 0.5, 0.6, 0.7, 0.8, 1.0])
_TEMPERATURE_WEIGHT = np.array([30, 18, 9, 5, 4, 4, 14, 3, 13.0])
_TOP_P = np.array([np.nan, 0.9, 0.95, 1.0])
_TOP_P_WEIGHT = np.array([74, 6, 13, 7.0])
_MAX_TOKENS = np.array([0, 256, 512, 1000, 1024, 2000, 2048, 4000, 4096, 8192, 16_000, 32_000])
_MAX_TOKENS_WEIGHT = np.array([30, 3, 5, 6, 10, 4, 9, 5, 14, 8, 4, 2.0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What every class and campaign is planted into."""

    days: int
    draw: np.random.Generator
    models: tuple[Model, ...]
    mean_volume: float
    """Exchanges per account of the whole world, about which account volumes are arranged."""

    @property
    def release(self) -> float:
        """Day of the release that customers rush and campaigns pivot to."""
        return self.models[PIVOT_MODEL].released


def pick(options: NDArray[np.float64] | Integers, weights: Reals, count: int, draw: np.random.Generator) -> Reals:
    """Draw `count` options with weights."""
    return np.asarray(draw.choice(options, size=count, p=weights / weights.sum()), dtype=np.float64)


def pick_profile(names: tuple[str, ...], count: int, draw: np.random.Generator) -> Integers:
    """Draw hour profiles by name, equally likely."""
    return np.array([HOURS[name] for name in names])[draw.integers(0, len(names), count)]


def symbol(name: str) -> int:
    """Number of a symbol of the grammar."""
    return load().number(name)


def volume(streams: Rows, median: float, spread: float, setting: Setting) -> None:
    """Log-normal volumes; `median` counts exchanges per account in a world of 50 per account."""
    draw = setting.draw
    scale = setting.mean_volume / 50.0
    streams["exchanges"] = median * scale * np.exp(spread * draw.standard_normal(len(streams)).clip(-2.5, 2.5))


def library_agents(count: int, draw: np.random.Generator) -> Integers:
    """User agents of programs."""
    chosen = draw.choice(len(LIBRARIES), size=count, p=_LIBRARY_WEIGHT / _LIBRARY_WEIGHT.sum())
    return np.asarray(chosen + len(BROWSERS), dtype=np.int64)


def browser_agents(count: int, draw: np.random.Generator) -> Integers:
    """User agents of people."""
    chosen = draw.choice(len(BROWSERS), size=count, p=_BROWSER_WEIGHT / _BROWSER_WEIGHT.sum())
    return np.asarray(chosen, dtype=np.int64)


def coding_agents(count: int, draw: np.random.Generator) -> Integers:
    """User agents of coding agents."""
    return draw.integers(AGENT_NUMBER[CODING_AGENTS[0]], len(AGENTS), count)


def parameters(streams: Rows, draw: np.random.Generator) -> None:
    """Sampling parameters and stream flag as programs set them."""
    count = len(streams)
    streams["temperature"] = pick(TEMPERATURES, _TEMPERATURE_WEIGHT, count, draw)
    streams["top_p"] = pick(_TOP_P, _TOP_P_WEIGHT, count, draw)
    streams["max_tokens"] = pick(_MAX_TOKENS, _MAX_TOKENS_WEIGHT, count, draw).astype(np.int64)
    streams["streaming"] = draw.random(count) < 0.45
    streams["parameter_spread"] = np.where(draw.random(count) < 0.3, 0.15, 0.0)
    streams["endpoint"] = draw.choice(4, size=count, p=[0.48, 0.27, 0.19, 0.06])


def model_choice(streams: Rows, setting: Setting) -> None:
    """Model in use and, for some, the move to the release: at once, within days, or in part only."""
    draw, count = setting.draw, len(streams)
    streams["model"] = draw.choice(4, size=count, p=[0.14, 0.17, 0.44, 0.25])
    moves = draw.random(count) < 0.45
    streams["switch"] = np.where(moves, setting.release + draw.exponential(4.0, count), np.inf)
    streams["next_model"] = np.where(draw.random(count) < 0.85, PIVOT_MODEL, PIVOT_MODEL + 1)
    late = streams["next_model"] > PIVOT_MODEL
    streams["switch"][late] = np.maximum(streams["switch"][late], setting.models[PIVOT_MODEL + 1].released)
    streams["next_share"] = 0.25 + 0.75 * draw.random(count)


def interactive(streams: Rows, setting: Setting) -> None:
    """People who type: sessions with follow-ups from homes, phones and offices."""
    draw, count = setting.draw, len(streams)
    streams["hours"] = pick_profile(("evening", "evening", "office", "owl", "day", "developer"), count, draw)
    streams["weekend"] = 0.4 + 0.9 * draw.random(count)
    streams["noise"] = 0.8
    streams["rest"] = 0.25 + 0.65 * draw.random(count)
    lifetimes(streams, setting)
    streams["session_ids"] = draw.random(count) < 0.75
    streams["paste_share"] = np.where(draw.random(count) < 0.55, 0.0, 0.9 * draw.random(count))
    streams["session"] = 1.5 + draw.gamma(1.6, 1.7, count)
    streams["gap_mean"] = 4.38 + 0.3 * draw.standard_normal(count)
    streams["gap_spread"] = 0.98
    streams["talks"] = True
    kinds = [AddressKind.HOME, AddressKind.MOBILE, AddressKind.OFFICE, AddressKind.VPN]
    streams["address_kind"] = draw.choice(kinds, size=count, p=[0.6, 0.2, 0.12, 0.08])
    streams["address_pool"] = 1 + draw.geometric(0.4, count)
    streams["address_hold"] = Hold.DAY
    gateways(streams, draw)
    streams["agent"] = browser_agents(count, draw)
    streams["other_agent"] = browser_agents(count, draw)
    streams["other_agent_share"] = np.where(draw.random(count) < 0.35, 0.3, 0.0)
    streams["streaming"] = True
    streams["endpoint"] = draw.choice(3, size=count, p=[0.6, 0.3, 0.1])
    api = draw.random(count) < 0.22
    settings = streams[api]
    parameters(settings, draw)
    settings["streaming"] = True
    streams[api] = settings
    model_choice(streams, setting)


def scripted(streams: Rows, setting: Setting) -> None:
    """Programs: bursts or steady flow from data centres, offices and desks under a table."""
    draw, count = setting.draw, len(streams)
    streams["hours"] = pick_profile(("developer", "office", "day", "flat", "night", "day", "owl"), count, draw)
    streams["weekend"] = np.where(draw.random(count) < 0.5, 1.0, 0.15 + 0.6 * draw.random(count))
    streams["noise"] = 0.3 + 0.9 * draw.random(count)
    streams["rest"] = np.where(draw.random(count) < 0.35, 0.0, 0.2 + 0.7 * draw.random(count))
    lifetimes(streams, setting)
    streams["session_ids"] = draw.random(count) < 0.4
    streams["paste_share"] = np.where(draw.random(count) < 0.6, 0.0, draw.random(count))
    streams["depth"] = np.where(draw.random(count) < 0.35, 0.25 + 0.5 * draw.random(count), 0.0)
    bursts = draw.random(count) < 0.6
    streams["session"] = np.where(bursts, 2.0 + draw.gamma(1.2, 6.0, count), 1.0)
    streams["gap_mean"] = 1.2 + 2.6 * draw.random(count)
    streams["gap_spread"] = 0.4 + 0.8 * draw.random(count)
    kinds = [AddressKind.CLOUD, AddressKind.OFFICE, AddressKind.HOME, AddressKind.VPN, AddressKind.MOBILE]
    streams["address_kind"] = draw.choice(kinds, size=count, p=[0.5, 0.2, 0.19, 0.08, 0.03])
    streams["address_pool"] = np.where(draw.random(count) < 0.55, 1, draw.geometric(0.18, count))
    streams["address_hold"] = draw.choice(
        [Hold.ALWAYS, Hold.DAY, Hold.SESSION, Hold.EXCHANGE], size=count, p=[0.2, 0.4, 0.2, 0.2]
    )
    gateways(streams, draw)
    streams["agent"] = library_agents(count, draw)
    streams["other_agent"] = library_agents(count, draw)
    streams["other_agent_share"] = np.where(draw.random(count) < 0.25, 0.25, 0.0)
    parameters(streams, draw)
    model_choice(streams, setting)


def lifetimes(streams: Rows, setting: Setting, share: float = 0.7) -> None:
    """Trials and projects: many customers use an account for a part of the time only, most of them briefly."""
    draw, count = setting.draw, len(streams)
    room = streams["end"] - streams["start"]
    span = np.minimum(np.maximum(room * draw.random(count) ** 1.6, 1.0), room)
    brief = (draw.random(count) < share) & (room > 1.0)
    start = streams["start"] + draw.random(count) * (room - span)
    streams["start"] = np.where(brief, start, streams["start"])
    streams["end"] = np.where(brief, start + span, streams["end"])


def gateways(streams: Rows, draw: np.random.Generator) -> None:
    """Phones and VPN users leave through gateways that very many customers share."""
    shared = np.isin(streams["address_kind"], (AddressKind.MOBILE, AddressKind.VPN))
    count = int(shared.sum())
    streams["address_key"][shared] = 1_000 + draw.integers(0, 40, count)
    streams["address_pool"][shared] = 64


def organizations(accounts: Rows, draw: np.random.Generator, share: float = 0.5) -> None:
    """Give some accounts an organisation of their own."""
    own = draw.random(len(accounts)) < share
    accounts["organization"] = np.where(own, draw_keys(len(accounts), draw), accounts["organization"])
