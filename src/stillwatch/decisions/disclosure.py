"""Disclosure: which accounts were told of something that is done to answers, by terms that were in force.

Takes acceptances and terms. Gives the accounts for which one of their terms in force has a clause of the kind, with its sentence. Nothing that a clause
must disclose is done for anybody else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from stillwatch.decisions.decide import TermsKey, terms_in_force
from stillwatch.decisions.errors import DisclosureError
from stillwatch.records.terms import DISCLOSING, Acceptance, ClauseKind, Terms


def disclosed_to(
    acceptances: Sequence[Acceptance], terms: Mapping[TermsKey, Terms], kind: ClauseKind, at_us: int
) -> Mapping[str, tuple[str, ...]]:
    """Say who was told, and by which clauses.

    Args:
        acceptances: in any order.
        terms: every version that an acceptance names.
        kind: of the clause; one of `DISCLOSING`.
        at_us: the time in question, microseconds UTC.

    Returns:
        Account to the clauses that disclose it, `NAME@VERSION/CLAUSE`, sorted; accounts without one are left out.

    Raises:
        DisclosureError: for a kind that discloses nothing.
    """
    if kind not in DISCLOSING:
        raise DisclosureError(
            f"clauses of kind {kind.value} disclose nothing; expected {', '.join(sorted(DISCLOSING))}"
        )
    found = {}
    for account, keys in terms_in_force(acceptances, at_us).items():
        clauses = sorted(
            f"{name}@{version}/{clause.id}"
            for name, version in keys
            for clause in terms[name, version].clauses
            if clause.kind is kind and clause.says
        )
        if clauses:
            found[account] = tuple(clauses)
    return found


def require_disclosed(accounts: Sequence[str], told: Mapping[str, tuple[str, ...]], kind: ClauseKind) -> None:
    """Refuse accounts that were not told.

    Raises:
        DisclosureError: naming the first of them.
    """
    untold = sorted(set(accounts) - told.keys())
    if untold:
        raise DisclosureError(
            f"{len(untold)} of {len(set(accounts))} accounts accepted no terms with a clause of kind {kind.value}, the first is "
            f"{untold[0][:80]!a}; have the terms accepted first (`stillwatch terms accept`), or leave the account out"
        )
