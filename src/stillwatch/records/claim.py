"""Claim: the only way in which stillwatch states something statistical. Inconclusive: the only other answer."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum


class Question(StrEnum):
    """The questions that are never mixed."""

    COORDINATION = "coordination"
    """Do these accounts act together?"""
    EXTRACTION = "extraction"
    """Does this traffic harvest the model?"""
    ATTRIBUTION = "attribution"
    """Who stands behind it: operator, reseller, victim?"""
    MARKED = "marked"
    """Does this text bear a mark of ours?"""
    SERVES = "serves our model"
    """C1: does the suspect pass our model's answers on?"""
    DERIVED = "weights derived"
    """C2: do its weights derive from ours?"""
    TRAINED_ON_OUTPUTS = "trained on our outputs"
    """C3: was it trained on what our model answered?"""
    TRAINED_ON_ACCOUNT = "trained on this account's outputs"
    """C4: was it trained on what we answered to this account?"""
    ACCESS = "access"
    """Does an endpoint answer as it says that it does?"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A null hypothesis that the data speak against (or do not), with all that an opposing expert needs to check it."""

    name: str
    """Name of the test, e.g. `template lift`."""
    question: Question
    statement: str
    """One plain sentence with the numbers in it; no prompt text."""
    null_hypothesis: str
    """What would be true if nothing were going on."""
    statistic_name: str
    statistic: float
    log_p: float | None
    """Natural logarithm of the p-value, at most 0; null where the test gives an e-value only."""
    log_e: float
    """Natural logarithm of an e-value for the same null (by the test itself or by calibration of the p-value)."""
    n: int
    """Number of `n_unit` that the statistic rests on."""
    n_unit: str
    assumptions: tuple[str, ...]
    """What must hold for the p- or e-value to be valid."""
    method: str
    """`name/vN`."""
    seed: int | None = None
    """Seed of a randomised test; null for exact ones."""
    input_digest: str = ""
    """Digest of the rows that the test read."""

    def __post_init__(self) -> None:
        """Refuse a claim that could not be checked.

        Raises:
            ValueError: for n < 1, a non-finite statistic, a positive log p, a NaN, or no assumptions or method version.
        """
        if self.n < 1:
            raise ValueError(f"claim {self.name!r}: got n={self.n}, expected at least 1; return Inconclusive instead")
        if not math.isfinite(self.statistic) or math.isnan(self.log_e):
            raise ValueError(
                f"claim {self.name!r}: got statistic {self.statistic}, log e {self.log_e}; expected numbers"
            )
        if self.log_p is not None and not self.log_p <= 0.0:
            raise ValueError(f"claim {self.name!r}: got log p {self.log_p}, expected at most 0")
        if not self.assumptions or "/v" not in self.method:
            raise ValueError(f"claim {self.name!r}: expected assumptions and a method@version, got {self.method!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Inconclusive:
    """A test that could not be run or could not decide, and what it would have needed."""

    name: str
    question: Question
    reason: str
    """Why there is no claim."""
    needed: str
    """What would make the test possible: a column, more exchanges, a reference."""
    method: str
