"""Figures, state and claim of the campaign drill; the quantile's interval covers as often as it says."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from stillwatch.governance.drill_campaign import (
    LEAST_SEEDS,
    CampaignOutcome,
    campaign_claim,
    campaign_figures,
    campaign_state,
)
from stillwatch.governance.drills import CONTROLS, ControlState, DrillResult, drill_record, read_drill_record
from stillwatch.governance.errors import DrillError
from stillwatch.records.claim import Claim, Inconclusive
from stillwatch.statistics.intervals import binomial_acceptance, quantile_interval

RUNS = 4_000
SEED = 20_261_125
ONE = CampaignOutcome(
    seed=1, requests=100, accounts=4, sent=30, served=12, before_alert=8, before_action=10, hours_to_alert=40.0,
    hours_to_action=44.0, linked=4, wrongly_flagged=0, wrongly_refused=0, detections=5, control_detections=1,
    control_alarms=0, seconds=1.0,
)  # fmt: skip
MISSED = replace(
    ONE, served=30, before_alert=None, before_action=None, hours_to_alert=None, hours_to_action=None, linked=0
)


def seeds(count: int, *others: CampaignOutcome) -> list[CampaignOutcome]:
    return [replace(one, seed=number) for number, one in enumerate([ONE] * (count - len(others)) + list(others))]


def test_the_interval_of_the_median_is_that_of_the_binomial_and_covers_as_it_says() -> None:
    # 20 values, 95%: ranks 6 and 15 (e.g. Conover, Practical Nonparametric Statistics, 3.2), coverage 0.9586.
    assert quantile_interval(list(range(1, 21)), 0.5, 0.95) == (6, 15)
    assert quantile_interval([1.0, 2.0], 0.5, 0.95) == (-math.inf, math.inf)
    draw = np.random.default_rng(SEED)
    inside = 0
    for _ in range(RUNS):
        low, high = quantile_interval(draw.exponential(size=20).tolist(), 0.5, 0.95)
        inside += low <= math.log(2) <= high
    low_count, high_count = binomial_acceptance(RUNS, 0.9586, 1e-6)
    assert low_count <= inside <= high_count


def test_a_run_without_an_alarm_counts_as_endlessly_many_answers() -> None:
    figures = campaign_figures(seeds(20, *[MISSED] * 8))
    assert figures["answers_before_action"]["median"] == 10
    assert figures["answers_before_action"]["interval"] == [10, None]
    assert figures["alarmed"]["count"] == 12
    assert figures["alarmed"]["interval"][0] < 0.6 < figures["alarmed"]["interval"][1]
    assert campaign_figures(seeds(20, *[MISSED] * 11))["answers_before_action"]["median"] is None
    assert campaign_figures(seeds(20))["control_alarmed"]["interval"] == [0.0, pytest.approx(1 - 0.025 ** (1 / 20))]


def test_too_few_seeds_give_no_claim_and_no_interval() -> None:
    claim = campaign_claim(seeds(LEAST_SEEDS - 1), "naive")
    assert isinstance(claim, Inconclusive)
    assert f"--seeds {LEAST_SEEDS}" in claim.needed
    assert campaign_figures(seeds(LEAST_SEEDS - 1))["answers_before_alert"]["interval"] == [None, None]


def test_the_claim_is_the_exact_sign_test() -> None:
    claim = campaign_claim(seeds(20, *[MISSED] * 5), "naive")
    assert isinstance(claim, Claim)
    assert claim.log_p == pytest.approx(15 * math.log(0.5))
    even = campaign_claim(seeds(20, *[replace(MISSED, control_alarms=1)] * 10), "naive")
    assert isinstance(even, Claim)
    assert even.log_p is not None
    assert math.exp(even.log_p) > 0.5
    silent = campaign_claim(seeds(20, *[MISSED] * 20), "naive")
    assert isinstance(silent, Claim)
    assert silent.log_p == 0.0


@pytest.mark.parametrize(
    ("outcomes", "state"),
    [
        (seeds(3), ControlState.MEASURED_PASS),
        (seeds(3, MISSED), ControlState.MEASURED_FAIL),
        (seeds(3, replace(ONE, control_alarms=1)), ControlState.MEASURED_FAIL),
        (seeds(3, replace(ONE, before_action=None)), ControlState.MEASURED_FAIL),
    ],
)
def test_one_miss_or_one_false_alarm_fails(outcomes: list[CampaignOutcome], state: ControlState) -> None:
    assert campaign_state(outcomes)[0] is state


def test_a_result_is_read_as_it_was_written_and_nothing_else_is() -> None:
    state, why = campaign_state(seeds(20))
    result = DrillResult(
        drill="campaign", state=state, why=why, controls=CONTROLS["campaign"], version="0", began_us=1, ended_us=2,
        expires_us=3, settings={"seeds": [1]}, figures=campaign_figures(seeds(20)), claims=(campaign_claim(seeds(20), "naive"),),
    )  # fmt: skip
    said = read_drill_record(drill_record(result))
    assert (said["state"], said["claims"][0]["kind"], said["claims"][0]["n"]) == ("measured-pass", "claim", 20)
    for record in (b"{}", b"[", drill_record(result).replace(b"drill-result/v1", b"drill-result/v9")):
        with pytest.raises(DrillError, match="newer version"):
            read_drill_record(record)
