"""Testing every document of a set under every key, selecting documents, and attributing them.

Takes documents, keys and a level. Gives for each document its p-value, and for the selected ones the keys that they are attributed to.

Null of a document: its text was made without any of the keys. Each unit of context and token counts in the first document that has it and in no
other, so the scores of different documents rest on different values of the pseudorandom function, and under the null their p-values are
independent. Over the K keys of one document the least p-value is multiplied by K (Bonferroni). Over documents the procedure of Benjamini and
Hochberg (JRSS-B 57, 1995) selects R of m at a false-discovery rate of at most `level`. Within each selected document Holm's procedure runs over
its K keys at level x R / m: the family-wise error, averaged over selected documents, is at most `level` (Y. Benjamini and M. Bogomolov,
JRSS-B 76, 2014, Theorem 1), and at least one key is always named, since the least p-value passes its own bound.

Documents are tested where they have units enough that a fully marked one could be selected at all; that rule sees lengths alone. Complexity:
documents x keys scores, and a log p for the best key of each document.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stillwatch.records.mark import MarkKey
from stillwatch.records.progress import Progress
from stillwatch.statistics.false_discovery import Dependence, holm_adjusted, q_values
from stillwatch.watermark.errors import SchemeError
from stillwatch.watermark.scan.first_uses import first_uses
from stillwatch.watermark.scan.spool import TokenSpool
from stillwatch.watermark.scheme import Scheme, Totals, key_row, scheme_units
from stillwatch.watermark.schemes import open_scheme
from stillwatch.watermark.schemes.synthid_fixed import SynthIdFixed
from stillwatch.watermark.schemes.synthid_shipped import SynthIdShipped

METHOD = "mark-scan/v1"
GUMBEL_UNIT = 2.93
"""Mean of -log(1 - u) where the token's own probability was 0.1: the harmonic number of 10."""
SYNTHID_SHARE = 0.75
"""Share of g-values of 1 after tournaments of two among tokens that are all different: P(at least one of two is 1)."""
INDEPENDENT = frozenset(
    {"sglang-gumbel", "sglang-dual", "vllm-gumbel", "vllm-dual", "green-bernoulli", "unigram", "synthid-fixed"}
)
"""Schemes under which different units have independent values, so that documents are independent. Lists that are drawn for a seed are not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyGroup:
    """Keys of one scheme with the same parameters."""

    scheme: Scheme
    places: NDArray[np.int64]
    """Of the keys among all keys."""
    rows: NDArray[np.uint64]
    """[keys, words]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribution:
    """A key that a selected document is attributed to."""

    handle: str
    log_p: float
    """Of this document under this key."""
    units: int
    """That count under this key."""
    statistic: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ScannedDocument:
    """What was found of a document."""

    name: str
    tokens: int
    units: int
    """Units that no earlier document has."""
    repeated: int
    """Units that an earlier document, or an earlier place, has."""
    tested: bool
    """Whether it had units enough."""
    log_p: float
    """Over all keys; 0 where it was not tested."""
    q_value: float
    """Least rate at which it is selected; 1 where it was not tested."""
    keys: tuple[Attribution, ...] = ()
    """Keys that it is attributed to, the surest first; none where it was not selected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyTotal:
    """A key over the whole set."""

    key: MarkKey
    units: int
    statistic: float
    log_p: float
    documents: int
    """Selected documents that are attributed to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanResult:
    """What was found in a set."""

    documents: tuple[ScannedDocument, ...]
    keys: tuple[KeyTotal, ...]
    level: float
    least_units: int
    """Units from which a document is tested."""

    @property
    def tested(self) -> int:
        """Documents that were tested."""
        return sum(one.tested for one in self.documents)

    @property
    def selected(self) -> tuple[ScannedDocument, ...]:
        """Documents that bear a mark."""
        return tuple(one for one in self.documents if one.keys)


def key_groups(keys: Sequence[MarkKey]) -> tuple[KeyGroup, ...]:
    """Put keys of one scheme and parameters together.

    Raises:
        SchemeError: for a scheme that is not known, or whose keys are not independent.
        MarkKeyError: for a key of another length than its scheme needs.
    """
    found: dict[tuple[str, tuple[tuple[str, int | float | str], ...]], list[int]] = {}
    for place, key in enumerate(keys):
        found.setdefault((key.scheme, key.parameters), []).append(place)
    groups = []
    for (name, parameters), places in found.items():
        scheme = open_scheme(name, dict(parameters))
        if isinstance(scheme, SynthIdShipped):
            raise SchemeError(
                f"scheme {name}: its keys share one table of 65,536 entries, so no statement over a set or over many keys holds; scan for "
                "keys of another scheme"
            )
        rows = np.stack([key_row(scheme, keys[place]) for place in places])
        groups.append(KeyGroup(scheme=scheme, places=np.array(places, dtype=np.int64), rows=rows))
    return tuple(groups)


def scan_documents(
    spool: TokenSpool, keys: Sequence[MarkKey], *, level: float, memory_bytes: int, progress: Progress
) -> ScanResult:
    """Scan a set.

    Args:
        spool: its documents, at least one.
        keys: all keys ever issued, at least one.
        level: false-discovery rate over documents, in (0, 1).
        memory_bytes: for the comparison of documents.
        progress: hears of documents.

    Raises:
        SchemeError: for a scheme that is not known, or whose keys are not independent.
        MarkKeyError: for a key of another length than its scheme needs.
    """
    groups = key_groups(keys)
    firsts = [first_uses(spool, group.scheme, memory_bytes, progress) for group in groups]
    least = least_units([group.scheme for group in groups], len(spool), len(keys), level)
    pooled = [_zeros(len(group.places)) for group in groups]
    units = np.zeros(len(spool), dtype=np.int64)
    repeated = np.zeros(len(spool), dtype=np.int64)
    best = np.zeros(len(spool))
    progress.begin("scoring documents", len(spool))
    for number in range(len(spool)):
        for index, group in enumerate(groups):
            words, places = _words(spool, number, group.scheme, firsts[index])
            totals = group.scheme.totals(words, group.rows)
            pooled[index] = pooled[index].plus(totals)
            best[number] = min(best[number], _least_log_p(group.scheme, totals))
            if len(words) >= units[number]:
                units[number], repeated[number] = len(words), places - len(words)
        progress.advance(1)
    progress.end()
    tested = units >= least
    log_ps = np.minimum(0.0, best + math.log(len(keys)))
    q = np.ones(len(spool))
    if tested.any():
        q[tested] = q_values(log_ps[tested], _dependence(groups))
    selected = np.flatnonzero(tested & (q <= level))
    inner = level * len(selected) / max(int(tested.sum()), 1)
    found = {int(one): _attributed(spool, int(one), groups, firsts, keys, inner) for one in selected}
    documents = tuple(
        ScannedDocument(
            name=spool.names[number], tokens=len(spool.document(number)), units=int(units[number]), repeated=int(repeated[number]),
            tested=bool(tested[number]), log_p=float(log_ps[number]) if tested[number] else 0.0, q_value=float(q[number]),
            keys=found.get(number, ()),
        )
        for number in range(len(spool))
    )  # fmt: skip
    return ScanResult(documents=documents, keys=_totals(keys, groups, pooled, found), level=level, least_units=least)


def least_units(schemes: Sequence[Scheme], documents: int, keys: int, level: float) -> int:
    """Give the least number of units with which a fully marked document could be selected if it were the only one.

    Full marking is the strongest that a scheme's statistic shows: every token green; or for Gumbel marks tokens whose own probability was a tenth
    (2.93 for 1.00 a unit). The rule depends on numbers of documents, keys and units alone, so it leaves every p-value valid.
    """
    target = math.log(level / (documents * keys))
    found = []
    for scheme in schemes:
        units = 1
        while scheme.log_p(units, strongest(scheme, units)) > target and units < 1 << 20:
            units = units + 1 if units < 64 else units * 9 // 8
        found.append(units)
    return min(found)


def strongest(scheme: Scheme, units: int) -> float:
    """Give the statistic of a fully marked text of so many units."""
    if isinstance(scheme, SynthIdFixed):
        return SYNTHID_SHARE * scheme.depth * units
    return GUMBEL_UNIT * units if "log(1 - u)" in scheme.statistic_name else units


def _words(
    spool: TokenSpool, number: int, scheme: Scheme, firsts: Sequence[NDArray[np.uint8]]
) -> tuple[NDArray[np.uint32], int]:
    """Give the units of a document that are new in it, and how many units it has in all."""
    units = scheme_units(scheme, spool.document(number))
    new = np.unpackbits(firsts[number], count=len(units)).astype(np.bool_)
    return np.ascontiguousarray(units.words[new]), len(units)


def _least_log_p(scheme: Scheme, totals: Totals) -> float:
    """Give the least log p over keys: where all count the same units, that of the largest statistic."""
    best = 0.0
    for count in np.unique(totals.counts):
        if count > 0:
            best = min(best, scheme.log_p(int(count), float(totals.statistics[totals.counts == count].max())))
    return best


def _attributed(
    spool: TokenSpool, number: int, groups: Sequence[KeyGroup], firsts: Sequence[Sequence[NDArray[np.uint8]]], keys: Sequence[MarkKey],
    level: float,
) -> tuple[Attribution, ...]:  # fmt: skip
    """Name the keys of a selected document, by Holm's procedure over all keys."""
    of_keys: list[Attribution] = []
    for index, group in enumerate(groups):
        words, _ = _words(spool, number, group.scheme, firsts[index])
        totals = group.scheme.totals(words, group.rows)
        for row, place in enumerate(group.places):
            count, statistic = int(totals.counts[row]), float(totals.statistics[row])
            log_p = group.scheme.log_p(count, statistic) if count else 0.0
            of_keys.append(Attribution(handle=keys[place].handle, log_p=log_p, units=count, statistic=statistic))
    adjusted = holm_adjusted([one.log_p for one in of_keys])
    passed = [one for one, value in zip(of_keys, adjusted, strict=True) if value <= level]
    return tuple(sorted(passed, key=lambda one: (one.log_p, one.handle)))


def _totals(
    keys: Sequence[MarkKey],
    groups: Sequence[KeyGroup],
    pooled: Sequence[Totals],
    found: dict[int, tuple[Attribution, ...]],
) -> tuple[KeyTotal, ...]:
    """Give each key over the whole set, in the order of the keys."""
    counted: dict[str, int] = {}
    for attributions in found.values():
        for one in attributions:
            counted[one.handle] = counted.get(one.handle, 0) + 1
    totals: list[KeyTotal | None] = [None] * len(keys)
    for group, total in zip(groups, pooled, strict=True):
        for row, place in enumerate(group.places):
            count, statistic = int(total.counts[row]), float(total.statistics[row])
            totals[place] = KeyTotal(
                key=keys[place], units=count, statistic=statistic, log_p=group.scheme.log_p(count, statistic) if count else 0.0,
                documents=counted.get(keys[place].handle, 0),
            )  # fmt: skip
    return tuple(one for one in totals if one is not None)


def _dependence(groups: Sequence[KeyGroup]) -> Dependence:
    """Say what may be assumed of documents: independent where units are, else nothing (Benjamini and Yekutieli)."""
    independent = all(group.scheme.name.partition("@")[0] in INDEPENDENT for group in groups)
    return Dependence.POSITIVE if independent else Dependence.ANY


def _zeros(keys: int) -> Totals:
    return Totals(counts=np.zeros(keys, dtype=np.int64), statistics=np.zeros(keys))
