"""Private set intersection: two partners learn which identifiers they share, and neither learns the other's rest.

Takes both partners' identifiers. Gives three messages and, at the asking side, the common identifiers or only their number. The
protocol is Diffie-Hellman private set intersection over P-256 (C. Meadows, IEEE S&P 1986; B. Huberman, M. Franklin and T. Hogg,
EC 1999), by the library `openmined-psi`.

It holds against a partner who follows the protocol and is curious. It does not stop one who puts guessed values into its own set: it
learns which of its guesses are right, as many as the set is large, so the answering side bounds and logs the size. Sizes of both
sets are not hidden. The set-up message may hold a false positive with the probability that the answering side chooses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from stillwatch.evidence.errors import MissingLibraryError
from stillwatch.evidence.indicators.errors import PrivateIntersectionError
from stillwatch.evidence.indicators.keyed import normalise
from stillwatch.records.indicator import IdentifierKind

FALSE_POSITIVE_RATE = 1e-9
"""Probability that a whole question has one false answer."""
MOST_ELEMENTS = 5_000_000
_MESSAGE_BYTES = 1 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What the asking side keeps, and what it sends."""

    secret: bytes = field(repr=False)
    """Private key of this question; it stays with the asking side, and is used once."""
    message: bytes
    """To the answering side: every element under the private key, in the order of the elements."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the answering side sends back."""

    setup: bytes
    """Its own elements under its own key, as a compressed set."""
    response: bytes
    """The asked elements under both keys."""


def element(kind: IdentifierKind, value: str) -> str | None:
    """Return the text by which an identifier takes part.

    Args:
        kind: what it identifies.
        value: as logged.

    Returns:
        Kind and normalised bytes in hex; none for an empty value.
    """
    plain = normalise(kind, value)
    return None if plain is None else f"{kind.value}:{plain.hex()}"


def ask(elements: Sequence[str], *, reveal: bool) -> Question:
    """Begin: the asking side's first message.

    Args:
        elements: what `element` gave, each once.
        reveal: true to learn which are common; false to learn only how many.

    Raises:
        PrivateIntersectionError: for no elements, too many, or one twice.
        MissingLibraryError: where the library is not installed.
    """
    _check(elements)
    client = _library().client.CreateWithNewKey(reveal)
    return Question(
        secret=bytes(client.GetPrivateKeyBytes()), message=client.CreateRequest(list(elements)).SerializeToString()
    )


def answer(elements: Sequence[str], message: bytes, *, reveal: bool, most_asked: int = MOST_ELEMENTS) -> Answer:
    """Answer a question with a fresh key that is then forgotten.

    Args:
        elements: the answering side's, each once.
        message: what the asking side sent.
        reveal: must be what the asking side said; false lets it learn only how many.
        most_asked: most elements that may be asked for, since each is a guess that the asking side may make.

    Raises:
        PrivateIntersectionError: for a message that is none, that asks for too much, or for another mode.
        MissingLibraryError: where the library is not installed.
    """
    _check(elements)
    psi = _library()
    request = _parse(psi.Request, message, "question")
    if request.reveal_intersection != reveal:
        raise PrivateIntersectionError(
            f"the question asks {'which elements are' if request.reveal_intersection else 'how many are'} common, and the answer was "
            f"allowed for {'which' if reveal else 'how many'}; agree on one"
        )
    asked = len(request.encrypted_elements)
    if not 1 <= asked <= most_asked:
        raise PrivateIntersectionError(f"the question has {asked:,} elements, expected 1 to {most_asked:,}")
    try:
        server = psi.server.CreateWithNewKey(reveal)
        setup = server.CreateSetupMessage(FALSE_POSITIVE_RATE, asked, list(elements), psi.DataStructure.RAW)
        response = server.ProcessRequest(request)
    except (RuntimeError, ValueError) as error:
        raise PrivateIntersectionError(f"the question cannot be answered: got {type(error).__name__}") from None
    return Answer(setup=setup.SerializeToString(), response=response.SerializeToString())


def common(question: Question, elements: Sequence[str], received: Answer) -> tuple[str, ...]:
    """Finish: the common elements, for a question that asked which.

    Args:
        question: what `ask` gave.
        elements: the very elements that were asked for, in their order.
        received: what the answering side sent.

    Raises:
        PrivateIntersectionError: for an answer that is none.
        MissingLibraryError: where the library is not installed.
    """
    places = _finish(question, elements, received, reveal=True)
    return tuple(sorted(elements[place] for place in places))


def common_count(question: Question, elements: Sequence[str], received: Answer) -> int:
    """Finish: the number of common elements, for a question that asked how many.

    Args:
        question: what `ask` gave.
        elements: the very elements that were asked for, in their order.
        received: what the answering side sent.

    Raises:
        PrivateIntersectionError: for an answer that is none.
        MissingLibraryError: where the library is not installed.
    """
    count = _finish(question, elements, received, reveal=False)
    return int(count)


def _finish(question: Question, elements: Sequence[str], received: Answer, *, reveal: bool) -> Any:
    """Undo the own key, and compare with the other side's set."""
    psi = _library()
    setup = _parse(psi.ServerSetup, received.setup, "answer's set-up")
    response = _parse(psi.Response, received.response, "answer")
    if len(response.encrypted_elements) != len(elements):
        raise PrivateIntersectionError(
            f"the answer has {len(response.encrypted_elements):,} elements, expected {len(elements):,}: it belongs to another question"
        )
    try:
        client = psi.client.CreateFromKey(question.secret, reveal)
        return client.GetIntersection(setup, response) if reveal else client.GetIntersectionSize(setup, response)
    except (RuntimeError, ValueError) as error:
        raise PrivateIntersectionError(f"the answer cannot be used: got {type(error).__name__}") from None


def _parse(kind: Any, message: bytes, what: str) -> Any:
    """Parse a protocol message."""
    from google.protobuf.message import DecodeError  # noqa: PLC0415

    if len(message) > _MESSAGE_BYTES:
        raise PrivateIntersectionError(f"the {what} has {len(message):,} bytes, expected at most {_MESSAGE_BYTES:,}")
    parsed = kind()
    try:
        parsed.ParseFromString(message)
    except DecodeError:
        raise PrivateIntersectionError(f"the {what} is not a message of the protocol; was it cut?") from None
    return parsed


def _check(elements: Sequence[str]) -> None:
    if not 1 <= len(elements) <= MOST_ELEMENTS or len(set(elements)) != len(elements):
        raise PrivateIntersectionError(
            f"got {len(elements):,} elements, {len(set(elements)):,} of them different; expected 1 to {MOST_ELEMENTS:,}, each once"
        )


def _library() -> Any:
    """Load the library, which few installations need."""
    try:
        from private_set_intersection import python  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise MissingLibraryError(
            "private set intersection needs the library openmined-psi: pip install 'stillwatch[private-intersection]'"
        ) from error
    return python
