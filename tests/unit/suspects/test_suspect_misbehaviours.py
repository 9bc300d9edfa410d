"""Bad access: every named misbehaviour of an endpoint is detected, and spoils what it should."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from practised_endpoint import practise

from stillwatch.records.suspect import Ability
from stillwatch.simulation.suspect_server import Misbehaviour
from stillwatch.suspects.conduct import EVERYTHING, judge

SCORES = {Ability.SCORE, Ability.LOGPROBS}
TEXT = {Ability.ANSWER, Ability.SAMPLE}
# (misbehaviour, what it is found to be, what it spoils, settings of the party)
TABLE = (
    (Misbehaviour.DRIFTS, "drifts mid-run", set(EVERYTHING), {}),
    (Misbehaviour.DRIFTS, "drifts mid-run", set(EVERYTHING), {"style": "chat", "scores": "no"}),
    (Misbehaviour.MIXES_MODELS, "scores do not repeat: several models behind one name, or invented", SCORES, {}),
    (Misbehaviour.MIXES_MODELS, "does not repeat itself: several models behind one name, or no temperature 0", TEXT, {"style": "chat", "scores": "no"}),
    (Misbehaviour.TRUNCATES, "truncates", TEXT, {"style": "chat", "scores": "no"}),
    (Misbehaviour.REFUSES, "refuses", TEXT, {"style": "chat", "scores": "no"}),
    (Misbehaviour.CACHES, "caches, or ignores the temperature", {Ability.SAMPLE}, {"style": "chat", "scores": "no"}),
    (Misbehaviour.SYSTEM_PROMPT, "adds a system prompt", TEXT | SCORES, {"style": "chat", "scores": "no"}),
    (Misbehaviour.SYSTEM_PROMPT, "adds a system prompt", TEXT | SCORES, {}),
    (Misbehaviour.LIMITS_FOR_GOOD, "rate-limits", set(), {}),
    (Misbehaviour.RATE_LIMITS, "had to be asked again", set(), {}),
    (Misbehaviour.INVENTS_LOGPROBS, "lies about log-probabilities", SCORES, {}),
    (Misbehaviour.FLATTERS_LOGPROBS, "lies about log-probabilities", SCORES, {}),
    (Misbehaviour.SCORES_BY_ANOTHER, "scores by another model than it answers with", SCORES, {}),
    (Misbehaviour.ROUNDS_LOGPROBS, "rounds log-probabilities", set(), {}),
    (Misbehaviour.ANSWERS_ONLY, "gives no log-probabilities of given text", {Ability.SCORE}, {}),
    (Misbehaviour.HIDES_LOGPROBS, "gives no log-probabilities", {Ability.LOGPROBS}, {}),
    (Misbehaviour.STRIPS, "changes white space or cuts the text", {Ability.SCORE}, {}),
    (Misbehaviour.REORDERS, "mixes up answers", set(EVERYTHING), {}),
    (Misbehaviour.REORDERS, "mixes up answers", set(EVERYTHING), {"style": "chat", "scores": "no"}),
    (Misbehaviour.BREAKS_OFF, "had to be asked again", set(), {}),
    (Misbehaviour.UNREADABLE, "sends what cannot be read", set(), {"tries": 1}),
)  # fmt: skip


def row_name(one: object) -> str:
    """A name that is the same in every process, whatever the order of a set."""
    return ",".join(sorted(str(item) for item in one)) if isinstance(one, (set, frozenset)) else str(one)[:40]


@pytest.mark.parametrize(("misbehaviour", "name", "spoils", "settings"), TABLE, ids=row_name)
def test_a_misbehaviour_is_found(misbehaviour, name, spoils, settings, tmp_path: Path) -> None:
    found = judge(practise(tmp_path, misbehaviour, **settings).heard)
    named = [one for one in found if one.name == name]
    assert named, [one.name for one in found]
    assert spoils <= {ability for one in named for ability in one.spoils}
    assert all(one.seen and "mill" not in one.seen for one in found)


@pytest.mark.parametrize(
    "settings", [{}, {"style": "chat", "scores": "no"}, {"style": "completions", "scores": "no"}], ids=str
)
def test_an_honest_endpoint_is_not_accused(settings, tmp_path: Path) -> None:
    assert judge(practise(tmp_path, **settings).heard) == ()


def test_every_misbehaviour_has_its_row() -> None:
    assert {row[0] for row in TABLE} == set(Misbehaviour)


def test_an_endpoint_without_token_counts_is_noted_only(tmp_path: Path) -> None:
    asked = practise(tmp_path, style="chat", scores="no").heard
    hidden = {key: replace(one, prompt_tokens=None) for key, one in asked.observations.items()}
    (note,) = judge(replace(asked, observations=hidden))
    assert note.name == "tells no token counts"
    assert note.spoils == ()
