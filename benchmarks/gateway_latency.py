"""What the guard adds to a request: its decision alone, the ASGI middleware in process, and the reverse proxy over loopback.

In process, an ASGI application is called at 500 requests a second by an open-loop generator, with and without the middleware, in turns; the
guard has a bundle of a million accounts, reads and searches a body of 2 kB, and writes its log. Added latency is the difference of the
percentiles of both, in each round; the median over rounds is reported with the least and the most. The proxy stands in a process of its own
before a simulated model in another, and its figures hold what three processes on this machine do to each other.

A third of the rounds in process has live sketches too: the log keeps no text, and a child sketches each exchange at the same time, on the same cores.
How many exchanges a second one child sketches is measured alone.

    python -m benchmarks.gateway_latency --out gateway_latency.json
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import aiohttp
import psutil
from benchmarks.invocation import machine
from benchmarks.open_loop import arrivals, percentile, run_open_loop

from stillwatch import __version__
from stillwatch.gateway.admission import Admission
from stillwatch.gateway.exchange_log import ExchangeLog
from stillwatch.gateway.guard import Guard
from stillwatch.gateway.identity import IdentitySettings
from stillwatch.gateway.live_sketches import LiveSketches, sketching_command
from stillwatch.gateway.marking import Engine, Marks
from stillwatch.gateway.plugins.asgi import StillwatchMiddleware
from stillwatch.gateway.request import GatewayRequest
from stillwatch.integrity.enforcement_bundle import LoadedBundle, read_bundle, write_bundle
from stillwatch.integrity.signing import SignatureType, generate_key
from stillwatch.records.decision import Action, BundleEntry, EnforcementBundle, WhenStale

ACCOUNTS = 1_000_000
RATE = 500.0
SEED = 20_261_125
NOW_US = 1_780_000_000_000_000
GOAL_P50_MS, GOAL_P99_MS = 0.3, 1.0
HEADER = "x-account-id"
_ACTIONS = (Action.ALLOW, Action.MARK, Action.THROTTLE)
"""Those that answer; a refusal is faster than any answer."""


def bundle_of(accounts: int) -> LoadedBundle:
    """Make a bundle in which every account is allowed, marked or throttled."""
    entries = tuple(
        BundleEntry(
            action=action, decision_id=f"d-{action.value}", clauses=("api@1/no-pooling",), until_us=2 * NOW_US, appeal="appeals@example.com",
            when_stale=WhenStale.CLOSED, requests_per_minute=600_000 if action is Action.THROTTLE else None,
            key_id="mark-7" if action is Action.MARK else None,
        )
        for action in _ACTIONS
    )  # fmt: skip
    key = generate_key("example.com/bundles", SignatureType.NOTE)
    made = EnforcementBundle(
        name="example.com/gateway",
        version=1,
        issued_us=NOW_US,
        expires_us=2 * NOW_US,
        salt=b"",
        accounts=0,
        entries=entries,
    )
    rows = {f"acct-{number}": number % len(entries) for number in range(accounts)}
    return read_bundle(write_bundle(made, rows, key), key.verifier)


def decisions(bundle: LoadedBundle, accounts: int) -> dict[str, float]:
    """Time the decision alone: microseconds by kind of account, the median over rounds."""
    guard = Guard(bundle)
    kinds = {"absent": "other-{}", "allowed": "acct-{}", "marked": "acct-{}", "throttled": "acct-{}"}
    found = {}
    for shift, (kind, form) in enumerate(kinds.items()):
        numbers = [(37 * number * 3 + max(shift - 1, 0)) % (accounts // 3 * 3) for number in range(20_000)]
        asked = [
            GatewayRequest(account_id=form.format(number), time_us=NOW_US + place)
            for place, number in enumerate(numbers)
        ]
        rounds = []
        for _ in range(7):
            begun = time.perf_counter()
            for one in asked:
                guard.decide(one)
            rounds.append((time.perf_counter() - begun) / len(asked) * 1e6)
        found[kind] = statistics.median(rounds)
    return found


async def application(scope: Any, receive: Any, send: Any) -> None:  # noqa: ARG001
    """Read the body and answer at once: a model of no latency."""
    while (await receive()).get("more_body", False):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send(
        {"type": "http.response.body", "body": b'{"choices":[{"message":{"content":"yes"}}]}', "more_body": False}
    )


def asker(app: Any, accounts: int) -> Callable[[int], Awaitable[None]]:
    """Give what makes one request of an application, as a server does."""
    text = "Explain to me in detail how a still separates what boils early from what boils late. " * 24
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": text}], "temperature": 0.7}).encode()

    async def ask(number: int) -> None:
        account = f"acct-{number * 7_919 % accounts}" if number % 2 else f"other-{number}"
        headers = [
            (b"host", b"x"), (b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()),
            (b"user-agent", b"OpenAI/Python 3.57.0"), (b"authorization", b"Bearer sk-1"), (HEADER.encode(), account.encode()),
        ]  # fmt: skip
        scope = {
            "type": "http",
            "method": "POST",
            "path": "/v1/chat/completions",
            "headers": headers,
            "client": ("203.0.113.7", 1),
        }
        done = False

        async def receive() -> dict[str, Any]:
            nonlocal done
            if done:
                return {"type": "http.disconnect"}
            done = True
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start" and message["status"] != 200:
                raise ValueError(f"got status {message['status']}, expected 200")

        await app(scope, receive, send)

    return ask


def in_process(bundle: LoadedBundle, accounts: int, rounds: int, seconds: float, folder: Path) -> dict[str, Any]:
    """Measure the middleware, with and without live sketches, in turns with the bare application."""
    admission = Admission(
        Guard(bundle),
        identity=IdentitySettings(account_header=HEADER),
        marks=Marks(engine=Engine.VLLM),
        clock=lambda: NOW_US * 1_000 + time.monotonic_ns(),
    )
    live = LiveSketches(sketching_command(folder / "parts", every_s=1.0))
    logs = {
        "with": ExchangeLog(folder / "log", keep_text=True),
        "sketched": ExchangeLog(folder / "log-without-text", keep_text=False, sketches=live),
    }
    apps: dict[str, Any] = {"without": application}
    for name, log in logs.items():
        apps[name] = StillwatchMiddleware(application, admission=admission, log=log)
    found: dict[str, list[list[float]]] = {name: [] for name in apps}
    gc.collect()
    gc.freeze()
    for number in range(rounds + 1):
        times = arrivals(RATE, seconds, SEED + number)
        for name in list(apps)[number % 3 :] + list(apps)[: number % 3]:
            latencies = asyncio.run(run_open_loop(times, asker(apps[name], accounts)))
            if number:  # the first round warms up
                found[name].append(latencies)
    processor = {name: _processor_us(asker(app, accounts)) for name, app in apps.items()}
    for log in logs.values():
        log.close()
        if log.dropped or log.written == 0:
            raise ValueError(f"the log dropped {log.dropped} of {log.written + log.dropped} exchanges")
    if live.dropped or live.written != logs["sketched"].written:
        raise ValueError(f"{live.dropped} exchanges were not sketched, {live.written} were")
    return {
        **_compared(found),
        "sketched": _compared(found, "sketched"),
        "processor_us": processor,
        "admission_us": admission.spent_ns / admission.passed / 1e3,
        "log_lines": sum(log.written for log in logs.values()),
    }


def one_child(exchanges: int, folder: Path) -> dict[str, float]:
    """Measure how many exchanges a second one child sketches, from the pipe to the disk; prompts of 2 kB and answers of 1 kB."""
    words = "explain the still step by step and grade what boils early copper river number table".split()  # noqa: SIM905
    rng = random.Random(SEED)  # noqa: S311  # texts, no secrets
    texts = [" ".join(rng.choices(words, k=380)) for _ in range(1_000)]
    live = LiveSketches(sketching_command(folder / "child", every_s=1.0), most_kept=exchanges)
    for number in range(exchanges):
        body = {"model": "m", "messages": [{"role": "user", "content": f"{number} {texts[number % 1_000]}"}]}
        answer = {"choices": [{"message": {"content": texts[(7 * number) % 1_000][:1_000]}}]}
        row = {
            "stillwatch_guard": 1, "time_us": NOW_US + number, "exchange_id": f"{number:016x}", "account_id": f"acct-{number % 997}",
            "path": "/v1/chat/completions", "status": 200, "latency_us": 900_000, "request": body, "response": answer,
        }  # fmt: skip
        live.put(json.dumps(row).encode() + b"\n")
    begun = 0.0
    child: psutil.Process | None = None
    while live.kept():
        live.turn()
        if not begun and live.written:  # it has started, and its kernels are there
            begun, first = time.perf_counter(), live.written
            child = psutil.Process(live._child.pid)  # noqa: SLF001  # whose memory is told
        time.sleep(0.002)
    seconds = time.perf_counter() - begun
    memory = 0 if child is None else child.memory_info().rss
    live.close()
    return {"exchanges_per_s": (live.written - first) / seconds, "memory_mb": memory / 1e6}


def _processor_us(ask: Callable[[int], Awaitable[None]], requests: int = 4_000) -> float:
    """Give the processor time of a request, microseconds, one after the other: what other work on the machine changes least."""

    async def work() -> None:
        for number in range(requests):
            await ask(number)

    begun = time.thread_time()
    asyncio.run(work())
    return (time.thread_time() - begun) / requests * 1e6


def _compared(found: dict[str, list[list[float]]], named: str = "with") -> dict[str, Any]:
    """Give percentiles of both, and what the named one adds, in milliseconds."""
    found = {"with": found[named], "without": found["without"]}
    result: dict[str, Any] = {"requests_each": sum(map(len, found["with"]))}
    for word, share in (("p50", 0.5), ("p99", 0.99), ("p999", 0.999)):
        rounds = {name: [percentile(one, share) * 1e3 for one in lists] for name, lists in found.items()}
        added = [one - other for one, other in zip(rounds["with"], rounds["without"], strict=True)]
        result[word] = {
            **{name: statistics.median(values) for name, values in rounds.items()},
            "added": statistics.median(added),
            "added_least": min(added),
            "added_most": max(added),
        }
    return result


_MODEL = """
import time
from stillwatch.simulation.upstream import Upstream, running
with running(Upstream(seed=1, keep=10)) as url:
    print(url, flush=True)
    time.sleep(3_600)
"""


def through_proxy(rounds: int, seconds: float, rate: float) -> dict[str, Any]:
    """Measure the reverse proxy over loopback, in turns with the model asked directly; model, guard and generator are processes of their own."""
    command = [
        sys.executable,
        "-m",
        "stillwatch.cli.main",
        "guard",
        "--listen",
        "127.0.0.1:0",
        "--json",
        "--account-header",
        HEADER,
    ]
    with subprocess.Popen([sys.executable, "-c", _MODEL], stdout=subprocess.PIPE, text=True) as model:
        direct = _line(model)
        with subprocess.Popen(
            [*command, "--upstream", direct], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as guard:
            try:
                said = ""
                while "}" not in said:
                    said += _line(guard)
                urls = {"without": direct, "with": f"http://{json.loads(said)['listen']}"}
                found: dict[str, list[list[float]]] = {name: [] for name in urls}
                watched = psutil.Process(guard.pid)
                before = 0.0
                for number in range(rounds + 1):
                    for name in sorted(urls, reverse=bool(number % 2)):
                        latencies = asyncio.run(_over_http(urls[name], arrivals(rate, seconds, SEED + number)))
                        if number:
                            found[name].append(latencies)
                    if not number:
                        before = sum(watched.cpu_times()[:2])
                spent = sum(watched.cpu_times()[:2]) - before
            finally:
                guard.terminate()
                model.terminate()
    asked = sum(map(len, found["with"]))
    return {**_compared(found), "rate": rate, "guard_processor_us": spent / asked * 1e6}


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None  # noqa: S101
    line = process.stdout.readline().strip()
    if not line:
        raise ValueError(f"process {process.args!r} ended before it was ready")
    return line


async def _over_http(url: str, times: list[float]) -> list[float]:
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "Say it."}], "max_tokens": 8}).encode()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def ask(number: int) -> None:
            headers = {"content-type": "application/json", HEADER: f"acct-{number}"}
            async with session.post(f"{url}/v1/chat/completions", data=body, headers=headers) as answer:
                await answer.read()
                if answer.status != 200:
                    raise ValueError(f"got status {answer.status}, expected 200")

        return await run_open_loop(times, ask, early_s=0.0)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--accounts", type=int, default=ACCOUNTS)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each round")
    parser.add_argument("--proxy-rate", type=float, default=150.0)
    parser.add_argument("--sketched", type=int, default=40_000, help="exchanges that one child sketches")
    parser.add_argument("--out", type=Path)
    chosen = parser.parse_args(arguments)
    bundle = bundle_of(chosen.accounts)
    alone = decisions(bundle, chosen.accounts)
    with tempfile.TemporaryDirectory() as folder:
        middle = in_process(bundle, chosen.accounts, chosen.rounds, chosen.seconds, Path(folder))
        child = one_child(chosen.sketched, Path(folder))
    proxied = through_proxy(max(1, chosen.rounds // 2), chosen.seconds, chosen.proxy_rate)
    print("guard.decide alone, us: " + ", ".join(f"{kind} {value:.2f}" for kind, value in alone.items()))
    processor = middle["processor_us"]
    print(
        "processor time of a request in process, us: " + ", ".join(f"{processor[one]:.0f} {one}" for one in processor)
    )
    print(f"one child sketches {child['exchanges_per_s']:,.0f} exchanges a second, in {child['memory_mb']:.0f} MB")
    print(f"processor time of the proxy for a request, us: {proxied['guard_processor_us']:.0f}")
    for what, found, goals in (
        ("ASGI middleware", middle, (GOAL_P50_MS, GOAL_P99_MS)),
        ("ASGI middleware with live sketches", middle["sketched"], (GOAL_P50_MS, GOAL_P99_MS)),
        ("reverse proxy", proxied, None),
    ):
        print(f"{what}, {found['requests_each']:,} requests each, added ms (median, least, most of the rounds):")
        for word in ("p50", "p99", "p999"):
            goal = f", goal {goals[word == 'p99']}" if goals and word != "p999" else ""
            one = found[word]
            print(
                f"  {word}: {one['added']:.3f} ({one['added_least']:.3f} to {one['added_most']:.3f}{goal}); "
                f"{one['without']:.3f} without, {one['with']:.3f} with"
            )
    if chosen.out is not None:
        document = {
            "version": __version__, "seed": SEED, "date": time.strftime("%Y-%m-%d", time.gmtime()), "machine": asdict(machine()),
            "measured": {"accounts": chosen.accounts, "rate": RATE, "decide_us": alone, "asgi": middle, "child": child, "proxy": proxied},
        }  # fmt: skip
        chosen.out.write_text(json.dumps(document, indent=2), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
