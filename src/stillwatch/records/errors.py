"""The base of every error that stillwatch raises on purpose.

The tree (each package keeps its own branch in `errors.py`)::

    StillwatchError
     ├── cli.errors.CommandLineError
     ├── intake.errors.IntakeError
     ├── evidence.errors.EvidenceError
     ├── engines.errors.EngineError
     ├── stores.errors.StoreError
     ├── integrity.errors.IntegrityError
     ├── statistics.errors.StatisticsError
     ├── sketches.errors.SketchError
     ├── detection.errors.DetectionError
     ├── decisions.errors.DecisionsError
     ├── suspects.errors.SuspectError
     ├── governance.errors.GovernanceError
     ├── watermark.errors.WatermarkError
     └── simulation.errors.SimulationError
"""

from __future__ import annotations


class StillwatchError(Exception):
    """An error whose message a user can act on: what, got, expected, where, and what to do.

    The message never holds prompt or answer text; it names exchanges by id and log lines by file and byte span.
    """
