"""Kinship (T2): does a suspect answer more like our model than models do that have nothing to do with it? A lead, never a proof.

Takes likenesses of the answers of a suspect, our model and controls to the same prompts. Gives a claim for each feature set, with the effect,
the rank of our model among all possible parents, and what changes when something is left out.

Method: some models are like everybody. So the likeness S of a and b on prompt i is corrected for how like either is to all others,

    h(a, b) = mean over i of [S_i(a, b) - mean over r of S_i(a, r) - mean over r of S_i(b, r)],

where r runs over the controls and the suspect, a and b left out. Suspect and controls are treated alike in this, and so h(suspect, ours) is
exchangeable with the h(control, ours) where the suspect is exchangeable with the controls. Then (1 + controls at or above) / (1 + controls) is a
p-value (V. Vovk, A. Gammerman and G. Shafer 2005), and (1 + controls) x w(rank), with weights fixed in advance that sum to 1, is an e-value. The
unit is the model: a p-value over prompts would call half of all unrelated models kin. Complexity: prompts x models^2.

What it does not show: exchangeability is assumed, and cannot be brought about as a randomisation can. A suspect that was trained on the same public
data as we, and the controls were not, looks like kin. The p-value cannot fall below 1 / (1 + controls).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from stillwatch.records.claim import Claim, Inconclusive, Question
from stillwatch.records.suspect import Effect, Power, Sensitivity
from stillwatch.statistics.arguments import FloatArray
from stillwatch.statistics.conformal import conformal_log_p
from stillwatch.suspects.likeness import Likeness

LEAST_CONTROLS: Final = 20
LEAST_PROMPTS: Final = 50
"""Derived models are found with 50 to 100 prompts; distilled ones need 200 to 400."""
BOOTSTRAPS: Final = 1_000
CONFIDENCE: Final = 0.95
METHOD: Final = "kinship/v1"
NAME: Final = "kinship"
NULL: Final = "The suspect is to our model as the controls are, which have nothing to do with it."


@dataclass(frozen=True, slots=True, kw_only=True)
class Roster:
    """Who is compared with whom, fixed before the suspect's answers are seen."""

    suspect: str
    teacher: str
    """Our model, or the model that the suspect is thought to come from."""
    controls: tuple[str, ...]
    """Models that have nothing to do with the teacher, and are otherwise like the suspect; also the pool of the correction."""
    kin: Mapping[str, str]
    """Family of each model that has one with others; the others are families of their own."""
    candidates: tuple[str, ...] = ()
    """Other possible parents, for the rank; the controls are always among them."""

    def family(self, model: str) -> str:
        """Return the family of a model; a model that is not named is its own."""
        return self.kin.get(model, model)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kinship:
    """What one feature set shows."""

    claim: Claim
    effect: Effect
    """How many standard deviations of the controls the suspect lies above their mean."""
    rank: int
    """Of the teacher among all possible parents of the suspect, 1 for the nearest."""
    parents: tuple[tuple[str, float], ...]
    """Possible parents with their h, the nearest first."""
    controls: tuple[tuple[str, float], ...]
    """h of each control and the teacher, descending."""
    sensitivity: tuple[Sensitivity, ...]


def kinship(
    likenesses: Sequence[Likeness], roster: Roster, question: Question, seed: int
) -> tuple[Kinship | Inconclusive, ...]:
    """Compare the suspect's kinship to the teacher with the controls', by each feature set.

    Args:
        likenesses: one for each feature set, all of the same answers; each holds the suspect, the teacher, controls and candidates.
        roster: who is compared with whom.
        question: which of the questions the lead is about: derived weights, or training on outputs.
        seed: of the bootstrap, which the interval of the effect rests on; the p- and e-values use none.

    Returns:
        For each feature set what it shows; or for each why it shows nothing. Whoever reports them corrects for their number (Holm).
    """
    methods = [f"{METHOD}+{one.features.method}" for one in likenesses]
    found = _unfit(likenesses, roster)
    if found:
        return tuple(
            Inconclusive(name=NAME, question=question, reason=found[0], needed=found[1], method=method)
            for method in methods
        )
    judged = (roster.suspect, *roster.controls)
    heights = [kinship_by_prompt(one, judged, roster.teacher) for one in likenesses]
    return tuple(_stated(one, roster, question, height, seed) for one, height in zip(likenesses, heights, strict=True))


def kinship_by_prompt(likeness: Likeness, judged: Sequence[str], teacher: str) -> FloatArray:
    """Return h of each judged model and the teacher on each prompt, before the mean is taken.

    Args:
        likeness: of the answers.
        judged: the suspect and the controls, in any order; they are also the pool, each one's own place left out.
        teacher: not among the judged.

    Returns:
        [prompts, judged].
    """
    places = likeness.positions(judged)
    ours = int(likeness.positions([teacher])[0])
    among = likeness.values[:, places[:, None], places[None, :]].astype(np.float64)
    to_teacher = likeness.values[:, places, ours].astype(np.float64)
    others = len(judged) - 1
    own = (among.sum(axis=2) - np.einsum("ijj->ij", among)) / others
    teachers = (to_teacher.sum(axis=1, keepdims=True) - to_teacher) / others
    heights: FloatArray = to_teacher - own - teachers
    return heights


def possible_parents(likeness: Likeness, roster: Roster) -> tuple[tuple[str, float], ...]:
    """Rank every possible parent of the suspect by h, the nearest first; the pool leaves out each candidate's own family."""
    suspect = int(likeness.positions([roster.suspect])[0])
    mean = likeness.values.mean(axis=0, dtype=np.float64)
    ranked = []
    for candidate in sorted({roster.teacher, *roster.controls, *roster.candidates} - {roster.suspect}):
        pool = [one for one in roster.controls if roster.family(one) != roster.family(candidate)]
        rest = likeness.positions(pool)
        at = int(likeness.positions([candidate])[0])
        ranked.append((candidate, float(mean[suspect, at] - mean[suspect, rest].mean() - mean[at, rest].mean())))
    return tuple(sorted(ranked, key=lambda pair: (-pair[1], pair[0])))


def rank_log_e(rank: int, controls: int) -> float:
    """Return the log of (1 + controls) x w(rank), with w(r) proportional to 1 / r and summing to 1.

    Under exchangeability each rank in 1 .. 1 + controls is equally likely, so that the expectation is 1; a rank made worse by ties makes
    it smaller.

    Args:
        rank: 1 for a suspect above all controls; ties count against it.
        controls: their number.
    """
    total = math.fsum(1.0 / one for one in range(1, controls + 2))
    return math.log(controls + 1.0) - math.log(rank) - math.log(total)


def dilution_power(
    likeness: Likeness, roster: Roster, positive: str, alpha: float, dilutions: Sequence[float]
) -> tuple[tuple[float, float], ...]:
    """Return how often a control would be found, if on a share of the prompts it answered as a known relative of ours does.

    Each control in turn stands for the suspect. The prompts on which it answers so are the first ones: prompts come in random order.

    Args:
        likeness: of the answers, the relative's included.
        roster: as for the claim; the suspect's own answers are not used.
        positive: a known relative, or our own model asked a second time.
        alpha: level, in (0, 1).
        dilutions: shares in (0, 1].

    Returns:
        (dilution, share of controls with p at most alpha).
    """
    heights = kinship_by_prompt(likeness, (positive, *roster.controls), roster.teacher)
    relative, controls = heights[:, 0], heights[:, 1:]
    prompts, number = controls.shape
    means = controls.mean(axis=0)
    curve = []
    for dilution in dilutions:
        taken = round(dilution * prompts)
        mixed = (relative[:taken].sum() + controls[taken:].sum(axis=0)) / prompts
        # The others are the controls but the one that stands for the suspect; its place among them keeps their number.
        above = (means[None, :] >= mixed[:, None]).sum(axis=1) - (means >= mixed)
        curve.append((float(dilution), float(np.mean((1.0 + above) / number <= alpha))))
    return tuple(curve)


def power_statement(curve: Sequence[tuple[float, float]], prompts: int, controls: int, alpha: float) -> Power:
    """Say what would have been found, so that silence can be read."""
    found = [dilution for dilution, chance in curve if chance >= 0.8]
    floor = 1.0 / (1.0 + controls)
    if floor > alpha:
        said = f"With {controls} controls no p-value can be as small as {alpha:g}; nothing could have been found."
    elif found:
        said = (
            f"With these {prompts} prompts and {controls} controls, a suspect that answers as a relative of ours does on"
            f" {min(found):.0%} of the prompts would have been found at {alpha:g} with a chance of 0.8 or more."
        )
    else:
        said = f"With these {prompts} prompts and {controls} controls not even a full relative would have been found with a chance of 0.8."
    return Power(statement=said, curve=tuple(curve))


def _unfit(likenesses: Sequence[Likeness], roster: Roster) -> tuple[str, str] | None:
    """Tell why the comparison would not be valid, and what is needed; none where it would be."""
    families = {roster.family(roster.suspect): "the suspect", roster.family(roster.teacher): "our model"}
    siblings = [
        (control, families[roster.family(control)]) for control in roster.controls if roster.family(control) in families
    ]
    if siblings:
        named = ", ".join(f"{control} (of the family of {whose})" for control, whose in sorted(siblings))
        return f"the controls contain siblings: {named}", "controls of other families than the suspect and our model"
    if len(set(roster.controls)) < LEAST_CONTROLS:
        return f"{len(set(roster.controls))} controls answered", f"at least {LEAST_CONTROLS} controls"
    prompts = min(len(one.values) for one in likenesses)
    if prompts < LEAST_PROMPTS:
        return f"{prompts} prompts were answered by all", f"at least {LEAST_PROMPTS} prompts answered by all models"
    return None


def _log_p(heights: FloatArray) -> float:
    means = heights.mean(axis=0)
    return conformal_log_p(float(means[0]), means[1:])


def _stated(likeness: Likeness, roster: Roster, question: Question, heights: FloatArray, seed: int) -> Kinship:
    means = heights.mean(axis=0)
    rank = 1 + int((means[1:] >= means[0]).sum())
    effect = _effect(heights, seed)
    parents = possible_parents(likeness, roster)
    place = 1 + [name for name, _ in parents].index(roster.teacher)
    claim = Claim(
        name=f"{NAME}: {likeness.features.name}",
        question=question,
        statement=(
            f"By {likeness.features.name}, the suspect is nearer to our model than {len(means) - rank} of {len(means) - 1} controls"
            f" (z {effect.value:.1f}, {CONFIDENCE:.0%} interval {effect.low:.1f} to {effect.high:.1f});"
            f" our model is number {place} of {len(parents)} possible parents. A lead at most."
        ),
        null_hypothesis=NULL,
        statistic_name="hub-corrected kinship h",
        statistic=float(means[0]),
        log_p=_log_p(heights),
        log_e=rank_log_e(rank, len(means) - 1),
        n=len(means) - 1,
        n_unit="control models",
        assumptions=(
            "if the suspect has nothing to do with our model, it is exchangeable with the controls",
            "features, prompts, controls and pool were fixed before the suspect's answers were seen",
            "p- and e-value are of this feature set alone; a report corrects for all tests of a question (Holm)",
        ),
        method=f"{METHOD}+{likeness.features.method}",
        seed=seed,
        input_digest=likeness.input_digest,
    )
    order = np.argsort(-means[1:], kind="stable")
    return Kinship(
        claim=claim,
        effect=effect,
        rank=place,
        parents=parents,
        controls=tuple((roster.controls[at], float(means[1:][at])) for at in order),
        sensitivity=_sensitivity(heights),
    )


def _effect(heights: FloatArray, seed: int) -> Effect:
    """Standardise the suspect among the controls, with a percentile bootstrap over prompts and over controls."""
    rng = np.random.default_rng(seed)
    prompts, number = heights.shape[0], heights.shape[1] - 1
    weights = rng.multinomial(prompts, np.full(prompts, 1.0 / prompts), size=BOOTSTRAPS) / prompts
    drawn = weights @ heights
    picked = rng.integers(0, number, size=(BOOTSTRAPS, number))
    controls = np.take_along_axis(drawn[:, 1:], picked, axis=1)
    spread = controls.std(axis=1, ddof=1)
    resampled = (drawn[:, 0] - controls.mean(axis=1)) / np.where(spread > 0.0, spread, np.inf)
    side = 0.5 * (1.0 - CONFIDENCE)
    low, high = np.quantile(resampled, [side, 1.0 - side])
    means = heights.mean(axis=0)
    whole = float(means[1:].std(ddof=1))
    value = float((means[0] - means[1:].mean()) / whole) if whole > 0.0 else 0.0
    return Effect(name="z among controls", value=value, low=float(low), high=float(high), confidence=CONFIDENCE)


def _sensitivity(heights: FloatArray) -> tuple[Sensitivity, ...]:
    """Repeat the test with each half of the prompts, without the nearest control, and without any one control at its worst."""
    half = len(heights) // 2
    means = heights.mean(axis=0)
    without_nearest = np.delete(heights, 1 + int(np.argmax(means[1:])), axis=1)
    without_farthest = np.delete(heights, 1 + int(np.argmin(means[1:])), axis=1)
    cases: tuple[tuple[str, npt.NDArray[np.float64]], ...] = (
        ("first half of the prompts", heights[:half]),
        ("second half of the prompts", heights[half:]),
        ("without the nearest control", without_nearest),
        ("without the farthest control", without_farthest),
    )
    return tuple(_changed(change, kept) for change, kept in cases)


def _changed(change: str, heights: FloatArray) -> Sensitivity:
    means = heights.mean(axis=0)
    rank = 1 + int((means[1:] >= means[0]).sum())
    return Sensitivity(change=change, log_p=_log_p(heights), log_e=rank_log_e(rank, len(means) - 1))
