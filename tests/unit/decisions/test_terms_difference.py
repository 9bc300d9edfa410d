"""The difference of two versions: sentences as sets, and clauses by name."""

from __future__ import annotations

import terms_samples as samples

from stillwatch.decisions.terms_difference import difference, is_relevant, sentences


def test_a_sentence_that_moved_or_was_broken_otherwise_is_no_change() -> None:
    old = "Customer will not train on Output. Fees are due monthly.\n\nProvider may mark\nOutput."
    new = "Provider may mark Output.\n\nCustomer will not train\n  on Output.\n\nFees are due yearly."
    terms = samples.read(samples.clause("a", "{harvesting: true}"))
    found = difference(terms, old, terms, new)
    assert (found.removed, found.added, found.clauses) == (("Fees are due monthly.",), ("Fees are due yearly.",), ())


def test_relevant_sentences() -> None:
    assert is_relevant("You may not distil the Service.")
    assert is_relevant("Do not remove any label or watermark.")
    assert not is_relevant("Fees are due yearly.")
    assert sentences("1. One thing.\n2. Another.") == ("1. One thing.", "2. Another.")


def test_clauses_that_came_went_and_changed() -> None:
    old = samples.read(samples.clause("a", "{harvesting: true}"), samples.clause("b", "{coordinated: true}"))
    new = samples.read(
        samples.clause("a", "{harvesting: true}", action="throttle", mode="record"),
        samples.clause("c", "{resale: true}"),
    )
    assert difference(old, "x", new, "x").clauses == ("a: changed in mode, action", "b: gone", "c: new")
