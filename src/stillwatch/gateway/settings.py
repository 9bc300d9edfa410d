"""Settings: what a guard needs to know, and the guard that is made of it.

Takes the environment of a process that somebody else starts (an engine, LiteLLM), or a command line's options. Gives the door, the bundle's
source and the log, ready for requests. A setting that cannot be used stops the start, with its name: a guard that runs with half of its
settings would look like one that has nothing to do.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from time import time_ns
from typing import TypeVar

from stillwatch.gateway.admission import Admission
from stillwatch.gateway.bundle_source import BundleSource
from stillwatch.gateway.errors import GatewaySettingError
from stillwatch.gateway.exchange_log import ExchangeLog
from stillwatch.gateway.guard import Guard, SharedRates
from stillwatch.gateway.identity import IdentitySettings
from stillwatch.gateway.live_sketches import LiveSketches, sketching_command
from stillwatch.gateway.mark_keys import WatchedKeys
from stillwatch.gateway.marking import Engine, Marks
from stillwatch.integrity.bundle_state import BundleState
from stillwatch.integrity.enforcement_bundle import BundleTrust
from stillwatch.integrity.errors import IntegrityError
from stillwatch.integrity.signing import VerifierKey, parse_verifier_key
from stillwatch.records.decision import WhenStale

MOST_FILE = 1 << 22
"""Bytes of a file of settings."""
_Number = TypeVar("_Number", int, float)


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardSettings:
    """What a guard needs to know."""

    bundle: Path
    bundle_key: VerifierKey
    bundle_for: str
    bundle_state: Path
    poll_s: float = 5.0
    """How often the bundle's file is looked at."""
    when_failing: WhenStale = WhenStale.OPEN
    """What becomes of a request on which the guard itself fails."""
    identity: IdentitySettings
    marks: Marks
    announce_marks: bool = False
    rates_url: str | None = None
    """Of the Valkey or Redis server that shares reduced rates; null to count in this process."""
    log: Path | None = None
    log_text: bool = True
    """Whether the log keeps prompts and answers."""
    sketches: Path | None = None
    """Folder for live sketches, which are made of prompts and answers also where the log keeps none."""


VARIABLES: dict[str, str] = {
    "STILLWATCH_BUNDLE": "file of the enforcement bundle; needed",
    "STILLWATCH_BUNDLE_KEY": "file of the bundles' public key; needed",
    "STILLWATCH_BUNDLE_FOR": "whom the bundle is for, such as example.com/gateway; needed",
    "STILLWATCH_BUNDLE_STATE": "file that remembers the newest version that was seen; needed",
    "STILLWATCH_BUNDLE_POLL": "seconds between looks at the bundle's file; 5",
    "STILLWATCH_WHEN_FAILING": "`open` or `closed`: what becomes of a request on which the guard itself fails; open",
    "STILLWATCH_ACCOUNT_HEADER": "header that the edge in front sets to the account; without it, the account is the API key's",
    "STILLWATCH_KEY_ACCOUNTS": "file, JSON lines of `api_key_id` and `account_id`; else the key's id is the account",
    "STILLWATCH_TRUSTED_HOPS": "proxies in front that append to X-Forwarded-For; 0",
    "STILLWATCH_ENGINE": "`none`, `sglang` or `vllm`: by which interface a mark reaches the engine; none",
    "STILLWATCH_MARK_KEYS": "for sglang: the file of mode 0600 that `stillwatch keys export --in-use` writes; read again when it changes",
    "STILLWATCH_ANNOUNCE_MARKS": "`yes` to say in a header that an answer is marked; no",
    "STILLWATCH_RATES": "URL of the Valkey or Redis server that shares reduced rates, such as redis://localhost:6379/0",
    "STILLWATCH_LOG": "file of the guard's log",
    "STILLWATCH_LOG_TEXT": "`no` to keep prompts and answers out of it; yes",
    "STILLWATCH_SKETCHES": "folder for live sketches: `detect` reads them, and they hold no text",
}
"""The environment variables and what they mean; other variables are not read."""


def settings_of(environment: Mapping[str, str]) -> GuardSettings:
    """Read the settings of a process.

    Args:
        environment: variables by name, such as `os.environ`.

    Raises:
        GatewaySettingError: naming the variable that is missing or cannot be used.
    """
    given = {name: environment[name] for name in VARIABLES if environment.get(name)}
    hops = _number(given, "STILLWATCH_TRUSTED_HOPS", "0", int)
    header = given.get("STILLWATCH_ACCOUNT_HEADER")
    return GuardSettings(
        bundle=Path(_needed(given, "STILLWATCH_BUNDLE")),
        bundle_key=_verifier(given),
        bundle_for=_needed(given, "STILLWATCH_BUNDLE_FOR"),
        bundle_state=Path(_needed(given, "STILLWATCH_BUNDLE_STATE")),
        poll_s=_number(given, "STILLWATCH_BUNDLE_POLL", "5", float),
        when_failing=WhenStale(_one_of(given, "STILLWATCH_WHEN_FAILING", [one.value for one in WhenStale])),
        identity=IdentitySettings(
            account_header=None if header is None else header.lower(),
            key_accounts=_table(given, "STILLWATCH_KEY_ACCOUNTS", "api_key_id", "account_id"),
            trusted_hops=hops,
        ),
        marks=_marks(given),
        announce_marks=_one_of(given, "STILLWATCH_ANNOUNCE_MARKS", ["no", "yes"]) == "yes",
        rates_url=given.get("STILLWATCH_RATES"),
        log=Path(given["STILLWATCH_LOG"]) if "STILLWATCH_LOG" in given else None,
        log_text=_one_of(given, "STILLWATCH_LOG_TEXT", ["yes", "no"]) == "yes",
        sketches=Path(given["STILLWATCH_SKETCHES"]) if "STILLWATCH_SKETCHES" in given else None,
    )


class RunningGuard:
    """A guard with everything around it."""

    def __init__(self, settings: GuardSettings, *, clock: Callable[[], int] = time_ns) -> None:
        """Open the bundle and the log.

        A bundle that has expired is used: then only what fails closed acts, as its clauses declare.

        Args:
            settings: of the operator.
            clock: nanoseconds since 1970, UTC.

        Raises:
            IntegrityError: where the bundle does not pass.
            GatewaySettingError: where the log cannot be opened, or the library for shared rates is missing.
        """
        guard = Guard(shared=_shared(settings.rates_url), when_failing=settings.when_failing)
        trust = BundleTrust(key=settings.bundle_key, name=settings.bundle_for, accept_stale=True)
        state = BundleState(settings.bundle_state)
        self.source = BundleSource(guard, settings.bundle, trust, state, keys=settings.marks.keys, clock=clock)
        self.source.open()
        self.admission = Admission(
            guard,
            identity=settings.identity,
            marks=settings.marks,
            announce_marks=settings.announce_marks,
            clock=clock,
        )
        self.log = open_log(settings.log, settings.sketches, keep_text=settings.log_text)
        self._poll_s = settings.poll_s
        self._watch: asyncio.Task[None] | None = None

    def watch(self) -> None:
        """Begin to look for newer bundles, in the event loop that runs; a second call in the same loop does nothing."""
        if self._watch is None or self._watch.get_loop() is not asyncio.get_running_loop():
            self._watch = asyncio.get_running_loop().create_task(self.source.watch(self._poll_s))


def _shared(url: str | None) -> SharedRates | None:
    if url is None:
        return None
    try:
        from stillwatch.gateway.shared_rates import RedisRates  # noqa: PLC0415  # an extra
    except ImportError as error:
        raise GatewaySettingError("shared rates need the library redis: pip install 'stillwatch[gateway]'") from error
    return RedisRates(url)


def open_log(log: Path | None, sketches: Path | None, *, keep_text: bool) -> ExchangeLog | None:
    """Open the log of exchanges, and the live sketches with it.

    Args:
        log: its file; null to keep none.
        sketches: folder for parts, made where it is missing; null to make none.
        keep_text: whether the log keeps prompts and answers.

    Returns:
        The log; null where neither is wanted.

    Raises:
        GatewaySettingError: where one of them cannot be used.
    """
    if sketches is not None:
        try:
            sketches.mkdir(mode=0o700, parents=True, exist_ok=True)
            (sketches / ".stillwatch-can-write").touch()
            (sketches / ".stillwatch-can-write").unlink(missing_ok=True)
        except OSError as error:
            raise GatewaySettingError(f"sketches cannot be written to {sketches} ({error.strerror})") from error
    live = None if sketches is None else LiveSketches(sketching_command(sketches))
    if log is None and live is None:
        return None
    try:
        return ExchangeLog(Path(os.devnull) if log is None else log, keep_text=keep_text, sketches=live)
    except OSError as error:
        raise GatewaySettingError(f"the log {log} cannot be opened ({error.strerror})") from error


def _needed(given: Mapping[str, str], name: str) -> str:
    if name not in given:
        raise GatewaySettingError(f"{name} is not set; expected the {VARIABLES[name].removesuffix('; needed')}")
    return given[name]


def _one_of(given: Mapping[str, str], name: str, words: list[str]) -> str:
    """Give a word; the first is the default."""
    word = given.get(name, words[0])
    if word not in words:
        raise GatewaySettingError(f"{name}: got {word[:40]!a}, expected {' or '.join(words)}")
    return word


def _number(given: Mapping[str, str], name: str, default: str, kind: type[_Number]) -> _Number:
    try:
        number = kind(given.get(name, default))
    except ValueError:
        number = kind(-1)
    if not 0 <= number < 1e6:
        raise GatewaySettingError(f"{name}: got {given[name][:40]!a}, expected a number from 0")
    return number


def _verifier(given: Mapping[str, str]) -> VerifierKey:
    name = "STILLWATCH_BUNDLE_KEY"
    try:
        return parse_verifier_key(_content(name, Path(_needed(given, name))).decode("utf-8", "replace"))
    except IntegrityError as error:
        raise GatewaySettingError(f"{name}: {error}") from error


def _marks(given: Mapping[str, str]) -> Marks:
    engine = Engine(_one_of(given, "STILLWATCH_ENGINE", [one.value for one in Engine]))
    if engine is not Engine.SGLANG:  # vLLM's workers read the same variable themselves
        return Marks(engine=engine)
    if "STILLWATCH_MARK_KEYS" not in given:
        raise GatewaySettingError(
            "STILLWATCH_MARK_KEYS is not set; expected the keys that sglang takes with each request, as `stillwatch keys export "
            "--in-use` writes them"
        )
    try:
        return Marks(engine=engine, keys=WatchedKeys(Path(given["STILLWATCH_MARK_KEYS"])))
    except GatewaySettingError as error:
        raise GatewaySettingError(f"STILLWATCH_MARK_KEYS: {error}") from None


def _table(given: Mapping[str, str], name: str, key: str, value: str) -> dict[str, str]:
    """Read JSON lines into a table from one text field to another, neither of which is ever repeated in a message."""
    found: dict[str, str] = {}
    if name not in given:
        return found
    for number, line in enumerate(_content(name, Path(given[name])).splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            left, right = row[key], row[value]
        except (ValueError, KeyError, TypeError, RecursionError):
            left = right = None
        if not isinstance(left, str) or not isinstance(right, str) or found.setdefault(left, right) != right:
            raise GatewaySettingError(
                f"{name}: {given[name]}:{number}: expected a JSON object with {key} and {value}, both text, and each {key} once"
            )
    return found


def _content(name: str, path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(MOST_FILE + 1)
    except OSError as error:
        raise GatewaySettingError(f"{name}: {path} cannot be read ({error.strerror})") from error
    if len(content) > MOST_FILE:
        raise GatewaySettingError(f"{name}: {path} has more than {MOST_FILE:,} bytes")
    return content
