"""`stillwatch law`: the register, what sources newly say (from files and from a server on this machine), and the work that follows."""

from __future__ import annotations

import functools
import http.server
import json
import shlex
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line_calls import Said

GOVERNANCE_TESTS = Path(__file__).resolve().parents[1] / "governance"
if str(GOVERNANCE_TESTS) not in sys.path:  # the documents are written once
    sys.path.insert(0, str(GOVERNANCE_TESTS))

import law_sources as shapes  # noqa: E402
from test_terms_history import OTHER, TERMS, commit  # noqa: E402

from stillwatch.cli import law  # noqa: E402
from stillwatch.cli.exit_codes import ExitCode  # noqa: E402
from stillwatch.governance.law.fetch import SHIPPED_SOURCES, read_sources  # noqa: E402
from stillwatch.governance.law.state import WatchState  # noqa: E402

Stillwatch = Callable[..., Said]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def dropped(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    for name, content in {
        "register.json": shapes.as_bytes(shapes.FEDERAL_REGISTER), "bill.json": shapes.as_bytes(shapes.CONGRESS_BILL),
        "docket.json": shapes.as_bytes(shapes.COURTLISTENER_DOCKET), "acts.json": shapes.as_bytes(shapes.EUR_LEX), "cisa.xml": shapes.RSS,
        "alerts.atom": shapes.ATOM, "alert.eml": shapes.MAIL,
        "hr8283-actions.json": shapes.as_bytes(shapes.congress_actions(("2026-04-22", "Reported."))),
    }.items():  # fmt: skip
        (folder / name).write_bytes(content)
    return folder


def kinds(said: Said) -> dict[str, int]:
    counted: dict[str, int] = {}
    for one in said.document["changes"]:
        counted[one["kind"]] = counted.get(one["kind"], 0) + 1
    return counted


def test_dropped_files_of_every_form_are_read_and_once_only(stillwatch: Stillwatch, tmp_path: Path) -> None:
    dropped(tmp_path / "in")
    first = stillwatch("law", "update", "in", "--state", "watch", "--json").document
    assert (first["documents"], first["failed"], first["passed_over"]) == (8, [], 2)
    names = {one["name"] for one in first["changes"]}
    assert names >= {
        "congress:119/hr/8283",
        "congress:119/hr/2683",
        "courtlistener:1:26-cv-00557",
        "eur-lex:32026R1744",
        "federal-register:2026-20001",
        "mail:<77@example.org>",
    }
    again = stillwatch("law", "update", "in", "--state", "watch", "--json").document
    assert (again["changes"], again["work"]) == ([], [])
    for one in first["changes"]:
        if one["capture"]:
            assert (tmp_path / "watch" / "captures" / one["capture"].removeprefix("sha256:")).is_file()


def test_a_bill_that_moves_opens_work_that_can_be_closed(stillwatch: Stillwatch, tmp_path: Path) -> None:
    dropped(tmp_path / "in")
    stillwatch("law", "update", "in", "--state", "watch")
    Path("in/hr8283-actions.json").write_bytes(
        shapes.as_bytes(shapes.congress_actions(("2026-04-22", "Reported."), ("2026-11-24", "Passed by the House.")))
    )
    said = stillwatch("law", "update", "in", "--state", "watch", "--json")
    (change,) = [one for one in said.document["changes"] if one["kind"] == "moved"]
    assert (change["entry_id"], change["before"], change["after"]) == (
        "us-hr-8283",
        "Reported.",
        "Passed by the House.",
    )
    subjects = {one["subject"] for one in said.document["work"]}
    assert {"register", "control aisvs-1.0-C11.3.1", "clause training", "element timeline"} <= subjects
    (wanted,) = [one["id"] for one in said.document["work"] if one["subject"] == "clause training"]
    stillwatch("law", "done", wanted, "--state", "watch", "--remark", "Clause 7 is as it has to be")
    left = stillwatch("law", "work", "--state", "watch", "--json").document["work"]
    assert wanted not in {one["id"] for one in left}
    assert left
    everything = stillwatch("law", "work", "--state", "watch", "--all").out
    assert "Clause 7 is as it has to be" in everything
    assert stillwatch("law", "done", wanted, "--state", "watch", "--remark", "again").code == ExitCode.USAGE


def test_changes_and_closed_work_are_sealed_into_a_ledger(stillwatch: Stillwatch, tmp_path: Path) -> None:
    dropped(tmp_path / "in")
    stillwatch(
        "ledger",
        "init",
        "--ledger",
        "ledger.db",
        "--origin",
        "example.com/log",
        "--actor",
        "alice",
        "--key-file",
        "ledger.key",
    )
    stillwatch("ledger", "role", "--ledger", "ledger.db", "--actor", "alice", "--assign", "analyst", "--to", "bob")
    said = stillwatch(
        "law", "update", "in", "--state", "watch", "--ledger", "ledger.db", "--actor", "bob", "--json"
    ).document
    assert len(said["sealed"]) == len(said["changes"]) > 5
    work = said["work"][0]["id"]
    stillwatch("law", "done", work, "--state", "watch", "--remark", "done", "--ledger", "ledger.db", "--actor", "bob")
    from stillwatch.cli.ledger_options import open_ledger  # noqa: PLC0415

    with open_ledger("ledger.db") as ledger:
        changes = [json.loads(one.record) for one in ledger.entries("law change")]
        closed = [json.loads(one.record) for one in ledger.entries("law work closed")]
    assert {one["change"]["id"] for one in changes} == {one["id"] for one in said["changes"]}
    assert sum(len(one["work"]) for one in changes) == len(said["work"])
    assert [(one["id"], one["closed_by"]) for one in closed] == [(work, "bob")]


def sources_file(*rows: dict[str, str]) -> Path:
    path = Path("sources.yaml")
    path.write_text(json.dumps(rows), encoding="utf-8")
    return path


def test_sources_are_fetched_from_a_server_with_a_key_and_failures_are_said(
    stillwatch: Stillwatch, tmp_path: Path
) -> None:
    Path("key").write_text("sesame\n", encoding="utf-8")
    locked = shapes.Source(
        answers={"/bill": shapes.as_bytes(shapes.congress_actions(("2026-04-22", "Reported.")))},
        wanted_key=("X-Api-Key", "sesame"),
    )
    open_to_all = shapes.Source(answers={"/feed": shapes.ATOM, "/busy": b"429", "/html": b"<html></html>"})
    with shapes.serving(locked), shapes.serving(open_to_all):
        open_to_all.answers["/away"] = b"-> " + f"{locked.address}/bill".encode()
        rows = [{"name": "bill", "address": f"{locked.address}/bill", "key_header": "X-Api-Key", "key_file": "key"}]
        rows += [
            {"name": name, "address": f"{open_to_all.address}/{name}"}
            for name in ("feed", "busy", "html", "away", "gone")
        ]
        rows.append({"name": "locked", "address": f"{locked.address}/bill"})
        said = stillwatch(
            "law", "update", "--fetch", "--sources", str(sources_file(*rows)), "--state", "watch", "--json"
        )
    assert said.code == ExitCode.DONE
    assert said.document["documents"] == 2
    assert kinds(said)["first seen"] == 2
    failed = "\n".join(said.document["failed"])
    for part in (
        "busy: got HTTP 429; ask again later",
        "html: got XML",
        "away: cannot be fetched (a redirect to another host",
        "gone: got HTTP 404",
        "locked: got HTTP 401; its key is wrong or missing",
    ):
        assert part in failed
    assert "sesame" not in failed + "".join(
        path.read_text(errors="replace") for path in Path("watch").rglob("*") if path.is_file()
    )
    assert locked.keys == ["sesame", None], "the key goes to its own source only"


def test_terms_are_fetched_with_git_and_a_change_is_shown_by_sentence(stillwatch: Stillwatch, tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    archive.mkdir()
    subprocess.run(["git", "init", "--quiet", "--initial-branch=main", archive], check=True)
    commit(archive, {"Anthropic/Commercial Terms.md": TERMS}, 0)
    first = stillwatch("law", "update", "archive", "--state", "watch", "--json").document
    assert "terms" not in {one["kind"] for one in first["changes"]}
    commit(archive, {"Anthropic/Commercial Terms.md": OTHER}, 1)
    commit(archive, {"Anthropic/Commercial Terms.md": TERMS}, 2)
    second = stillwatch("law", "update", "archive", "--state", "watch", "--json").document
    (change,) = second["changes"]
    assert (change["entry_id"], change["before"], change["after"]) == (
        "terms-anthropic-commercial", "- You may not resell the Services.", "+ You may resell with our consent the Services.",
    )  # fmt: skip
    assert {"clause resale", "clause training", "element terms", "register"} <= {
        one["subject"] for one in second["work"]
    }
    shown = stillwatch("law", "terms", "archive").out
    assert "- You may not resell the Services." in shown
    assert "1 changes of sentences" in shown
    assert "Served in two versions by turns" in shown


def test_an_update_that_was_killed_is_finished_by_the_next_and_nothing_is_told_twice(
    stillwatch: Stillwatch, tmp_path: Path
) -> None:
    dropped(tmp_path / "in")
    first = stillwatch("law", "update", "in", "--state", "watch", "--json").document
    # Killed after the changes were written and before what was seen was moved on, and in the middle of a line.
    Path("watch/seen.json").unlink()
    lines = Path("watch/changes.jsonl").read_bytes().splitlines(keepends=True)
    Path("watch/changes.jsonl").write_bytes(b"".join(lines[:-2]) + lines[-2][:30])
    second = stillwatch("law", "update", "in", "--state", "watch", "--json").document
    assert len(second["changes"]) == 2
    kept = WatchState(tmp_path / "watch")
    assert sorted(one.id for one in kept.changes()) == sorted(one["id"] for one in first["changes"])
    assert set(kept.work()) == {one["id"] for one in first["work"]}


def test_two_updates_at_once_are_refused(stillwatch: Stillwatch, tmp_path: Path) -> None:
    with WatchState(tmp_path / "watch").alone():
        said = stillwatch("law", "update", "--state", "watch")
    assert said.code == ExitCode.INPUT
    assert "another update is running" in said.err


def test_the_register_is_listed_and_shown(stillwatch: Stillwatch) -> None:
    said = stillwatch("law", "list", "--touching", "mark-removal", "--json").document
    assert {one["id"] for one in said["entries"]} == {"eu-ai-act-50", "cn-labelling", "terms-qwen"}
    text = stillwatch("law", "show", "us-s-5252").out
    assert "conflict  no companion was found (says: another source of 9 September 2026)" in text
    assert "grade uncertain" in text
    assert stillwatch("law", "show", "nothing").code == ExitCode.USAGE


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"name": "a", "address": "http://example.com/x"}, "expected https"),
        ({"name": "a", "address": "ftp://127.0.0.1/x"}, "expected https"),
        ({"name": "a", "address": "https://me:secret@example.com/"}, "carries a name or password"),
        ({"name": "a", "address": "https://example.com", "kind": "guess"}, "kind got 'guess'"),
        ({"name": "a"}, "expected name and address"),
        ({"name": "a", "address": "https://example.com", "key": "secret"}, "of the rest only"),
    ],
)  # fmt: skip
def test_a_list_of_sources_that_is_unsafe_is_refused(stillwatch: Stillwatch, row: dict[str, str], said: str) -> None:
    answer = stillwatch("law", "update", "--fetch", "--sources", str(sources_file(row)), "--state", "watch")
    assert answer.code == ExitCode.INPUT
    assert said in answer.err
    assert "secret" not in answer.err


def test_the_shipped_list_of_sources_can_be_used() -> None:
    sources = read_sources(SHIPPED_SOURCES)
    assert len(sources) >= 6
    assert [one.kind for one in sources].count("terms") == 1


def test_every_example_of_the_help_works(stillwatch: Stillwatch, tmp_path: Path) -> None:
    dropped(tmp_path / "dropped")
    archive = tmp_path / "genai-eu-versions"
    archive.mkdir()
    subprocess.run(["git", "init", "--quiet", "--initial-branch=main", archive], check=True)
    commit(archive, {"Anthropic/Commercial Terms.md": TERMS}, 0)
    names: dict[str, str] = {}
    for help_of, _ in law.VERBS:
        for example in help_of.examples:
            words = [names.get(word, word) for word in shlex.split(example)]
            said = stillwatch(*words[1:], "--json")
            assert said.code == ExitCode.DONE, f"{example}: {said.err}"
            if help_of.name == "work":
                names["WORK"] = said.document["work"][0]["id"]


def test_terms_are_fetched_over_the_network(stillwatch: Stillwatch, tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    archive.mkdir()
    subprocess.run(["git", "init", "--quiet", "--initial-branch=main", archive], check=True)

    def publish(text: str, day: int) -> None:
        commit(archive, {"Mistral/Commercial Terms.md": text}, day)
        subprocess.run(["git", "clone", "--quiet", "--bare", archive, tmp_path / f"served{day}.git"], check=True)
        subprocess.run(["git", "update-server-info"], cwd=tmp_path / f"served{day}.git", check=True)
        link = tmp_path / "served.git"
        link.unlink(missing_ok=True)
        link.symlink_to(tmp_path / f"served{day}.git")

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(tmp_path)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        row = {"name": "terms", "kind": "terms", "address": f"http://127.0.0.1:{server.server_port}/served.git"}
        asked = ("law", "update", "--fetch", "--sources", str(sources_file(row)), "--state", "watch", "--json")
        publish(TERMS, 0)
        first = stillwatch(*asked).document
        publish(OTHER, 1)
        second = stillwatch(*asked).document
    finally:
        server.shutdown()
        server.server_close()
    assert (first["failed"], second["failed"]) == ([], [])
    assert [(one["kind"], one["entry_id"]) for one in second["changes"]] == [("terms", "terms-mistral")]
