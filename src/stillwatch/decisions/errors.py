"""Errors of the decisions package.

The tree::

    StillwatchError
     └── DecisionsError
          ├── TermsProblemsError    terms, or tables of terms, that cannot be used; lists every problem with its place
          ├── PolicyError           Cedar refuses what was compiled, or cannot evaluate it
          ├── ReplayError           a stored evaluation does not come out again
          ├── DecisionRecordError   a stored decision cannot be read
          ├── DisclosureError       something is to be done for accounts whose terms do not disclose it
          └── FourEyesError         an approval that nobody else's eyes stand behind
"""

from __future__ import annotations

from stillwatch.records.errors import StillwatchError


class DecisionsError(StillwatchError):
    """Base of all that goes wrong with terms, decisions and their enforcement."""


class TermsProblemsError(DecisionsError):
    """Terms that cannot be used; the message lists every problem with file, line, column, caret and hint."""


class PolicyError(DecisionsError):
    """Cedar refuses a policy or a request."""


class ReplayError(DecisionsError):
    """A stored evaluation does not come out again from its stored request."""


class DecisionRecordError(DecisionsError):
    """A stored decision cannot be read."""


class FourEyesError(DecisionsError):
    """An approval lacks the second pair of eyes, or nothing is to be approved."""


class DisclosureError(DecisionsError):
    """Something is to be done for accounts whose terms do not disclose it; nothing was done."""
