"""Errors of the engines.

The tree::

    StillwatchError
     └── EngineError
          ├── EngineUnavailableError   the driver, its extra or Java is missing
          ├── QueryError               the query was refused before it ran
          ├── TableError               a table is missing, or does not fit its schema
          └── RunError                 the engine failed while it ran
               └── MemoryLimitError    it ran out of the memory or disk that it was given
"""

from __future__ import annotations

from typing import NoReturn

from stillwatch.records.errors import StillwatchError


class EngineError(StillwatchError):
    """Base of all that goes wrong where tables run."""


class EngineUnavailableError(EngineError):
    """The engine cannot be opened here; the message names what to install."""


class QueryError(EngineError):
    """The query breaks a rule that keeps both engines equal; the message names the rule and the place."""


class TableError(EngineError):
    """A table is not registered, or its columns are not what was declared."""


class RunError(EngineError):
    """The engine stopped while it ran a query or a split."""


class MemoryLimitError(RunError):
    """The engine needed more memory, or more room for spilling, than it was given."""


def raise_split_failure(number: int, error: BaseException) -> NoReturn:
    """Raise what a split function raised, without repeating a message that could hold text of the log.

    Args:
        number: Index of the split, from 0.
        error: What it raised.

    Raises:
        StillwatchError: `error` itself when it is one, since its message is made for users.
        RunError: for any other `Exception`, with the kind of failure and its place in the code.
        BaseException: `error` itself when it is no `Exception` (an interrupt).
    """
    if isinstance(error, StillwatchError) or not isinstance(error, Exception):
        raise error
    place = ""
    trace = error.__traceback__
    while trace is not None:
        place = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
        trace = trace.tb_next
    raise RunError(
        f"split {number} stopped with {type(error).__name__} at {place}; its message may hold text of the log and is"
        " not repeated"
    ) from None
