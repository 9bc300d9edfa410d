"""Presets: named worlds, their sizes, and how accounts are shared out among classes and campaigns.

Takes a preset's name and what the user overrides. Gives a plan: how many accounts each honest class and each campaign has.

`june-letter` is the incident of the letter of June 2026: 28.8 million exchanges over about 25,000 accounts in 45 days, in two
pools, the second after the first was banned. `february-letters` has the three campaigns published in February 2026.
Everywhere the accounts of campaigns are at most 1% of all, unless the world is too small for its campaigns; then a warning says so.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stillwatch.simulation.campaigns.registry import FAMILIES
from stillwatch.simulation.errors import SettingsError
from stillwatch.simulation.honest.registry import CLASSES
from stillwatch.simulation.randomness import Integers, Reals

CAMPAIGN_SHARE = 0.0099
"""Share of accounts that campaigns have: honest accounts are at least 99% of all."""
SMALLEST_POOL = 4
LARGEST_POOL = 40
"""Bounds of a campaign's accounts in `all-families`; more accounts make more campaigns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """A named world."""

    name: str
    about: str
    accounts: int
    exchanges: int
    days: int
    families: tuple[str, ...]
    """Campaign families; every honest class is always there."""
    several: bool = False
    """More accounts make more campaigns; otherwise each family is one campaign that grows."""
    share_of_exchanges: float | None = None
    """Exchanges of campaigns as a share of all; null lets every campaign choose its rate about the world's mean."""


_EVERY_FAMILY = tuple(name for name in FAMILIES if FAMILIES[name].everyday)
PRESETS = {
    preset.name: preset
    for preset in (
        Preset(
            name="all-families",
            about="Every campaign family and every look-alike class; for evaluation.",
            accounts=10_000,
            exchanges=500_000,
            days=28,
            families=_EVERY_FAMILY,
            several=True,
        ),
        Preset(
            name="june-letter",
            about="28.8 million harvesting exchanges over 25,000 accounts in 45 days, two pools, a ban between them.",
            accounts=2_525_253,
            exchanges=96_000_000,
            days=45,
            families=("june letter",),
            share_of_exchanges=0.3,
        ),
        Preset(
            name="february-letters",
            about="Three campaigns: synchronised shared payment, several access paths, a pivot within a day of a release.",
            accounts=20_000,
            exchanges=1_200_000,
            days=30,
            families=("february shared payment", "february access paths", "february pivot"),
            share_of_exchanges=0.12,
        ),
        Preset(
            name="demo",
            about="The June letter at laptop size.",
            accounts=3_000,
            exchanges=150_000,
            days=45,
            families=("june letter",),
            share_of_exchanges=0.2,
        ),
        Preset(name="honest", about="No campaign at all.", accounts=10_000, exchanges=400_000, days=28, families=()),
    )
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """How many accounts one class or campaign has."""

    name: str
    accounts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is planted."""

    honest: tuple[Planned, ...]
    campaigns: tuple[Planned, ...]
    warnings: tuple[str, ...]


def find_preset(name: str) -> Preset:
    """Return the preset of that name.

    Raises:
        SettingsError: when there is none.
    """
    if name not in PRESETS:
        raise SettingsError(f"got preset {name!r}, expected one of {', '.join(PRESETS)}")
    return PRESETS[name]


def make_plan(
    preset: Preset,
    accounts: int,
    only: tuple[str, ...] | None,
    draw: np.random.Generator,
    *,
    honest_only: bool,
    campaign_accounts: int | None = None,
) -> Plan:
    """Share accounts out.

    Args:
        preset: the named world.
        accounts: all accounts.
        only: names of the families and look-alike classes to keep; null for all. Ordinary classes always stay.
        draw: sizes of campaigns are drawn.
        honest_only: leave campaigns out.
        campaign_accounts: accounts that campaigns have together; null for at most 1% of all.

    Raises:
        SettingsError: for an unknown name in `only`, or a world too small for one account of each class.
    """
    unknown = set(only or ()) - FAMILIES.keys() - CLASSES.keys()
    if unknown:
        known = ", ".join([*FAMILIES, *CLASSES])
        raise SettingsError(f"got {sorted(unknown)} in only, expected names of families or classes: {known}")
    families = () if honest_only else preset.families
    if only is not None and not honest_only:
        families = tuple(name for name in FAMILIES if name in only)
    classes = {name: kind for name, kind in CLASSES.items() if only is None or name in only or kind.ordinary}
    if honest_only or not preset.families:
        classes = {name: kind for name, kind in classes.items() if not kind.needs_campaign}
    budget = int(CAMPAIGN_SHARE * accounts) if campaign_accounts is None else campaign_accounts
    campaigns = _campaigns(preset, families, budget, draw)
    planted = sum(entry.accounts for entry in campaigns)
    rest = accounts - planted
    if rest < len(classes):
        raise SettingsError(
            f"got {accounts} accounts, expected at least {planted + len(classes)} for {len(campaigns)} campaigns "
            f"and {len(classes)} honest classes; ask for more accounts or name fewer in only"
        )
    warnings: tuple[str, ...] = ()
    if campaign_accounts is None and planted > 0.01 * accounts:
        text = (
            f"{planted} of {accounts} accounts belong to campaigns, more than 1%: the world is too small for "
            f"{len(campaigns)} campaigns of at least {SMALLEST_POOL} accounts; use at least {100 * planted} accounts"
        )
        warnings = (text,)
    sizes = _share_out(rest, np.array([kind.share for kind in classes.values()]), 1)
    honest = tuple(Planned(name=name, accounts=int(size)) for name, size in zip(classes, sizes, strict=True))
    return Plan(honest=honest, campaigns=campaigns, warnings=warnings)


def _campaigns(
    preset: Preset, families: tuple[str, ...], budget: int, draw: np.random.Generator
) -> tuple[Planned, ...]:
    if not families:
        return ()
    pools = [name for name in families if not FAMILIES[name].single]
    found = [Planned(name=name, accounts=1) for name in families if FAMILIES[name].single]
    if not pools:
        return tuple(found)
    left = max(budget - len(found), FAMILIES[pools[0]].smallest * len(pools))
    if not preset.several:
        weights = np.array([FAMILIES[name].weight for name in pools])
        sizes = _share_out(left, weights, FAMILIES[pools[0]].smallest)
        return (*found, *(Planned(name=name, accounts=int(size)) for name, size in zip(pools, sizes, strict=True)))
    rounds = max(1, round(left / (len(pools) * 14.0)))
    sizes = _share_out(left, draw.gamma(1.2, 1.0, rounds * len(pools)), SMALLEST_POOL)
    sizes = np.minimum(sizes, max(LARGEST_POOL, left // (6 * rounds)))
    for number, size in enumerate(sizes):
        found.append(Planned(name=pools[number % len(pools)], accounts=int(size)))
    return tuple(found)


def _share_out(total: int, weights: Reals, least: int) -> Integers:
    """Whole numbers of at least `least` that sum to `total`, as near to the weights as can be."""
    free = max(total - least * len(weights), 0)
    exact = free * weights / weights.sum()
    sizes = np.floor(exact).astype(np.int64)
    order = np.argsort(-(exact - sizes), kind="stable")
    sizes[order[: free - int(sizes.sum())]] += 1
    return np.asarray(sizes + least)
