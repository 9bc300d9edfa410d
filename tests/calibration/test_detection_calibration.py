"""The promise of the whole detection, on traffic without campaigns: whole runs, from log files to the table of accounts.

With no campaign in a world, every flag is a false discovery, and the promised rate is the chance that a world has any. So the
number of worlds with a flag must lie below the upper end of the binomial interval at 1e-6 error. The same is asked of worlds that
lack columns, and of runs that are calibrated on reference traffic. A world with a planted campaign shows that silence is no answer.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from stillwatch.pipeline import DetectSettings, detect
from stillwatch.records.progress import Silent
from stillwatch.simulation.world import WorldSettings, simulate
from stillwatch.statistics.intervals import binomial_acceptance

pytestmark = pytest.mark.slow

FDR, ERROR = 0.01, 1e-6
SEEDS = (11, 12, 13, 14, 15, 16)
NOW_US = 1_796_083_200_000_000
"""December 2026: after all simulated times."""
INFRASTRUCTURE = (
    "ip", "user_agent", "tls_fingerprint", "country", "payment_id", "email_domain", "organization_id", "api_key_id", "account_created_at",
)  # fmt: skip
TEXT = ("prompt", "system_prompt")
LOOK_ALIKES = (
    "homework class",
    "benchmark harness",
    "nightly batch",
    "plug-in fleet",
    "judge suite",
    "enterprise seat",
)


def world(
    folder: Path,
    seed: int,
    *,
    preset: str = "honest",
    dropped: tuple[str, ...] = (),
    only: tuple[str, ...] | None = None,
) -> Path:
    settings = WorldSettings(
        preset=preset, accounts=600, exchanges=18_000, days=14, seed=seed, drop_columns=dropped, only=only
    )
    simulate(settings, folder, Silent())
    return folder


def flagged(made: Path, *, facts: bool = True, reference: Path | None = None) -> set[str]:
    """Detect, and give the flagged accounts."""
    detect(
        DetectSettings(
            paths=(str(made / "traffic-*"),),
            out=made / "case",
            accounts=made / "accounts.parquet" if facts else None,
            releases=made / "releases.csv",
            reference=(str(reference / "traffic-*"),) if reference else (),
            fdr=FDR,
            threads=1,
            now_us=NOW_US,
        ),
        Silent(),
    )
    rows = pq.read_table(made / "case" / "accounts.parquet", columns=["account_id", "flagged"]).to_pylist()
    return {row["account_id"] for row in rows if row["flagged"]}


def truth(made: Path) -> dict[str, tuple[str, str]]:
    """Account -> (label, family or class)."""
    return {
        row["account_id"]: (row["label"], row["family"]) for row in pq.read_table(made / "truth.parquet").to_pylist()
    }


def assert_promise_kept(found: dict[int, tuple[Path, set[str]]]) -> None:
    """Not more worlds with a flag than promised; a failure names the seeds and the classes of the flagged accounts."""
    wrong = {
        seed: Counter(truth(made).get(account, ("", "not in truth"))[1] for account in accounts)
        for seed, (made, accounts) in found.items()
    }
    worlds = sum(bool(accounts) for _, accounts in found.values())
    _, most = binomial_acceptance(len(found), FDR, ERROR)
    assert most < len(found), "so few worlds could not fail"
    assert worlds <= most, (
        f"{worlds} of {len(found)} worlds have a flag, at most {most} expected; by seed and class: {wrong}"
    )


def test_traffic_without_campaigns_is_left_alone(tmp_path: Path) -> None:
    found = {}
    for seed in SEEDS:
        made = world(tmp_path / str(seed), seed)
        found[seed] = (made, flagged(made))
    assert_promise_kept(found)


@pytest.mark.parametrize("dropped", [INFRASTRUCTURE, TEXT], ids=["prompts and times alone", "metadata alone"])
def test_so_is_traffic_that_lacks_columns(dropped: tuple[str, ...], tmp_path: Path) -> None:
    found = {}
    for seed in SEEDS[:4]:
        made = world(tmp_path / str(seed), seed, dropped=dropped)
        found[seed] = (made, flagged(made, facts=dropped is TEXT))
    assert_promise_kept(found)


def test_so_is_traffic_beside_reference_traffic(tmp_path: Path) -> None:
    reference = world(tmp_path / "reference", 99)
    found = {}
    for seed in SEEDS[:4]:
        made = world(tmp_path / str(seed), seed)
        found[seed] = (made, flagged(made, reference=reference))
    assert_promise_kept(found)


def test_so_are_the_classes_that_look_most_like_a_campaign(tmp_path: Path) -> None:
    """A class with one homework registers in one lecture, on one network, and tries again; batches run by one clock; and so on."""
    found = {}
    for seed, name in enumerate(LOOK_ALIKES, start=61):
        made = world(tmp_path / str(seed), seed, only=(name,))
        found[seed] = (made, flagged(made))
    assert_promise_kept(found)


def test_a_planted_campaign_is_not(tmp_path: Path) -> None:
    """The plainest family, in worlds of the same size: most of its accounts are flagged over the seeds, and nobody else."""
    found, planted, wrong = 0, 0, []
    for seed in SEEDS[:3]:
        made = world(tmp_path / str(seed), seed, preset="all-families", only=("shared infrastructure",))
        accounts, labels = flagged(made), truth(made)
        campaign = {account for account, (label, _) in labels.items() if label == "campaign"}
        assert campaign
        planted += len(campaign)
        found += len(accounts & campaign)
        wrong += [labels.get(account, ("", "not in truth"))[1] for account in accounts - campaign]
    assert found > planted / 2
    assert not wrong
