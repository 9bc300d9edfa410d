"""The verb `guard-envoy`, as a process: questions over gRPC and HTTP, its log, its stop, and what it says when it cannot begin."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import httpx
import products
import pytest
from envoy.service.auth.v3 import external_auth_pb2, external_auth_pb2_grpc

from stillwatch.cli.exit_codes import ExitCode
from stillwatch.intake.formats.registry import FORMATS

VERB = [products.python(), "-m", "stillwatch.cli.main", "guard-envoy"]


def options(folder: Path) -> list[str]:
    files = {
        "--bundle": "gateway.bundle",
        "--key": "bundle.pub",
        "--state": "gateway.state",
        "--mark-keys": "marks.jsonl",
    }
    named = [word for option, file in files.items() for word in (option, str(folder / file))]
    return [*named, "--for", products.NAME, "--engine", "sglang", "--account-header", "X-Account-Id"]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """Where the running verb is asked."""

    grpc: str
    http: str
    process: subprocess.Popen[bytes]
    log: Path


@pytest.fixture(scope="module")
def verb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    folder = tmp_path_factory.mktemp("verb")
    products.write_files(folder)
    where = ["--listen", "127.0.0.1:0", "--http", "127.0.0.1:0", "--log", str(folder / "log.jsonl"), "--json"]
    with subprocess.Popen(
        [*VERB, *options(folder), *where],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=products.own_environment(),
    ) as running:
        assert running.stdout is not None
        said = json.loads(read_document(running.stdout))
        yield Asked(grpc=said["listen"], http=said["http"], process=running, log=folder / "log.jsonl")
        running.kill()


def read_document(stream: Any) -> str:
    text = ""
    for line in stream:
        text += line.decode()
        try:
            json.loads(text)
        except ValueError:
            continue
        return text
    raise AssertionError(f"no document: {text!r}")


def check(verb: Asked, account: str, **headers: str) -> Any:
    request = external_auth_pb2.CheckRequest()
    http = request.attributes.request.http
    http.method, http.path = "POST", "/v1/chat/completions?x=1"
    http.headers.update({"x-account-id": account, **headers})
    request.attributes.source.address.socket_address.address = "192.0.2.7"
    with grpc.insecure_channel(verb.grpc) as channel:
        return external_auth_pb2_grpc.AuthorizationStub(channel).Check(request, timeout=10)


def test_a_check_over_grpc(verb: Asked) -> None:
    assert check(verb, "a-nobody").WhichOneof("http_response") == "ok_response"
    denied = check(verb, "a-block").denied_response
    assert (denied.status.code, json.loads(denied.body)["error"]["code"]) == (403, "account-suspended")
    marked = check(verb, "a-mark", **{"x-stillwatch-mark-key": "forged"}).ok_response
    assert [(one.header.key, one.header.value) for one in marked.headers] == [
        ("x-stillwatch-mark-key", products.HANDLE)
    ]
    assert list(marked.headers_to_remove) == ["x-stillwatch-mark-key"]
    doubled = check(verb, "a-nobody,a-block")
    assert doubled.denied_response.status.code == 400, (
        "Envoy joins equal names with a comma where it sends no raw headers"
    )


@pytest.mark.parametrize("shape", ["forward-auth", "http_service"])
def test_a_question_over_http(verb: Asked, shape: str) -> None:
    def ask(account: str, path: str = "/v1/messages") -> httpx.Response:
        named = {"X-Account-Id": account}
        if shape == "forward-auth":
            return httpx.get(
                f"{verb.http}/check", headers={**named, "X-Forwarded-Method": "POST", "X-Forwarded-Uri": path}
            )
        return httpx.post(f"{verb.http}/check{path}", headers=named)

    allowed = ask("a-nobody")
    assert (allowed.status_code, allowed.content) == (200, b"")
    refused = ask("a-challenge")
    assert (refused.status_code, refused.headers["x-stillwatch-reason"]) == (403, "verification-required")
    assert refused.json()["type"] == "error", "the shape is that of the client's path"
    assert "type" not in ask("a-challenge", "/v1/chat/completions").json()
    assert ask("a-mark").headers["x-stillwatch-mark-key"] == products.HANDLE
    assert httpx.get(f"{verb.http}/elsewhere").status_code == 404


def test_it_stops_when_told_and_its_log_is_read_by_detect(verb: Asked) -> None:
    check(verb, "a-block")
    verb.process.send_signal(signal.SIGTERM)
    _, told = verb.process.communicate(timeout=20)
    assert verb.process.returncode == ExitCode.DONE
    assert b"account-suspended" in told
    rows = [json.loads(line) for line in verb.log.read_text().splitlines()]
    last = rows[-1]
    assert (last["account_id"], last["status"], last["ip"]) == ("a-block", 403, "192.0.2.7")
    assert last["verdict"]["decision_id"] == "d-0123456789ab"
    assert max(FORMATS, key=lambda one: one.matches(rows)).name == "guard"


@pytest.mark.parametrize(
    ("changed", "code", "said"),
    [
        ({"--for": "example.com/other"}, ExitCode.UNVERIFIED, "expected one for"),
        ({"--engine": "triton"}, ExitCode.USAGE, "expected none, sglang or vllm"),
        ({"--key": "missing.pub"}, ExitCode.INPUT, "missing.pub"),
    ],
)
def test_what_cannot_be_used_is_said_before_anybody_is_answered(
    tmp_path: Path, changed: dict[str, str], code: ExitCode, said: str
) -> None:
    products.write_files(tmp_path)
    given = options(tmp_path)
    for option, value in changed.items():
        given[given.index(option) + 1] = value
    done = subprocess.run(
        [*VERB, *given, "--check"], capture_output=True, text=True, check=False, env=products.own_environment()
    )
    assert (done.returncode, said in done.stderr) == (code, True), done.stderr


def test_check_says_that_settings_hold(tmp_path: Path) -> None:
    products.write_files(tmp_path)
    done = subprocess.run(
        [*VERB, *options(tmp_path), "--check", "--json"],
        capture_output=True,
        text=True,
        check=False,
        env=products.own_environment(),
    )
    assert json.loads(done.stdout) == {"verb": "guard-envoy", "checked": True, "bundle_version": 1}
