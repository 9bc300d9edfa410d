"""The planned test of training order (T5, palimpsest): the suspect scores examples of our own training, and `training_order.py` compares.

Material: `examples`, JSON lines with a `prompt` (a text that we trained on), in the order in which our model saw them, which was drawn at random
and kept. A party of the role negative, if there is one, gives the reference losses: a model of like kind that does not come from ours.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np

from stillwatch.records.claim import Claim, Inconclusive, Question
from stillwatch.records.suspect import (
    SUSPECT,
    Ability,
    ControlOutcome,
    ControlRole,
    Effect,
    Query,
    Scored,
    Series,
    Stated,
    Support,
    TestResult,
)
from stillwatch.suspects.parameters import Parameters
from stillwatch.suspects.parties import controls_of, digest_of_texts, material_named, query_id
from stillwatch.suspects.prompt_file import read_prompts
from stillwatch.suspects.test import Observations, Setting
from stillwatch.suspects.training_order import LEAST_EXAMPLES, OrderKept, order_kept

METHOD: Final = "training-order/v1"
NAME: Final = "training order"
CONTROL_LEVEL: Final = 1e-3
_KNOWN: Final[Mapping[str, object]] = {"examples": "examples", "permutations": 99_999}


class OrderMemory:
    """T5, order of training."""

    __slots__ = ()
    method = METHOD
    title = "Memory of our order of training"
    questions = (Question.DERIVED,)
    needs = frozenset({Ability.SCORE})
    reach = Support.STRONGLY

    def prepare(self, setting: Setting) -> Iterator[Query]:
        """Give one text to score for each example and party, in random order, so that a drift of the endpoint looks like noise.

        Raises:
            SuspectError: where parameters or material cannot be used.
        """
        read = Parameters(setting.planned, _KNOWN)
        examples = read_prompts(setting.materials[material_named(setting, read.word("examples"))])
        parties = (SUSPECT, *(party.name for party in setting.controls))
        for place in np.random.default_rng(setting.seed).permutation(len(examples)).tolist():
            for party in parties:
                yield Query(
                    id=query_id(setting, party, str(place)),
                    test=setting.planned.id,
                    party=party,
                    prompt="",
                    continuation=examples[place],
                    max_tokens=1,
                    temperature=0.0,
                )

    def enough(self, setting: Setting, observations: Observations) -> bool:
        """Tell that all examples are needed."""
        del setting, observations
        return False

    def conclude(self, setting: Setting, observations: Observations) -> TestResult:
        """State whether the suspect knows later examples better.

        Raises:
            SuspectError: where parameters or material cannot be used.
        """
        read = Parameters(setting.planned, _KNOWN)
        number = len(read_prompts(setting.materials[material_named(setting, read.word("examples"))]))
        permutations = read.whole("permutations", 99, 10_000_000)
        others = controls_of(setting, ControlRole.NEGATIVE)
        losses = {
            party: _losses(setting, observations, party, number)
            for party in (SUSPECT, *(party.name for party in setting.controls))
        }
        reference = losses[others[0]] if others else np.zeros(number)
        found = _compare(losses[SUSPECT], reference, permutations, setting.seed)
        if found is None:
            counted = int(np.isfinite(losses[SUSPECT] - reference).sum())
            missing = Inconclusive(
                name=NAME,
                question=Question.DERIVED,
                reason=f"{counted} examples were scored",
                needed=f"at least {LEAST_EXAMPLES} examples, scored by the suspect and by the reference",
                method=METHOD,
            )
            return TestResult(test=setting.planned.id, method=METHOD, stated=(Stated(claim=missing),))
        digest = digest_of_texts([repr(value) for value in (losses[SUSPECT] - reference).tolist()])
        path = found.log_e_path
        return TestResult(
            test=setting.planned.id,
            method=METHOD,
            stated=(_stated(found, setting, digest),),
            controls=tuple(_controls(setting, losses, others, permutations)),
            series=(
                Series(
                    title="Evidence along the order of training",
                    x_name="examples",
                    y_name="log10 E",
                    points=tuple((index + 1.0, value / math.log(10)) for index, value in enumerate(path.tolist())),
                ),
            ),
            innocent=(
                "both models come from one checkpoint of ours that we gave away",
                "the order of training was published, or follows something that every model finds harder with time",
            ),
        )


def _losses(setting: Setting, observations: Observations, party: str, number: int) -> np.ndarray:
    """Give the loss of each example in nats per token; NaN where it was not scored."""
    found = (observations.get(query_id(setting, party, str(place))) for place in range(number))
    return np.array([-one.mean_log_prob if isinstance(one, Scored) and one.tokens else math.nan for one in found])


def _compare(losses: np.ndarray, reference: np.ndarray, permutations: int, seed: int) -> OrderKept | None:
    """Compare on the examples that both scored; none where they are too few."""
    both = np.isfinite(losses) & np.isfinite(reference)
    if int(both.sum()) < LEAST_EXAMPLES:
        return None
    return order_kept(losses[both], reference[both], permutations=permutations, rng=np.random.default_rng(seed))


def _stated(found: OrderKept, setting: Setting, digest: str) -> Stated:
    number = len(found.log_e_path)
    # Fisher's transformation; Spearman's variance is 1.06 / (n - 3) (E. Fieller, H. Hartley and E. Pearson 1957).
    reach = 1.96 * math.sqrt(1.06 / (number - 3))
    middle = math.atanh(max(-0.999999, min(0.999999, found.correlation)))
    return Stated(
        claim=Claim(
            name=NAME,
            question=Question.DERIVED,
            statement=(
                f"Over {number} examples of our training, Spearman's correlation of their order with the suspect's loss is"
                f" {found.correlation:.3f}; what a model saw last it knows best."
            ),
            null_hypothesis="The suspect is independent of the order in which we shuffled our training data.",
            statistic_name="Spearman's correlation",
            statistic=found.correlation,
            log_p=found.log_p,
            log_e=float(found.log_e_path[-1]),
            n=number,
            n_unit="examples",
            assumptions=(
                "the order was drawn at random, and is known to nobody outside (exact)",
                "the p-value is that of the correlation, the e-value a bet on each loss's rank among those before",
            ),
            method=METHOD,
            seed=setting.seed,
            input_digest=digest,
        ),
        effect=Effect(
            name="Spearman's correlation",
            value=found.correlation,
            low=math.tanh(middle - reach),
            high=math.tanh(middle + reach),
            confidence=0.95,
        ),
    )


def _controls(
    setting: Setting, losses: Mapping[str, np.ndarray], others: tuple[str, ...], permutations: int
) -> Iterator[ControlOutcome]:
    """Ask the same of the controls; the reference itself is compared with nothing."""
    for party in setting.controls:
        reference = losses[others[0]] if others and party.name != others[0] else np.zeros(len(losses[party.name]))
        found = _compare(losses[party.name], reference, permutations, setting.seed)
        if found is None:
            yield ControlOutcome(
                name=party.name, role=party.role, log_p=0.0, as_expected=False, remark="too few scores"
            )
            continue
        speaks = found.log_p <= math.log(CONTROL_LEVEL)
        yield ControlOutcome(
            name=party.name,
            role=party.role,
            log_p=found.log_p,
            as_expected=speaks == (party.role != ControlRole.NEGATIVE),
            remark=f"correlation {found.correlation:.3f}",
        )
