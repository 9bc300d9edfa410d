"""Errors of the simulation.

The tree::

    StillwatchError
     └── SimulationError
          ├── GrammarError    a grammar file of the package cannot be compiled
          ├── ModelFileError  a file is no small model or vocabulary
          └── SettingsError   a world that cannot be made was asked for
"""

from __future__ import annotations

from stillwatch.records.errors import StillwatchError


class SimulationError(StillwatchError):
    """Something went wrong while traffic was made."""


class GrammarError(SimulationError):
    """A grammar file names an unknown symbol or is malformed."""


class ModelFileError(SimulationError):
    """A file is not the model or vocabulary that it should be."""


class SettingsError(SimulationError):
    """The settings ask for a world that cannot be made."""
