"""collect: the queries of a plan, asked of their parties, in the planned order, until all are answered or a test has enough.

Takes the queries of a committed plan, the parties and the journal. Gives the observations; whatever the journal has already is not asked
again. A block of queries is on its way at a time; within it parties are asked side by side.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence

from stillwatch.records.progress import Progress
from stillwatch.records.suspect import Ability, Observation, Query, SuspectPlan, Unanswered
from stillwatch.suspects.access.protocol import Access
from stillwatch.suspects.journal import Journal
from stillwatch.suspects.probes import PROBE
from stillwatch.suspects.test import Setting, SuspectTest

BLOCK = 64
"""Queries between two looks at whether a test has enough."""


async def collect(
    plan: SuspectPlan,
    queries: Sequence[Query],
    tests: Mapping[str, tuple[SuspectTest, Setting]],
    accesses: Mapping[str, Access],
    journal: Journal,
    progress: Progress,
) -> Mapping[str, Observation]:
    """Ask.

    Args:
        plan: what was committed to.
        queries: of the plan, in order.
        tests: by id.
        accesses: by name of the party.
        journal: of the plan.
        progress: hears of each query.

    Returns:
        What was observed, by id of the query, earlier runs included.
    """
    progress.begin("asking", len(queries))
    enough: set[str] = set()
    try:
        for begin in range(0, len(queries), BLOCK):
            block = queries[begin : begin + BLOCK]
            left = [one for one in block if one.id not in journal.observed and one.test not in enough]
            out = await _ask(left, accesses, progress)
            progress.advance(len(block) - len(left))
            if plan.stop_early:
                enough |= {
                    name
                    for name, (test, setting) in tests.items()
                    if name not in enough and test.enough(setting, journal.observed)
                }
            if out or len(enough) == len(tests):
                break
    finally:
        for access in accesses.values():
            await access.close()
        progress.end()
    return journal.observed


async def _ask(queries: Sequence[Query], accesses: Mapping[str, Access], progress: Progress) -> bool:
    """Ask a block, the parties side by side; tell whether the budget is spent."""
    spent = False

    async def hear(stream: AsyncIterator[Observation]) -> None:
        nonlocal spent
        async for observation in stream:
            if isinstance(observation, Unanswered) and observation.reason == "out of budget":
                spent = True
            progress.advance(1)

    streams = []
    for name, access in accesses.items():
        mine = [one for one in queries if one.party == name]
        scored = [one for one in mine if one.continuation is not None]
        written = [one for one in mine if one.continuation is None]
        if scored and Ability.SCORE in access.abilities:
            streams.append(access.score(scored))
        if written:
            streams.append(access.answer(written))
    await asyncio.gather(*(hear(stream) for stream in streams))
    return spent


def unanswered(test: str, queries: Sequence[Query], observations: Mapping[str, Observation]) -> tuple[int, int]:
    """Count the queries of a test that were asked and gave nothing, and those that were asked."""
    asked = [observations[one.id] for one in queries if one.test == test and one.id in observations]
    return sum(isinstance(one, Unanswered) for one in asked), len(asked)


def asked_of(party: str, queries: Sequence[Query]) -> frozenset[str]:
    """Give the tests that ask a party."""
    return frozenset(one.test for one in queries if one.party == party and one.test != PROBE)
