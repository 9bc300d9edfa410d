"""Partners' indicators against our own data.

Takes indicator sets, the key they were made with, and our accounts' identifiers and prompts, batch after batch. Gives the accounts that
carry a set's identifiers or templates. Nothing goes out: matching is done where the data are, and a partner learns of a match only
if somebody tells. A match is a lead. It states no probability: a shared card may be a stolen one, and a template may be public.

Cost: one HMAC for each distinct identifier and each distinct shingle, not for each exchange.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa

from stillwatch.evidence.indicators.errors import IndicatorError, IndicatorKeyError
from stillwatch.evidence.indicators.keyed import FEWEST_VALUES, IndicatorKey
from stillwatch.records.indicator import IdentifierKind, IndicatorMatch, IndicatorSet
from stillwatch.sketches.shingles import Shingles, shingles

GREATER_PART = 0.5
"""Share of a template's values that a prompt must hold."""
MOST_REMEMBERED = 4_000_000
"""Distinct shingles remembered as not wanted, about 0.4 GB; then they are forgotten and hashed anew where they return."""


class Matcher:
    """Finds the accounts that carry partners' indicators."""

    def __init__(self, sets: Sequence[IndicatorSet], key: IndicatorKey, now_us: int) -> None:
        """Prepare the matching.

        Args:
            sets: what partners shared.
            key: the key that all of them were made with.
            now_us: present time, microseconds UTC.

        Raises:
            IndicatorKeyError: where a set was made with another key.
            IndicatorError: where a set has expired, or comes twice.
        """
        names = Counter(one.id for one in sets)
        for one in sets:
            if one.key_id != key.id:
                raise IndicatorKeyError(
                    f"indicators {one.id} were made with key {one.key_id}, ours is {key.id}: nothing could match. Name the key file "
                    "that was agreed on with their producer."
                )
            if one.valid_until_us < now_us:
                raise IndicatorError(
                    f"indicators {one.id} have expired and must not be matched any more; ask their producer for new ones"
                )
            if names[one.id] > 1:
                raise IndicatorError(f"indicators {one.id} were given {names[one.id]} times; give each set once")
        self._key = key
        self._wanted: dict[tuple[IdentifierKind, str], list[str]] = {}
        for one in sets:
            for indicator in one.identifiers:
                self._wanted.setdefault((indicator.kind, indicator.digest), []).append(one.id)
        self._templates = [
            (one.id, number, frozenset(int(value, 16) for value in template.values))
            for one in sets
            for number, template in enumerate(one.templates)
        ]
        self._wanted_values = frozenset(value for _, _, values in self._templates for value in values)
        self._held: dict[int, int] = {}
        self._not_held: set[int] = set()
        self._digests: dict[tuple[IdentifierKind, str], str | None] = {}
        self._identifiers: dict[tuple[str, str], set[tuple[IdentifierKind, str]]] = {}
        self._prompts: Counter[tuple[str, str]] = Counter()
        self._templates_found: dict[tuple[str, str], set[int]] = {}
        self._best: dict[tuple[str, str], float] = {}

    def look_at_identifiers(self, kind: IdentifierKind, pairs: Iterable[tuple[str, str]]) -> None:
        """Look at identifiers of our accounts.

        Args:
            kind: what they identify.
            pairs: (account id, value as logged).
        """
        for account, value in pairs:
            place = (kind, value)
            if place not in self._digests:
                self._digests[place] = self._key.identifier(kind, value)
            digest = self._digests[place]
            if digest is None:
                continue
            for set_id in self._wanted.get((kind, digest), ()):
                self._identifiers.setdefault((set_id, account), set()).add((kind, digest))

    def look_at_prompts(self, accounts: Sequence[str], prompts: pa.Array) -> None:
        """Look at prompts of our accounts.

        Args:
            accounts: account id of each prompt [n].
            prompts: string array [n]; null where the log has none.
        """
        if not self._templates or len(prompts) == 0:
            return
        found = shingles(prompts)
        self._learn(np.unique(found.values))
        if not self._held:
            return
        held = np.array(sorted(self._held), dtype=np.uint64)
        hits = np.flatnonzero(np.isin(found.values, held))
        rows = np.searchsorted(found.offsets, hits, side="right") - 1
        for row in np.unique(rows):
            self._look_at_prompt(accounts[int(row)], found, int(row))

    def matches(self) -> tuple[IndicatorMatch, ...]:
        """Return the accounts that carry indicators, those with the most kinds of evidence first."""
        places = set(self._identifiers) | set(self._prompts)
        found = []
        for set_id, account in places:
            kinds = Counter(kind.value for kind, _ in self._identifiers.get((set_id, account), ()))
            found.append(
                IndicatorMatch(
                    set_id=set_id,
                    account_id=account,
                    identifiers=tuple(sorted(kinds.items())),
                    templates=len(self._templates_found.get((set_id, account), ())),
                    prompts=self._prompts[set_id, account],
                    containment=self._best.get((set_id, account), 0.0),
                )
            )
        return tuple(
            sorted(
                found,
                key=lambda one: (
                    one.set_id,
                    -len(one.identifiers) - (one.templates > 0),
                    -one.prompts,
                    one.account_id,
                ),
            )
        )

    def _learn(self, values: np.ndarray) -> None:
        """Hash shingles that were not seen before; keep those that stand in a template."""
        for value in values.tolist():
            if value in self._not_held or value in self._held:
                continue
            keyed = self._key.shingle(value)
            if keyed in self._wanted_values:
                self._held[value] = keyed
                continue
            if len(self._not_held) >= MOST_REMEMBERED:
                self._not_held.clear()
            self._not_held.add(value)

    def _look_at_prompt(self, account: str, found: Shingles, row: int) -> None:
        """Compare one prompt with every template."""
        values = {self._held[value] for value in found.of(row) if value in self._held}
        matched: set[str] = set()
        for set_id, number, template in self._templates:
            common = len(values & template)
            share = common / len(template)
            if common >= FEWEST_VALUES // 2 and share >= GREATER_PART:
                place = (set_id, account)
                self._templates_found.setdefault(place, set()).add(number)
                self._best[place] = max(self._best.get(place, 0.0), share)
                matched.add(set_id)
        for set_id in matched:
            self._prompts[set_id, account] += 1
