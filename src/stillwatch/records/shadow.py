"""ShadowSample: re-samples of an answer that was served, kept so that the served-transcript test is possible later.

A served answer and re-samples of the same model, asked in the same way, are exchangeable for whoever never saw any of them. That holds only where
snapshot, system prompt, decoding and filters are the same; so the record keeps all of these, and says where they were not. It holds no text:
prompt, served answer and re-samples are encrypted under a key of their own, and bound here by digests.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

SHADOW_FORMAT = "stillwatch-shadow-sample/v1"


class AskOutcome(StrEnum):
    """How one ask for a re-sample ended."""

    ANSWERED = "answered"
    """The model answered to its end; a refusal or a filter's word is an answer too."""
    FAILED = "failed"
    """The answer failed or was cut in a way that may depend on its text: a time limit, a broken connection, an error of the model."""
    TURNED_AWAY = "turned away"
    """The upstream took no request: it was not reached, or it was too busy. That does not depend on any text, and the ask is replaced."""
    UNKNOWN = "unknown"
    """The asking process was ended before it wrote down what came back. The ask is never repeated; another one takes its place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowAsk:
    """One ask for a re-sample."""

    number: int
    """From 1; each number is asked once."""
    outcome: AskOutcome
    asked_us: int
    """Microseconds UTC."""
    ended_us: int | None
    """Microseconds UTC; null where nobody knows."""
    status: int | None
    """HTTP status; null where there was none."""
    answer_digest: str | None
    """`sha256:` and 64 hex digits of the answer's bytes under its salt; null where there is no answer."""
    finish_reason: str | None
    """As the API says it: `stop`, `length`, `content_filter`, `refusal` or like."""
    snapshot: str | None
    """Model that the answer reports."""
    fingerprint: str | None
    """System fingerprint that it reports."""
    input_tokens: int | None
    output_tokens: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowSample:
    """A served answer with its re-samples, as the ledger holds it."""

    id: str
    """`shadow-` and 16 hex digits."""
    account_id: str
    exchange_id: str
    """Of the served exchange."""
    path: str
    """Of the API, such as `/v1/chat/completions`."""
    served_us: int
    """When the served answer's request came; microseconds UTC."""
    asked_model: str
    """Model that the client named, alias or snapshot."""
    snapshot: str
    """Model that the served answer reports; the re-samples are asked of it by this name."""
    fingerprint: str | None
    decoding: str
    """Canonical JSON of every member of the forwarded body but the texts: the full decoding configuration."""
    mark_key_id: str | None
    """Handle of the mark key under which the served answer was given, and its re-samples too; null for none."""
    prompt_digest: str
    """`sha256:` and 64 hex digits of the forwarded body under the text's salt."""
    served_digest: str
    """The same of the served answer's bytes."""
    served_finish_reason: str | None
    wanted: int
    """Re-samples that were wanted (k)."""
    asks: tuple[ShadowAsk, ...]
    """Every ask, by number, also those that came to nothing."""
    exchangeable: bool
    """Whether nothing is known that sets the re-samples apart from the served answer."""
    reasons: tuple[str, ...]
    """What is known, where they are not exchangeable."""
    text_digest: str
    """`sha256:` and 64 hex digits of the file of encrypted texts."""

    @property
    def answers(self) -> int:
        """Number of re-samples that there are."""
        return sum(one.outcome is AskOutcome.ANSWERED for one in self.asks)
