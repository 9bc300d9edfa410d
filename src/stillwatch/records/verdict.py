"""Verdict: what the gateway does with one request, and what it says of it. The word is the gateway's only."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from stillwatch.records.decision import Action


class ReasonCode(StrEnum):
    """Why a verdict is what it is; clients and logs get this word."""

    NO_DECISION = "no-decision"
    """Nothing is decided about the account, or what was decided has ended."""
    MARKED = "answers-marked"
    """Answers carry the campaign's mark, as the account's terms disclose."""
    WITHIN_RATE = "within-reduced-rate"
    """The account's rate is reduced, and this request is within it."""
    OVER_RATE = "over-reduced-rate"
    """The account's rate is reduced, and this request is over it."""
    CHALLENGED = "verification-required"
    """The account holder must show who they are and what for."""
    BLOCKED = "account-suspended"
    """The account is not answered."""
    GUARD_FAILED = "guard-failed"
    """The guard itself failed; whether that answers or refuses is the operator's setting."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What is done with one request."""

    action: Action
    reason: ReasonCode
    decision_id: str | None = None
    """Decision that it rests on; null where there is none."""
    clauses: tuple[str, ...] = ()
    """Clauses that it rests on, as the decision names them."""
    appeal: str = ""
    """Where the account holder can object."""
    key_id: str | None = None
    """Handle of the campaign's mark key, for `MARK`; never the key."""
    retry_after_s: int | None = None
    """For a request that is over its rate: seconds until one is answered again, at least 1."""
    bundle_version: int | None = None
    """Of the bundle that said so; null where none was loaded."""
    stale: bool = False
    """Whether that bundle had expired, or none was loaded."""

    @property
    def answers(self) -> bool:
        """Whether the request goes to the model."""
        return self.reason in _ANSWERED or (self.reason is ReasonCode.GUARD_FAILED and self.action is Action.ALLOW)


_ANSWERED = frozenset({ReasonCode.NO_DECISION, ReasonCode.MARKED, ReasonCode.WITHIN_RATE})
