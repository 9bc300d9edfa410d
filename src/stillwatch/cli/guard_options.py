"""Options of `guard` and what they become: addresses, accounts of keys, keys of marks, the bundle's trust."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stillwatch.cli.errors import OptionError, ResultFileError

if TYPE_CHECKING:
    from stillwatch.gateway.canaries import CanaryTable
    from stillwatch.gateway.identity import IdentitySettings
    from stillwatch.gateway.marking import Marks

Upstream = Annotated[
    str, typer.Option("--upstream", metavar="URL", help="The model's server, such as http://localhost:8000.")
]
Listen = Annotated[str, typer.Option("--listen", metavar="HOST:PORT", help="Where clients come.")]
Admin = Annotated[
    str | None, typer.Option("--admin", metavar="HOST:PORT", help="Where /healthz, /readyz and /metrics are.")
]
Bundle = Annotated[
    Path | None,
    typer.Option(
        "--bundle", metavar="FILE", help="The bundle; looked at every second. Without it, nobody is acted on."
    ),
]
Key = Annotated[Path | None, typer.Option("--key", metavar="FILE", help="The public key of bundles.")]
Name = Annotated[str | None, typer.Option("--for", metavar="NAME", help="Whom the bundle must be for.")]
State = Annotated[
    Path | None, typer.Option("--state", metavar="FILE", help="The newest bundle that was seen; made where missing.")
]
AcceptStale = Annotated[
    bool, typer.Option("--accept-stale", help="Begin with an expired bundle too; only clauses that fail closed act.")
]
AccountHeader = Annotated[
    str | None,
    typer.Option("--account-header", metavar="NAME", help="Header in which the edge in front puts the account."),
]
Accounts = Annotated[
    Path | None,
    typer.Option(
        "--accounts",
        metavar="FILE",
        help="JSON lines of `api_key_id` and `account_id`; else the key's id is the account.",
    ),
]
TrustedHops = Annotated[
    int,
    typer.Option("--trusted-hops", metavar="N", min=0, max=9, help="Proxies in front that append to X-Forwarded-For."),
]
Redis = Annotated[
    str | None,
    typer.Option("--redis", metavar="URL", help="Valkey or Redis in which several guards share reduced rates."),
]
EngineOption = Annotated[
    str, typer.Option("--engine", metavar="NAME", help="How marks reach the engine: none, sglang or vllm.")
]
MarkKeys = Annotated[
    Path | None,
    typer.Option(
        "--mark-keys", metavar="FILE", help="For sglang: what `keys export --in-use` wrote; read again when it changes."
    ),
]
Canaries = Annotated[
    Path | None,
    typer.Option("--canaries", metavar="FILE", help="Table of `canary serve-table`, mode 0600; needs --engine."),
]
AnnounceMarks = Annotated[
    bool,
    typer.Option("--announce-marks", help="Say with each marked answer that it is; the clause discloses it anyhow."),
]
Log = Annotated[
    Path | None, typer.Option("--log", metavar="FILE", help="A line for each exchange, which `detect` reads.")
]
LogContent = Annotated[
    str, typer.Option("--log-content", metavar="WORD", help="full, or none to leave prompts and answers out.")
]
Sketches = Annotated[
    Path | None,
    typer.Option(
        "--sketches",
        metavar="DIR",
        help="Sketch each exchange as it comes, whatever --log-content; `detect` reads DIR.",
    ),
]
WhenFailing = Annotated[
    str,
    typer.Option("--when-failing", metavar="WORD", help="open or closed: where the guard itself fails on a request."),
]
MostBody = Annotated[str, typer.Option("--most-body", metavar="SIZE", help="Largest body that is read.")]
Silence = Annotated[
    float, typer.Option("--silence", metavar="SECONDS", min=0.01, help="How long the model may say nothing.")
]
Grace = Annotated[
    float, typer.Option("--grace", metavar="SECONDS", min=0.0, help="How long answers may take once it is to stop.")
]
Check = Annotated[bool, typer.Option("--check", help="Check settings and files, and end.")]


def address_of(text: str, option: str) -> tuple[str, int]:
    """Read `HOST:PORT`; an IPv6 host stands in brackets.

    Raises:
        OptionError: where it is none.
    """
    host, colon, port = text.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or int(port) > 65_535:
        raise OptionError(f"{option} got {text[:80]!a}, expected HOST:PORT, such as 127.0.0.1:8400.")
    return host.removeprefix("[").removesuffix("]") or "127.0.0.1", int(port)


def word_of(text: str, option: str, words: tuple[str, ...]) -> str:
    """Take one of these words.

    Raises:
        OptionError: for another.
    """
    if text not in words:
        raise OptionError(f"{option} got {text[:40]!a}, expected {', '.join(words[:-1])} or {words[-1]}.")
    return text


def table_of(content: bytes, path: Path, key: str, value: str) -> dict[str, str]:
    """Read JSON lines into a table from one text field to another; neither is ever repeated in a message.

    Raises:
        ResultFileError: naming the line.
    """
    found: dict[str, str] = {}
    for number, line in enumerate(content.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            left, right = row[key], row[value]
            sound = isinstance(left, str) and isinstance(right, str)
        except (ValueError, KeyError, TypeError, RecursionError):
            sound = False
        if not sound:
            raise ResultFileError(f"{path}:{number}: expected a JSON object with {key} and {value}, both text.")
        if found.setdefault(left, right) != right:
            raise ResultFileError(f"{path}:{number}: a {key} that stands above with another {value}.")
    return found


def identity_of(account_header: str | None, accounts: Path | None, trusted_hops: int) -> IdentitySettings:
    """Give where the account stands.

    Raises:
        ResultFileError: where the file of accounts cannot be read.
    """
    from stillwatch.gateway.identity import IdentitySettings  # noqa: PLC0415

    known: dict[str, str] = {}
    if accounts is not None:
        try:
            known = table_of(accounts.read_bytes(), accounts, "api_key_id", "account_id")
        except OSError as error:
            raise ResultFileError(f"{accounts}: cannot be read ({error.strerror}).") from error
    header = None if account_header is None else account_header.lower()
    return IdentitySettings(account_header=header, key_accounts=known, trusted_hops=trusted_hops)


def marks_of(engine: str, keys: Path | None) -> Marks:
    """Give how marks reach the engine.

    Raises:
        OptionError: for an engine that is not known.
        GatewaySettingError: where the file of keys cannot be read, others may read it, or it holds none for SGLang.
    """
    from stillwatch.gateway.mark_keys import WatchedKeys  # noqa: PLC0415
    from stillwatch.gateway.marking import Engine, Marks  # noqa: PLC0415

    chosen = Engine(word_of(engine, "--engine", tuple(Engine)))
    if keys is None or chosen is not Engine.SGLANG:
        return Marks(engine=chosen)
    return Marks(engine=chosen, keys=WatchedKeys(keys))


def canaries_of(path: Path | None, engine: str) -> CanaryTable | None:
    """Read the table of canaries.

    Raises:
        GatewaySettingError: where it cannot be used, or the engine cannot be held to an answer.
    """
    from stillwatch.gateway.canaries import read_canary_table  # noqa: PLC0415
    from stillwatch.gateway.marking import Engine  # noqa: PLC0415

    return None if path is None else read_canary_table(path, Engine(word_of(engine, "--engine", tuple(Engine))))
