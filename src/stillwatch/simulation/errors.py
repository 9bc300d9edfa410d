"""Errors of the simulation.

The tree::

    StillwatchError
     └── SimulationError
          ├── GrammarError   a grammar file of the package cannot be compiled
          └── SettingsError  a world that cannot be made was asked for
"""

from __future__ import annotations

from stillwatch.records.errors import StillwatchError


class SimulationError(StillwatchError):
    """Something went wrong while traffic was made."""


class GrammarError(SimulationError):
    """A grammar file names an unknown symbol or is malformed."""


class SettingsError(SimulationError):
    """The settings ask for a world that cannot be made."""
