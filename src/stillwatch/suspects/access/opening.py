"""open_access: a party of a plan, ready to be asked."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from stillwatch.records.suspect import Party
from stillwatch.suspects.access.anthropic import AnthropicInterface
from stillwatch.suspects.access.endpoint import Clock, Endpoint, Interface
from stillwatch.suspects.access.openai import OpenAIInterface
from stillwatch.suspects.access.protocol import Access, Collector
from stillwatch.suspects.access.recorded import RecordedAnswers
from stillwatch.suspects.errors import AccessSettingError

NETWORK = frozenset({"openai", "anthropic"})
"""Kinds of party that may behave otherwise than they say, and so are probed."""
FILES = {"recorded": "file", "weights": "folder"}
"""Kinds that rest on files here, with the setting that names them; the plan holds their digests."""


def interface_of(party: Party) -> Interface:
    """Give the interface of an endpoint.

    Raises:
        AccessSettingError: where a setting is none.
    """
    return OpenAIInterface(party) if party.kind == "openai" else AnthropicInterface(party)


def open_access(party: Party, files: Mapping[str, Path], collector: Collector, clock: Clock) -> Access:
    """Open a party.

    Args:
        party: as the plan has it.
        files: the plan's materials, by name.
        collector: keeps requests and answers.
        clock: gives the time.

    Raises:
        AccessSettingError: where there is no such kind, or the party cannot be reached so.
    """
    if party.kind in NETWORK:
        return Endpoint(party, interface_of(party), collector, clock)
    if party.kind == "recorded":
        return RecordedAnswers(party, files[material_of(party)], collector, clock)
    if party.kind == "weights":
        from stillwatch.suspects.access.weights import OpenWeights  # noqa: PLC0415  # needs an extra

        return OpenWeights(party, files[material_of(party)], collector, clock)
    raise AccessSettingError(
        f"party {party.name!a}: there is no kind {party.kind!a}; expected openai, anthropic, weights or recorded"
    )


def material_of(party: Party) -> str:
    """Name the material that a party of files rests on."""
    return f"party {party.name}"
