"""What the tests of the gateway stand in: a bundle with an account for each action, a model that is none, and guards in threads."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from stillwatch.gateway.admission import Admission
from stillwatch.gateway.exchange_log import ExchangeLog
from stillwatch.gateway.guard import Guard
from stillwatch.gateway.identity import IdentitySettings
from stillwatch.gateway.marking import Engine, Marks
from stillwatch.gateway.plugins.reverse_proxy import ReverseProxy, UpstreamSettings
from stillwatch.gateway.serving import Places, Serving, serve
from stillwatch.integrity.enforcement_bundle import LoadedBundle, read_bundle, write_bundle
from stillwatch.integrity.signing import SignatureType, SignerKey
from stillwatch.records.decision import Action, BundleEntry, EnforcementBundle, WhenStale
from stillwatch.simulation.upstream import Asked, Upstream

KEY = SignerKey(name="example.com/bundles", type=SignatureType.NOTE, seed=bytes(range(32)))
NAME = "example.com/gateway"
NOW = 1_780_000_000_000_000
HOUR = 3_600 * 1_000_000
HEADER = "x-account-id"
ACCOUNTS = {f"a-{action.value}": number for number, action in enumerate(Action)}
"""An account for each action, by the row of its entry."""
MARK_KEY = "c0ffee0123456789"
MARK_FIELD = {"key": MARK_KEY, "context_window": 4}
SGLANG = Marks(engine=Engine.SGLANG, keys={"mark-7": MARK_FIELD})
VLLM = Marks(engine=Engine.VLLM)


def entry(
    action: Action, *, rate: int = 60, when_stale: WhenStale = WhenStale.OPEN, until: int = NOW * 2
) -> BundleEntry:
    return BundleEntry(
        action=action, decision_id=f"d-{action.value}", clauses=("api@1/no-pooling",), until_us=until, appeal="appeals@example.com",
        when_stale=when_stale, requests_per_minute=rate if action is Action.THROTTLE else None, key_id="mark-7" if action is Action.MARK else None,
    )  # fmt: skip


def bundle_bytes(
    version: int = 1,
    accounts: Mapping[str, int] | None = None,
    *,
    rate: int = 60,
    when_stale: WhenStale = WhenStale.OPEN,
    expires: int = NOW * 2,
) -> bytes:
    made = EnforcementBundle(
        name=NAME, version=version, issued_us=NOW, expires_us=expires, salt=b"", accounts=0,
        entries=tuple(entry(one, rate=rate, when_stale=when_stale) for one in Action),
    )  # fmt: skip
    return write_bundle(made, ACCOUNTS if accounts is None else accounts, KEY)


def loaded(version: int = 1, accounts: Mapping[str, int] | None = None, **more: object) -> LoadedBundle:
    return read_bundle(bundle_bytes(version, accounts, **more), KEY.verifier)  # type: ignore[arg-type]


def door(guard: Guard | None = None, **more: object) -> Admission:
    identity = IdentitySettings(account_header=HEADER)
    return Admission(Guard(loaded()) if guard is None else guard, **{"identity": identity, **more})  # type: ignore[arg-type]


@dataclass(frozen=True)
class Served:
    """A model and where it is."""

    model: Upstream
    url: str


@dataclass(frozen=True)
class Running:
    """A guard that runs."""

    url: str
    admin: str
    port: int
    proxy: ReverseProxy
    serving: Serving


@contextmanager
def guarding(
    admission: Admission,
    upstream: str,
    *,
    log: Path | None = None,
    kept: ExchangeLog | None = None,
    silence_s: float = 5.0,
    **more: object,
) -> Iterator[Running]:
    """Run a reverse proxy in a thread, with a log of its own, or one that was made elsewhere."""
    if log is not None:
        kept = ExchangeLog(log, keep_text=True)
    proxy = ReverseProxy(admission, UpstreamSettings(url=upstream, silence_s=silence_s, connect_s=2.0), kept)
    serving = Serving(
        proxy=proxy, listen=("127.0.0.1", 0), admin=("127.0.0.1", 0), log=kept, **{"grace_s": 5.0, **more}
    )  # type: ignore[arg-type]
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()
    ready = threading.Event()
    places: list[Places] = []

    def told(given: Places) -> None:
        places.append(given)
        ready.set()

    def work() -> None:
        asyncio.set_event_loop(loop)
        loop.run_until_complete(serve(serving, stop, told))
        loop.close()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    assert ready.wait(20)
    port = places[0].listen[1]
    try:
        yield Running(
            url=f"http://127.0.0.1:{port}",
            admin=f"http://127.0.0.1:{places[0].admin[1]}",
            port=port,
            proxy=proxy,
            serving=serving,
        )
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(20)
        assert not thread.is_alive()


def finished(asked: Asked, wait_s: float = 5.0) -> bool:
    """Say whether the model finished answering; the client may know a moment before it does."""
    end = time.monotonic() + wait_s
    while not asked.answered and time.monotonic() < end:
        time.sleep(0.005)
    return asked.answered


def talk(port: int, data: bytes, *, wait_s: float = 5.0) -> bytes:
    """Send raw bytes and give all that comes back until the other side closes or is silent."""
    with socket.create_connection(("127.0.0.1", port), timeout=wait_s) as connection:
        connection.sendall(data)
        got = b""
        try:
            while part := connection.recv(65_536):
                got += part
        except (TimeoutError, ConnectionResetError):
            pass
        return got
