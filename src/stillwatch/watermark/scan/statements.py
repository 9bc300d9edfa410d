"""Statements of a scan: a claim for each key that the set bears and for each document that is selected, and what was not tested.

Takes a scan's result. Gives claims. A key that is not found is `Inconclusive` until so many units were scored that the planned excess would
have been found with 95 % (`power`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from stillwatch.records.claim import Claim, Inconclusive, Question
from stillwatch.statistics.e_values import calibrate_log_p
from stillwatch.statistics.false_discovery import holm_adjusted
from stillwatch.watermark.power import units_needed
from stillwatch.watermark.scan.documents import METHOD, KeyTotal, ScannedDocument, ScanResult
from stillwatch.watermark.scheme import Scheme
from stillwatch.watermark.schemes import open_scheme

LARGEST_LOG_E = 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyStatement:
    """What follows for a key over the whole set."""

    total: KeyTotal
    adjusted_p: float
    """By Holm over all keys, in [0, 1]."""
    found: bool
    answer: Claim | Inconclusive


RANDOM_KEYS = "the keys were drawn at random, and the texts' authors did not know them"


def key_statements(result: ScanResult, alpha: float, input_digest: str) -> tuple[KeyStatement, ...]:
    """State each key over the whole set, by Holm's procedure over all keys.

    Args:
        result: of a scan.
        alpha: chance of naming any key wrongly, in (0, 1).
        input_digest: of the files.

    Returns:
        One for each key, in their order: a claim where it is found, or excluded at the planned excess.
    """
    adjusted = holm_adjusted([one.log_p for one in result.keys])
    return tuple(
        KeyStatement(
            total=one,
            adjusted_p=float(value),
            found=bool(value <= alpha),
            answer=_of_key(one, float(value), len(result.keys), alpha, input_digest),
        )
        for one, value in zip(result.keys, adjusted, strict=True)
    )


def document_claim(document: ScannedDocument, result: ScanResult, input_digest: str) -> Claim:
    """State a selected document."""
    best = document.keys[0]
    return Claim(
        name=f"mark in {document.name}",
        question=Question.MARKED,
        statement=(
            f"{document.name} bears a mark: log10 p {document.log_p / math.log(10.0):.1f} over {len(result.keys):,} keys, q {document.q_value:.3g} "
            f"among {result.tested:,} documents, by {document.units:,} units that no earlier document has; surest key {best.handle}."
        ),
        null_hypothesis="the text of this document was made without knowledge of any of the keys",
        statistic_name="least log p over keys",
        statistic=best.log_p,
        log_p=document.log_p,
        log_e=min(calibrate_log_p(document.log_p), LARGEST_LOG_E),
        n=document.units,
        n_unit="units that no earlier document has",
        assumptions=(
            RANDOM_KEYS,
            f"p-value multiplied by the number of keys, {len(result.keys):,}",
            f"selected among {result.tested:,} documents at a false-discovery rate of {result.level:g}",
        ),
        method=METHOD,
        input_digest=input_digest,
    )


def untested(result: ScanResult) -> Inconclusive | None:
    """Say which documents were too short; null where none was."""
    short = sum(not one.tested for one in result.documents)
    if not short:
        return None
    copies = sum(not one.tested and one.units == 0 and one.repeated > 0 for one in result.documents)
    return Inconclusive(
        name="documents that were not tested",
        question=Question.MARKED,
        reason=f"{short:,} of {len(result.documents):,} documents have fewer than {result.least_units} units of their own, {copies:,} of them none at all",
        needed=f"at least {result.least_units} tokens with contexts that no earlier document has",
        method=METHOD,
    )


def _of_key(one: KeyTotal, adjusted_p: float, keys: int, alpha: float, input_digest: str) -> Claim | Inconclusive:
    scheme: Scheme = open_scheme(one.key.scheme, dict(one.key.parameters))
    needed = units_needed(scheme, keys, alpha)
    found = adjusted_p <= alpha
    name = f"mark of key {one.key.handle} in the set"
    if not one.units or (not found and one.units < needed):
        return Inconclusive(
            name=name,
            question=Question.MARKED,
            reason=f"{one.units:,} distinct units scored; a mean excess of {scheme.planned_excess:g} a unit would be missed too often",
            needed=f"about {needed:,} distinct scored tokens, so that such an excess is found with 95 % among {keys:,} keys",
            method=METHOD,
        )
    whose = f"{one.key.level.value} key {one.key.handle} ({one.key.assigned_to})"
    verb = "bears the mark of" if found else "shows no mark of"
    return Claim(
        name=name,
        question=Question.MARKED,
        statement=(
            f"The set {verb} {whose}: {one.statistic:,.1f} over {one.units:,} distinct units, log10 p {one.log_p / math.log(10.0):.1f}, "
            f"adjusted over {keys:,} keys {adjusted_p:.3g}; {one.documents:,} selected documents are attributed to it."
        ),
        null_hypothesis="the texts of the set were made without knowledge of this key",
        statistic_name=scheme.statistic_name,
        statistic=one.statistic,
        log_p=one.log_p,
        log_e=min(calibrate_log_p(one.log_p), LARGEST_LOG_E),
        n=one.units,
        n_unit="distinct units",
        assumptions=(*scheme.assumptions, RANDOM_KEYS),
        method=METHOD,
        input_digest=input_digest,
    )
