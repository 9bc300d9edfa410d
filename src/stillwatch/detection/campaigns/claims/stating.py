"""How tests state their result: from a p-value (calibrated to an e-value) or from an e-value."""

from __future__ import annotations

from dataclasses import dataclass

from stillwatch.records.claim import Claim, Inconclusive, Question
from stillwatch.statistics.e_values import calibrate_log_p

LARGEST_LOG_E = 5_000.0
"""Evidence beyond e^5000 is stated as e^5000: nothing depends on more, and a report stays readable."""

SHOWN_ONLY = "Shown for the reader; no explanation is rejected by it."


@dataclass(frozen=True, slots=True, kw_only=True)
class Procedure:
    """What is the same for every candidate: name, question, null and assumptions of a test."""

    name: str
    question: Question
    null_hypothesis: str
    assumptions: tuple[str, ...]
    method: str
    decides: bool = True
    """Whether an innocent explanation lists the test; one that none lists is shown to the reader, who is told so."""

    def from_log_p(
        self, log_p: float, *, searched: float, statement: str, statistic_name: str, statistic: float, n: int, n_unit: str,
        input_digest: str,
    ) -> Claim:  # fmt: skip
        """State a p-value after paying for the search: ln p + ln(subsets searched), at most 0."""
        paid = min(0.0, log_p + searched)
        assumptions = self.assumptions
        if searched > 0:
            assumptions = (*assumptions, f"p-value multiplied by e^{searched:.1f}, the number of subsets searched")
        return Claim(
            name=self.name,
            question=self.question,
            statement=self._said(statement),
            null_hypothesis=self.null_hypothesis,
            statistic_name=statistic_name,
            statistic=float(statistic),
            log_p=paid,
            log_e=min(calibrate_log_p(paid), LARGEST_LOG_E),
            n=n,
            n_unit=n_unit,
            assumptions=assumptions,
            method=self.method,
            input_digest=input_digest,
        )

    def from_log_e(
        self, log_e: float, *, statement: str, statistic_name: str, statistic: float, n: int, n_unit: str,
        input_digest: str, null_hypothesis: str | None = None,
    ) -> Claim:  # fmt: skip
        """State an e-value."""
        return Claim(
            name=self.name,
            question=self.question,
            statement=self._said(statement),
            null_hypothesis=null_hypothesis or self.null_hypothesis,
            statistic_name=statistic_name,
            statistic=float(statistic),
            log_p=None,
            log_e=max(-LARGEST_LOG_E, min(log_e, LARGEST_LOG_E)),
            n=n,
            n_unit=n_unit,
            assumptions=self.assumptions,
            method=self.method,
            input_digest=input_digest,
        )

    def _said(self, statement: str) -> str:
        return statement if self.decides else f"{statement} {SHOWN_ONLY}"

    def cannot(self, reason: str, needed: str) -> Inconclusive:
        """Say why there is no claim."""
        return Inconclusive(name=self.name, question=self.question, reason=reason, needed=needed, method=self.method)
