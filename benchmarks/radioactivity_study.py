"""What radioactivity finds in students whose training is known, and what it says of models that never saw a marked answer.

Parts, each a list in the JSON:

- `share`: students of answers of which a share was marked, the rest the same teacher's unmarked ones.
- `training`: students of marked answers, by how long they were trained.
- `mixing`: students of marked answers among another teacher's.
- `paraphrase`: students of marked answers of which a share of the tokens was drawn anew by the unmarked teacher.
- `further`: a student of marked answers, after more training on another teacher's.
- `two_campaigns`: a student of two campaigns' answers, tested with both keys and one that was issued and never used.
- `writing`: a student that only writes, with and without the filter by served contexts, by number of answers.
- `wide`: a mark with a context of two tokens, which a student of few answers hardly learns.
- `controls`: p-values of suspects that know nothing of the key, each with a fresh key and, for reading, fresh answers which that key marked.

    python -m benchmarks.radioactivity_study --out build/benchmarks/radioactivity_study.json
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
from benchmarks.invocation import machine
from benchmarks.radioactivity_worlds import (
    SHAPE,
    Marking,
    answers,
    mark_excess,
    prompts,
    readings,
    student,
    teacher,
)
from scipy import stats

from stillwatch import __version__
from stillwatch.records.mark import MarkKey
from stillwatch.simulation.small_models import Shape, TokenExchange, copy_of, reworded, train
from stillwatch.statistics.intervals import binomial_acceptance
from stillwatch.watermark.detection import KeyResult, Plan
from stillwatch.watermark.radioactivity.places import ServedContexts
from stillwatch.watermark.radioactivity.scorer import Mode, RadioactivityScorer
from stillwatch.watermark.token_files import Document

SEED = 20_261_125
GREEN, GUMBEL = Marking(), Marking(scheme="sglang-gumbel@murmur3-v1")
SMALL = Shape(vocabulary=32, width=48, layers=2, heads=4, inner=128, context=64)
LEVELS = (0.1, 0.05, 0.01)
SHORT, LONG = 0.1, 1.0
"""How much a teacher heeds tokens before the last one: little where students are to learn, fully for the controls, which learn no mark anyway."""
Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How much is run."""

    answers: int = 2_000
    read: int = 300
    epochs: int = 24
    """With six, and a rate of 1e-2, a student has hardly learnt which token follows which, and what it missed was said to be the mark's fault."""
    rate: float = 3e-3
    repeats: int = 1
    shares: tuple[float, ...] = (0.0, 0.1, 0.2, 0.5, 0.75, 1.0)
    control_keys: int = 120
    control_read: int = 150
    control_students: int = 100
    control_answers: int = 250
    control_epochs: int = 6
    trained: tuple[int, ...] = (3, 6, 12, 24, 48)


QUICK = Sizes(
    answers=500, read=120, repeats=1, shares=(0.0, 0.2, 1.0), control_keys=20, control_read=60, control_students=4,
    control_answers=100, epochs=6, trained=(3, 6),
)  # fmt: skip


def result_of(
    model: Any,
    exchanges: Sequence[TokenExchange],
    keys: Sequence[MarkKey],
    mode: Mode,
    *,
    decoys: int | None = None,
    served: Sequence[TokenExchange] = (),
) -> list[KeyResult]:
    """Read answers with a model and test keys; for writing, the exchanges are the model's own and `served` the filter."""
    contexts = ServedContexts(np.array(one.answer, dtype=np.uint32) for one in served) if served else None
    with RadioactivityScorer(keys, mode, contexts) as scorer:
        if mode is Mode.WRITTEN:
            scorer.write(
                Document(tokens=np.array(one.answer, dtype=np.uint32), prompt=np.array(one.prompt, dtype=np.uint32))
                for one in exchanges
            )
        else:
            scorer.read(readings(model, exchanges))
        return scorer.results(Plan(alpha=1e-6, seed=SEED, gate=False, decoys=decoys))


def numbers(one: KeyResult) -> Row:
    """Give what a row holds of a result."""
    return {
        "n": one.count, "statistic": one.statistic, "log10_p": one.log_p / math.log(10.0), "found": one.found,
        "decoys": one.decoys, "decoys_above": one.decoys_above,
    }  # fmt: skip


class Study:
    """Draws everything from one seed."""

    def __init__(self, sizes: Sizes, attention: float) -> None:
        """Make the teachers."""
        self.sizes = sizes
        self.teacher, self.other = teacher(SEED, attention=attention), teacher(SEED + 1, attention=attention)

    def marked(self, marking: Marking, key: MarkKey, seed: int, count: int | None = None) -> list[TokenExchange]:
        """Give marked answers."""
        return answers(self.teacher, prompts(count or self.sizes.answers, seed), seed, key, marking)

    def plain(self, seed: int, count: int | None = None, *, other: bool = False) -> list[TokenExchange]:
        """Give unmarked answers of the teacher, or of another teacher."""
        model = self.other if other else self.teacher
        return answers(model, prompts(count or self.sizes.answers, seed), seed)

    def rows(self, model: Any, read: Sequence[TokenExchange], key: MarkKey, more: Row) -> Iterator[Row]:
        """Read with both statistics."""
        for mode in (Mode.TOP, Mode.MASS):
            (one,) = result_of(model, read, [key], mode, decoys=99)
            yield {**more, "scheme": key.scheme, "mode": mode.value, **numbers(one)}

    def trained_on(self, exchanges: Sequence[TokenExchange], seed: int, epochs: int | None = None) -> Any:
        """Train a student."""
        return student(exchanges, seed, epochs=epochs or self.sizes.epochs, rate=self.sizes.rate)

    def share(self, *, mixing: bool) -> Iterator[Row]:
        """Students of a share of marked answers."""
        for marking in (GREEN,) if mixing else (GREEN, GUMBEL):
            for repeat in range(1 if mixing else self.sizes.repeats):
                seed = SEED + 100 * repeat + 10
                key = marking.key(seed)
                marked, rest = self.marked(marking, key, seed), self.plain(seed + 1, other=mixing)
                for share in self.sizes.shares:
                    count = round(share * len(marked))
                    model = self.trained_on([*marked[:count], *rest[count:]], seed + 2)
                    more = {"share": share, "repeat": repeat, "marked_answers": count}
                    # The answers that were served to it, as the provider has them; with none, those that would have been.
                    yield from self.rows(model, marked[: self.sizes.read], key, more)

    def training(self) -> Iterator[Row]:
        """Students of marked answers that were trained for longer and longer."""
        seed = SEED + 15
        key = GREEN.key(seed)
        marked = self.marked(GREEN, key, seed)
        for epochs in self.sizes.trained:
            model = self.trained_on(marked, seed + 2, epochs)
            yield from self.rows(model, marked[: self.sizes.read], key, {"epochs": epochs})

    def paraphrase(self) -> Iterator[Row]:
        """Students of answers of which tokens were drawn anew."""
        seed = SEED + 20
        key = GREEN.key(seed)
        marked = self.marked(GREEN, key, seed)
        for share in (0.0, 0.1, 0.25, 0.5, 0.75, 1.0):
            changed = reworded(self.teacher, marked, share=share, seed=seed + 1)
            model = self.trained_on(changed, seed + 2)
            more = {"redrawn": share, "excess_left": mark_excess(changed, key)}
            yield from self.rows(model, marked[: self.sizes.read], key, more)

    def further(self) -> Iterator[Row]:
        """A student of marked answers, trained on with another teacher's."""
        seed = SEED + 30
        key = GREEN.key(seed)
        marked, plain = self.marked(GREEN, key, seed), self.plain(seed + 1, other=True)
        first = self.trained_on(marked, seed + 2)
        for epochs in (0, 1, 2, 4, 8):
            model = copy_of(first)
            if epochs:
                train(model, plain, epochs=epochs, seed=seed + 3, rate=self.sizes.rate)
            yield from self.rows(model, marked[: self.sizes.read], key, {"plain_epochs": epochs})

    def two_campaigns(self) -> Iterator[Row]:
        """A student of two campaigns' answers; three keys were issued."""
        seed = SEED + 40
        keys = [GREEN.key(seed + place, handle=name) for place, name in enumerate(("first", "second", "unused"))]
        served = [self.marked(GREEN, key, seed + place) for place, key in enumerate(keys)]
        model = self.trained_on([*served[0], *served[1]], seed + 5)
        for key, texts in zip(keys, served, strict=True):
            for one in result_of(model, texts[: self.sizes.read], keys, Mode.MASS, decoys=99):
                yield {"read": key.handle, "key": one.key.handle, "adjusted_p": one.adjusted_p, **numbers(one)}

    def writing(self) -> Iterator[Row]:
        """A student that only writes."""
        seed = SEED + 50
        key = GREEN.key(seed)
        marked = self.marked(GREEN, key, seed)
        for share in (1.0, 0.2):
            count = round(share * len(marked))
            model = self.trained_on([*marked[:count], *self.plain(seed + 1)[count:]], seed + 2)
            written = answers(model, [one.prompt for one in marked], seed + 3)
            for number in (len(written) // 12, len(written) // 4, len(written)):
                for served in (marked[:count], ()):
                    (one,) = result_of(model, written[:number], [key], Mode.WRITTEN, decoys=999, served=served)
                    yield {"share": share, "answers": number, "filter": bool(served), **numbers(one)}

    def wide(self) -> Iterator[Row]:
        """A context of two tokens: a small vocabulary, whose pairs a student sees often, and a larger one."""
        for shape in (SHAPE, SMALL):
            seed, model = SEED + 60, teacher(SEED + 60, shape, attention=SHORT)
            marking = Marking(width=2)
            key, asked = marking.key(seed), prompts(3 * self.sizes.answers, seed, shape.vocabulary)
            marked = answers(model, asked, seed, key, marking)
            learnt = student(marked, seed + 1, epochs=self.sizes.epochs, rate=self.sizes.rate, shape=shape)
            yield from self.rows(learnt, marked[: self.sizes.read], key, {"vocabulary": shape.vocabulary})

    def controls(self) -> Iterator[Row]:
        """Suspects that know nothing of the key; three of them with many keys, and many with one key each."""
        seed, epochs = SEED + 70, self.sizes.control_epochs
        suspects = {
            "same teacher, unmarked": self.trained_on(self.plain(seed), seed + 1, epochs),
            "other key": self.trained_on(self.marked(GREEN, GREEN.key(seed + 2), seed + 2), seed + 3, epochs),
            "other data": self.trained_on(self.plain(seed + 4, other=True), seed + 5, epochs),
        }
        asked = prompts(2 * self.sizes.control_read, seed + 6)
        wrote = {name: answers(model, asked, seed + 7) for name, model in suspects.items()}
        draws = np.random.default_rng(seed)
        for marking in (GREEN, GUMBEL):
            for number in range(self.sizes.control_keys):
                key = marking.key(seed + 1_000 + number)
                read = self.marked(marking, key, seed + 1_000 + number, self.sizes.control_read)
                for name, model in suspects.items():
                    yield from _control_rows(name, model, read, wrote[name], key, draws)
        for number in range(self.sizes.control_students):
            mine = seed + 5_000 + number
            key = GREEN.key(mine)
            model = self.trained_on(self.plain(mine, self.sizes.control_answers), mine, epochs)
            read = self.marked(GREEN, key, mine + 20_000, self.sizes.control_read)
            wrote_this = answers(model, asked, mine)
            yield from _control_rows("a student for each key, unmarked", model, read, wrote_this, key, draws)


def _control_rows(
    name: str, model: Any, read: Sequence[TokenExchange], wrote: Sequence[TokenExchange], key: MarkKey, draws: Any
) -> Iterator[Row]:
    for mode, exchanges in ((Mode.TOP, read), (Mode.MASS, read), (Mode.WRITTEN, wrote)):
        (one,) = result_of(model, exchanges, [key], mode, decoys=99, served=read if mode is Mode.WRITTEN else ())
        yield {
            "suspect": name, "scheme": key.scheme, "mode": mode.value, **numbers(one),
            "uniform": uniform_p(one, mode, float(draws.random())),
        }  # fmt: skip


def uniform_p(one: KeyResult, mode: Mode, draw: float) -> float:
    """Give a p-value that is exactly uniform if the scores are as the null says.

    A count's steps are filled at random. A sum of mass, whose bound is not exact, is ranked among the decoys.
    """
    if mode is Mode.MASS:
        return (one.decoys_above + draw) / (one.decoys + 1)
    if one.scheme.statistic_name.startswith("distinct green"):
        law = stats.binom(one.count, 0.25)
        return float(law.sf(one.statistic) + draw * law.pmf(one.statistic))
    return math.exp(one.log_p)


def summary(rows: Sequence[Row]) -> list[Row]:
    """Say for each kind of suspect, scheme and mode how uniform its p-values are."""
    kinds = sorted({(one["suspect"], one["scheme"], one["mode"]) for one in rows})
    said = []
    for kind in kinds:
        mine = [one for one in rows if (one["suspect"], one["scheme"], one["mode"]) == kind]
        uniform = np.array([one["uniform"] for one in mine])
        rejected = {}
        for level in LEVELS:
            low, high = binomial_acceptance(len(mine), level, 1e-3)
            count = int((uniform <= level).sum())
            rejected[f"{level:g}"] = {"count": count, "low": low, "high": high, "inside": low <= count <= high}
        said.append(
            {
                "suspect": kind[0], "scheme": kind[1], "mode": kind[2], "runs": len(mine),
                "uniformity_p": float(stats.kstest(uniform, "uniform").pvalue), "rejected": rejected,
                "least_log10_p": min(one["log10_p"] for one in mine), "found": sum(one["found"] for one in mine),
            }
        )  # fmt: skip
    return said


def main(arguments: Sequence[str] | None = None) -> int:
    """Run parts, writing what there is after each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--out", type=Path, required=True, help="JSON file; parts that it has and that are not run stay"
    )
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that it runs")
    parser.add_argument("--parts", nargs="*", help="names of parts; all by default")
    given = parser.parse_args(arguments)
    given.out.parent.mkdir(parents=True, exist_ok=True)
    sizes = QUICK if given.quick else Sizes()
    before = json.loads(given.out.read_text(encoding="utf-8")) if given.parts and given.out.is_file() else {}
    document: dict[str, Any] = {
        **before, "version": __version__, "seed": SEED, "date": datetime.now(UTC).date().isoformat(),
        "machine": asdict(machine()), "sizes": asdict(sizes), "seconds": before.get("seconds", {}),
    }  # fmt: skip
    study = Study(sizes, SHORT)
    parts = {
        "share": study.share(mixing=False), "training": study.training(), "mixing": study.share(mixing=True), "paraphrase": study.paraphrase(),
        "further": study.further(), "two_campaigns": study.two_campaigns(), "writing": study.writing(),
        "wide": study.wide(), "controls": Study(sizes, LONG).controls(),
    }  # fmt: skip
    for name in given.parts or parts:
        began = time.process_time()
        document[name] = list(parts[name])
        document["seconds"][name] = round(time.process_time() - began, 1)
        if name == "controls":
            document["control_summary"] = summary(document[name])
        given.out.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
        print(f"{name}: {len(document[name])} rows, {document['seconds'][name]} s of one core", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
