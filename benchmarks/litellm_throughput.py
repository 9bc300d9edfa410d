"""What the guard costs the LiteLLM proxy: throughput with the callback beside throughput without, in one run, in turns.

Starts two real LiteLLM proxies that differ in the callback alone, and a simulated model. A closed loop of clients keeps one of them saturated
for a block of time, then the other; the order within a pair of blocks is drawn. Each pair gives a ratio, and the interval is Student's over
the logarithms of the ratios, which takes them as independent. The processor time that the proxy spends on a request is stated apart, since
other work on the machine changes it less. Proxies are held to one core; clients and model share another.

With `--beside idle`, the other proxy has a callback too, one that does nothing: LiteLLM goes another way inside as soon as there is any, and the
difference to that one is the guard's own cost.

Needs `make install-litellm`. What it shows is the cost on the way of one worker whose model answers at once; a slower model hides it.

    python -m benchmarks.litellm_throughput --out litellm_throughput.json
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import os
import random
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import yaml
from benchmarks.invocation import machine
from scipy import stats

from stillwatch import __version__
from stillwatch.integrity.enforcement_bundle import write_bundle
from stillwatch.integrity.signing import SignatureType, generate_key
from stillwatch.records.decision import Action, BundleEntry, EnforcementBundle, WhenStale
from stillwatch.simulation.upstream import Upstream, running

ROOT = Path(__file__).resolve().parents[1]
GOAL = 0.95
SEED = 20_261_125
ACCOUNTS = 100_000
"""In the bundle; nobody who asks in this benchmark is blocked or throttled."""
MARKED_SHARE = 0.1
HOUR_US = 3_600 * 1_000_000
CALLBACKS = {
    "guard": "from stillwatch.gateway.plugins.litellm import callback_from_environment\n\nguard = callback_from_environment()\n",
    "idle": "from litellm.integrations.custom_logger import CustomLogger\n\nidle = CustomLogger()\n",
}
"""Python of each callback, by the name that it has in its module and that its file ends in."""
AUTHENTICATION = """
from litellm.proxy._types import UserAPIKeyAuth

async def user_api_key_auth(request, api_key):
    return UserAPIKeyAuth(api_key=api_key, user_id=api_key.removeprefix("sk-"))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """What one proxy did in one block of time."""

    guarded: bool
    requests: int
    seconds: float
    processor_seconds: float
    """Of the proxy."""
    failures: int
    median_ms: float
    p99_ms: float

    @property
    def per_second(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """Guarded over plain, with its interval of 95%."""

    ratio: float
    low: float
    high: float


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark, and say whether the goal was met."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=2.0, help="of one block")
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--beside", choices=("nothing", "idle"), default="nothing", help="callback of the other proxy")
    parser.add_argument("--environment", type=Path, default=ROOT / ".venv-litellm")
    parser.add_argument("--out", type=Path, default=None)
    asked = parser.parse_args(arguments)
    if not (asked.environment / ".installed").exists():
        print(f"{asked.environment} is not there: make install-litellm", file=sys.stderr)
        return 5
    blocks = measure(asked.environment, asked.pairs, asked.seconds, asked.clients, beside=asked.beside)
    throughput = ratio_of([one.per_second for one in blocks], blocks)
    processor = ratio_of([one.processor_seconds / one.requests for one in blocks], blocks)
    found = {
        "version": __version__,
        "litellm": _version(asked.environment),
        "machine": asdict(machine()),
        "seed": SEED,
        "clients": asked.clients,
        "accounts_in_bundle": ACCOUNTS,
        "marked_share": MARKED_SHARE,
        "beside": asked.beside,
        "goal": GOAL,
        "throughput_ratio": asdict(throughput),
        "processor_time_ratio": asdict(processor),
        "blocks": [{**asdict(one), "per_second": one.per_second} for one in blocks],
    }
    if asked.out is not None:
        asked.out.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    print(
        f"throughput with the guard: {throughput.ratio:.3f} of without (95% {throughput.low:.3f} to {throughput.high:.3f}), goal {GOAL}: "
        f"{'met' if throughput.low >= GOAL else 'met by the estimate, not by the interval' if throughput.ratio >= GOAL else 'MISSED'}"
    )
    print(
        f"processor time of a request: {processor.ratio:.3f} of without ({processor.low:.3f} to {processor.high:.3f})"
    )
    print(f"load of the machine: {os.getloadavg()[0]:.1f} processes on {os.cpu_count()} cores")
    return 0


def ratio_of(values: Sequence[float], blocks: Sequence[Block]) -> Ratio:
    """Give the ratio over pairs of neighbouring blocks, with Student's interval over its logarithm."""
    logs = []
    for place in range(0, len(blocks), 2):
        pair = {blocks[number].guarded: values[number] for number in (place, place + 1)}
        logs.append(math.log(pair[True] / pair[False]))
    mean = math.fsum(logs) / len(logs)
    spread = math.sqrt(math.fsum((one - mean) ** 2 for one in logs) / (len(logs) - 1) / len(logs))
    wide = float(stats.t.ppf(0.975, len(logs) - 1)) * spread
    return Ratio(ratio=math.exp(mean), low=math.exp(mean - wide), high=math.exp(mean + wide))


def measure(environment: Path, pairs: int, seconds: float, clients: int, *, beside: str = "nothing") -> list[Block]:
    """Run both proxies and load them in turns.

    Args:
        environment: LiteLLM's own.
        pairs: of blocks.
        seconds: of one block.
        clients: that ask at once.
        beside: callback of the proxy without the guard: `nothing`, or `idle`.
    """
    rng = random.Random(SEED)  # noqa: S311  # the order of blocks is no secret
    blocks = []
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        upstream = Upstream(seed=SEED, keep=1)
        model = stack.enter_context(running(upstream))
        settings = write_settings(folder)
        proxies = {
            guarded: stack.enter_context(proxy(environment, folder, model, settings, "guard" if guarded else beside))
            for guarded in (False, True)
        }
        for url, process in proxies.values():
            wait_for(url, process)
            asyncio.run(load(url, seconds, clients))  # warms up
        for _ in range(pairs):
            for guarded in rng.sample([False, True], 2):
                url, process = proxies[guarded]
                before = process.cpu_times()
                took = asyncio.run(load(url, seconds, clients))
                after = process.cpu_times()
                spent = after.user + after.system - before.user - before.system
                blocks.append(block_of(took, guarded=guarded, processor_seconds=spent))
    return blocks


def block_of(took: tuple[list[float], int, float], *, guarded: bool, processor_seconds: float) -> Block:
    """Sum up what clients saw."""
    times, failures, seconds = took
    ordered = sorted(times)
    return Block(
        guarded=guarded,
        requests=len(times),
        seconds=seconds,
        processor_seconds=processor_seconds,
        failures=failures,
        median_ms=ordered[len(ordered) // 2] * 1e3,
        p99_ms=ordered[len(ordered) * 99 // 100] * 1e3,
    )


async def load(url: str, seconds: float, clients: int) -> tuple[list[float], int, float]:
    """Keep a proxy saturated.

    Returns:
        Seconds of each answered request, number of others, and seconds in all.
    """
    times: list[float] = []
    failures = 0
    body = {"model": "still-1", "messages": [{"role": "user", "content": "How deep is a still lake? " * 20}]}
    begun = time.perf_counter()
    end = begun + seconds

    async def client(session: aiohttp.ClientSession, number: int) -> None:
        nonlocal failures
        account = f"a-{number}" if number < clients * MARKED_SHARE else f"honest-{number}"
        while (now := time.perf_counter()) < end:
            headers = {"Authorization": f"Bearer sk-{account}"}
            async with session.post(f"{url}/v1/chat/completions", json=body, headers=headers) as answer:
                await answer.read()
                if answer.status == 200:
                    times.append(time.perf_counter() - now)
                else:
                    failures += 1

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        await asyncio.gather(*(client(session, number) for number in range(clients)))
    return times, failures, time.perf_counter() - begun


def write_settings(folder: Path) -> dict[str, str]:
    """Write a bundle in which `a-0` and so on are marked, and give the variables that name it."""
    key = generate_key("benchmark.example/bundles", SignatureType.NOTE)
    now = time.time_ns() // 1_000
    entry = BundleEntry(
        action=Action.MARK, key_id="campaign-1", decision_id="d-0123456789ab", clauses=("general@1/no-pooling",), appeal="",
        until_us=now + 24 * HOUR_US, when_stale=WhenStale.OPEN,
    )  # fmt: skip
    bundle = EnforcementBundle(
        name="benchmark.example/gateway", version=1, issued_us=now, expires_us=now + 24 * HOUR_US, salt=b"", accounts=0, entries=(entry,),
    )  # fmt: skip
    (folder / "gateway.bundle").write_bytes(write_bundle(bundle, {f"a-{one}": 0 for one in range(ACCOUNTS)}, key))
    (folder / "bundle.pub").write_text(key.verifier.text(), encoding="utf-8")
    for callback, text in CALLBACKS.items():
        (folder / f"callback_{callback}.py").write_text(text, encoding="utf-8")
    (folder / "authentication.py").write_text(AUTHENTICATION, encoding="utf-8")
    return {
        "STILLWATCH_BUNDLE": str(folder / "gateway.bundle"), "STILLWATCH_BUNDLE_KEY": str(folder / "bundle.pub"),
        "STILLWATCH_BUNDLE_FOR": bundle.name, "STILLWATCH_BUNDLE_STATE": str(folder / "gateway.state"),
        "STILLWATCH_ENGINE": "vllm", "STILLWATCH_LITELLM_ACCOUNT": "user_id",
    }  # fmt: skip


@contextmanager
def proxy(
    environment: Path, folder: Path, model: str, settings: dict[str, str], callback: str
) -> Iterator[tuple[str, psutil.Process]]:
    """Start a LiteLLM proxy on one core, with one of `CALLBACKS` or with nothing."""
    name = f"{callback}.yaml"
    deployment = {"model": "hosted_vllm/still-1", "api_base": f"{model}/v1", "api_key": "k"}
    configuration: dict[str, Any] = {
        "model_list": [{"model_name": "still-1", "litellm_params": deployment}],
        "litellm_settings": {
            "num_retries": 0,
            "callbacks": [f"callback_{callback}.{callback}"] if callback in CALLBACKS else [],
        },
        "general_settings": {
            "master_key": f"sk-{secrets.token_hex(32)}",
            "custom_auth": "authentication.user_api_key_auth",
        },
    }
    (folder / name).write_text(yaml.safe_dump(configuration), encoding="utf-8")
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    pinned = ["taskset", "-c", "0"] if shutil.which("taskset") and (os.cpu_count() or 1) > 1 else []
    command = [str(environment / "bin" / "litellm"), "--config", name, "--host", "127.0.0.1", "--port", str(port)]
    own = {
        "PYTHONPATH": str(ROOT / "src"),
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_TELEMETRY": "False",
        "LITELLM_LOG": "ERROR",
    }
    with (folder / f"{name}.txt").open("wb") as output:
        process = subprocess.Popen(
            [*pinned, *command], cwd=folder, env={**os.environ, **settings, **own}, stdout=output, stderr=output
        )
        try:
            yield f"http://127.0.0.1:{port}", psutil.Process(process.pid)
        finally:
            process.terminate()
            process.wait(30)


def wait_for(url: str, process: psutil.Process) -> None:
    """Wait until a proxy answers."""

    async def ready() -> bool:
        try:
            async with aiohttp.ClientSession() as session, session.get(f"{url}/health/readiness") as answer:
                return answer.status == 200
        except aiohttp.ClientError:
            return False

    end = time.monotonic() + 180
    while time.monotonic() < end and process.is_running():
        if asyncio.run(ready()):
            return
        time.sleep(0.2)
    raise SystemExit(f"no proxy answers at {url}")


def _version(environment: Path) -> str:
    found = next(environment.glob("lib/python3*/site-packages/litellm-*.dist-info"))
    return found.name.removeprefix("litellm-").removesuffix(".dist-info")


if __name__ == "__main__":
    sys.exit(main())
