"""A split to its sketches, whether it is of logs or of parts that were sketched before."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from stillwatch.intake.read import read_split
from stillwatch.intake.settings import IntakeSettings
from stillwatch.intake.sketch_parts import SKETCHES, read_sketches
from stillwatch.intake.split import Split, SplitOutput
from stillwatch.sketches.batch import sketch_batch


def sketches_of(split: Split, settings: IntakeSettings) -> Iterator[SplitOutput]:
    """Read a split, and sketch what is not sketched yet.

    Args:
        split: of a plan.
        settings: the plan's.

    Yields:
        What intake gives, with columns of `SKETCH` in place of those of `EXCHANGE`; a batch without rows stays as it is.
    """
    if split.format_name == SKETCHES.name:
        yield from read_sketches(split)
        return
    for output in read_split(split, settings):
        yield replace(output, batch=sketch_batch(output.batch)) if output.batch.num_rows else output
