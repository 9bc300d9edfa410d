"""`stillwatch shadow`: from a guard's log to sealed re-samples, through a killed run, to a look and to erasure."""

from __future__ import annotations

import json
import os
import shlex
import signal
import stat
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from command_line_calls import Said

from stillwatch.cli import shadow
from stillwatch.cli.drill_gateway import BUNDLE_NAME, open_gateway
from stillwatch.cli.drill_probes import BEGIN_US, HOUR_US, ROUTES, probe_body
from stillwatch.cli.exit_codes import ExitCode
from stillwatch.gateway.marking import Engine, Marks
from stillwatch.records.decision import Action, BundleEntry, EnforcementBundle, WhenStale
from stillwatch.simulation.drill_traffic import ACCOUNT_HEADER
from stillwatch.simulation.upstream import Misbehaviour, Upstream, running
from stillwatch.suspects.transcripts_file import read_transcripts

Stillwatch = Callable[..., Said]
SECRET_WORDS = "the password of the harbour office is 8841"  # noqa: S105
RUN = (
    "shadow run guard.jsonl --upstream {url} --spool shadow --key-file shadow.key --ledger ledger.db --actor bob "
    "--engine vllm --json"
)


def send_all(folder: Path, bodies: list[tuple[str, str, dict[str, Any]]]) -> None:
    """Let a guard, under which the account `flagged` is marked, write its log of these (account, route, body)."""
    entry = BundleEntry(
        action=Action.MARK, decision_id="d-1", clauses=("api@1/marked",), until_us=BEGIN_US + HOUR_US, appeal="a@example.com",
        when_stale=WhenStale.OPEN, key_id="key-7",
    )  # fmt: skip
    bundle = EnforcementBundle(
        name=BUNDLE_NAME,
        version=1,
        issued_us=BEGIN_US,
        expires_us=BEGIN_US + HOUR_US,
        salt=b"",
        accounts=1,
        entries=(entry,),
    )
    with open_gateway(folder, seed=5, marks=Marks(engine=Engine.VLLM)) as gateway:
        gateway.now_us = BEGIN_US
        gateway.load(bundle, {"flagged": 0})
        for account, route, body in bodies:
            headers = {"Content-Type": "application/json", ACCOUNT_HEADER: account}
            assert gateway.send(ROUTES[route], headers, json.dumps(body).encode()).status == 200


def flagged_bodies(count: int) -> list[tuple[str, str, dict[str, Any]]]:
    routes = list(ROUTES)
    return [
        (
            "flagged",
            routes[number % 4],
            probe_body(routes[number % 4], f"{SECRET_WORDS} {number}", stream=number % 2 == 1) | {"temperature": 0.8},
        )
        for number in range(count)
    ]


@pytest.fixture
def people(tmp_path: Path, stillwatch: Stillwatch, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A ledger with an analyst and a viewer, and a master key."""
    monkeypatch.chdir(tmp_path)
    for name in ("STILLWATCH_LEDGER_KEY_FILE", "STILLWATCH_SHADOW_KEY_FILE", "STILLWATCH_SHADOW_KEY"):
        monkeypatch.delenv(name, raising=False)
    for line in (
        "ledger init --ledger ledger.db --origin example.com/log --actor alice --key-file ledger.key",
        "ledger role --ledger ledger.db --actor alice --assign analyst --to bob",
        "ledger role --ledger ledger.db --actor alice --assign viewer --to vera",
        *(example.removeprefix("stillwatch ") for example in shadow.KEY_HELP.examples),
    ):
        assert stillwatch(*shlex.split(line)).code == ExitCode.DONE
    assert stat.S_IMODE(Path("shadow.key").stat().st_mode) == 0o600
    return tmp_path


def test_served_answers_of_flagged_accounts_are_asked_for_again_and_sealed(
    people: Path, stillwatch: Stillwatch
) -> None:
    greedy = probe_body("chat", "greedy") | {"temperature": 0}
    seeded = probe_body("chat", "seeded") | {"seed": 4}
    others = [("flagged", "chat", greedy), ("flagged", "chat", seeded), ("honest", "chat", probe_body("chat", "mine"))]
    send_all(people, flagged_bodies(8) + others)
    model = Upstream(seed=5)
    with running(model) as url:
        said = stillwatch(*shlex.split(RUN.format(url=url)))
        assert said.code == ExitCode.DONE, said.err
        again = stillwatch(*shlex.split(RUN.format(url=url)))
    assert said.document["chosen"] == 8
    assert sum(said.document["left_out"].values()) == 2  # greedy and seeded; of the honest account nothing is said
    assert said.document["asks"] == {"answered": 32}
    assert again.document["chosen"] == 0
    assert again.document["sealed"] == {}
    # What the model was asked is what the client sent, of the snapshot that answered, whole, under the same mark.
    bodies = [json.loads(one.body) for one in model.asked]
    assert len(bodies) == 32
    assert all("stream" not in body and body["vllm_xargs"] == {"stillwatch_key": "key-7"} for body in bodies)
    assert all(body["temperature"] == 0.8 for body in bodies)
    listed = stillwatch(*shlex.split("shadow list --ledger ledger.db --actor vera --json")).document["samples"]
    assert len(listed) == 8
    assert all(one["exchangeable"] and one["snapshot"] == "still-1" for one in listed)
    assert all(json.loads(one["decoding"])["temperature"] == 0.8 for one in listed)
    # No text is anywhere but in the guard's log and, encrypted, in the spool.
    for path in [Path("ledger.db"), *Path("shadow").rglob("*.jsonl")]:
        assert b"harbour" not in path.read_bytes()
    assert "harbour" not in said.out + said.err


def test_samples_become_the_material_of_the_served_transcript_test(people: Path, stillwatch: Stillwatch) -> None:
    chat = probe_body("chat", "two") | {
        "temperature": 0.8,
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": SECRET_WORDS}]},
            {"role": "assistant", "content": "Noted."},
            {"role": "user", "content": "Go on."},
        ],
    }
    send_all(people, [*flagged_bodies(24), ("flagged", "chat", chat)])
    with running(Upstream(seed=5)) as url:
        sealed = stillwatch(*shlex.split(RUN.format(url=url) + " --per-account 30")).document["sealed"]
    write = "shadow transcripts --out t.jsonl --purpose case-1 --spool shadow --key-file shadow.key --ledger ledger.db --json"
    refused = stillwatch(*shlex.split(f"{write} --actor vera"))
    assert refused.code == ExitCode.REFUSED
    assert not Path("t.jsonl").exists()
    erased = min(sealed)
    places = "--spool shadow --key-file shadow.key --ledger ledger.db --actor bob"
    assert stillwatch(*shlex.split(f"shadow erase {erased} --reason request {places}")).code == ExitCode.DONE
    written = stillwatch(*shlex.split(f"{write} --actor bob"))
    assert (written.document["exchanges"], written.document["erased"]) == (len(sealed) - 1, 1)
    assert stat.S_IMODE(Path("t.jsonl").stat().st_mode) == 0o600
    assert "harbour" not in written.out + written.err
    read = read_transcripts(Path("t.jsonl"), 4)
    assert len(read.kept) + read.repeated == len(sealed) - 1
    assert all(one.account == "flagged" and len(one.unseen) == 4 for one in read.kept)
    talk = [one for one in read.kept if one.system == "Be brief."]
    assert all(one.prompt == f"user: {SECRET_WORDS}\n\nassistant: Noted.\n\nuser: Go on." for one in talk)
    alone = [one for one in read.kept if not one.system]
    assert {one.prompt.removeprefix(SECRET_WORDS)[0] for one in alone} == {" "}  # a single turn is the prompt itself
    assert len(talk) + len(alone) == len(read.kept)
    none = stillwatch(*shlex.split(f"{write} --actor bob --account somebody-else"))
    assert none.document["exchanges"] == 0


def test_a_look_needs_a_role_and_is_recorded_and_erasure_is_for_good(people: Path, stillwatch: Stillwatch) -> None:
    send_all(people, flagged_bodies(1))
    with running(Upstream(seed=5)) as url:
        (sample,) = stillwatch(*shlex.split(RUN.format(url=url))).document["sealed"]
    places = "--spool shadow --key-file shadow.key --ledger ledger.db"
    look = f"shadow open {sample} --purpose case-1 {places} --json"
    refused = stillwatch(*shlex.split(f"{look} --actor vera"))
    assert refused.code == ExitCode.REFUSED
    assert "harbour" not in refused.out + refused.err
    opened = stillwatch(*shlex.split(f"{look} --actor bob")).document["texts"]
    assert SECRET_WORDS in json.dumps(opened["served"]["body"])
    answers = [opened[place]["text"] for place in ("served", "1", "2", "3", "4")]
    assert all(answers)
    assert len(set(answers)) > 1
    kinds = Counter(
        one["kind"]
        for one in stillwatch(*shlex.split("ledger show --ledger ledger.db --actor vera --json")).document["entries"]
    )
    assert (kinds["text refused"], kinds["text looked at"]) == (1, 1)
    erased = stillwatch(*shlex.split(f"shadow erase {sample} --reason request {places} --actor bob"))
    assert erased.code == ExitCode.DONE, erased.err
    gone = stillwatch(*shlex.split(f"{look} --actor bob"))
    assert gone.code != ExitCode.DONE
    assert "harbour" not in gone.out + gone.err
    (listed,) = stillwatch(*shlex.split("shadow list --ledger ledger.db --actor vera --json")).document["samples"]
    assert listed["erased"]


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (Upstream(seed=5, fingerprint="fp_other"), "another system fingerprint answered"),
        (Upstream(seed=5, misbehaviour=Misbehaviour(fail_status=500)), "an ask failed or was cut"),
        (Upstream(seed=5, misbehaviour=Misbehaviour(drop_after_events=1)), "an ask failed or was cut"),
    ],
    ids=["another snapshot", "errors", "cut answers"],
)
def test_what_is_not_exchangeable_is_marked_so_and_no_more_is_asked(
    people: Path, stillwatch: Stillwatch, model: Upstream, reason: str
) -> None:
    send_all(people, [("flagged", "chat", probe_body("chat", SECRET_WORDS))])
    with running(model) as url:
        said = stillwatch(*shlex.split(RUN.format(url=url)))
    assert len(said.document["sealed"]) == 1
    assert len(model.asked) == 1
    (sample,) = stillwatch(*shlex.split("shadow list --ledger ledger.db --actor vera --json")).document["samples"]
    assert not sample["exchangeable"]
    assert any(one.startswith(reason) for one in sample["reasons"])


def test_an_upstream_that_is_too_busy_is_asked_later_and_budgets_hold(people: Path, stillwatch: Stillwatch) -> None:
    send_all(people, flagged_bodies(6))
    model = Upstream(seed=5, misbehaviour=Misbehaviour(fail_status=503))
    with running(model) as url:
        busy = stillwatch(*shlex.split(RUN.format(url=url) + " --per-account 3"))
        assert busy.document["chosen"] == 3
        assert busy.document["left_out"] == {"the account's budget of the day is spent": 3}
        assert busy.document["stopped"].startswith("the upstream takes no requests now")
        model.misbehaviour = Misbehaviour()
        poor = stillwatch(*shlex.split(RUN.format(url=url) + " --per-account 3 --tokens-per-day 10"))
        assert poor.document["stopped"] == "the day's budget of tokens is spent"
        assert poor.document["tokens"] == 0
        rich = stillwatch(*shlex.split(RUN.format(url=url) + " --per-account 3"))
    assert rich.document["waiting"] == 0
    assert len(rich.document["sealed"]) == 3
    listed = stillwatch(*shlex.split("shadow list --ledger ledger.db --actor vera --json")).document["samples"]
    assert all(one["exchangeable"] for one in listed)
    assert all(sum(ask["outcome"] == "answered" for ask in one["asks"]) == 4 for one in listed)


@pytest.mark.slow
def test_a_killed_run_loses_nothing_and_asks_nothing_twice(people: Path, stillwatch: Stillwatch) -> None:
    send_all(people, flagged_bodies(12))
    model = Upstream(seed=5, misbehaviour=Misbehaviour(delay_s=0.05))
    kills = 0
    with running(model) as url:
        command = [sys.executable, "-m", "stillwatch.cli.main", *shlex.split(RUN.format(url=url))]
        for after in (3, 17, 30):
            process = subprocess.Popen(
                command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, "NO_COLOR": "1"}
            )
            deadline = time.monotonic() + 60
            while len(model.asked) < after and process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.005)
            process.send_signal(signal.SIGKILL)
            kills += process.wait() == -signal.SIGKILL
            time.sleep(0.2)  # what was in flight is answered into the void
        assert kills == 3
        last = stillwatch(*shlex.split(RUN.format(url=url)))
        assert last.code == ExitCode.DONE, last.err
    assert last.document["waiting"] == 0
    listed = stillwatch(*shlex.split("shadow list --ledger ledger.db --actor vera --json")).document["samples"]
    assert len(listed) == 12 == len({one["id"] for one in listed})
    asks = [ask for one in listed for ask in one["asks"]]
    outcomes = Counter(ask["outcome"] for ask in asks)
    assert outcomes["answered"] == 12 * 4
    assert outcomes["unknown"] >= 1
    assert set(outcomes) == {"answered", "unknown"}
    for one in listed:  # every number once, without a gap
        assert [ask["number"] for ask in one["asks"]] == list(range(1, len(one["asks"]) + 1))
        assert one["exchangeable"]
    # The model never got more than was written down; an ask written down just before a kill may not have reached it.
    assert outcomes["answered"] <= len(model.asked) <= len(asks)


def test_without_a_key_and_with_a_strange_log_it_says_what_to_do(people: Path, stillwatch: Stillwatch) -> None:
    Path("guard.jsonl").write_text('{"prompt": "harbour"}\n')
    strange = stillwatch(*shlex.split(RUN.format(url="http://127.0.0.1:9")))
    assert strange.code == ExitCode.INPUT
    assert "guard.jsonl:1: is no line of a guard's log" in strange.err
    assert "harbour" not in strange.err
    keyless = stillwatch(*shlex.split(RUN.format(url="http://127.0.0.1:9").replace("--key-file shadow.key ", "")))
    assert keyless.code == ExitCode.USAGE
    Path("shadow.key").chmod(0o644)
    open_to_all = stillwatch(*shlex.split(RUN.format(url="http://127.0.0.1:9")))
    assert open_to_all.code == ExitCode.INPUT
    assert "chmod 600" in open_to_all.err
