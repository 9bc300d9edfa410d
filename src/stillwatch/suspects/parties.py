"""Parties of a planned test by their role, the material that it reads, and the texts that they answered."""

from __future__ import annotations

import hashlib

from stillwatch.records.suspect import Answer, ControlRole
from stillwatch.suspects.errors import PlanError
from stillwatch.suspects.test import Observations, Setting


def controls_of(setting: Setting, role: ControlRole) -> tuple[str, ...]:
    """Return the names of the controls that have a role, in the order of the plan."""
    return tuple(party.name for party in setting.controls if party.role == role)


def our_own(setting: Setting) -> str:
    """Return the name of the one party that is our own model.

    Raises:
        PlanError: for none, or for several.
    """
    own = controls_of(setting, ControlRole.OWN)
    if len(own) != 1:
        raise PlanError(
            f"test {setting.planned.id!a}: got {len(own)} parties of the role own, expected our model, once"
        )
    return own[0]


def material_named(setting: Setting, name: str) -> str:
    """Return the name, if the planned test reads that material.

    Raises:
        PlanError: where it does not.
    """
    if name not in setting.materials:
        known = ", ".join(sorted(setting.materials)) or "none"
        raise PlanError(f"test {setting.planned.id!a}: got no material {name!a}, expected one of {known}")
    return name


def texts_of(setting: Setting, observations: Observations, party: str, keys: list[str]) -> list[str | None]:
    """Return what a party answered to the queries with these last parts of their ids; None where no text came."""
    found = (observations.get(query_id(setting, party, key)) for key in keys)
    return [one.text if isinstance(one, Answer) else None for one in found]


def query_id(setting: Setting, party: str, key: str) -> str:
    """Return `TEST/PARTY/KEY`."""
    return f"{setting.planned.id}/{party}/{key}"


def digest_of_texts(texts: list[str | None]) -> str:
    """Return the SHA-256 of texts in order, as `sha256:` and hex digits; lengths keep neighbours apart."""
    digest = hashlib.sha256()
    for text in texts:
        part = b"\xff" if text is None else text.encode("utf-8", "surrogatepass")
        digest.update(len(part).to_bytes(8, "big") + part)
    return f"sha256:{digest.hexdigest()}"
