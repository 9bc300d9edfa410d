"""Progress: how a stage tells a person how far it is, without knowing who listens."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Receives the advance of a stage."""

    def begin(self, stage: str, total: int | None) -> None:
        """Start a stage; `total` in the stage's own unit (bytes, rows, candidates), null when unknown."""

    def advance(self, amount: int) -> None:
        """Add to what is done."""

    def end(self) -> None:
        """Finish the stage."""


class Silent:
    """Nobody listens."""

    def begin(self, stage: str, total: int | None) -> None:
        """Do nothing."""

    def advance(self, amount: int) -> None:
        """Do nothing."""

    def end(self) -> None:
        """Do nothing."""
