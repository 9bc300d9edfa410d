"""Detection as one function: from the table of sketches to campaigns.

Takes an engine that holds the table `deliveries` (schema SKETCH). Gives campaigns, considered look-alikes and one row per account.
Promises that the result depends on the set of exchanges only: not on their order, their batches, their files or the engine.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from stillwatch.detection.campaigns.assemble import Tested, account_rows, assemble
from stillwatch.detection.campaigns.candidate import Background, Candidate, build_candidate, measure_background
from stillwatch.detection.campaigns.claims.bursts import active_hours
from stillwatch.detection.campaigns.claims.conduct import Conduct, measure_conduct
from stillwatch.detection.campaigns.claims.dealt_out import dealt_out_claim
from stillwatch.detection.campaigns.claims.pivot import LEAST_EXCHANGES, PivotShares, Releases
from stillwatch.detection.campaigns.claims.synchrony import LARGEST_GROUP, MinuteCounts
from stillwatch.detection.campaigns.claims.template_lift import Degrees
from stillwatch.detection.campaigns.explanations import CHANCE, PRODUCT, weigh
from stillwatch.detection.campaigns.reading import BATCH_EXCHANGES, SampledExchanges, every, near_each_other
from stillwatch.detection.campaigns.selection import Selection, select
from stillwatch.detection.campaigns.testing import (
    Measured,
    applicable_explanations,
    coordination_results,
    extraction_results,
)
from stillwatch.detection.facts import Facts
from stillwatch.detection.links.attributes import AttributeTable, attribute_table
from stillwatch.detection.links.groups import Group, Seeded, seed_groups
from stillwatch.detection.links.queries import ATTRIBUTES, DEGREES, PAYING, SHARED
from stillwatch.detection.profiles.accounts import Accounts, load_accounts
from stillwatch.detection.profiles.histories import load_histories
from stillwatch.detection.profiles.queries import (
    COLUMNS_SEEN,
    DAYS,
    EXCHANGES,
    HISTOGRAMS,
    PIVOTS,
    PROFILES,
    RELEASES,
    REPEATED,
    SAMPLE,
    SAMPLE_SIZES,
)
from stillwatch.engines.arrow_schema import arrow_schema
from stillwatch.engines.protocol import Engine
from stillwatch.records.campaign import Campaign
from stillwatch.records.progress import Progress

SAMPLE_BUDGET = 3_000_000
"""Sampled exchanges in all, about."""
SAMPLE_LEAST, SAMPLE_MOST = 24, 256
"""Sampled exchanges of an account, between these."""
MOST_ALONE = 500
LEAST_ALONE = 300
"""Exchanges from which a single account is looked at for itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Detection:
    """What detection found."""

    campaigns: tuple[Campaign, ...]
    """Flagged campaigns, strongest first."""
    considered: tuple[Campaign, ...]
    """Candidates that were shown to be coordinated and not flagged."""
    accounts: pa.Table
    """Schema ACCOUNTS, ordered by account id."""
    days: tuple[tuple[int, int], ...]
    """(day since epoch, exchanges) of all traffic."""
    columns: dict[str, int]
    """Optional column -> exchanges that have it."""
    exchanges: int
    repeats: int
    candidates: int


def detect_campaigns(
    engine: Engine,
    *,
    deliveries: Sequence[Path],
    facts: Facts,
    releases: Releases,
    has_reference: bool,
    reference_prefix: str,
    files: tuple[str, ...],
    level: float,
    progress: Progress,
    batch_exchanges: int = BATCH_EXCHANGES,
) -> Detection:
    """Find campaigns at a promised false-discovery rate.

    Args:
        engine: Holds the table `deliveries`.
        deliveries: The Parquet files of that table.
        facts: Account facts; empty tables when there are none.
        releases: (model, release time in microseconds).
        has_reference: Whether reference traffic is among the deliveries.
        reference_prefix: What the ids of its accounts begin with.
        files: Source files by number, for exhibits.
        level: False-discovery rate over campaigns, in (0, 1).
        progress: Told of the advance.
        batch_exchanges: Sampled exchanges that are in memory at once; the result does not depend on it.

    Raises:
        DetectionError: when two account ids share a hash.
        EngineError: when a query fails.
    """
    seen, repeats = _register_exchanges(engine, deliveries)
    accounts = _load(engine, facts, reference_prefix if has_reference else None, progress)
    pivots = _pivots(engine, releases, accounts)
    table, degrees = _attributes(engine, facts, accounts, progress)
    seeded = _groups(table, accounts, progress)
    background = measure_background(accounts, table)
    sampled = SampledExchanges(engine=engine, accounts=accounts, most=batch_exchanges)
    measured = Measured(
        background=background,
        degrees=degrees,
        pivots=pivots,
        conduct=_conduct(sampled, seeded.groups, background),
        histories=load_histories(engine, accounts, facts),
    )
    tested = _test_groups(sampled, seeded.groups, table, measured, level, progress)
    selection = _select(tested, seeded, level)
    assembled = assemble(tested, selection, measured.conduct, sampled, files)
    return Detection(
        campaigns=assembled.campaigns,
        considered=assembled.considered,
        accounts=account_rows(accounts, assembled),
        days=tuple((row["day"], row["exchanges"]) for row in engine.run(DAYS).to_pylist()),
        columns={name: int(count) for name, count in engine.run(COLUMNS_SEEN).to_pylist()[0].items()},
        exchanges=seen - repeats,
        repeats=repeats,
        candidates=seeded.considered,
    )


def _register_exchanges(engine: Engine, deliveries: Sequence[Path]) -> tuple[int, int]:
    """Make `exchanges` readable, without repeated deliveries; return rows read, and rows that were repeats."""
    repeated = engine.run(REPEATED).to_pylist()[0]
    if repeated["repeats"]:
        engine.save(EXCHANGES)
    else:
        engine.register("exchanges", deliveries)
    return int(repeated["seen"]), int(repeated["repeats"])


def _load(engine: Engine, facts: Facts, reference_prefix: str | None, progress: Progress) -> Accounts:
    """Profile the accounts, save the sample, and bring the accounts into memory."""
    progress.begin("profiles", 3)
    profiles = engine.run(PROFILES)
    engine.register("profiles", profiles)
    progress.advance(1)
    per_account = min(max(SAMPLE_BUDGET // max(len(profiles), 1), SAMPLE_LEAST), SAMPLE_MOST)
    engine.register("sampling", pa.table({"per_account": pa.array([per_account], pa.int64())}))
    engine.save(SAMPLE)
    progress.advance(1)
    accounts = load_accounts(
        profiles,
        engine.run(SAMPLE_SIZES),
        engine.run(HISTOGRAMS),
        licensed_hashes=facts.licensed,
        created_facts=facts.created_us,
        reference_prefix=reference_prefix,
    )
    progress.advance(1)
    progress.end()
    return accounts


def _pivots(engine: Engine, releases: Releases, accounts: Accounts) -> tuple[PivotShares, ...]:
    """Measure, for each release, how much of each account's traffic moved to it."""
    if not releases:
        return ()
    engine.register(
        "releases",
        pa.table(
            {"model": [model for model, _ in releases], "released_us": [released_us for _, released_us in releases]},
            schema=arrow_schema(RELEASES),
        ),
    )
    rows = engine.run(PIVOTS)
    models = np.array(rows["model"].to_pylist(), dtype=object)
    numbers = np.searchsorted(accounts.hashes, rows["account"].to_numpy())
    inside, moved = rows["inside"].to_numpy(), rows["moved"].to_numpy()
    found = []
    for model in sorted(set(models.tolist())):
        mine = (models == model) & (inside >= LEAST_EXCHANGES)
        shares = np.full(len(accounts), np.nan)
        shares[numbers[mine]] = moved[mine] / inside[mine]
        if moved[mine].any():
            found.append(PivotShares(model=model, shares=shares))
    return tuple(found)


def _attributes(engine: Engine, facts: Facts, accounts: Accounts, progress: Progress) -> tuple[AttributeTable, Degrees]:
    progress.begin("links", 2)
    # A provider's accounts file holds accounts that sent nothing in this window: they carry nothing here, and have no number.
    engine.register("facts", facts.table.filter(np.isin(facts.table["account"].to_numpy(), accounts.hashes)))
    engine.save(ATTRIBUTES)
    progress.advance(1)
    paying = np.isin(accounts.hashes, engine.run(PAYING)["account"].to_numpy())
    table = attribute_table(engine.run(SHARED), accounts.hashes, accounts.sampled, paying)
    counted = engine.run(DEGREES)
    kinds, carriers = counted["kind"].to_numpy(), counted["carriers"].to_numpy()
    values = counted["distinct_values"].to_numpy()
    degrees = {int(kind): (carriers[kinds == kind], values[kinds == kind]) for kind in np.unique(kinds)}
    progress.advance(1)
    progress.end()
    return table, degrees


def _groups(table: AttributeTable, accounts: Accounts, progress: Progress) -> Seeded:
    """Seed groups, and busy accounts alone; observed accounts only."""
    progress.begin("groups", None)
    seeded = seed_groups(table, accounts.observed)
    busy = np.flatnonzero(accounts.observed & (accounts.exchanges >= LEAST_ALONE))
    busy = busy[np.argsort(-accounts.exchanges[busy], kind="stable")][:MOST_ALONE]
    alone = [Group(members=np.array([number]), seed="alone", places=np.zeros(0, np.int64)) for number in np.sort(busy)]
    progress.end()
    return replace(
        seeded,
        groups=(*seeded.groups, *alone),
        considered=seeded.considered + len(alone),
        promising=np.append(seeded.promising, np.zeros(len(alone), dtype=bool)),
    )


def _conduct(sampled: SampledExchanges, groups: tuple[Group, ...], background: Background) -> Conduct:
    """Measure how accounts send; in which hours they act is read of those only that are compared."""
    conduct = measure_conduct(sampled.accounts, background.reference)
    compared = conduct.compared(group.members for group in groups)
    if not conduct.same_days or not len(compared):
        return conduct
    return conduct.with_hours(active_hours(sampled.hours(compared), sampled.accounts.hashes))


def _test_groups(
    sampled: SampledExchanges,
    groups: tuple[Group, ...],
    table: AttributeTable,
    measured: Measured,
    level: float,
    progress: Progress,
) -> list[Tested]:
    """Test all groups: first whether the members act together, then, of those that do, what they send.

    Only the second needs sampled exchanges, and is asked batch by batch.
    """
    if not groups:
        return []
    accounts, threshold = sampled.accounts, -math.log(level)
    minutes = _minutes(sampled, groups)
    progress.begin("tests", len(groups))
    tested = []
    for group in groups:
        digest = hashlib.blake2b(accounts.hashes[group.members].tobytes(), digest_size=16).hexdigest()
        candidate = build_candidate(group, accounts, table, None, measured.background, digest)
        tested.append(_test_coordination(candidate, measured, minutes, threshold))
        if not _asked_what_it_sends(tested[-1]):
            progress.advance(1)
    asked = [place for place, one in enumerate(tested) if _asked_what_it_sends(one)]
    asked = [asked[place] for place in near_each_other([tested[place].candidate.members for place in asked])]
    for places, study in sampled.batches([tested[place].candidate.members for place in asked]):
        for place in places:
            one = tested[asked[place]]
            tested[asked[place]] = _test_extraction(one, one.candidate.with_study(study), measured, threshold)
            progress.advance(1)
        del study  # before the next batch is read
    progress.end()
    return tested


def _select(tested: list[Tested], seeded: Seeded, level: float) -> Selection:
    return select(
        [one.log_e for one in tested],
        [one.candidate.members for one in tested],
        seeded.considered,
        level,
        promising=seeded.promising,
        promised=seeded.promised,
    )


def _minutes(sampled: SampledExchanges, groups: tuple[Group, ...]) -> MinuteCounts:
    """Read the minutes of the accounts whose synchrony is tested."""
    counted = sampled.minutes(every(group.members[:LARGEST_GROUP] for group in groups if len(group.members) > 1))
    return MinuteCounts(
        numbers=np.searchsorted(sampled.accounts.hashes, counted["account"].to_numpy()),
        minutes=counted["minute"].to_numpy(),
    )


def _test_coordination(candidate: Candidate, measured: Measured, minutes: MinuteCounts, threshold: float) -> Tested:
    """Test whether one hand holds the members; of a single account there is nothing to ask."""
    results = coordination_results(candidate, measured, minutes) if len(candidate.members) > 1 else []
    by_name = {result.name: result for result in results}
    explanations = weigh(by_name, applicable_explanations(candidate), threshold)
    log_e = {explanation.name: explanation.log_e for explanation in explanations}
    return Tested(
        candidate=candidate,
        results=by_name,
        explanations=explanations,
        log_e=min(log_e.values()),
        coordinated=log_e.get(CHANCE.name, 0.0) >= threshold,
    )


def _asked_what_it_sends(tested: Tested) -> bool:
    """Tell whether the second half of the tests can matter: for a group that no one hand is shown to hold, the e-value is settled."""
    if len(tested.candidate.members) == 1:
        return True
    log_e = {explanation.name: explanation.log_e for explanation in tested.explanations}
    return tested.coordinated and log_e[PRODUCT.name] > 0.0


def _test_extraction(tested: Tested, candidate: Candidate, measured: Measured, threshold: float) -> Tested:
    """Test what the members send; `candidate` is the tested one with its sampled exchanges, which are not kept."""
    results = [*tested.results.values(), *extraction_results(candidate, measured.histories)]
    results.append(dealt_out_claim(candidate, {result.name: result for result in results}))
    by_name = {result.name: result for result in results}
    explanations = weigh(by_name, applicable_explanations(candidate), threshold)
    return replace(
        tested,
        results=by_name,
        explanations=explanations,
        log_e=min(explanation.log_e for explanation in explanations),
    )
