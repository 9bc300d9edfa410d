"""Fixtures of the command line's tests; they live in a module whose name no other folder has."""

from __future__ import annotations

from command_line_calls import case, stillwatch

__all__ = ["case", "stillwatch"]
