"""A model that is none, for each test."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from hypothesis import settings

from stillwatch.simulation.upstream import Upstream, running

settings.register_profile("steady", deadline=None, derandomize=True)
settings.load_profile("steady")


@dataclass(frozen=True)
class Served:
    """A model and where it is."""

    model: Upstream
    url: str


@pytest.fixture
def upstream() -> Iterator[Served]:
    model = Upstream(seed=7)
    with running(model) as url:
        yield Served(model=model, url=url)
