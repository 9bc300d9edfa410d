"""The planned screen of tokenizer and envelope (T0): one-token queries, and what `token_counts.py` makes of the counts.

Materials: tokenizers as files; `ours` names that of our model, and the others are reference families. The envelope is what an endpoint says of itself:
its model names and fingerprints, the reasons why answers ended, whether counts came.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from stillwatch.records.claim import Claim, Inconclusive, Question
from stillwatch.records.suspect import (
    SUSPECT,
    Ability,
    Answer,
    ControlOutcome,
    Effect,
    Query,
    Stated,
    Support,
    TestResult,
)
from stillwatch.statistics.intervals import clopper_pearson
from stillwatch.suspects.errors import PlanError
from stillwatch.suspects.parameters import Parameters
from stillwatch.suspects.parties import digest_of_texts, material_named, query_id
from stillwatch.suspects.test import Observations, Setting
from stillwatch.suspects.token_counts import (
    Count,
    CountProbe,
    TokenizerMatch,
    compare_counts,
    count_probes,
    made_up_from,
    read_tokenizer,
)

METHOD: Final = "tokenizer-screen/v1"
NAME: Final = "tokenizer"
LEAST_COUNTED: Final = 20
REPEATS: Final = 3
"""Times that the first text is counted again: an endpoint that counts one text in two ways counts nothing."""
_PARTS: Final = ("text", "longer")
_KNOWN: Final[Mapping[str, object]] = {
    "ours": "ours",  # name of the material that is our model's tokenizer
    "families": (),  # names of the materials that are other tokenizers
    "probes": 60,
}
_NOT_A_P_VALUE: Final = "counts are compared exactly; there is no error rate, and so no weight of evidence"


class TokenizerScreen:
    """T0."""

    __slots__ = ()
    method = METHOD
    title = "Tokenizer and envelope"
    questions = (Question.SERVES, Question.DERIVED)
    needs = frozenset({Ability.USAGE})
    reach = Support.LEAD

    def prepare(self, setting: Setting) -> Iterator[Query]:
        """Give two one-token queries for each text, and the first text again at the end.

        Raises:
            SuspectError: where parameters or materials cannot be used.
        """
        probes = _probes(setting)
        _tokenizers(setting)
        asked = [(str(place), part, getattr(probe, part)) for place, probe in enumerate(probes) for part in _PARTS]
        asked += [(f"again-{repeat}", "text", probes[0].text) for repeat in range(REPEATS)]
        for key, part, text in asked:
            for party in (SUSPECT, *(control.name for control in setting.controls)):
                yield Query(
                    id=query_id(setting, party, f"{key}/{part}"),
                    test=setting.planned.id,
                    party=party,
                    prompt=text,
                    max_tokens=1,
                    temperature=0.0,
                )

    def enough(self, setting: Setting, observations: Observations) -> bool:
        """Tell that all texts are needed."""
        del setting, observations
        return False

    def conclude(self, setting: Setting, observations: Observations) -> TestResult:
        """State whose tokenizer counts as the suspect does.

        Raises:
            SuspectError: where parameters or materials cannot be used.
        """
        probes = _probes(setting)
        counts = _counts(setting, observations, SUSPECT, probes)
        matched = compare_counts(probes, counts, _tokenizers(setting))
        missing = _missing(setting, observations, probes, counts, matched)
        controls = tuple(_controls(setting, observations, probes))
        if missing:
            inconclusive = Inconclusive(
                name=NAME, question=Question.SERVES, reason=missing[0], needed=missing[1], method=METHOD
            )
            return TestResult(
                test=setting.planned.id, method=METHOD, stated=(Stated(claim=inconclusive),), controls=controls
            )
        digest = digest_of_texts([repr(counts)])
        return TestResult(
            test=setting.planned.id,
            method=METHOD,
            stated=(_tokenizer_claim(setting, matched, digest), _envelope_claim(setting, observations, digest)),
            controls=controls,
            innocent=(
                "many models share one tokenizer",
                "a proxy counts tokens in its own way, whatever model stands behind it",
            ),
        )


def _probes(setting: Setting) -> tuple[CountProbe, ...]:
    number = Parameters(setting.planned, _KNOWN).whole("probes", LEAST_COUNTED, 500)
    return count_probes(number, np.random.default_rng(setting.seed))


def _tokenizers(setting: Setting) -> dict[str, Count]:
    """Read our tokenizer and the reference families."""
    read = Parameters(setting.planned, _KNOWN)
    names = [read.word("ours"), *read.words("families")]
    if len(set(names)) != len(names):
        raise PlanError(f"test {setting.planned.id!a}: got a tokenizer twice, expected each family once")
    return {name: read_tokenizer(Path(setting.materials[material_named(setting, name)])) for name in names}


def _counts(
    setting: Setting, observations: Observations, party: str, probes: Sequence[CountProbe]
) -> list[tuple[int, int] | None]:
    """Give the counts of text and longer text that came for both."""
    pairs: list[tuple[int, int] | None] = []
    for place in range(len(probes)):
        told = [_told(observations, query_id(setting, party, f"{place}/{part}")) for part in _PARTS]
        pairs.append(None if None in told else (int(told[0] or 0), int(told[1] or 0)))
    return pairs


def _told(observations: Observations, key: str) -> int | None:
    found = observations.get(key)
    return found.prompt_tokens if isinstance(found, Answer) else None


def _missing(
    setting: Setting,
    observations: Observations,
    probes: Sequence[CountProbe],
    counts: Sequence[tuple[int, int] | None],
    matched: Sequence[TokenizerMatch],
) -> tuple[str, str] | None:
    """Tell why the counts cannot be compared, and what is needed; none where they can."""
    counted = sum(pair is not None for pair in counts)
    if counted < LEAST_COUNTED:
        return (
            f"{counted} texts were counted",
            f"token counts of at least {LEAST_COUNTED} texts and their continuations",
        )
    again = {_told(observations, query_id(setting, SUSPECT, f"again-{repeat}/text")) for repeat in range(REPEATS)}
    again.add(_told(observations, query_id(setting, SUSPECT, "0/text")))
    if len(again - {None}) > 1:
        return "one text was counted in several ways", "an endpoint that counts a text the same way each time"
    measure = made_up_from(probes, counts)
    # A tokenizer of bytes is a line in bytes, and no forgery where it is one of the families.
    if measure is not None and matched[0].exact < matched[0].compared:
        return (
            f"the counts follow from {measure} alone, as no tokenizer's do",
            "counts by the tokenizer of the model that answers",
        )
    return None


def _tokenizer_claim(setting: Setting, matched: Sequence[TokenizerMatch], digest: str) -> Stated:
    read = Parameters(setting.planned, _KNOWN)
    ours = next(one for one in matched if one.family == read.word("ours"))
    best, others = matched[0], [one for one in matched if one.family != ours.family]
    runner_up = others[0] if others else None
    said = f"Our tokenizer gives {ours.exact} of {ours.compared} differences exactly"
    said += f"; the nearest of {len(others)} others, {runner_up.family}, gives {runner_up.exact}." if runner_up else "."
    equal = ours.exact == ours.compared
    if not equal and best.exact == best.compared:
        said += f" The suspect counts as {best.family} does, which speaks against serving our model as it is."
    low, high = clopper_pearson(ours.exact, ours.compared, 0.95)
    return Stated(
        claim=Claim(
            name=NAME,
            question=Question.SERVES,
            statement=said,
            null_hypothesis="None is tested: token counts are deterministic.",
            statistic_name="equal differences of counts",
            statistic=float(ours.exact),
            log_p=None,
            log_e=0.0,
            n=ours.compared,
            n_unit="differences of counts",
            assumptions=(_NOT_A_P_VALUE, "a chat template adds the same to a text and to its continuation"),
            method=METHOD,
            seed=setting.seed,
            input_digest=digest,
        ),
        effect=Effect(
            name="share of equal differences", value=ours.exact / ours.compared, low=low, high=high, confidence=0.95
        ),
    )


def _envelope_claim(setting: Setting, observations: Observations, digest: str) -> Stated:
    """State what the endpoint said of itself: facts, which anybody can set as they like."""
    answers = [
        one
        for key, one in observations.items()
        if isinstance(one, Answer) and key.startswith(f"{setting.planned.id}/{SUSPECT}/")
    ]
    names = Counter(one.model for one in answers)
    finishes = Counter(one.finish for one in answers)
    ended = ", ".join(f"{count} by {finish}" for finish, count in sorted(finishes.items()))
    return Stated(
        claim=Claim(
            name="envelope",
            question=Question.SERVES,
            statement=f"{len(answers)} answers bore {len(names)} names of models or fingerprints; they ended {ended}.",
            null_hypothesis="None is tested: an endpoint may say of itself what it likes.",
            statistic_name="names and fingerprints",
            statistic=float(len(names)),
            log_p=None,
            log_e=0.0,
            n=max(1, len(answers)),
            n_unit="answers",
            assumptions=(_NOT_A_P_VALUE,),
            method=METHOD,
            input_digest=digest,
        )
    )


def _controls(setting: Setting, observations: Observations, probes: Sequence[CountProbe]) -> Iterator[ControlOutcome]:
    ours = Parameters(setting.planned, _KNOWN).word("ours")
    for party in setting.controls:
        counts = _counts(setting, observations, party.name, probes)
        matched = {one.family: one for one in compare_counts(probes, counts, _tokenizers(setting))}
        equal = matched[ours].compared > 0 and matched[ours].exact == matched[ours].compared
        yield ControlOutcome(
            name=party.name,
            role=party.role,
            log_p=0.0,
            as_expected=equal if party.role is not None and party.role.value != "negative" else True,
            remark=f"our tokenizer gives {matched[ours].exact} of {matched[ours].compared} differences; no error rate",
        )
