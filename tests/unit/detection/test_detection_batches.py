"""Sampled exchanges are read for a few candidates at a time: how they are cut into batches changes nothing that is found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pytest
from planted_accounts import accounts_of, candidate_of, study_of

from stillwatch.detection.campaigns.queries import STUDY
from stillwatch.detection.campaigns.reading import BATCH_EXCHANGES, SampledExchanges, batched, every, near_each_other
from stillwatch.detection.campaigns.study import Study
from stillwatch.detection.detect import Detection, detect_campaigns
from stillwatch.detection.errors import DetectionError
from stillwatch.detection.profiles.accounts import Accounts
from stillwatch.detection.profiles.queries import PROFILES, SAMPLE_SIZES
from stillwatch.engines.parts import part_files
from stillwatch.engines.protocol import open_engine
from stillwatch.pipeline import REFERENCE_PREFIX, DetectSettings, Run, plan_intake, sketch_exchanges
from stillwatch.records.progress import Silent
from stillwatch.simulation.world import WorldSettings, simulate

SEED = 5
NOW_US = 1_900_000_000_000_000
UNLIMITED = 10**12


@pytest.fixture(scope="module")
def sketched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    world, work = tmp_path_factory.mktemp("world"), tmp_path_factory.mktemp("work")
    simulate(WorldSettings(preset="june-letter", accounts=600, exchanges=20_000, seed=SEED), world, Silent())
    settings = DetectSettings(
        paths=(str(world / "traffic-*"),), out=work, accounts=world / "accounts.parquet", now_us=NOW_US
    )
    engine = open_engine("duckdb", work=work, memory_limit_bytes=1 << 30, threads=1)
    run = Run(settings=settings, progress=Silent(), work=work, engine=engine)
    plan_intake(run)
    sketch_exchanges(run)
    yield run
    engine.close()


def detection_of(run: Run, batch_exchanges: int) -> Detection:
    assert run.traffic is not None
    return detect_campaigns(
        run.engine,
        deliveries=part_files(run.work / "deliveries"),
        facts=run.facts,
        releases=(),
        has_reference=False,
        reference_prefix=REFERENCE_PREFIX,
        files=tuple(file.source.path for file in run.traffic.files),
        level=0.01,
        progress=Silent(),
        batch_exchanges=batch_exchanges,
    )


@pytest.fixture(scope="module")
def unlimited(sketched: Run) -> Detection:
    return detection_of(sketched, UNLIMITED)


@pytest.mark.parametrize("batch_exchanges", [1, 7, 2_000, BATCH_EXCHANGES])
def test_the_same_campaigns_for_any_size_of_batch(
    sketched: Run, unlimited: Detection, batch_exchanges: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = Counter[str]()
    run_query = sketched.engine.run
    monkeypatch.setattr(sketched.engine, "run", lambda query: (read.update([query.name]), run_query(query))[1])
    found = detection_of(sketched, batch_exchanges)
    assert unlimited.campaigns
    assert found.campaigns == unlimited.campaigns
    assert found.considered == unlimited.considered
    assert found.accounts.equals(unlimited.accounts)
    if batch_exchanges < BATCH_EXCHANGES:
        assert read[STUDY.name] > 2  # otherwise nothing was cut


def test_a_batch_holds_the_sampled_exchanges_of_its_members_and_of_nobody_else(sketched: Run) -> None:
    accounts = detected_accounts(sketched)
    members = np.array([3, 17, 200])
    study = SampledExchanges(engine=sketched.engine, accounts=accounts).study(members)
    assert np.unique(study.numbers).tolist() == members.tolist()
    assert np.bincount(study.numbers)[members].tolist() == accounts.sampled[members].tolist()


def detected_accounts(run: Run) -> Accounts:
    """The accounts of the sketched world, numbered as detection numbers them."""
    profiles, sizes = run.engine.run(PROFILES), run.engine.run(SAMPLE_SIZES)
    return accounts_of(
        len(profiles), hashes=profiles["account"].to_numpy(), sampled=sizes["sampled"].to_numpy().astype(np.int64)
    )


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("most", [1, 7, 60, UNLIMITED])
def test_batches_hold_every_group_once_in_order_and_no_more_than_they_may(seed: int, most: int) -> None:
    rng = np.random.default_rng(seed)
    sampled = rng.integers(0, 9, 50)
    groups = [np.sort(rng.choice(50, size=rng.integers(1, 12), replace=False)) for _ in range(40)]
    runs = list(batched(groups, sampled, most))
    assert [place for run in runs for place in run] == list(range(40))
    for run in runs:
        assert len(run) == 1 or sampled[every(groups[place] for place in run)].sum() <= most
    for run, after in pairwise(runs):
        assert sampled[every(groups[place] for place in (*run, after[0]))].sum() > most  # none is cut too early
    assert (most == UNLIMITED) == (len(runs) == 1)


def test_groups_with_common_members_come_together() -> None:
    left, right = np.array([2, 5, 9, 30]), np.array([7, 8, 40])
    groups = [left, right, left[:3], right[:2]]
    assert near_each_other(groups) == [2, 0, 3, 1]
    assert near_each_other([]) == []


def test_a_test_that_asks_for_exchanges_before_they_are_read_is_told_so() -> None:
    accounts = accounts_of(30)
    study: Study = study_of(30, [{"number": 1}, {"number": 2}])
    candidate = candidate_of([1, 2], accounts=accounts, study=study)
    assert len(candidate.rows) == 2
    unread = candidate.with_study(None)
    with pytest.raises(DetectionError, match="not read yet"):
        _ = unread.rows
    assert len(unread.with_study(study).rows) == 2
