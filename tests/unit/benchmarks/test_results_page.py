from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from benchmarks.invocation import InvocationError, Machine, machine, stillwatch
from benchmarks.real_world.single_prompt_classifier import ClassifierFigures
from benchmarks.results import ABLATIONS, benchmark_documents, without
from benchmarks.results_page import Ablation, CampaignOutcome, Page, PoolSize, Section, share, write_page

WORK = Path("/somewhere/to/keep")


def _rate(part: int, whole: int, high: float = 1.0) -> dict:
    return {"part": part, "whole": whole, "value": part / whole if whole else None, "low": 0.0, "high": high}


def _score(*, recall: int, wrong: int, class_wrong: int) -> dict:
    return {
        "worlds": 2,
        "accounts": 2_000,
        "recall": _rate(recall, 20),
        "false_discoveries": _rate(wrong, 20, high=0.009 if not wrong else 0.4),
        "worst_false_discoveries": wrong / 20,
        "false_positives": _rate(wrong, 1_980),
        "families": [
            {
                "family": "bare shards", "campaigns": 2, "campaigns_found": 1, "recall": _rate(recall, 20), "purity": 1.0,
                "completeness": None,
            }
        ],
        "look_alikes": [{"name": "judge suite", "flagged": _rate(class_wrong, 100)}],
    }  # fmt: skip


def _page(score: dict) -> Page:
    section = Section(
        title="Simulated worlds",
        score=score,
        baselines=[{"name": "volume threshold", "threshold": "100 exchanges or more", "score": score}],
        honest_share=0.991,
        exchanges=12_345,
        quarantined=0,
        seconds=3.0,
        commands=(f"stillwatch detect {WORK}/simulated-1",),
        sizes=(PoolSize(smallest=6, largest=9, campaigns=2, found=1, accounts=16, flagged=9),),
        ablations=(Ablation(name="metadata only", score=score, tests_not_run=("template lift",)),),
    )
    choices = {
        "family": "bare shards", "pool": "gsm8k", "template": "none", "infrastructure": "nothing shared",
        "per_day": 7.0, "days": 9.0, "dispatch": "queue", "round_the_clock": True, "harvest_share": 0.97,
    }  # fmt: skip
    return Page(
        made_at=datetime(2026, 1, 2, tzinfo=UTC),
        version="0.1.0",
        seeds=(1, 2),
        machine=Machine(processor="a|b", cores=2, memory_bytes=8_000_000_000, system="Linux 6", python="3.11"),
        command="python -m benchmarks.results",
        sections=(section,),
        campaigns=(
            CampaignOutcome(seed=1, choices=choices, members=8, flagged=1),
            CampaignOutcome(seed=2, choices=choices, members=8, flagged=8),
        ),
        classifier=ClassifierFigures(prompts=10, families=4, random_split=0.97, unseen_families=(0.6, 0.7), seed=1),
        coordination={"component_baseline": {"precision": 0.8, "recall": 0.59, "flagged": 10}},
        benchmarks=(
            (
                "detect_scale.json",
                {"benchmark": "detect scale", "figures": [{"exchanges": 1_000}], "goals": ["met: x"]},
            ),
        ),
    )


def test_hits_are_not_called_misses():
    text = write_page(_page(_score(recall=20, wrong=0, class_wrong=0)), hide=WORK)
    families = text.split("### By campaign family")[1].split("###")[0]
    assert "MISSED" not in families
    assert "MISSED" not in text.split("## At a glance")[1].split("##")[0]


def test_misses_are_said_in_words():
    text = write_page(_page(_score(recall=9, wrong=3, class_wrong=2)), hide=WORK)
    assert text.split("### By campaign family")[1].split("###")[0].count("**MISSED**") == 1
    assert text.split("### By honest class")[1].split("###")[0].count("**MISSED**") == 1
    assert text.split("## At a glance")[1].split("##")[0].count("**MISSED**") == 3
    assert text.split("### Every campaign")[1].split("##")[0].count("1/8 **MISSED**") == 1


def test_the_page_names_machine_version_seeds_commands_and_no_working_folder():
    text = write_page(_page(_score(recall=20, wrong=0, class_wrong=0)), hide=WORK)
    for expected in ("2026-01-02", "0.1.0", "seeds 1, 2", "2 cores", "8.0 GB", "WORK/simulated-1", "0.650", "0.59"):
        assert expected in text
    assert str(WORK) not in text
    assert "volume threshold | 100 exchanges or more" in text
    assert "template lift" in text


def test_a_run_that_flags_nothing_neither_meets_nor_misses_the_false_discovery_goal():
    score = _score(recall=0, wrong=0, class_wrong=0) | {"false_discoveries": _rate(0, 0)}
    glance = write_page(_page(score), hide=WORK).split("## At a glance")[1].split("##")[0]
    assert "nothing was flagged" in glance
    assert "0/20, 0.0 % (0.0 to 100.0): **MISSED**" in glance


def test_absent_third_party_data_is_said(tmp_path):
    page = _page(_score(recall=20, wrong=0, class_wrong=0))
    bare = Page(
        **{name: getattr(page, name) for name in Page.__slots__ if name not in {"classifier", "coordination"}},
        classifier=None,
        coordination=None,
    )
    assert write_page(bare, hide=tmp_path).count("third-party data is not there") == 2


def test_share_of_nothing_is_none():
    assert share(_rate(0, 0)) == "none"
    assert share(_rate(1, 4)) == "1/4, 25.0 % (0.0 to 100.0)"


def test_columns_are_left_out_but_the_licence_stays(tmp_path):
    world = tmp_path / "world"
    world.mkdir()
    columns = ("time", "account_id", "exchange_id", "prompt", "ip", "system_prompt", "output_tokens")
    pq.write_table(pa.table({name: ["a", "b"] for name in columns}), world / "traffic-00000.parquet")
    pq.write_table(
        pa.table({"account_id": ["a"], "licence": ["x"], "payment_id": ["card"]}), world / "accounts.parquet"
    )
    pq.write_table(pa.table({"account_id": ["a"]}), world / "truth.parquet")
    kept = []
    for number, (_, dropped, only) in enumerate(ABLATIONS):
        out = without(world, tmp_path / str(number), dropped, keep=only)
        kept.append(pq.read_table(out / "traffic-00000.parquet").column_names)
        assert pq.read_table(out / "accounts.parquet").column_names == ["account_id", "licence"]
    assert kept == [
        ["time", "account_id", "exchange_id", "prompt", "system_prompt", "output_tokens"],
        ["time", "account_id", "exchange_id", "prompt"],
        ["time", "account_id", "exchange_id", "ip", "output_tokens"],
    ]


def test_benchmark_files_are_found_in_folders_and_by_name(tmp_path):
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "one.json").write_text('{"benchmark": "one"}')
    assert benchmark_documents((tmp_path / "b", tmp_path / "absent.json")) == [("one.json", {"benchmark": "one"})]


def test_a_run_is_measured():
    run = stillwatch("version")
    assert run.command == "stillwatch version"
    assert run.wall_seconds > 0
    assert run.processor_seconds > 0
    assert 5_000_000 < run.peak_bytes < 2_000_000_000
    assert "0.1.0" in str(run.document)


def test_a_failed_run_says_what_was_run():
    with pytest.raises(InvocationError, match="stillwatch no-such-verb"):
        stillwatch("no-such-verb")


def test_a_run_that_takes_too_long_is_ended():
    with pytest.raises(InvocationError, match="got no end"):
        stillwatch("version", timeout=0.0)


def test_the_machine_is_described():
    here = machine()
    assert here.cores >= 1
    assert here.memory_bytes > 100_000_000
    assert here.processor
