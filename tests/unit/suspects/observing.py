"""Run a planned test without a network: every query is answered by a function of the party, and the test concludes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

from stillwatch.records.suspect import (
    SUSPECT,
    Answer,
    ControlRole,
    Observation,
    Party,
    PlannedTest,
    Query,
    TestResult,
    Token,
    Unanswered,
)
from stillwatch.suspects.test import Setting, SuspectTest

Reply = Callable[[Query], Observation]


def setting_of(
    test: SuspectTest,
    *,
    parameters: Mapping[str, object] | None = None,
    materials: Mapping[str, Path] | None = None,
    controls: Mapping[str, ControlRole] | None = None,
    alpha: float = 0.05,
    seed: int = 7,
) -> Setting:
    named = dict(materials or {})
    return Setting(
        planned=PlannedTest(id="t", method=test.method, parameters=dict(parameters or {}), materials=tuple(named)),
        materials=named,
        controls=tuple(
            Party(name=name, kind="recorded", settings={}, role=role, included_because="made for this test")
            for name, role in (controls or {}).items()
        ),
        alpha=alpha,
        seed=seed,
    )


def concluded(test: SuspectTest, setting: Setting, reply: Reply) -> TestResult:
    queries = list(test.prepare(setting))
    assert queries == list(test.prepare(setting)), "the queries must be the same each time"
    assert len({query.id for query in queries}) == len(queries)
    parties = {SUSPECT, *(party.name for party in setting.controls)}
    assert {query.party for query in queries} <= parties
    return test.conclude(setting, {query.id: reply(query) for query in queries})


def said(query: Query, text: str, **more: object) -> Answer:
    facts = {"prompt_tokens": None, "completion_tokens": None, "tokens": (), "finish": "stop", "model": "m", **more}
    return Answer(query_id=query.id, text=text, answered_us=0, **facts)


def scored_token(text: str, log_prob: float) -> Token:
    return Token(text=text, log_prob=log_prob)


def refused(query: Query) -> Unanswered:
    return Unanswered(query_id=query.id, reason="refused", detail="403", answered_us=0)


def prompt_file(folder: Path, prompts: list[str], name: str = "prompts.jsonl") -> Path:
    path = folder / name
    path.write_text("".join(json.dumps({"prompt": prompt}) + "\n" for prompt in prompts), encoding="utf-8")
    return path
