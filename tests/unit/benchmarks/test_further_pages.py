"""The sections of docs/results.md beyond detection, made from what the benchmarks' own code gives."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
from benchmarks import further_results, gateway_page, marks_calibration, marks_page

from stillwatch.governance.drill_campaign import CampaignOutcome, campaign_figures, campaign_state


def outcome(seed: int, before_alert: int | None, control_alarms: int = 0) -> CampaignOutcome:
    return CampaignOutcome(
        seed=seed, requests=900, accounts=10, sent=300, served=280, before_alert=before_alert, before_action=before_alert,
        hours_to_alert=before_alert, hours_to_action=before_alert, linked=9, wrongly_flagged=0, wrongly_refused=0, detections=5,
        control_detections=5, control_alarms=control_alarms, seconds=1.0,
    )  # fmt: skip


def test_a_drill_without_alarm_counts_as_no_end() -> None:
    outcomes = [outcome(seed, 100 + seed if seed < 8 else None) for seed in range(20)]
    state, _ = campaign_state(outcomes)
    document = {"profiles": [{"profile": "naive", "state": state.value, **campaign_figures(outcomes)}]}
    said = "\n".join(gateway_page.drills(document))
    assert "| naive | 8/20 (19% to 64%) | 0/20 | no end (" in said
    assert "measured-fail" in said


def test_calibration_names_what_does_not_hold() -> None:
    ids = np.random.default_rng(3).integers(0, 500, 400).astype(np.uint32)
    setting = ("green-bernoulli@v1", {"context_width": 1, "gamma": 0.25}, 40, 400)
    held = asdict(marks_calibration.rejections(setting, "code", ids, 1.0, np.random.default_rng(4)))
    broken = {**held, "kind": "templated", "holds": False}
    said = "\n".join(marks_page.marks_calibration({"results": [held, broken]}))
    assert "1 of 2 pairs of scheme and text hold" in said
    assert said.count("DOES NOT HOLD") == 1
    assert f"{held['rejected'][0]} (" in said


def test_a_step_that_was_not_measured_leaves_its_place_empty() -> None:
    measured = [
        {"rows": 1, "vocabulary": 32_000, "processor": "ours", "milliseconds": 0.25, "steps": 9},
        {"rows": 8, "vocabulary": 32_000, "processor": "ours", "milliseconds": 2.0, "steps": 9},
        {"rows": 1, "vocabulary": 32_000, "processor": "other", "milliseconds": 7.5, "steps": 9},
    ]
    said = "\n".join(marks_page.marking_overhead({"measured": measured}))
    assert "| ours | 0.25 | 2.00 |" in said
    assert "| other | 7.50 |  |" in said


def test_every_part_names_a_benchmark_that_is_there() -> None:
    for part in further_results.PARTS:
        assert (further_results.ROOT / f"{part.command[0].replace('.', '/')}.py").is_file()
        assert part.command[-2:] == ("--out", "OUT")


def test_every_setting_of_the_calibration_can_be_counted() -> None:
    ids = np.random.default_rng(5).integers(0, 4_000, 300).astype(np.uint32)
    for setting in marks_calibration.SETTINGS:
        found = marks_calibration.rejections(setting, "code", ids, 0.0, np.random.default_rng(6))
        assert found.keys == 20
        assert len(found.rejected) == len(marks_calibration.LEVELS)
        assert (found.without_deduplication is None) == setting[0].startswith(("kgw", "unigram"))
