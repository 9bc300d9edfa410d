"""Radioactivity on students that are trained here: a student of marked answers is found, and models that know no key are not.

A control reads answers that a fresh key marked. Given the control, results of different keys are independent, so p-values of one control under many
keys are those of many runs. The full study, with a student for each key, is `benchmarks.radioactivity_study`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy import stats

pytest.importorskip("torch", reason="the extra `models` is not installed")

from benchmarks.radioactivity_study import GREEN, GUMBEL, SHORT, result_of, uniform_p
from benchmarks.radioactivity_worlds import answers, prompts, student, teacher

from stillwatch.statistics.intervals import binomial_acceptance
from stillwatch.watermark.radioactivity.scorer import Mode

ERROR = 1e-6
KEYS = 30
SEED = 31


@pytest.fixture(scope="module")
def world() -> dict[str, Any]:
    """A teacher, a student of its marked answers, one of its unmarked ones, and one of another teacher's."""
    taught, other = teacher(SEED, attention=SHORT), teacher(SEED + 1, attention=SHORT)
    key, asked = GREEN.key(SEED), prompts(1_200, SEED)
    marked = answers(taught, asked, SEED, key, GREEN)
    return {
        "teacher": taught,
        "key": key,
        "served": marked,
        "marked": student(marked, SEED + 2, epochs=6, rate=1e-2),
        "unmarked": student(answers(taught, asked[:500], SEED + 3), SEED + 4, epochs=4, rate=1e-2),
        "other data": student(answers(other, asked[:300], SEED + 5), SEED + 6, epochs=4, rate=1e-2),
    }


@pytest.mark.parametrize("mode", [Mode.TOP, Mode.MASS])
def test_a_student_of_marked_answers_is_found_by_reading(world: dict[str, Any], mode: Mode) -> None:
    (found,) = result_of(world["marked"], world["served"][:250], [world["key"]], mode)
    assert found.log_p < math.log(1e-6)
    assert found.found
    assert found.decoys_above == 0


def test_a_student_of_marked_answers_is_found_by_writing(world: dict[str, Any]) -> None:
    wrote = answers(world["marked"], prompts(200, SEED), SEED + 7)
    (found,) = result_of(world["marked"], wrote, [world["key"]], Mode.WRITTEN, served=world["served"])
    assert found.log_p < math.log(1e-6)
    assert found.decoys_above == 0


def test_other_keys_on_the_same_student_are_not_found(world: dict[str, Any]) -> None:
    """Keys that marked nothing are exchangeable, whatever the student learnt of another key."""
    others = [GREEN.key(SEED + 100 + number, handle=f"k{number}") for number in range(300)]
    results = result_of(world["marked"], world["served"][:250], others, Mode.TOP, decoys=99)
    draws = np.random.default_rng(SEED)
    uniform = np.array([uniform_p(one, Mode.TOP, float(draws.random())) for one in results])
    assert not any(one.found for one in results)
    assert stats.kstest(uniform, "uniform").pvalue > ERROR
    for level in (0.1, 0.01):
        low, high = binomial_acceptance(len(uniform), level, ERROR)
        assert low <= int((uniform <= level).sum()) <= high


@pytest.mark.parametrize(
    ("marking", "names"), [(GREEN, ("marked", "unmarked")), (GUMBEL, ("other data",))], ids=["green", "gumbel"]
)
def test_models_that_know_no_key_score_like_chance_on_what_it_marked(
    world: dict[str, Any], marking: Any, names: tuple[str, ...]
) -> None:
    draws = np.random.default_rng(SEED)
    uniform: dict[tuple[str, Mode], list[float]] = {}
    found = 0
    for number in range(KEYS):
        key = marking.key(SEED + 1_000 + number)
        read = answers(world["teacher"], prompts(40, SEED + number), SEED + number, key, marking)
        for name in names:
            for mode in (Mode.TOP, Mode.MASS):
                (one,) = result_of(world[name], read, [key], mode, decoys=99)
                uniform.setdefault((name, mode), []).append(uniform_p(one, mode, float(draws.random())))
                found += one.found
    assert found == 0
    for values in uniform.values():
        assert stats.kstest(values, "uniform").pvalue > ERROR
        low, high = binomial_acceptance(KEYS, 0.1, ERROR)
        assert low <= sum(value <= 0.1 for value in values) <= high
