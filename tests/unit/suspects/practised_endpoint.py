"""Suspects to practise on: endpoints on this machine, asked as a run asks them."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from stillwatch.records.progress import Silent
from stillwatch.records.suspect import Budget, Observation, Party, Query
from stillwatch.simulation.suspect_server import LetterModel, Misbehaviour, SuspectServer, serving
from stillwatch.suspects.access.opening import interface_of, open_access
from stillwatch.suspects.collect import _ask
from stillwatch.suspects.conduct import Heard
from stillwatch.suspects.journal import Journal
from stillwatch.suspects.probes import probes_of

DOCS = Path(__file__).resolve().parents[3] / "docs"
ROUNDS = 8


def model(name: str = "detection.md") -> LetterModel:
    """A model that learnt from a page of the documentation."""
    return LetterModel((DOCS / name).read_text(encoding="utf-8"))


def party(address: str, name: str = "suspect", **settings: object) -> Party:
    given = {
        "address": address,
        "model": "m",
        "style": "completions",
        "scores": "echo",
        "requests_per_minute": 60_000,
        "tries": 3,
        "pause": 0.01,
    }
    return Party(name=name, kind="openai", settings={**given, **settings})


class Ticking:
    """A clock that moves by a millisecond at each look."""

    def __init__(self) -> None:
        self._ticks = itertools.count(1_790_000_000_000_000, 1000)

    def __call__(self) -> int:
        return next(self._ticks)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What an endpoint gave."""

    heard: Heard
    journal: Path
    server: SuspectServer


def probes(asked: Party) -> list[Query]:
    abilities = interface_of(asked).abilities
    raw = asked.settings.get("style") == "completions"
    return [query for number in range(ROUNDS) for query in probes_of(asked.name, abilities, number, raw=raw)]


def ask(
    queries: Sequence[Query], asked: Party, folder: Path, *, budget: int = 10_000, block: int = 16
) -> tuple[dict[str, Observation], Journal]:
    """Ask in blocks, as a run does."""

    async def run() -> Journal:
        with Journal(
            folder / "journal.jsonl", "sha256:plan", Budget(requests=budget, seconds=600), Ticking()
        ) as journal:
            access = open_access(asked, {}, journal, Ticking())
            try:
                for begin in range(0, len(queries), block):
                    await _ask(queries[begin : begin + block], {asked.name: access}, Silent())
            finally:
                await access.close()
            return journal

    journal = asyncio.run(run())
    return journal.observed, journal


def practise(
    folder: Path, *misbehaves: Misbehaviour, extra: Sequence[Query] = (), delay: float = 0.0, **settings: object
) -> Asked:
    """Ask an endpoint that misbehaves for all its probes."""
    server = SuspectServer(model(), misbehaves=misbehaves, other=model("formats.md"), delay=delay)
    with serving(server) as address:
        asked = party(address, **settings)
        queries = [*probes(asked), *extra]
        observed, journal = ask(queries, asked, folder)
    heard = Heard(party=asked.name, queries=queries, observations=observed, requests=journal.requests, seed=7)
    return Asked(heard=heard, journal=folder / "journal.jsonl", server=server)
