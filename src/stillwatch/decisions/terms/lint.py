"""Lint: terms that pass every validator, or all problems at once.

Takes the bytes of the YAML file and of the contract text. Gives the `Terms` record. Promises that nothing is compiled that a validator refuses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from stillwatch.decisions.terms.problem import Problem, refuse
from stillwatch.decisions.terms.reading import TermsDraft, read_draft
from stillwatch.decisions.terms.validators.a_clause_can_match import a_clause_can_match
from stillwatch.decisions.terms.validators.a_clause_says_what_the_text_says import a_clause_says_what_the_text_says
from stillwatch.decisions.terms.validators.a_mark_is_disclosed import a_mark_is_disclosed
from stillwatch.decisions.terms.validators.an_action_names_its_clause import an_action_names_its_clause
from stillwatch.decisions.terms.validators.clauses_do_not_contradict import clauses_do_not_contradict
from stillwatch.decisions.terms.validators.exceptions_name_clauses import exceptions_name_clauses
from stillwatch.decisions.terms.validators.more_evidence_is_never_milder import more_evidence_is_never_milder
from stillwatch.records.terms import Terms

Validator = Callable[[TermsDraft], Iterator[Problem]]
VALIDATORS: tuple[Validator, ...] = (
    an_action_names_its_clause,
    a_clause_says_what_the_text_says,
    a_mark_is_disclosed,
    a_clause_can_match,
    clauses_do_not_contradict,
    exceptions_name_clauses,
    more_evidence_is_never_milder,
)
"""All of them, in the order of the documentation."""


def read_terms(facts: bytes, text: bytes | None, file: str) -> Terms:
    """Read and validate terms.

    Args:
        facts: the YAML file.
        text: the contract text, UTF-8; null where the wording stands in the YAML file.
        file: name of the YAML file, for messages.

    Raises:
        TermsProblemsError: with every problem of form and of meaning.
    """
    draft = read_draft(facts, text, file)
    found = [problem for validator in VALIDATORS for problem in validator(draft)]
    refuse([*draft.problems, *found], file, draft.lines)
    return draft.terms
