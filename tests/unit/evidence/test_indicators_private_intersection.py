"""Private set intersection: common identifiers and no others, and messages that cannot be used."""

from __future__ import annotations

import pytest

from stillwatch.evidence.indicators.errors import PrivateIntersectionError
from stillwatch.evidence.indicators.private_intersection import Answer, answer, ask, common, common_count, element
from stillwatch.records.indicator import IdentifierKind

OURS = [str(element(IdentifierKind.PAYMENT, f"pm_{number}")) for number in range(300)]
THEIRS = [str(element(IdentifierKind.PAYMENT, f"pm_{number}")) for number in range(280, 900)]


def test_the_common_identifiers_are_found_and_no_others() -> None:
    question = ask(OURS, reveal=True)
    given = answer(THEIRS, question.message, reveal=True)
    assert common(question, OURS, given) == tuple(sorted(set(OURS) & set(THEIRS)))


def test_only_their_number_where_that_was_agreed() -> None:
    question = ask(OURS, reveal=False)
    given = answer(THEIRS, question.message, reveal=False)
    assert common_count(question, OURS, given) == 20


def test_no_message_holds_an_identifier_and_every_question_is_another() -> None:
    question, again = ask(OURS, reveal=True), ask(OURS, reveal=True)
    given = answer(THEIRS, question.message, reveal=True)
    assert question.message != again.message
    for message in (question.message, given.setup, given.response):
        assert not any(one.encode() in message for one in (*OURS[:20], *THEIRS[:20]))
        assert b"pm_" not in message
    assert question.secret.hex() not in repr(question)


def test_an_answer_may_reveal_only_what_both_said() -> None:
    with pytest.raises(PrivateIntersectionError, match="agree on one"):
        answer(THEIRS, ask(OURS, reveal=True).message, reveal=False)


def test_too_many_guesses_are_refused() -> None:
    with pytest.raises(PrivateIntersectionError, match="has 300 elements, expected 1 to 100"):
        answer(THEIRS, ask(OURS, reveal=True).message, reveal=True, most_asked=100)


@pytest.mark.parametrize("elements", [[], ["a", "a"]])
def test_no_elements_or_one_twice_are_refused(elements: list[str]) -> None:
    with pytest.raises(PrivateIntersectionError, match="each once"):
        ask(elements, reveal=True)


def test_broken_messages_are_refused() -> None:
    question = ask(OURS, reveal=True)
    given = answer(THEIRS, question.message, reveal=True)
    with pytest.raises(PrivateIntersectionError):
        answer(THEIRS, question.message[:-3], reveal=True)
    with pytest.raises(PrivateIntersectionError):
        answer(THEIRS, b"\xff\xff", reveal=True)
    with pytest.raises(PrivateIntersectionError, match="another question"):
        common(question, OURS[:10], given)
    with pytest.raises(PrivateIntersectionError):
        common(question, OURS, Answer(setup=given.setup[:-3], response=given.response))


def test_kinds_do_not_meet() -> None:
    assert element(IdentifierKind.PAYMENT, "x") != element(IdentifierKind.ORGANIZATION, "x")
    assert element(IdentifierKind.PAYMENT, " ") is None
