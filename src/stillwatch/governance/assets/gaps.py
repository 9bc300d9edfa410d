"""Gaps: what is missing about an asset, or was seen and is not registered.

Takes a register and, where the logs were measured or a drill asked the endpoint, what they showed. Gives gaps by asset.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from stillwatch.governance.assets.register import Asset, AssetKind, AssetRegister

KEY_PREFIX = "mk-"
"""How handles of mark keys begin."""


class GapKind(StrEnum):
    """What is missing."""

    NO_OWNER = "no owner"
    NO_TERMS = "no terms"
    UNKNOWN_TERMS = "terms that the ledger does not hold"
    UNMARKED = "not marked"
    KEY_NOT_IN_USE = "mark key that is not in use"
    EXPOSED = "shows more than text"
    """And nobody accepted that."""
    NOT_REGISTERED = "seen and not registered"
    NEVER_SEEN = "registered and never seen"
    SHOWS_UNREGISTERED = "was seen to show what is not registered"


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetGap:
    """One thing that is missing."""

    gap: GapKind
    kind: str
    """Of the asset."""
    name: str
    what: str
    """In a sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownNames:
    """What the ledger holds of the names that a register uses."""

    terms: frozenset[str]
    """Names of terms that were added."""
    keys: frozenset[str]
    """Handles of mark keys that are in use."""


def find_gaps(
    register: AssetRegister,
    seen: Sequence[Mapping[str, Any]] | None = None,
    shown: Mapping[str, Any] | None = None,
    known: KnownNames | None = None,
) -> tuple[AssetGap, ...]:
    """List the gaps.

    Args:
        register: what is registered.
        seen: routes of the newest measurement of the logs, as `seen.route_document` gives them; null where there was none.
        shown: what the newest drill of the output surface was shown, route to exposures to facts; null where there was none.
        known: names that the ledger holds; null where no ledger was asked.
    """
    found = [gap for one in register.assets for gap in _of_asset(one)]
    if seen is not None:
        found += _against_logs(register, seen)
    if shown is not None:
        found += _against_drill(register, shown)
    if known is not None:
        found += _against_ledger(register, known)
    return tuple(sorted(found, key=lambda one: (one.gap, one.kind, one.name, one.what)))


def _of_asset(one: Asset) -> list[AssetGap]:
    found = []
    if not one.owner.strip():
        found.append(_gap(GapKind.NO_OWNER, one, "nobody is named who answers for it"))
    if not one.terms and one.kind is not AssetKind.PROMPT:
        found.append(_gap(GapKind.NO_TERMS, one, "no terms are named that cover it"))
    if not one.marks and one.kind is not AssetKind.PROMPT:
        found.append(
            _gap(GapKind.UNMARKED, one, "no mark key, scheme or set of canaries is named, so a copy cannot be told")
        )
    if one.shows and not one.accepted.strip():
        found.append(_gap(GapKind.EXPOSED, one, f"it shows {', '.join(one.shows)}, and nobody accepted that"))
    return found


def _against_logs(register: AssetRegister, seen: Sequence[Mapping[str, Any]]) -> list[AssetGap]:
    found = []
    for kind, column in ((AssetKind.MODEL, "model"), (AssetKind.ENDPOINT, "endpoint")):
        known = {one.name: one for one in register.assets if one.kind is kind}
        names = {str(route[column]) for route in seen if route[column]}
        for name in sorted(names - set(known)):
            count = sum(int(route["exchanges"]) for route in seen if route[column] == name)
            found.append(
                AssetGap(gap=GapKind.NOT_REGISTERED, kind=kind.value, name=name, what=f"{count:,} exchanges of it are in the logs")
            )  # fmt: skip
        found += [
            _gap(GapKind.NEVER_SEEN, known[name], "the measured logs hold none of it")
            for name in sorted(set(known) - names)
        ]
    models = {one.name: one for one in register.assets if one.kind is AssetKind.MODEL}
    endpoints = {one.name: one for one in register.assets if one.kind is AssetKind.ENDPOINT}
    for what, column in (("reasoning", "with_reasoning"), ("samples", "with_samples")):
        for route in seen:
            # Either of the two may be the one that says so: a model is registered whole, or route by route.
            parts = [
                one
                for one in (models.get(str(route["model"])), endpoints.get(str(route["endpoint"])))
                if one is not None
            ]
            if int(route[column]) and parts and not any(what in one.shows for one in parts):
                said = f"{int(route[column]):,} exchanges of {route['model'] or 'no model'} on {route['endpoint'] or 'no endpoint'} have {what}"
                found.append(_gap(GapKind.SHOWS_UNREGISTERED, parts[0], said))
    return found


def _against_drill(register: AssetRegister, shown: Mapping[str, Any]) -> list[AssetGap]:
    known = {one.name: one for one in register.assets if one.kind is AssetKind.ENDPOINT}
    found = []
    for route in sorted(shown):
        for asked, facts in sorted(shown[route].items()):
            asset = known.get(route)
            if facts.get("shown") and asset is not None and asked not in asset.shows:
                found.append(
                    _gap(GapKind.SHOWS_UNREGISTERED, asset, f"the drill of the output surface was shown {asked}")
                )
    return found


def _against_ledger(register: AssetRegister, known: KnownNames) -> list[AssetGap]:
    found = []
    for one in register.assets:
        found += [
            _gap(GapKind.UNKNOWN_TERMS, one, f"{name} was never added") for name in one.terms if name not in known.terms
        ]
        # Other marks are schemes and sets of canaries; keys are told by their handles.
        found += [
            _gap(GapKind.KEY_NOT_IN_USE, one, f"{name} is not in use now")
            for name in one.marks
            if name.startswith(KEY_PREFIX) and name not in known.keys
        ]
    return found


def _gap(gap: GapKind, one: Asset, what: str) -> AssetGap:
    return AssetGap(gap=gap, kind=one.kind.value, name=one.name, what=what)
