"""The verbs `indicators private-*`: three messages by which two partners learn which identifiers they share, and nothing else.

Identifiers are lists that each partner makes: one `kind<TAB>value` a line, as logged. The messages are files, so that any channel will do.
"""

from __future__ import annotations

import ipaddress
import json
from pathlib import Path
from typing import Annotated, Any

import typer

from stillwatch.cli.errors import OptionError
from stillwatch.cli.exit_codes import ExitCode
from stillwatch.cli.options import DebugOption, JsonOption
from stillwatch.cli.terminal import open_terminal
from stillwatch.cli.verb_help import VerbHelp

ASK_HELP = VerbHelp(
    name="private-ask",
    purpose="Ask a partner which identifiers you share, without showing yours (set intersection).",
    examples=("stillwatch indicators private-ask OURS --state question.secret --out question.bin",),
    writes="the question into --out, and what you need to read the answer into --state, which only you can read.",
)
ANSWER_HELP = VerbHelp(
    name="private-answer",
    purpose="Answer a partner's private question; you learn how many identifiers it has, no more.",
    examples=("stillwatch indicators private-answer THEIRS question.bin --out answer.bin",),
    writes="the answer into --out.",
)
RESULT_HELP = VerbHelp(
    name="private-result",
    purpose="Read the answer to a private question: the common identifiers, or only their number.",
    examples=("stillwatch indicators private-result --state question.secret answer.bin",),
    writes="nothing; it deletes the state, since a question is answered once.",
)
Lists = Annotated[Path, typer.Argument(metavar="LIST", help="Your identifiers: one `kind<TAB>value` a line.")]
CountOnly = Annotated[bool, typer.Option("--count-only", help="Only how many are common; both sides must say so.")]


def private_ask(
    identifiers: Lists,
    *,
    state: Annotated[Path, typer.Option("--state", metavar="FILE", help="What you keep; a new file, mode 0600.")],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The question, for the partner.")],
    count_only: CountOnly = False,
    as_json: JsonOption = False,
    debug: DebugOption = False,  # noqa: ARG001  # read by the entry point
) -> ExitCode:
    """Ask."""
    from stillwatch.cli.ledger_options import write_out  # noqa: PLC0415
    from stillwatch.evidence.indicators.private_intersection import ask  # noqa: PLC0415

    terminal = open_terminal(as_json=as_json)
    elements = _elements(identifiers)
    question = ask(elements, reveal=not count_only)
    kept = {"count_only": count_only, "secret": question.secret.hex(), "elements": elements}
    if state.exists():
        raise OptionError(f"--state {state} exists already; a question has a state of its own, so name a new file.")
    write_out(state, json.dumps(kept).encode(), private=True)
    write_out(out, question.message)
    terminal.say(f"Question about {len(elements):,} identifiers in {out}. Keep {state}; it is used once.")
    terminal.document({"verb": "indicators private-ask", "elements": len(elements), "question": str(out)})
    return ExitCode.DONE


def private_answer(
    identifiers: Lists,
    question: Annotated[Path, typer.Argument(metavar="QUESTION", help="What the partner sent.")],
    *,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The answer, for the partner.")],
    count_only: CountOnly = False,
    most_asked: Annotated[
        int, typer.Option("--most-asked", metavar="N", min=1, help="Refuse a question about more identifiers.")
    ] = 100_000,
    as_json: JsonOption = False,
    debug: DebugOption = False,  # noqa: ARG001  # read by the entry point
) -> ExitCode:
    """Answer."""
    from stillwatch.cli.ledger_options import write_out  # noqa: PLC0415
    from stillwatch.evidence.indicators.private_intersection import answer  # noqa: PLC0415

    terminal = open_terminal(as_json=as_json)
    given = answer(_elements(identifiers), _read(question), reveal=not count_only, most_asked=most_asked)
    document = {"setup": given.setup.hex(), "response": given.response.hex()}
    write_out(out, json.dumps(document).encode())
    terminal.say(
        f"Answer in {out}. The partner learns {'how many' if count_only else 'which'} of its identifiers you hold."
    )
    terminal.document({"verb": "indicators private-answer", "answer": str(out)})
    return ExitCode.DONE


def private_result(
    answer_file: Annotated[Path, typer.Argument(metavar="ANSWER", help="What the partner sent back.")],
    *,
    state: Annotated[Path, typer.Option("--state", metavar="FILE", help="What `private-ask` kept.")],
    as_json: JsonOption = False,
    debug: DebugOption = False,  # noqa: ARG001  # read by the entry point
) -> ExitCode:
    """Read the answer."""
    from stillwatch.evidence.indicators.private_intersection import (  # noqa: PLC0415
        Answer,
        Question,
        common,
        common_count,
    )

    terminal = open_terminal(as_json=as_json)
    kept, received = _document(_read(state), state), _document(_read(answer_file), answer_file)
    try:
        question = Question(secret=bytes.fromhex(kept["secret"]), message=b"")
        elements = [str(one) for one in kept["elements"]]
        count_only = bool(kept["count_only"])
        given = Answer(setup=bytes.fromhex(received["setup"]), response=bytes.fromhex(received["response"]))
    except (KeyError, TypeError, ValueError) as error:
        raise OptionError(f"{state} or {answer_file} is not what `private-ask` and `private-answer` write.") from error
    found = () if count_only else common(question, elements, given)
    count = common_count(question, elements, given) if count_only else len(found)
    state.unlink()
    terminal.say(f"{count:,} of {len(elements):,} identifiers are common.")
    for one in found:
        terminal.say(f"  {_readable(one)}")
    terminal.document(
        {"verb": "indicators private-result", "common": count, "identifiers": [_readable(one) for one in found]}
    )
    return ExitCode.DONE


def _elements(path: Path) -> list[str]:
    """Read a list of identifiers."""
    from stillwatch.evidence.indicators.private_intersection import element  # noqa: PLC0415
    from stillwatch.records.indicator import IdentifierKind  # noqa: PLC0415

    kinds = {kind.value: kind for kind in IdentifierKind}
    found: dict[str, None] = {}
    for number, line in enumerate(_read(path).decode("utf-8", "replace").splitlines(), start=1):
        kind, tab, value = line.partition("\t")
        if not tab or kind not in kinds:
            raise OptionError(f"{path}:{number}: expected kind, a tab and a value; kinds are {', '.join(kinds)}.")
        one = element(kinds[kind], value)
        if one is not None:
            found[one] = None
    return list(found)


def _readable(one: str) -> str:
    """Say an element to its own holder: the kind, and the value as it was normalised."""
    kind, _, plain = one.partition(":")
    value = bytes.fromhex(plain)
    if kind == "ip":
        return f"{kind} {ipaddress.ip_address(value)}"
    if kind == "network":
        first = ipaddress.ip_address(value.ljust(4 if len(value) == 3 else 16, b"\0"))
        return f"{kind} {first}/{8 * len(value)}"
    return f"{kind} {value.decode('utf-8', 'replace')}"


def _read(path: Path) -> bytes:
    """Read a file."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise OptionError(f"{path} cannot be read: {error.strerror}.") from error


def _document(content: bytes, path: Path) -> dict[str, Any]:
    """Read a JSON object."""
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise OptionError(f"{path} is not JSON.") from error
    if not isinstance(document, dict):
        raise OptionError(f"{path} is not a JSON object.")
    return document


INTERSECTION_VERBS = ((ASK_HELP, private_ask), (ANSWER_HELP, private_answer), (RESULT_HELP, private_result))
