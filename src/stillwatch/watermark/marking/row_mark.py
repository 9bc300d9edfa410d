"""RowMark: what one row of a batch is marked with, and the truncation that its draw is made from."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from stillwatch.records.mark import MarkKey
from stillwatch.watermark.marking.errors import MarkingError
from stillwatch.watermark.scheme import key_row
from stillwatch.watermark.schemes import open_scheme


class Draw(StrEnum):
    """How a mark enters."""

    GREEN_LIST = "green list"
    """Logits of green tokens are raised; works at temperature 0 too."""
    GUMBEL = "Gumbel"
    """The random draw is replaced by a keyed one; the distribution of a single token stays what it was."""


MARKED_HERE = {
    "green-bernoulli@v1": Draw.GREEN_LIST,
    "sglang-gumbel@murmur3-v1": Draw.GUMBEL,
    "sglang-dual@murmur3-v1": Draw.GUMBEL,
}
"""Schemes that these processors draw with; vLLM, SGLang and the libraries draw the others by themselves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RowMark:
    """The mark of one row."""

    draw: Draw
    key: int = field(repr=False)
    """64 bits."""
    second_key: int | None = field(repr=False, default=None)
    """The provider's key B, which has the contexts that key A has not; for Gumbel."""
    mixing: float = 1.0
    """Share of contexts that key A has; 1 without a second key."""
    width: int
    """Tokens of context, 1 to 64."""
    gamma: float = 0.25
    """Share of green tokens, in (0, 1); for green lists."""
    delta: float = 2.0
    """What is added to the logits of green tokens; for green lists."""
    temperature: float = 1.0
    """For Gumbel; 0 draws nothing, and such a row is not marked."""
    top_k: int = 0
    """0 for all; for Gumbel."""
    top_p: float = 1.0
    """In (0, 1]; for Gumbel."""
    min_p: float = 0.0
    """In [0, 1]; for Gumbel."""

    def __post_init__(self) -> None:
        """Refuse what no draw can be made with.

        Raises:
            MarkingError: naming the field; never the key.
        """
        checks = (
            ("key", 0 <= self.key < 1 << 64, "64 bits"),
            ("second_key", 0 <= (self.second_key or 0) < 1 << 64, "64 bits"),
            ("mixing", 0.0 < self.mixing <= 1.0, "above 0, at most 1"),
            ("width", 1 <= self.width <= 64, "1 to 64"),
            ("gamma", 0.0 < self.gamma < 1.0, "a share between 0 and 1"),
            ("delta", self.delta > 0.0, "above 0"),
            ("temperature", self.temperature >= 0.0, "at least 0"),
            ("top_k", self.top_k >= 0, "at least 0"),
            ("top_p", 0.0 < self.top_p <= 1.0, "above 0, at most 1"),
            ("min_p", 0.0 <= self.min_p <= 1.0, "between 0 and 1"),
        )
        for name, holds, expected in checks:
            if not holds:
                raise MarkingError(f"a row's {name} is out of range, expected {expected}")

    @property
    def green_below(self) -> int:
        """The bound below which a 32-bit hash is green, as `green-bernoulli@v1` has it."""
        return max(1, round(self.gamma * 2**32))

    @property
    def draws(self) -> bool:
        """Whether anything is drawn at random that a Gumbel mark could make."""
        return self.draw is Draw.GREEN_LIST or (self.temperature > 0.0 and self.top_k != 1)


def row_mark_of(key: MarkKey, *, delta: float, sampling: Any) -> RowMark:
    """Make the mark of a row from its key and its request's sampling settings.

    Args:
        key: of `green-bernoulli@v1`, `sglang-gumbel@murmur3-v1` or, both keys in it, `sglang-dual@murmur3-v1`.
        delta: what is added to green logits.
        sampling: object with `temperature`, `top_k`, `top_p` and `min_p`, as vLLM's `SamplingParams`; null for plain sampling.

    Raises:
        MarkingError: for a key of a scheme that only its own engine draws with.
    """
    draw = MARKED_HERE.get(key.scheme)
    if draw is None:
        raise MarkingError(
            f"key {key.handle} is for {key.scheme}, expected one of {', '.join(MARKED_HERE)}; others are drawn by their engine"
        )
    scheme = open_scheme(key.scheme, dict(key.parameters))
    words = [int(word) for word in key_row(scheme, key)]
    gamma = float(scheme.parameters.get("gamma", 0.25))
    mixing = float(scheme.parameters["mixing_probability"]) if len(words) == 2 else 1.0
    plain = RowMark(
        draw=draw, key=words[0], second_key=words[1] if len(words) == 2 else None, mixing=mixing, width=scheme.context_width,
        gamma=gamma, delta=delta,
    )  # fmt: skip
    if sampling is None:
        return plain
    return replace(
        plain, temperature=float(sampling.temperature), top_k=max(int(sampling.top_k or 0), 0),
        top_p=float(sampling.top_p), min_p=float(getattr(sampling, "min_p", 0.0) or 0.0),
    )  # fmt: skip
