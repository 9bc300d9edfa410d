"""Compose a labelled world of real text, real arrivals and real networks.

Takes the shared data folder, an output folder, a seed, a number of accounts and a split. Gives `traffic-00000.parquet`
(generic flat columns), `accounts.parquet`, `truth.parquet` (account_id, label, family, campaign_id, operator_role,
harvest_share) and `world.json` (the summary with every campaign's choices). Promises that at least 99 % of the accounts
are honest, that the same arguments give the same rows, and that `development` and `report` worlds share no extraction data
set, template family or written phrase (table in `sources`).

What it does not show: the sets never met in life. Text, times and networks are joined by chance, pools are small beside a
real campaign's (6 to 14 accounts instead of thousands), and honest prompts repeat more than they would.

Compose with `development` and seeds below 11 to tune; results are made with `report` and seeds from 11 on.

    python -m benchmarks.real_world.compose OUT --seed 1 --accounts 4000 --split development
"""

from __future__ import annotations

import argparse
import json
import os
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np
from benchmarks.real_world import arrivals, campaigns, infrastructure, sources
from benchmarks.real_world.errors import RealWorldError, WorldSettingsError
from benchmarks.real_world.honest_automation import AUTOMATION
from benchmarks.real_world.honest_people import PEOPLE, casual_chat
from benchmarks.real_world.sources import Split
from benchmarks.real_world.traffic import Traffic
from benchmarks.real_world.world import ConversationSupply, World

CAMPAIGN_SHARE = 0.0095
"""Of all accounts; below 1 % with room for groups that round up."""
FEWEST_ACCOUNTS = 700
"""Below, not even one pool of six accounts is under 1 %."""
SIZES = {"whale": (1, 1), "hot pool": (4, 6)}
"""(fewest, most) accounts of a campaign where the family fixes it."""
USUAL_SIZE = (6, 12)


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignSummary:
    """The choices of one campaign."""

    campaign_id: str
    family: str
    size: int
    pool: str
    template: str
    infrastructure: str
    accounts_per_card: int
    per_day: float
    days: float
    round_the_clock: bool
    dispatch: str
    sharding: str
    harvest_share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RealWorldSummary:
    """What was composed."""

    split: Split
    seed: int
    accounts: int
    campaign_accounts: int
    exchanges: int
    classes: dict[str, int]
    """Accounts per look-alike class and campaign family."""
    chat_rounds: float
    """How often the chat conversations were used up; above 1, some come again as another person would type them."""
    campaigns: tuple[CampaignSummary, ...]


def shared_folder() -> Path:
    """Return the folder of third-party data: `STILLWATCH_SHARED`, or `shared` beside the repository."""
    given = os.environ.get("STILLWATCH_SHARED")
    return Path(given) if given else Path(__file__).resolve().parents[3] / "shared"


def compose(shared: Path, out: Path, seed: int, accounts: int, split: Split) -> RealWorldSummary:
    """Compose a world and write it.

    Args:
        shared: the folder that holds `data/`.
        out: output folder; made where absent.
        seed: of everything that is drawn, at least 0.
        accounts: about how many accounts, at least 700.
        split: `development` to tune on, `report` to report.

    Returns:
        The summary that `world.json` holds.

    Raises:
        SourceAbsentError: when third-party data is not there.
        WorldSettingsError: for too few accounts or an unknown split.
    """
    if accounts < FEWEST_ACCOUNTS:
        raise WorldSettingsError(
            f"accounts: got {accounts}, expected at least {FEWEST_ACCOUNTS}: a pool of six would be more than 1 %"
        )
    world = _world(shared, seed, split)
    plans = _plans(world, seed, int(accounts * CAMPAIGN_SHARE))
    honest = accounts - sum(plan.size for plan in plans)
    counts = [(builder, max(1, round(honest * share))) for builder, share in (*PEOPLE, *AUTOMATION)]
    casual_chat(world, max(1, honest - sum(count for _, count in counts)))
    for builder, count in counts:
        builder(world, count)
    for plan in plans:
        campaigns.carry_out(world, plan)
    out.mkdir(parents=True, exist_ok=True)
    exchanges = world.traffic.write(out)
    summary = _summary(world, plans, seed, exchanges)
    (out / "world.json").write_text(json.dumps(asdict(summary), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return summary


def _world(shared: Path, seed: int, split: Split) -> World:
    loaded = sources.load(shared, split)
    # Streams of their own: ids and failures do not move when a class draws once more.
    first, second, third = np.random.SeedSequence([seed, get_args(Split).index(split)]).spawn(3)
    rng = np.random.default_rng(first)
    honest = loaded.honest
    supply = np.random.default_rng(third)
    return World(
        sources=loaded,
        arrivals=arrivals.load(shared),
        internet=infrastructure.load(shared, rng),
        traffic=Traffic(rng=np.random.default_rng(second)),
        rng=rng,
        chat=ConversationSupply(honest.chat, supply),
        french=ConversationSupply(honest.french, supply),
        programming=ConversationSupply(honest.programming, supply),
        documents=ConversationSupply([(text,) for text in honest.documents], supply),
    )


def _plans(world: World, seed: int, budget: int) -> list[campaigns.Plan]:
    """Campaigns until the budget of accounts is spent; families rotate with the seed, so that few seeds show them all."""
    plans: list[campaigns.Plan] = []
    families = campaigns.FAMILIES
    for step in range(2 * len(families)):
        family = families[(seed * 4 + step) % len(families)]
        low, high = SIZES.get(family, USUAL_SIZE)
        size = min(int(world.rng.integers(low, high + 1)), budget)
        if size < low:
            continue
        plans.append(campaigns.draw(world, family, size))
        budget -= size
    return plans


def _summary(world: World, plans: list[campaigns.Plan], seed: int, exchanges: int) -> RealWorldSummary:
    used = [account for account in world.traffic.accounts if world.traffic.counts[account.number][0]]
    return RealWorldSummary(
        split=world.sources.split,
        seed=seed,
        accounts=len(used),
        campaign_accounts=sum(account.campaign is not None for account in used),
        exchanges=exchanges,
        classes=dict(sorted(Counter(account.family for account in used).items())),
        chat_rounds=round(world.chat.rounds, 2),
        campaigns=tuple(
            CampaignSummary(
                campaign_id=plan.campaign_id,
                family=plan.family,
                size=plan.size,
                pool=plan.pool,
                template=plan.template,
                infrastructure=plan.infrastructure,
                accounts_per_card=plan.accounts_per_card,
                per_day=round(plan.per_day, 1),
                days=round(plan.last_day - plan.first_day, 1),
                round_the_clock=plan.round_the_clock,
                dispatch=plan.dispatch,
                sharding=plan.sharding,
                harvest_share=round(plan.harvest_share, 3),
            )
            for plan in plans
        ),
    )


def main(arguments: list[str] | None = None) -> dict[str, Any]:
    """Compose from the command line and print the summary."""
    parser = argparse.ArgumentParser(description="Compose a labelled world of real text, arrivals and networks.")
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--accounts", type=int, default=4_000)
    parser.add_argument("--split", choices=get_args(Split), default="development")
    parser.add_argument("--shared", type=Path, default=shared_folder())
    given = parser.parse_args(arguments)
    try:
        summary = asdict(compose(given.shared, given.out, given.seed, given.accounts, given.split))
    except RealWorldError as error:
        parser.exit(3, f"{error}\n")
    print(json.dumps(summary, indent=2))
    return summary


if __name__ == "__main__":
    main()
