"""The campaign drill of one seed: a simulated world sent through a live gateway, with detection, decision and bundle between the days for real."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

import numpy as np

from stillwatch.cli.drill_gateway import BUNDLE_NAME, DrillGateway, open_gateway
from stillwatch.cli.result_files import read_campaigns
from stillwatch.decisions.approval import approve, needs_approval
from stillwatch.decisions.compile_policy import compile_terms
from stillwatch.decisions.decide import decide
from stillwatch.decisions.enforcement_bundle import bundle_of
from stillwatch.decisions.evaluate import Evaluator
from stillwatch.governance.drill_campaign import CampaignOutcome
from stillwatch.pipeline import DetectSettings, detect
from stillwatch.records.campaign import Campaign
from stillwatch.records.decision import Approval, Decision
from stillwatch.records.progress import Progress, Silent
from stillwatch.records.terms import Acceptance, Terms
from stillwatch.simulation.drill_traffic import DrillRequest, campaign_accounts, drill_requests
from stillwatch.simulation.world import WorldSettings, simulate

HOUR_US = 3_600 * 1_000_000
DAY_US = 24 * HOUR_US
PROFILES: Mapping[str, str] = {
    "naive": "shared infrastructure",
    "k-accounts": "injected text",
    "probe-then-scale": "explore then exploit",
}
"""Profile to the simulator's family: one machine room and one template; many accounts, addresses and cards with one injected text; many wordings
tried out, of which the winner goes out at scale."""
REDUCED_RATE = 1
"""Requests a minute for an account that the terms throttle."""
_AT_ONCE = 100
"""Requests between two words of progress."""
_PROPOSER, _APPROVER = "drill analyst", "drill approver"


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignDrill:
    """What is exercised."""

    profile: str = "naive"
    accounts: int = 300
    """Accounts of the world, the campaign's included."""
    campaign_accounts: int = 24
    requests: int = 8_000
    share: float = 0.3
    """Of the requests, those of the campaign."""
    days: int = 10
    every_days: int = 2
    """Days of the world between detections."""
    approval_hours: float = 4.0
    """Hours of the world between a detection and the bundle that answers it."""
    fdr: float = 0.01


@dataclass(slots=True, kw_only=True)
class _Run:
    """What is known while it runs."""

    drill: CampaignDrill
    gateway: DrillGateway
    folder: Path
    planted: frozenset[str]
    terms: Evaluator
    acceptances: tuple[Acceptance, ...]
    decisions: dict[tuple[str, ...], Decision] = field(default_factory=dict)
    """By members and clauses, so that a campaign that is found again is not decided again."""
    approvals: dict[str, Approval] = field(default_factory=dict)
    flagged: set[str] = field(default_factory=set)
    """Accounts, at any detection."""
    linked: int = 0
    version: int = 0
    detections: int = 0
    due_us: int | None = None
    """When the next bundle is in the gateway."""
    alert_us: int | None = None
    action_us: int | None = None
    sent: int = 0
    served: int = 0
    before_alert: int = 0
    before_action: int = 0
    requests: int = 0
    wrongly_refused: int = 0
    first_us: int | None = None


def run_campaign(drill: CampaignDrill, seed: int, terms: Terms, folder: Path, progress: Progress) -> CampaignOutcome:
    """Run one seed.

    Args:
        drill: what is exercised.
        seed: of the world, the model and the shuffle.
        terms: that every account of the world accepted before its first day.
        folder: for the world, the log and the results; a folder of its own.
        progress: told of requests.
    """
    begun = time.perf_counter()
    world = folder / "world"
    settings = WorldSettings(
        preset="demo",
        accounts=drill.accounts,
        exchanges=drill.requests,
        days=drill.days,
        seed=seed,
        only=(PROFILES[drill.profile],),
        campaign_accounts=drill.campaign_accounts,
        campaign_share=drill.share,
    )
    simulate(settings, world, Silent())
    requests = list(drill_requests(world))
    accepted = tuple(
        Acceptance(
            account_id=account,
            name=terms.name,
            version=terms.version,
            accepted_us=0,
            accepted_by="drill",
            how="drill",
        )
        for account in sorted({one.account_id for one in requests})
    )
    with open_gateway(folder, seed=seed) as gateway:
        run = _Run(
            drill=drill,
            gateway=gateway,
            folder=folder,
            planted=campaign_accounts(world),
            terms=Evaluator(compile_terms(terms)),
            acceptances=accepted,
        )
        progress.begin(f"{drill.profile}, seed {seed}", len(requests))
        for batch, next_detection in _periods(requests, drill.every_days):
            _send(run, batch, progress)
            _detect_and_decide(run, next_detection)
        progress.end()
    alarms = _control_alarms(run, seed)
    return _outcome(run, seed, alarms, time.perf_counter() - begun)


def _periods(requests: list[DrillRequest], every_days: int) -> Iterator[tuple[list[DrillRequest], int]]:
    """Cut requests into periods, each with the time of the detection at its end."""
    first_day = requests[0].time_us // DAY_US
    for period, batch in groupby(requests, lambda one: (one.time_us // DAY_US - first_day) // every_days):
        yield list(batch), (first_day + (period + 1) * every_days) * DAY_US


def _send(run: _Run, batch: list[DrillRequest], progress: Progress) -> None:
    """Send a period's requests at their times, with the bundle that is due among them, and count what came back."""
    due = run.due_us
    before = len(batch) if due is None else sum(one.time_us < due for one in batch)
    for start in range(0, before, _AT_ONCE):
        _count(run, batch[start : min(start + _AT_ONCE, before)], progress)
    if due is not None:
        _load_bundle(run, due)
    for start in range(before, len(batch), _AT_ONCE):
        _count(run, batch[start : start + _AT_ONCE], progress)


def _count(run: _Run, batch: list[DrillRequest], progress: Progress) -> None:
    for one, status in zip(batch, run.gateway.send_in_order(batch), strict=True):
        run.requests += 1
        answered = status == 200
        if not one.of_campaign:
            run.wrongly_refused += not answered
            continue
        run.first_us = one.time_us if run.first_us is None else run.first_us
        run.sent += 1
        run.served += answered
        run.before_alert += answered and run.alert_us is None
        run.before_action += answered and run.action_us is None
    progress.advance(len(batch))


def _detect_and_decide(run: _Run, now_us: int) -> None:
    """Run the detection over the gateway's log until now, and decide about what it flags."""
    run.gateway.wait_for_log()
    found = _flagged(run, run.gateway.log_path, run.folder / "case", now_us)
    run.detections += 1
    flagged = {member for campaign in found for member in campaign.members}
    run.flagged |= flagged
    run.linked = len(flagged & run.planted)
    if run.linked and run.alert_us is None:
        run.alert_us = now_us
    terms = run.terms.compiled.terms
    for campaign in found:
        for one in decide(campaign, run.acceptances, {(terms.name, terms.version): run.terms}, now_us):
            known = (*one.members, "", *one.clauses)
            if known in run.decisions:
                continue
            run.decisions[known] = one
            if needs_approval(one):
                run.approvals[one.id] = approve(one, _PROPOSER, _APPROVER, now_us)
            run.due_us = now_us + round(run.drill.approval_hours * HOUR_US)


def _load_bundle(run: _Run, now_us: int) -> None:
    """Build the next bundle and have the gateway take it, through the file and all of its checks."""
    run.due_us = None
    run.version += 1
    run.gateway.now_us = now_us
    bundle, accounts = bundle_of(
        tuple(run.decisions.values()),
        run.approvals,
        name=BUNDLE_NAME,
        version=run.version,
        issued_us=now_us,
        expires_us=now_us + 400 * DAY_US,
        requests_per_minute=REDUCED_RATE,
    )
    taken = run.gateway.load(bundle, accounts)
    if taken and run.action_us is None and run.planted & accounts.keys():
        run.action_us = now_us


def _flagged(run: _Run, log: Path, out: Path, now_us: int) -> tuple[Campaign, ...]:
    settings = DetectSettings(
        paths=(str(log),),
        out=out,
        format="guard",
        fdr=run.drill.fdr,
        accounts=run.folder / "world" / "accounts.parquet",
        threads=1,
        now_us=now_us + DAY_US,
    )
    detect(settings, Silent())
    return read_campaigns(out).campaigns


def _control_alarms(run: _Run, seed: int) -> int:
    """Detect in the same log with its accounts shuffled over the exchanges, each with its key; count the campaigns flagged."""
    rows = [json.loads(line) for line in run.gateway.log_path.read_bytes().splitlines()]
    order = np.random.default_rng(seed).permutation(len(rows))
    names = [(rows[place]["account_id"], rows[place]["api_key_id"]) for place in order]
    shuffled = run.folder / "shuffled.jsonl"
    with shuffled.open("w", encoding="utf-8") as file:
        for row, (account, key) in zip(rows, names, strict=True):
            file.write(json.dumps(row | {"account_id": account, "api_key_id": key}) + "\n")
    return len(_flagged(run, shuffled, run.folder / "control", max(row["time_us"] for row in rows)))


def _outcome(run: _Run, seed: int, alarms: int, seconds: float) -> CampaignOutcome:
    first = run.first_us or 0
    return CampaignOutcome(
        seed=seed,
        requests=run.requests,
        accounts=len(run.planted),
        sent=run.sent,
        served=run.served,
        before_alert=None if run.alert_us is None else run.before_alert,
        before_action=None if run.action_us is None else run.before_action,
        hours_to_alert=None if run.alert_us is None else (run.alert_us - first) / HOUR_US,
        hours_to_action=None if run.action_us is None else (run.action_us - first) / HOUR_US,
        linked=run.linked,
        wrongly_flagged=len(run.flagged - run.planted),
        wrongly_refused=run.wrongly_refused,
        detections=run.detections,
        control_detections=1,
        control_alarms=alarms,
        seconds=seconds,
    )
