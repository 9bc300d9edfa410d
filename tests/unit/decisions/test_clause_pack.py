"""The clause pack: it passes every validator, says that it is no legal advice, and each row of its tables comes out."""

from __future__ import annotations

import pytest

from stillwatch.decisions.clause_pack import FOLDER, TABLES, pack_files
from stillwatch.decisions.clause_tables import Row, read_rows, run_rows, untested
from stillwatch.decisions.errors import TermsProblemsError
from stillwatch.decisions.terms.lint import read_terms
from stillwatch.records.decision import Action
from stillwatch.records.terms import ClauseKind, ClauseMode, Terms

TERMS: dict[str, Terms] = {
    one.name: one for one in (read_terms(path.read_bytes(), None, path.name) for path in pack_files())
}
ROWS, LINES = read_rows((FOLDER / TABLES).read_bytes(), TABLES)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.given.replace(" ", "-"))
def test_given_when_then(row: Row) -> None:
    (result,) = run_rows([row], TERMS, TABLES, LINES)
    assert result.failure is None
    assert result.evaluation.action is Action.ALLOW  # nothing of the pack is enforced before somebody promotes it


def test_every_clause_is_breached_in_one_row_and_kept_in_another() -> None:
    assert untested(run_rows(ROWS, TERMS, TABLES, LINES), TERMS) == ()


def test_a_row_that_does_not_come_out_says_so_and_a_clause_without_rows_is_named() -> None:
    rows, lines = read_rows(
        b"rows:\n  - given: nothing\n    terms: pack-marks\n    when: {event: finding}\n    then: {breached: [campaigns-are-marked]}\n",
        "x.yaml",
    )
    results = run_rows(rows, TERMS, "x.yaml", lines)
    assert results[0].failure == "expected the breach of campaigns-are-marked, got no clause"
    assert untested(results, {"pack-marks": TERMS["pack-marks"]}) == (
        "pack-marks/no-mark-removal",
        "pack-marks/campaigns-are-marked",
    )


def test_rows_of_unknown_terms_and_facts_are_refused() -> None:
    with pytest.raises(TermsProblemsError, match="there is no fact 'harvest'"):
        read_rows(
            b"rows:\n  - given: x\n    terms: a\n    when: {event: finding, harvest: true}\n    then: {breached: []}\n",
            "x.yaml",
        )
    rows, lines = read_rows(
        b"rows:\n  - given: x\n    terms: pack-mark\n    when: {event: finding}\n    then: {breached: []}\n", "x.yaml"
    )
    with pytest.raises(TermsProblemsError, match="did you mean 'pack-marks'"):
        run_rows(rows, TERMS, "x.yaml", lines)


def test_the_pack_is_no_legal_advice_and_begins_in_record_mode() -> None:
    for path in pack_files():
        assert "not legal advice" in path.read_text(encoding="utf-8").splitlines()[0]
    assert {clause.mode for one in TERMS.values() for clause in one.clauses} == {ClauseMode.RECORD}


def test_the_pack_fills_what_terms_lack() -> None:
    kinds = {clause.kind for one in TERMS.values() for clause in one.clauses}
    assert kinds == set(ClauseKind)
