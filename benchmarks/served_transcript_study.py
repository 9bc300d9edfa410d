"""What the served-transcript test finds in students whose training is known, and what it says of models that never saw an answer.

Four parts, each a list in the JSON:

- `calibration`: p-values of suspects that never saw what was served, over many seeds. A seed draws fresh served and unseen answers of the
  teacher. Given a suspect, whatever it was trained on, its ranks are independent uniforms if those answers are exchangeable; so p-values of
  different seeds are independent though the suspect is the same. Several suspects of each kind are used all the same.
- `students`: one row per student: what it was trained on, p, evidence, and after how many prompts one may stop.
- `power`: the share of random subsets of n prompts in which a student is found.
- `challenges`: committed secret challenges, on students of keyed answers in more and more other text.

    python -m benchmarks.served_transcript_study --shared ../shared --out build/benchmarks/served_transcript_study.json
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.challenge_students import challenge_rows
from benchmarks.invocation import machine
from benchmarks.suspect_worlds import STUDENT, Served, World, said, serve, stories_world, trained_world
from numpy.typing import NDArray
from scipy import stats

from stillwatch import __version__
from stillwatch.simulation.small_models import TokenExchange, copy_of, new_model, reworded, train
from stillwatch.statistics.e_process import first_crossing, rank_log_e_path
from stillwatch.statistics.intervals import binomial_acceptance, clopper_pearson
from stillwatch.statistics.rank_uniform import (
    critical_sum,
    randomised_ranks,
    tilted_certificate,
    uniform_sum_lower_log_p,
)

SEED = 20_261_126
"""The calibration of 20261125 was looked at (240 seeds; within its intervals, near their upper ends), so this one is fresh."""
UNSEEN = 8
RATE = 2e-3
"""Largest learning rate of students."""
LEVELS = (0.1, 0.05, 0.01)
POWER_PROMPTS = (25, 50, 100, 200, 400)
POWER_SUBSETS = 400
POWER_LEVEL = 1e-3
CERTIFICATE_DRAWS = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How much is run."""

    prompts: int
    """Served prompts of each world."""
    seeds: int
    """Of the calibration, for each kind of suspect."""
    calibration_prompts: int
    calibration_unseen: int
    suspects: int
    """Suspects of each kind that the calibration's seeds share."""
    repeats: int
    """Students of each row of the stories world."""


FULL = Sizes(prompts=600, seeds=600, calibration_prompts=60, calibration_unseen=4, suspects=4, repeats=2)
QUICK = Sizes(prompts=80, seeds=12, calibration_prompts=20, calibration_unseen=4, suspects=2, repeats=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What a student is trained on."""

    name: str
    epochs: int
    share: float = 1.0
    """Of its training exchanges that are served ones; the rest is text of others."""
    source: str = "served"
    """`served`, `unseen` (other samples of the same teacher for the same prompts), or `none`."""
    reworded: float = 0.0
    """Share of tokens that another model rewrote."""
    mixed: bool = False
    """Three exchanges of another teacher, to the same prompts, for each served one."""
    filtered: bool = False
    """Only the half of the answers that the student's base finds likeliest."""
    rate: float = RATE
    """Largest learning rate."""


TRAINED_RECIPES = (
    Recipe(name="base", epochs=0, source="none"),
    Recipe(name="student of other data", epochs=10, source="none"),
    Recipe(name="same teacher, other samples", epochs=10, source="unseen"),
    *(Recipe(name="served", epochs=epochs) for epochs in (1, 3, 10, 30)),
    Recipe(name="served, gently", epochs=3, rate=RATE / 8),
    *(Recipe(name="10 % served", epochs=epochs, share=0.1) for epochs in (3, 10, 30)),
)
STORIES_RECIPES = (
    Recipe(name="base", epochs=0, source="none"),
    Recipe(name="same teacher, other samples", epochs=10, source="unseen"),
    Recipe(name="same teacher, other samples, filtered", epochs=10, source="unseen", filtered=True),
    *(
        Recipe(name=f"{share:.0%} served", epochs=epochs, share=share)
        for share in (1.0, 0.3, 0.1, 0.03)
        for epochs in (3, 10, 30)
    ),
    *(Recipe(name=f"served, {share:.0%} reworded", epochs=10, reworded=share) for share in (0.1, 0.3, 0.6)),
    Recipe(name="mixed teachers, 25 % ours", epochs=10, mixed=True),
    Recipe(name="filtered answers", epochs=10, filtered=True),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the study and write its JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that it runs")
    parser.add_argument("--out", type=Path, default=None)
    asked = parser.parse_args(arguments)
    sizes, began = QUICK if asked.quick else FULL, time.process_time()
    document: dict[str, Any] = {
        "version": __version__,
        "date": datetime.now(tz=UTC).date().isoformat(),
        "machine": asdict(machine()),
        "seed": asked.seed,
        "sizes": asdict(sizes),
    }
    trained = trained_world(asked.shared, sizes.prompts, asked.seed)
    document["students"] = list(student_rows(trained, TRAINED_RECIPES, sizes, asked.seed, repeats=1))
    document["calibration"] = calibration_rows(trained, sizes, asked.seed)
    _write(asked.out, document)
    stories = stories_world(asked.shared, sizes.prompts, asked.seed)
    document["students"] += student_rows(stories, STORIES_RECIPES, sizes, asked.seed, repeats=sizes.repeats)
    _write(asked.out, document)
    document["challenges"] = challenge_rows(stories, asked.seed, quick=asked.quick)
    document["processor_seconds"] = time.process_time() - began
    _write(asked.out, document)
    failed = [row for row in document["calibration"] if not row["as_promised"]]
    print(f"{len(document['students'])} students, {len(failed)} calibration rows outside their intervals")
    return 1 if failed else 0


def student_rows(
    world: World, recipes: Sequence[Recipe], sizes: Sizes, seed: int, *, repeats: int
) -> Iterator[dict[str, Any]]:
    """Train each student and test it on what was served."""
    served = serve(world.teacher, world.prompts, UNSEEN, seed + 11)
    own = served.scores(world.teacher)
    suspects: list[tuple[Recipe, int]] = [(recipe, repeat) for recipe in recipes for repeat in range(repeats)]
    yield _row(world, "the teacher itself", own, own, np.arange(sizes.prompts), None, 0, seed)
    for recipe, repeat in suspects:
        student_seed = seed + 1_000 * (repeat + 1)
        rng = np.random.default_rng(student_seed)
        student, used = make_student(world, served, recipe, student_seed, rng)
        row = _row(world, recipe.name, served.scores(student), own, used, recipe, repeat, student_seed)
        found = " and ".join(f"{row[kind]['log10_p']:.1f}" for kind in ("alone", "against_own_model"))
        said(f"{world.name}, {recipe.name}, {recipe.epochs} epochs: log10 p {found}")
        yield row


def make_student(
    world: World, served: Served, recipe: Recipe, seed: int, rng: np.random.Generator
) -> tuple[Any, NDArray[np.int64]]:
    """Train a student by a recipe.

    Returns:
        The student, and the places of the prompts whose answers it was trained on; all of them where it was trained on none.
    """
    student = copy_of(world.base)
    count = len(served.prompts)
    everything = np.arange(count)
    if recipe.source == "none":
        if recipe.epochs:
            train(student, list(world.others)[:count], epochs=recipe.epochs, seed=seed, rate=recipe.rate)
        return student, everything
    used = np.sort(rng.permutation(count)[: max(1, round(recipe.share * count))])
    # An unseen sample that stands in for a served one must not be among those that the served ones are compared with.
    source = served if recipe.source == "served" else serve(world.teacher, served.prompts, 0, seed + 77)
    taught = [source.exchanges()[index] for index in used]
    if recipe.reworded:
        taught = reworded(world.other_teacher, taught, share=recipe.reworded, seed=seed)
    if recipe.filtered:
        likely = served_scores(world, taught)
        taught = [taught[index] for index in np.argsort(-likely)[: len(taught) // 2]]
    if recipe.mixed:
        for draw in range(3):
            other = serve(world.other_teacher, served.prompts, 0, seed + 101 + draw)
            taught += other.exchanges()
    taught += [world.others[index] for index in rng.integers(0, len(world.others), count - len(used))]
    train(student, taught, epochs=recipe.epochs, seed=seed, rate=recipe.rate)
    return student, used


def served_scores(world: World, exchanges: Sequence[TokenExchange]) -> NDArray[np.float64]:
    """Give how likely the student's base finds each answer."""
    one_each = Served(prompts=tuple(e.prompt for e in exchanges), answers=tuple((e.answer,) for e in exchanges))
    return one_each.scores(world.base)[:, 0]


def ranks_of(scores: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Give the rank of the served answer among the unseen ones, [prompts]."""
    return np.asarray(randomised_ranks(scores[:, 0], list(scores[:, 1:]), rng))


def _row(
    world: World,
    name: str,
    scores: NDArray[np.float64],
    reference: NDArray[np.float64],
    used: NDArray[np.int64],
    recipe: Recipe | None,
    repeat: int,
    seed: int,
) -> dict[str, Any]:
    rng = np.random.default_rng(seed + 5)
    order = rng.permutation(len(scores))
    mine = order[np.isin(order, used)]
    row: dict[str, Any] = {
        "world": world.name,
        "suspect": name,
        "recipe": asdict(recipe) if recipe else None,
        "repeat": repeat,
        "prompts": len(mine),
    }
    # Alone; and minus how likely our own model finds each answer, since what any model finds easy says nothing.
    for kind, kept in (("alone", scores), ("against_own_model", scores - reference)):
        ranks = ranks_of(kept, rng)
        path = rank_log_e_path(ranks[mine])
        certificate = tilted_certificate(ranks[mine], CERTIFICATE_DRAWS, rng)
        row[kind] = {
            "log10_p": uniform_sum_lower_log_p(ranks[mine]) / math.log(10),
            "log10_p_certified": certificate.log_p / math.log(10),
            "certificate_error": certificate.relative_error,
            "log10_p_all_prompts": uniform_sum_lower_log_p(ranks) / math.log(10),
            "log10_e": float(path[-1]) / math.log(10),
            "stops_after": {
                str(threshold): first_crossing(path, math.log(threshold)) for threshold in (20, 100, 1_000)
            },
            "mean_rank": float(ranks[mine].mean()),
            "first_of_all": float((ranks[mine] <= 1 / (UNSEEN + 1)).mean()),
            "power": list(_power(ranks[mine], rng)) if recipe and recipe.source == "served" else [],
        }
    return row


def _power(ranks: NDArray[np.float64], rng: np.random.Generator) -> Iterator[dict[str, Any]]:
    """Give the share of random subsets of the prompts in which the suspect is found."""
    for prompts in POWER_PROMPTS:
        if prompts > len(ranks):
            return
        critical = critical_sum(prompts, math.log(POWER_LEVEL))
        found = evidence = 0
        for _ in range(POWER_SUBSETS):
            subset = rng.permutation(ranks)[:prompts]
            found += bool(subset.sum() <= critical)
            evidence += first_crossing(rank_log_e_path(subset), math.log(20)) is not None
        yield {
            "prompts": prompts,
            "p_at_most_0.001": found / POWER_SUBSETS,
            "e_reaches_20": evidence / POWER_SUBSETS,
        }


def calibration_rows(world: World, sizes: Sizes, seed: int) -> list[dict[str, Any]]:
    """Give, for each kind of suspect that never saw what was served, its p-values over many seeds."""
    kinds: dict[str, list[Any]] = {
        "base": [world.base, *(_other_base(world, seed + n) for n in range(1, sizes.suspects))],
        "student of other data": [],
        "same teacher, other samples": [],
        "same teacher, other samples, filtered": [],
        "the teacher itself": [world.teacher],
    }
    # Students of other samples for the very prompts that are served: all seeds ask these prompts, with fresh answers each time.
    prompts = world.prompts[: sizes.calibration_prompts]
    for number in range(sizes.suspects):
        for kind, recipe in (
            ("student of other data", Recipe(name="other", epochs=10, source="none")),
            ("same teacher, other samples", Recipe(name="unseen", epochs=10, source="unseen")),
            (
                "same teacher, other samples, filtered",
                Recipe(name="unseen", epochs=10, source="unseen", filtered=True),
            ),
        ):
            nothing_served = serve(world.teacher, prompts, 0, seed + 301 + number)
            rng = np.random.default_rng(seed + number)
            kinds[kind].append(make_student(world, nothing_served, recipe, seed + 401 + number, rng)[0])
    log_ps: dict[str, list[float]] = {kind: [] for kind in kinds}
    largest: dict[str, list[float]] = {kind: [] for kind in kinds}
    for run in range(sizes.seeds):
        served = serve(world.teacher, prompts, sizes.calibration_unseen, seed + 10_000 + run)
        rng = np.random.default_rng(seed + 20_000 + run)
        for kind, suspects in kinds.items():
            ranks = ranks_of(served.scores(suspects[run % len(suspects)]), rng)
            log_ps[kind].append(uniform_sum_lower_log_p(ranks))
            largest[kind].append(float(rank_log_e_path(ranks).max()))
        if run % 20 == 19:
            said(f"calibration: {run + 1} of {sizes.seeds} seeds")
    return [_calibration_row(kind, log_ps[kind], largest[kind], len(kinds[kind])) for kind in kinds]


def _calibration_row(kind: str, log_ps: Sequence[float], largest: Sequence[float], suspects: int) -> dict[str, Any]:
    runs, ps = len(log_ps), np.exp(log_ps)
    levels = []
    for level in LEVELS:
        low, high = binomial_acceptance(runs, level, 1e-4)
        rejected = int((ps <= level).sum())
        reached = sum(one >= -math.log(level) for one in largest)
        levels.append(
            {
                "level": level,
                "rejected": rejected,
                "expected": [low, high],
                "rate_interval_95": clopper_pearson(rejected, runs, 0.95),
                "evidence_ever_reached": reached,
                "as_promised": low <= rejected <= high and reached <= high,
            }
        )
    kolmogorov = float(stats.kstest(ps, "uniform").pvalue)
    return {
        "suspect": kind,
        "suspects": suspects,
        "seeds": runs,
        "kolmogorov_p": kolmogorov,
        "levels": levels,
        "as_promised": kolmogorov > 1e-4 and all(level["as_promised"] for level in levels),
    }


def _other_base(world: World, seed: int) -> Any:
    base = new_model(STUDENT, seed)
    train(base, list(world.others), epochs=2, seed=seed)
    return base


def _write(out: Path | None, document: dict[str, Any]) -> None:
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
