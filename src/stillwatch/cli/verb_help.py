"""The help of a verb: one purpose line, examples that work, what it writes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class VerbHelp:
    """What `stillwatch VERB --help` says above its options."""

    name: str
    purpose: str
    """One line."""
    examples: tuple[str, ...]
    """Command lines that work on simulated data, in this order."""
    writes: str
    """One sentence."""

    def text(self) -> str:
        """Give the help text; the backspace mark keeps the example's lines as they are."""
        examples = "\n".join(f"  {example}" for example in self.examples)
        return f"{self.purpose}\n\n\b\nExample:\n{examples}\n\nWrites: {self.writes}"
