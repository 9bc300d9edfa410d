"""The planned test of weights (T5): the suspect's open weights and ours, matched by `weight_matching.py`. Nothing is asked of anybody.

Materials: `suspect_weights` and `our_weights`, folders of safetensors; any number of control weights, which are models that do not come from ours.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Final

from stillwatch.records.claim import Claim, Inconclusive, Question
from stillwatch.records.suspect import (
    Ability,
    ControlOutcome,
    ControlRole,
    Effect,
    Power,
    Query,
    Stated,
    Support,
    TestResult,
)
from stillwatch.statistics.e_values import calibrate_log_p
from stillwatch.statistics.intervals import wilson
from stillwatch.statistics.tails import poisson_upper_log_p
from stillwatch.suspects.feed_forward import read_feed_forward
from stillwatch.suspects.parameters import Parameters
from stillwatch.suspects.parties import digest_of_texts, material_named
from stillwatch.suspects.test import Observations, Setting
from stillwatch.suspects.weight_matching import MOST_NEURONS, FeedForward, WeightMatch, agreement_log_p, match_weights

METHOD: Final = "weight-ancestry/v1"
NAME: Final = "weights"
LARGEST_LOG_E: Final = 5_000.0
"""Evidence beyond e^5000 is stated as e^5000: nothing depends on more."""
CONFIDENCE: Final = 0.95
CONTROL_LEVEL: Final = 1e-3
_KNOWN: Final[Mapping[str, object]] = {
    "suspect_weights": "suspect_weights",
    "our_weights": "our_weights",
    "control_weights": (),  # names of materials
    "most_neurons": MOST_NEURONS,
}


class WeightAncestry:
    """T5, open weights."""

    __slots__ = ()
    method = METHOD
    title = "Ancestry of weights"
    questions = (Question.DERIVED,)
    needs: frozenset[Ability] = frozenset()
    reach = Support.STRONGLY

    def prepare(self, setting: Setting) -> Iterator[Query]:
        """Give no queries, after a look at the parameters.

        Raises:
            SuspectError: where parameters or materials cannot be used.
        """
        _folders(setting)
        return iter(())

    def enough(self, setting: Setting, observations: Observations) -> bool:
        """Tell that there is nothing to wait for."""
        del setting, observations
        return True

    def conclude(self, setting: Setting, observations: Observations) -> TestResult:
        """State whether the suspect's neurons are ours.

        Raises:
            SuspectError: where parameters or materials cannot be used.
        """
        del observations
        suspect, ours, controls, most = _folders(setting)
        own = read_feed_forward(setting.materials[ours])
        theirs = read_feed_forward(setting.materials[suspect])
        if {block.up.shape[1] for block in own} != {block.up.shape[1] for block in theirs}:
            return TestResult(
                test=setting.planned.id,
                method=METHOD,
                stated=(
                    Stated(
                        claim=Inconclusive(
                            name=NAME,
                            question=Question.DERIVED,
                            reason="the two models have other widths, so that neurons cannot be compared",
                            needed="weights of one width; a copy whose width was changed needs another test",
                            method=METHOD,
                        )
                    ),
                ),
            )
        found = match_weights(theirs, own, seed=setting.seed, most_neurons=most)
        outcomes = tuple(_control(name, setting, own, most) for name in controls)
        digest = digest_of_texts([suspect, ours, *(repr(one) for one in found.layers)])
        return TestResult(
            test=setting.planned.id,
            method=METHOD,
            stated=(_kept(setting, found, digest), _any_order(setting, found, digest)),
            controls=(*outcomes, _crossed(found)),
            power=_power(found),
            innocent=(
                "both models come from one ancestor, such as a public base model",
                "the suspect is licensed to derive from our weights",
            ),
        )


def _folders(setting: Setting) -> tuple[str, str, tuple[str, ...], int]:
    read = Parameters(setting.planned, _KNOWN)
    return (
        material_named(setting, read.word("suspect_weights")),
        material_named(setting, read.word("our_weights")),
        tuple(material_named(setting, name) for name in read.words("control_weights")),
        read.whole("most_neurons", 16, 100_000),
    )


def _kept(setting: Setting, found: WeightMatch, digest: str) -> Stated:
    neurons = sum(one.neurons for one in found.layers)
    in_place = sum(one.in_place for one in found.layers)
    return _stated(
        setting,
        name=f"{NAME}: kept order",
        statement=f"{in_place} of {neurons} neurons were found in their own place, {len(found.layers)} expected by chance.",
        count=in_place,
        neurons=neurons,
        log_p=found.log_p_kept,
        assumptions=(
            "if the weights were initialised and trained independently, the order of a layer's neurons says nothing of the other's (exact)",
        ),
        digest=digest,
    )


def _any_order(setting: Setting, found: WeightMatch, digest: str) -> Stated:
    neurons = sum(one.neurons for one in found.layers)
    agreeing = sum(one.agreeing for one in found.layers)
    return _stated(
        setting,
        name=f"{NAME}: any order",
        statement=(
            f"For {agreeing} of {neurons} neurons gate and up give the same partner of ours, {len(found.layers)} expected by chance;"
            f" between layers that do not belong together {found.crossed_agreeing} do, {found.crossed_expected:.0f} expected."
        ),
        count=agreeing,
        neurons=neurons,
        log_p=found.log_p_any,
        assumptions=(
            "independent training does not tie the gates to the ups of another model's neurons (not exact; see the crossed layers and controls)",
            "the residual basis was not rotated",
        ),
        digest=digest,
    )


def _stated(
    setting: Setting, *, name: str, statement: str, count: int, neurons: int, log_p: float, assumptions: tuple[str, ...], digest: str
) -> Stated:  # fmt: skip
    """State one of the two tests, each after Bonferroni's correction for both."""
    paid = min(0.0, log_p + math.log(2.0))
    low, high = wilson(count, neurons, CONFIDENCE)
    return Stated(
        claim=Claim(
            name=name,
            question=Question.DERIVED,
            statement=statement,
            null_hypothesis="The two models' weights were initialised and trained independently.",
            statistic_name="neurons found",
            statistic=float(count),
            log_p=paid,
            log_e=min(calibrate_log_p(paid), LARGEST_LOG_E),
            n=neurons,
            n_unit="neurons",
            assumptions=(
                *assumptions,
                "p-value doubled for the two orders, and multiplied by our layers in each layer",
            ),
            method=METHOD,
            seed=setting.seed,
            input_digest=digest,
        ),
        effect=Effect(name="share of neurons found", value=count / neurons, low=low, high=high, confidence=CONFIDENCE),
    )


def _control(name: str, setting: Setting, own: tuple[FeedForward, ...], most: int) -> ControlOutcome:
    """Match a control's weights with ours as the suspect's are."""
    theirs = read_feed_forward(setting.materials[name])
    if theirs[0].up.shape[1] != own[0].up.shape[1]:
        return ControlOutcome(
            name=name, role=ControlRole.NEGATIVE, log_p=0.0, as_expected=False, remark="another width"
        )
    found = match_weights(theirs, own, seed=setting.seed, most_neurons=most)
    log_p = min(0.0, min(found.log_p_kept, found.log_p_any) + math.log(2.0))
    return ControlOutcome(
        name=name,
        role=ControlRole.NEGATIVE,
        log_p=log_p,
        as_expected=log_p > math.log(CONTROL_LEVEL),
        remark="weights that do not come from ours",
    )


def _crossed(found: WeightMatch) -> ControlOutcome:
    """Tell whether layers that do not belong together agree more than chance has it; the number is nearly Poisson."""
    log_p = poisson_upper_log_p(found.crossed_agreeing, found.crossed_expected)
    return ControlOutcome(
        name="layers that do not belong together",
        role=None,
        log_p=log_p,
        as_expected=log_p > math.log(CONTROL_LEVEL),
        remark=f"{found.crossed_agreeing} neurons agree, {found.crossed_expected:.1f} expected",
    )


def _power(found: WeightMatch) -> Power:
    """Say how few neurons found again would have been enough, in one layer alone."""
    layer = found.layers[0]
    enough = next(
        (
            count
            for count in range(1, layer.neurons + 1)
            if agreement_log_p(count, layer.neurons, layer.neurons) < math.log(1e-4)
        ),
        None,
    )
    return Power(
        statement=f"In a layer of {layer.neurons} neurons, {enough} found again would have been enough for p below 1e-4 in that layer alone.",
        curve=(),
    )
