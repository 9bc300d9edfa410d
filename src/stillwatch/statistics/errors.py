"""Errors of the statistics. Each message says what was got, what was expected and what to do; never any traffic text.

The tree::

    StatisticsError
     ├── ArgumentError        the caller passed a value outside the range that the theorem allows
     └── TooLittleDataError   the data cannot carry the test; the caller states Inconclusive
"""

from __future__ import annotations

from stillwatch.records.errors import StillwatchError


class StatisticsError(StillwatchError):
    """A statistical function could not give a valid number."""


class ArgumentError(StatisticsError):
    """An argument lies outside the range in which the function's theorem holds; the message names both."""


class TooLittleDataError(StatisticsError):
    """There are too few data for the test to say anything; state `Inconclusive` with what the message asks for."""
