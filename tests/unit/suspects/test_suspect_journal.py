"""The journal: what was answered is not asked again, what was changed is seen, and the budget holds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from practised_endpoint import Ticking, ask, model, party, probes

from stillwatch.records.suspect import Budget, Unanswered
from stillwatch.simulation.suspect_server import SuspectServer, serving
from stillwatch.suspects.errors import JournalError
from stillwatch.suspects.journal import Journal

BUDGET = Budget(requests=10_000, seconds=600)


def lines(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "journal.jsonl").read_bytes().splitlines()]


@pytest.fixture
def asked(tmp_path: Path) -> Path:
    """The journal of a run over the first queries."""
    with serving(SuspectServer(model())) as address:
        asked = party(address)
        ask(probes(asked)[:12], asked, tmp_path)
    return tmp_path


def test_a_request_stands_before_its_answer_and_every_answer_raw(asked: Path) -> None:
    kinds = [(line["kind"], line.get("query")) for line in lines(asked)]
    for kind, query in kinds:
        if kind == "received":
            assert kinds.index(("sent", query)) < kinds.index((kind, query))
    received = [line for line in lines(asked) if line["kind"] == "received"]
    assert len(received) == 12
    assert all(line["raw"]["status"] == 200 and line["raw"]["body"] and line["raw"]["headers"] for line in received)


def test_what_was_observed_is_read_again_as_it_was(asked: Path) -> None:
    with Journal(asked / "journal.jsonl", "sha256:plan", BUDGET, Ticking()) as first:
        once = dict(first.observed)
    with Journal(asked / "journal.jsonl", "sha256:plan", BUDGET, Ticking(), only_read=True) as second:
        assert second.observed == once
        assert len(once) == 12
        assert second.asked_again == ()


def test_reading_writes_nothing(asked: Path) -> None:
    before = (asked / "journal.jsonl").read_bytes()
    with Journal(asked / "journal.jsonl", "sha256:plan", BUDGET, Ticking(), only_read=True) as journal:
        head = journal.head
    assert (asked / "journal.jsonl").read_bytes() == before
    with Journal(asked / "journal.jsonl", "sha256:plan", BUDGET, Ticking(), only_read=True) as journal:
        assert journal.head == head


def test_a_line_that_a_kill_cut_off_is_dropped_and_its_query_is_known_as_asked(asked: Path) -> None:
    file = asked / "journal.jsonl"
    content = file.read_bytes()
    file.write_bytes(content[:-40])
    with Journal(file, "sha256:plan", BUDGET, Ticking()) as journal:
        assert len(journal.observed) == 11
        assert len(journal.asked_again) == 1
    assert file.read_bytes().endswith(b"\n")


@pytest.mark.parametrize("change", ["answer", "order", "gone"])
def test_a_changed_journal_is_refused(asked: Path, change: str) -> None:
    file = asked / "journal.jsonl"
    kept = file.read_bytes().splitlines(keepends=True)
    if change == "answer":
        # Queries are asked side by side, so which line holds the first answer is not known beforehand.
        place = next(place for place, line in enumerate(kept) if b'"kind":"received"' in line)
        changed = kept[place].replace(b"status", b"stotus")
        assert changed != kept[place]
        kept[place] = changed
    elif change == "order":
        kept[5], kept[6] = kept[6], kept[5]
    else:
        del kept[5]
    file.write_bytes(b"".join(kept))
    with pytest.raises(JournalError, match=r"journal\.jsonl:\d+"):
        Journal(file, "sha256:plan", BUDGET, Ticking(), only_read=True)


def test_the_journal_of_another_plan_is_refused(asked: Path) -> None:
    with pytest.raises(JournalError, match="another plan"):
        Journal(asked / "journal.jsonl", "sha256:other", BUDGET, Ticking())


def test_two_runs_do_not_write_one_journal(asked: Path) -> None:
    with (
        Journal(asked / "journal.jsonl", "sha256:plan", BUDGET, Ticking()),
        pytest.raises(JournalError, match="another run"),
    ):
        Journal(asked / "journal.jsonl", "sha256:plan", BUDGET, Ticking())


def test_the_budget_holds_over_runs(tmp_path: Path) -> None:
    server = SuspectServer(model())
    with serving(server) as address:
        asked = party(address)
        queries = probes(asked)
        ask(queries[:10], asked, tmp_path, budget=14)
        observed, journal = ask(queries[10:20], asked, tmp_path, budget=14)
    assert server.requests == 14
    assert journal.requests.total() == 14
    assert len(observed) == 14
    assert not any(isinstance(one, Unanswered) for one in observed.values())
