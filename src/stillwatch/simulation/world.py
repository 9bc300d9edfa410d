"""World: simulates a provider's traffic with planted campaigns and writes it with its truth.

Takes settings. Gives `traffic-*.parquet` (or `.jsonl`), `accounts.parquet`, `releases.csv` and `truth.parquet`.
Equal settings give equal bytes. Time is O(exchanges); memory is bounded by one day of traffic plus the stream table.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Literal

import numpy as np

from stillwatch.records.progress import Progress
from stillwatch.simulation.arrivals import Schedule
from stillwatch.simulation.behaviour import Setting
from stillwatch.simulation.calendar import FIRST_DAY, models
from stillwatch.simulation.campaigns.hidden import stolen_harvest
from stillwatch.simulation.campaigns.registry import FAMILIES
from stillwatch.simulation.errors import SettingsError
from stillwatch.simulation.exchanges import COLUMNS, Composer
from stillwatch.simulation.honest.registry import CLASSES
from stillwatch.simulation.population import Cohort, join
from stillwatch.simulation.presets import Plan, find_preset, make_plan
from stillwatch.simulation.truth import accounts_table, truth_table
from stillwatch.simulation.volumes import settle_volumes
from stillwatch.simulation.writing import TrafficWriter, write_releases, write_table

_REQUIRED = ("time", "account_id")


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldSettings:
    """What world to make. Null takes the preset's own value."""

    preset: str = "all-families"
    accounts: int | None = None
    exchanges: int | None = None
    """All exchanges, campaigns' included."""
    seed: int = 1
    format: Literal["parquet", "jsonl"] = "parquet"
    days: int | None = None
    only: tuple[str, ...] | None = None
    """Campaign families and look-alike classes to keep beside the ordinary customers; null for all."""
    honest_only: bool = False
    campaign_accounts: int | None = None
    """Accounts that campaigns have together; null for at most 1% of all."""
    campaign_share: float | None = None
    """Exchanges of harvests as a share of all, in (0, 1); null for the preset's own."""
    drop_columns: tuple[str, ...] = ()
    """Columns that the log does not have."""
    with_text: bool = False
    """Write short answer texts."""
    chunk_rows: int = 100_000
    """Exchanges composed at a time; changes memory, not content."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldSummary:
    """What was made."""

    accounts: int
    exchanges: int
    campaigns: int
    campaign_accounts: int
    harvest_exchanges: int
    """Sent for campaigns, through stolen keys included; harvests under licence are not."""
    days: int
    files: tuple[Path, ...]
    """Traffic files in time order."""
    warnings: tuple[str, ...]
    """Where the world is not what a full-size one would be."""


def simulate(settings: WorldSettings, out: Path, progress: Progress) -> WorldSummary:
    """Make a world and write it.

    Args:
        settings: what to make.
        out: folder, made when missing; files of the same names are replaced.
        progress: told of exchanges written.

    Raises:
        SettingsError: for an unknown preset, class, column or format, or a world that is too small.
    """
    preset = find_preset(settings.preset)
    accounts = settings.accounts if settings.accounts is not None else preset.accounts
    exchanges = settings.exchanges if settings.exchanges is not None else preset.exchanges
    days = settings.days if settings.days is not None else preset.days
    _check(settings, accounts, exchanges, days)
    plan = make_plan(
        preset,
        accounts,
        settings.only,
        _draw(settings.seed, "plan"),
        honest_only=settings.honest_only,
        campaign_accounts=settings.campaign_accounts,
    )
    cohort = _plant(plan, settings.seed, days, exchanges / accounts)
    share = preset.share_of_exchanges if settings.campaign_share is None else settings.campaign_share
    warnings = settle_volumes(cohort, exchanges, share, days)
    streams = cohort.streams
    out.mkdir(parents=True, exist_ok=True)
    files = _write_traffic(cohort, settings, days, out, progress)
    write_table(out / "accounts.parquet", accounts_table(cohort.accounts, days))
    truth = truth_table(cohort, [entry.name for entry in (*plan.honest, *plan.campaigns)])
    write_table(out / "truth.parquet", truth)
    write_releases(out / "releases.csv", [(m.name, _iso(m.released)) for m in models(days)])
    return WorldSummary(
        accounts=len(cohort.accounts),
        exchanges=int(streams["exchanges"].sum()),
        campaigns=len(plan.campaigns),
        campaign_accounts=sum(entry.accounts for entry in plan.campaigns),
        harvest_exchanges=int(streams["exchanges"][streams["harvest"] & streams["fixed"]].sum()),
        days=days,
        files=files,
        warnings=(*plan.warnings, *warnings),
    )


def _check(settings: WorldSettings, accounts: int, exchanges: int, days: int) -> None:
    if settings.format not in ("parquet", "jsonl"):
        raise SettingsError(f"got format {settings.format!r}, expected parquet or jsonl")
    if days < 7 or days > 400:
        raise SettingsError(f"got {days} days, expected 7 to 400")
    if exchanges < 4 * accounts:
        raise SettingsError(f"got {exchanges} exchanges for {accounts} accounts, expected at least 4 per account")
    if settings.seed < 0 or settings.chunk_rows < 1:
        raise SettingsError(f"got seed {settings.seed} and chunk_rows {settings.chunk_rows}, expected at least 0 and 1")
    if settings.campaign_share is not None and not 0.0 < settings.campaign_share < 1.0:
        raise SettingsError(f"got campaign_share {settings.campaign_share}, expected a share between 0 and 1")
    if settings.campaign_accounts is not None and not 1 <= settings.campaign_accounts < accounts:
        raise SettingsError(f"got {settings.campaign_accounts} campaign_accounts, expected 1 to {accounts - 1}")
    unknown = [name for name in settings.drop_columns if name not in COLUMNS.names or name in _REQUIRED]
    if unknown:
        raise SettingsError(
            f"got {unknown} in drop_columns, expected columns of the generic layout other than {_REQUIRED}"
        )


def _draw(seed: int, name: str) -> np.random.Generator:
    """A generator for one purpose, so that one class does not move another one's draws."""
    return np.random.Generator(np.random.PCG64([seed, zlib.crc32(name.encode())]))


def _plant(plan: Plan, seed: int, days: int, mean: float) -> Cohort:
    """Plant every class and campaign; `family` is the place in the plan and `campaign` the number of the campaign."""
    cohorts: dict[int, Cohort] = {}
    for family, entry in enumerate((*plan.honest, *plan.campaigns)):
        number = family - len(plan.honest)
        setting = Setting(
            days=days, draw=_draw(seed, f"{entry.name} {max(number, -1)}"), models=models(days), mean_volume=mean
        )
        grower = CLASSES[entry.name].plant if number < 0 else FAMILIES[entry.name].plant
        cohort = grower(entry.accounts, setting)
        cohort.accounts["family"] = family
        cohort.accounts["campaign"] = number if number >= 0 else -1
        cohorts[family] = cohort
    _steal_keys(plan, cohorts, Setting(days=days, draw=_draw(seed, "theft"), models=models(days), mean_volume=mean))
    return join(list(cohorts.values()))


def _steal_keys(plan: Plan, cohorts: dict[int, Cohort], setting: Setting) -> None:
    """Let one campaign harvest through the keys of the victims too."""
    victims = [number for number, entry in enumerate(plan.honest) if CLASSES[entry.name].needs_campaign]
    thieves = [
        len(plan.honest) + number for number, entry in enumerate(plan.campaigns) if not FAMILIES[entry.name].single
    ]
    if not thieves:
        return
    for number in victims:
        thief = cohorts[thieves[int(setting.draw.integers(0, len(thieves)))]]
        cohorts[number] = stolen_harvest(cohorts[number], thief, setting)


def _write_traffic(
    cohort: Cohort, settings: WorldSettings, days: int, out: Path, progress: Progress
) -> tuple[Path, ...]:
    schedule = Schedule(cohort.streams, days, settings.seed)
    composer = Composer(cohort.accounts, cohort.streams, models(days), with_text=settings.with_text)
    for old in [*out.glob("traffic-*.parquet"), *out.glob("traffic-*.jsonl")]:
        old.unlink()
    progress.begin("simulate", int(cohort.streams["exchanges"].sum()))
    with TrafficWriter(out, settings.format) as writer:
        for day in range(days):
            events = schedule.day(day)
            for start in range(0, len(events.stream), settings.chunk_rows):
                table = composer.table(events.cut(start, start + settings.chunk_rows))
                writer.write(table.drop_columns([name for name in settings.drop_columns if name in table.schema.names]))
                progress.advance(len(table))
            writer.end_of_day()
    progress.end()
    return tuple(writer.files)


def _iso(day: float) -> str:
    moment = FIRST_DAY + timedelta(seconds=round(day * 86_400))
    return moment.isoformat().replace("+00:00", "Z")
