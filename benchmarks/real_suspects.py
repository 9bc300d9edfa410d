"""T1 and T2 on the answers of real models, beside the one shipped tool that claims to do the like.

Reads the public answer sets (`--data`), compares the pairs that `real_suspects_pairs.py` wrote down beforehand, and states: how often the true
parent of a derived model is the nearest of all candidates; for which distilled models the documented teacher stands out among controls, by name;
how often an unrelated pair is called kin at the stated level, with a binomial interval; the same pairs by `knowlyr-modelaudit` with its own functions
and thresholds, if the Python of an environment that holds it is given (`--peer`); and how often T1 tells samples of one model apart, and of two.

    python -m benchmarks.real_suspects --data ../shared/data/teacher_student --peer PEER/bin/python --out build/benchmarks/real_suspects.json
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import math
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import combinations
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
from benchmarks.invocation import machine
from benchmarks.real_suspects_pairs import (
    ALPACA_DERIVED,
    ALPACA_DISTILLED,
    ALPACA_FAMILIES,
    CHECKPOINTS,
    LEAST_PROMPTS,
    OPEN_ASSISTANT_FAMILIES,
    STRICT,
    Pair,
    family,
    siblings,
)

from stillwatch import __version__
from stillwatch.statistics.conformal import conformal_log_p
from stillwatch.statistics.intervals import binomial_acceptance, clopper_pearson
from stillwatch.suspects.kinship import Roster, kinship_by_prompt, possible_parents
from stillwatch.suspects.likeness import FEATURE_SETS, Likeness, likeness
from stillwatch.suspects.two_sample import distance, pair_bets_log_e

SEED = 20_261_125
LEVEL = 0.05
NEAREST = "nearest is of the family of the parent"
PEER_PROMPTS = 20
"""As many as that tool sends at most by itself."""
PEER_STRANGERS = 910
"""Unrelated pairs that it is asked about, drawn from all."""
SETTINGS = ("k50", "nucleus9", "typical2", "typical3", "contrastive")
"""Ways of sampling that together stand for the draws of one model in T1."""
Answers = dict[str, list[str | None]]
Lines = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One suspect and one teacher, by one feature set."""

    suspect: str
    teacher: str
    kind: str
    p: float
    """Among controls, not corrected for the other feature set."""
    z: float
    rank: int
    """Of the teacher among the candidates."""
    candidates: int
    controls: int
    nearest: str


@dataclass(frozen=True, kw_only=True)
class World:
    """The models of one set, and how alike they answer."""

    name: str
    answers: Answers
    likenesses: tuple[Likeness, ...]
    lines: Lines
    derived: tuple[Pair, ...]

    @property
    def models(self) -> tuple[str, ...]:
        """All models, in the order of the likenesses."""
        return self.likenesses[0].models

    @cached_property
    def kin(self) -> dict[str, str]:
        """Family of each model; `@` and what follows is a way of sampling."""
        return {model: family(model.split("@")[0], self.lines) for model in self.models}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run everything and write the document."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data/teacher_student"))
    parser.add_argument("--peer", type=Path, default=None, help="Python of an environment with knowlyr-modelaudit")
    parser.add_argument("--out", type=Path, default=None)
    asked = parser.parse_args(arguments)
    alpaca = read_alpaca(asked.data)
    assistant = read_open_assistant(asked.data)
    found = {
        "version": __version__,
        "seed": SEED,
        "date": dt.datetime.now(tz=dt.UTC).date().isoformat(),
        "machine": asdict(machine()),
        "level": LEVEL,
        "t2": [
            kinship_of(alpaca, "derived", ALPACA_DERIVED),
            kinship_of(alpaca, "distilled", ALPACA_DISTILLED),
            kinship_of(assistant, "served again with other sampling", assistant.derived),
            kinship_of(assistant, "trained on (later checkpoint)", CHECKPOINTS),
        ],
        "unrelated": [unrelated(alpaca), unrelated(assistant)],
        "t1": two_sample(asked.data),
    }
    if asked.peer is not None:
        found["peer"] = [peer(asked.peer, alpaca, ALPACA_DERIVED), peer(asked.peer, assistant, assistant.derived)]
    print(table(found))
    if asked.out is not None:
        asked.out.parent.mkdir(parents=True, exist_ok=True)
        asked.out.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    return 0


def read_alpaca(data: Path) -> World:
    """Read the AlpacaEval answers: 130 models, 805 prompts, one answer each."""
    rows = duckdb.sql(f"select model, prompt_idx, output from '{data}/alpaca_eval_outputs.parquet'").fetchall()
    answers = _by_model([(model, place, text) for model, place, text in rows], 805)
    return _world("AlpacaEval", answers, ALPACA_FAMILIES, ALPACA_DERIVED)


def read_open_assistant(data: Path) -> World:
    """Read the OpenAssistant answers: greedy ones, and as suspects the same models sampled with nucleus 0.9."""
    rows = duckdb.sql(
        f"""select model, sampling_config, prompt_idx, min_by(output, report)
        from '{data}/oasst_eval_outputs_sampling.parquet'
        where sampling_config in ('greedy', 'nucleus9') and prompt_idx < 250 group by all"""
    ).fetchall()
    named = [
        (model if setting == "greedy" else f"{model}@{setting}", place, text) for model, setting, place, text in rows
    ]
    answers = _by_model(named, 250)
    whole = {
        model: texts for model, texts in answers.items() if sum(text is not None for text in texts) >= LEAST_PROMPTS
    }
    again = tuple(
        Pair(suspect=model, parent=model.split("@")[0], kind="other sampling")
        for model in sorted(whole)
        if "@" in model and model.split("@")[0] in whole
    )
    kept = {model: texts for model, texts in whole.items() if "@" not in model or model.split("@")[0] in whole}
    return _world("OpenAssistant", kept, OPEN_ASSISTANT_FAMILIES, again)


def kinship_of(world: World, title: str, pairs: Sequence[Pair]) -> dict[str, Any]:
    """Compare each pair by each feature set, and count how often the parent is first."""
    document: dict[str, Any] = {"set": world.name, "pairs": title, "features": {}}
    for one in world.likenesses:
        rows = [compare(world, one, pair) for pair in pairs]
        first = sum(row.rank == 1 for row in rows)
        low, high = clopper_pearson(first, len(rows), 0.95)
        document["features"][one.features.name] = {
            "parent first": first,
            "of": len(rows),
            "interval": (low, high),
            NEAREST: sum(world.kin[row.nearest] == world.kin[row.teacher] for row in rows),
            "at or below the level": sum(row.p <= LEVEL for row in rows),
            "rows": [asdict(row) for row in rows],
        }
    return document


def compare(world: World, likeness_: Likeness, pair: Pair) -> Compared:
    """Place a suspect among its controls, and its parent among all candidates."""
    roster = roster_of(world, pair.suspect, pair.parent, siblings(pair.suspect, world.derived))
    means = kinship_by_prompt(likeness_, (roster.suspect, *roster.controls), roster.teacher).mean(axis=0)
    ranked = possible_parents(likeness_, roster)
    return Compared(
        suspect=pair.suspect,
        teacher=pair.parent,
        kind=pair.kind,
        p=math.exp(conformal_log_p(float(means[0]), means[1:])),
        z=float((means[0] - means[1:].mean()) / means[1:].std(ddof=1)),
        rank=1 + [name for name, _ in ranked].index(pair.parent),
        candidates=len(ranked),
        controls=len(roster.controls),
        nearest=ranked[0][0],
    )


def roster_of(world: World, suspect: str, teacher: str, excluded: frozenset[str]) -> Roster:
    """Apply the rule of controls: other families; for a closed teacher those documented as not trained on it."""
    kin = world.kin
    related = {kin[suspect], kin[teacher]}
    closed = world.name == "AlpacaEval" and kin[teacher] == "openai" and kin[suspect] != "openai"
    allowed = STRICT if closed else tuple(model for model in world.models if "@" not in model)
    candidates = tuple(model for model in world.models if "@" not in model and model not in excluded)
    controls = tuple(model for model in allowed if kin[model] not in related)
    return Roster(suspect=suspect, teacher=teacher, controls=controls, kin=kin, candidates=candidates)


def unrelated(world: World) -> dict[str, Any]:
    """Call pairs of different families kin at the level, where by their makers' word nothing ties them.

    For each teacher every model of every other family is a suspect in turn. Teachers whose outputs many models were trained on are left out
    (OpenAI), or their unrelated suspects would be the controls themselves. Pairs hang together, and so the interval is over pairs of
    families: of each, one pair is drawn.
    """
    kin = world.kin
    rng = np.random.default_rng(SEED)
    plain = [model for model in world.models if "@" not in model and kin[model] != "openai"]
    document: dict[str, Any] = {"set": world.name, "features": {}}
    for one in world.likenesses:
        called: dict[tuple[str, str], list[bool]] = {}
        for suspect, teacher in _ordered_pairs(plain, kin):
            roster = roster_of(world, suspect, teacher, frozenset())
            means = _means(one, roster)
            called.setdefault((kin[suspect], kin[teacher]), []).append(
                conformal_log_p(float(means[0]), means[1:]) <= math.log(LEVEL)
            )
        drawn = [bool(rng.choice(outcomes)) for outcomes in called.values()]
        everything = [outcome for outcomes in called.values() for outcome in outcomes]
        document["features"][one.features.name] = {
            "called kin": sum(everything),
            "pairs": len(everything),
            "called kin of one pair of each two families": sum(drawn),
            "pairs of families": len(drawn),
            "interval of the rate": clopper_pearson(sum(drawn), len(drawn), 0.95),
            "accepted at the level, 1e-6": binomial_acceptance(len(drawn), LEVEL, 1e-6),
            "by family of the suspect": _by_family(called),
        }
    return document


def two_sample(data: Path) -> dict[str, Any]:
    """Tell models apart by T1: splits of one model's samples, later checkpoints, and all pairs of models."""
    samples = _samples(data)
    rng = np.random.default_rng(SEED)
    models = sorted(samples)
    prompts = rng.permutation(250)[:25].tolist()
    split, bets = [], []
    for model in models:
        for _ in range(5):
            halves = [_split(samples[model][place], rng) for place in prompts]
            ours, theirs = [one for one, _ in halves], [other for _, other in halves]
            split.append(distance(ours, theirs, permutations=199, rng=rng).log_p <= math.log(LEVEL))
            bets.append(float(pair_bets_log_e(ours, theirs).max()) >= -math.log(LEVEL))
    apart = {}
    for first, second in combinations(models, 2):
        one, other = ([samples[model][place] for place in prompts] for model in (first, second))
        apart[first, second] = distance(one, other, permutations=199, rng=rng)
    near = [
        apart[pair]
        for pair in apart
        if family(pair[0], OPEN_ASSISTANT_FAMILIES) == family(pair[1], OPEN_ASSISTANT_FAMILIES)
    ]
    return {
        "models": len(models),
        "prompts": len(prompts),
        "samples of each": len(SETTINGS),
        "splits of one model called different": (sum(split), len(split), clopper_pearson(sum(split), len(split), 0.95)),
        "splits of one model called different by bets": (sum(bets), len(bets)),
        "two models told apart": (sum(one.log_p <= math.log(LEVEL) for one in apart.values()), len(apart)),
        "two models of one family told apart": (sum(one.log_p <= math.log(LEVEL) for one in near), len(near)),
    }


def peer(python: Path, world: World, pairs: Sequence[Pair]) -> dict[str, Any]:
    """Compare the same pairs, and unrelated ones, by the other tool; its slower mode on its own number of prompts only."""
    kin = world.kin
    rng = np.random.default_rng(SEED)
    plain = [model for model in world.models if "@" not in model]
    apart = [
        (a, b) for a, b in combinations([model for model in plain if kin[model] != "openai"], 2) if kin[a] != kin[b]
    ]
    strangers = [apart[place] for place in rng.permutation(len(apart))[:PEER_STRANGERS]]
    ranked = [
        (pair.suspect, other)
        for pair in pairs
        for other in plain
        if other not in {pair.suspect, *siblings(pair.suspect, world.derived)}
    ]
    document: dict[str, Any] = {"set": world.name, "tool": "knowlyr-modelaudit 0.4.1"}
    common = [
        place
        for place in range(len(next(iter(world.answers.values()))))
        if all(texts[place] is not None for texts in world.answers.values())
    ]
    for label, places in (
        (f"{PEER_PROMPTS} prompts", rng.permutation(common)[:PEER_PROMPTS].tolist()),
        ("all prompts", common),
    ):
        answers = {model: [texts[place] for place in places] for model, texts in world.answers.items()}
        request = {
            "answers": answers,
            "pairs": [*strangers, *ranked],
            "modes": ["llmmap"] if label == "all prompts" else ["llmmap", "dli"],
        }
        script = Path(__file__).with_name("peer_modelaudit.py")
        ran = subprocess.run(
            [str(python), str(script)], input=json.dumps(request), capture_output=True, text=True, check=True
        )
        results = json.loads(ran.stdout)
        document[label] = {mode: _judged(found, len(strangers), ranked, pairs) for mode, found in results.items()}
    return document


def table(found: dict[str, Any]) -> str:
    """Show the figures as a Markdown table."""
    lines = ["| comparison | set | by | result |", "|---|---|---|---|"]
    for block in found["t2"]:
        for name, one in block["features"].items():
            said = (
                f"true parent first {one['parent first']} of {one['of']}, one of its family"
                f" {one[NEAREST]}; p <= {LEVEL:g}: {one['at or below the level']}"
            )
            lines.append(f"| {block['pairs']} | {block['set']} | T2, {name} | {said} |")
    for block in found["unrelated"]:
        for name, one in block["features"].items():
            low, high = one["interval of the rate"]
            said = (
                f"called kin {one['called kin']} of {one['pairs']}; by families {one['called kin of one pair of each two families']}"
                f" of {one['pairs of families']} ({low:.3f} to {high:.3f})"
            )
            lines.append(f"| unrelated | {block['set']} | T2, {name} | {said} |")
    for block in found.get("peer", ()):
        for label in (f"{PEER_PROMPTS} prompts", "all prompts"):
            for mode, one in block[label].items():
                said = ", ".join(f"{what} {value[0]} of {value[1]}" for what, value in one.items())
                lines.append(f"| derived and unrelated | {block['set']} | {block['tool']}, {mode}, {label} | {said} |")
    for what, value in found["t1"].items():
        lines.append(
            f"| T1: {what} | OpenAssistant | T1 | {value if isinstance(value, int) else f'{value[0]} of {value[1]}'} |"
        )
    return "\n".join(lines)


def _by_model(rows: Sequence[tuple[str, int, str | None]], prompts: int) -> Answers:
    answers: Answers = {}
    for model, place, text in rows:
        answers.setdefault(model, [None] * prompts)[place] = text
    return answers


def _world(name: str, answers: Answers, lines: Lines, derived: tuple[Pair, ...]) -> World:
    made = tuple(likeness(answers, features) for features in FEATURE_SETS)
    return World(name=name, answers=answers, likenesses=made, lines=lines, derived=derived)


def _ordered_pairs(models: Sequence[str], kin: dict[str, str]) -> Iterator[tuple[str, str]]:
    for suspect in models:
        for teacher in models:
            if kin[suspect] != kin[teacher]:
                yield suspect, teacher


_MEANS: dict[int, Likeness] = {}


def _means(likeness_: Likeness, roster: Roster) -> Any:
    """Give h of suspect and controls from the mean over prompts, which is the same number and a thousand times less work."""
    if id(likeness_) not in _MEANS:
        mean = likeness_.values.mean(axis=0, dtype=np.float64, keepdims=True).astype(np.float32)
        _MEANS[id(likeness_)] = Likeness(
            features=likeness_.features, models=likeness_.models, values=mean, input_digest=likeness_.input_digest
        )
    return kinship_by_prompt(_MEANS[id(likeness_)], (roster.suspect, *roster.controls), roster.teacher).mean(axis=0)


def _by_family(called: dict[tuple[str, str], list[bool]]) -> dict[str, tuple[int, int]]:
    """Count by family of the suspect, most called first; families that are never called are left out."""
    sums: dict[str, tuple[int, int]] = {}
    for (suspect, _), outcomes in called.items():
        hits, number = sums.get(suspect, (0, 0))
        sums[suspect] = (hits + sum(outcomes), number + len(outcomes))
    return {name: pair for name, pair in sorted(sums.items(), key=lambda item: -item[1][0] / item[1][1]) if pair[0]}


def _samples(data: Path) -> dict[str, list[list[str]]]:
    """Give for each model its sampled answers to each prompt, one of each setting; models that lack some are left out."""
    settings = ", ".join(f"'{setting}'" for setting in SETTINGS)
    rows = duckdb.sql(
        f"""select model, prompt_idx, list(output order by sampling_config) as texts from (
          select model, prompt_idx, sampling_config, min_by(output, report) as output
          from '{data}/oasst_eval_outputs_sampling.parquet'
          where sampling_config in ({settings}) and prompt_idx < 250 group by all)
        group by all having count(*) = {len(SETTINGS)} order by all"""
    ).fetchall()
    samples: dict[str, list[list[str]]] = {}
    for model, place, texts in rows:
        samples.setdefault(model, [[] for _ in range(250)])[place] = list(texts)
    return {model: answers for model, answers in samples.items() if all(answers)}


def _split(texts: Sequence[str], rng: np.random.Generator) -> tuple[list[str], list[str]]:
    order = rng.permutation(len(texts)).tolist()
    half = len(texts) // 2
    return [texts[place] for place in order[:half]], [texts[place] for place in order[half:]]


def _judged(
    found: Sequence[tuple[float, bool]], strangers: int, ranked: Sequence[tuple[str, str]], pairs: Sequence[Pair]
) -> dict[str, tuple[int, int]]:
    """Count its verdicts on unrelated and on true pairs, and how often it puts the true parent first."""
    similar = {pair: similarity for pair, (similarity, _) in zip(ranked, found[strangers:], strict=True)}
    verdict = {pair: derived for pair, (_, derived) in zip(ranked, found[strangers:], strict=True)}
    first = 0
    for pair in pairs:
        mine = {other: value for (suspect, other), value in similar.items() if suspect == pair.suspect}
        first += max(mine, key=lambda other: mine[other]) == pair.parent
    return {
        "unrelated called derived": (sum(derived for _, derived in found[:strangers]), strangers),
        "derived called derived": (sum(verdict[pair.suspect, pair.parent] for pair in pairs), len(pairs)),
        "true parent first": (first, len(pairs)),
    }


if __name__ == "__main__":
    sys.exit(main())
