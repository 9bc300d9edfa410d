"""`stillwatch terms`: every example as it stands, and what is refused."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line_calls import Said

from stillwatch.cli import terms
from stillwatch.cli.exit_codes import ExitCode
from stillwatch.cli.verb_help import VerbHelp

Stillwatch = Callable[..., Said]
ACCEPTED = {
    "account_id": "a-217",
    "terms": "pack-marks",
    "version": "1",
    "accepted_at": "2026-06-05T00:00:00Z",
    "accepted_by": "Ann",
    "how": "click",
}


@pytest.fixture
def begun(tmp_path: Path, stillwatch: Stillwatch, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A ledger with its people, and the clause pack in `clauses`; in the current folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("STILLWATCH_LEDGER_KEY_FILE", raising=False)
    stillwatch(
        *shlex.split("ledger init --ledger ledger.db --origin example.com/log --actor alice --key-file ledger.key")
    )
    for role, name in (("analyst", "bob"), ("viewer", "vera")):
        stillwatch(*shlex.split(f"ledger role --ledger ledger.db --actor alice --assign {role} --to {name}"))
    return tmp_path


def example(stillwatch: Stillwatch, verb: VerbHelp, *more: str) -> Said:
    """Run the first example of a verb."""
    return stillwatch(*shlex.split(verb.examples[0])[1:], *more)


def test_every_example_works_in_this_order(begun: Path, stillwatch: Stillwatch) -> None:
    assert example(stillwatch, terms.PACK_HELP).code == ExitCode.DONE
    assert "no problem" in example(stillwatch, terms.LINT_HELP).out
    checked = example(stillwatch, terms.CHECK_HELP)
    assert checked.code == ExitCode.DONE, checked.out
    assert "0 failed; 0 clauses untested" in checked.out
    assert "clauses differ" in example(stillwatch, terms.DIFF_HELP).out
    assert example(stillwatch, terms.ADD_HELP, "--json").document["entry"] == 4
    Path("accepted.jsonl").write_text(json.dumps(ACCEPTED) + "\n")
    assert example(stillwatch, terms.ACCEPT_HELP, "--json").document["acceptances"] == 1
    listed = example(stillwatch, terms.LIST_HELP, "--json").document
    assert listed["acceptances"] == [
        {
            "terms": "pack-marks",
            "version": "1",
            "accepted_at": "2026-06-05T00:00:00Z",
            "accepted_by": "Ann",
            "how": "click",
            "entry": 5,
        }
    ]
    assert "harvesting: true or false" in example(stillwatch, terms.FACTS_HELP).out
    shown = stillwatch(*shlex.split("ledger show --ledger ledger.db --actor vera --json"))
    assert shown.code == ExitCode.DONE


def test_every_verb_has_its_example_run_above() -> None:
    assert {verb.name for verb, _ in terms.VERBS} == {"pack", "lint", "check", "diff", "add", "accept", "list", "facts"}


def test_every_act_is_an_entry_with_its_digests(begun: Path, stillwatch: Stillwatch) -> None:
    example(stillwatch, terms.PACK_HELP)
    added = example(stillwatch, terms.ADD_HELP, "--json").document
    Path("accepted.jsonl").write_text(json.dumps(ACCEPTED) + "\n")
    example(stillwatch, terms.ACCEPT_HELP)
    entries = stillwatch(*shlex.split("ledger show 4 --ledger ledger.db --actor bob --json")).document
    record = json.dumps(entries)
    record += json.dumps(stillwatch(*shlex.split("ledger show 5 --ledger ledger.db --actor bob --json")).document)
    assert "stillwatch-acceptance/v1" in record
    assert added["text_digest"] in record


def test_terms_with_problems_end_with_their_places(begun: Path, stillwatch: Stillwatch) -> None:
    example(stillwatch, terms.PACK_HELP)
    Path("clauses/marks.yaml").write_text(Path("clauses/marks.yaml").read_text().replace("    clause: M.2\n", ""))
    said = example(stillwatch, terms.LINT_HELP)
    assert said.code == ExitCode.INPUT
    assert "marks.yaml:" in said.err
    assert "^" in said.err
    assert example(stillwatch, terms.ADD_HELP).code == ExitCode.INPUT
    listed = stillwatch(*shlex.split("terms list --ledger ledger.db --actor bob --json")).document
    assert listed["terms"] == []


def test_a_row_that_fails_ends_with_its_code(begun: Path, stillwatch: Stillwatch) -> None:
    example(stillwatch, terms.PACK_HELP)
    tables = Path("clauses/tests.yaml")
    tables.write_text(tables.read_text().replace("breached: [campaigns-are-marked]", "breached: []"))
    said = example(stillwatch, terms.CHECK_HELP, "--json")
    assert said.code == ExitCode.UNVERIFIED
    assert [one["failure"] for one in said.document["failed"]] == [
        "expected the breach of no clause, got campaigns-are-marked"
    ]


def test_a_text_beside_the_file_is_read_and_a_path_is_refused(begun: Path, stillwatch: Stillwatch) -> None:
    Path("terms.md").write_text("7.3 Customer will not\n    train on Output.\n")
    Path("terms.yaml").write_text(
        "terms: api\nversion: '1'\ntitle: T\nappeal: x@example.com\ntext: terms.md\nclauses:\n"
        "  - {id: a, kind: training, class: measure, clause: '7.3', says: Customer will not train on Output., action: block, "
        "when: {harvesting: true}}\n"
    )
    assert stillwatch("terms", "lint", "terms.yaml").code == ExitCode.DONE
    Path("terms.yaml").write_text(Path("terms.yaml").read_text().replace("terms.md", "../terms.md"))
    said = stillwatch("terms", "lint", "terms.yaml")
    assert said.code == ExitCode.USAGE
    assert "without a folder" in said.err


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"accepted_at": "2026-06-05"}, "with a zone"),
        ({"version": "2"}, "is not in the register"),
        ({"colour": "red"}, "unknown colour"),
        ({"account_id": ""}, "no printable text"),
        ({"how": "x" * 5_000}, "no JSON object"),
    ],
)
def test_what_is_no_acceptance_is_refused_and_nothing_is_kept(
    begun: Path, stillwatch: Stillwatch, change: dict[str, str], says: str
) -> None:
    example(stillwatch, terms.PACK_HELP)
    example(stillwatch, terms.ADD_HELP)
    Path("accepted.jsonl").write_text(json.dumps(ACCEPTED) + "\n" + json.dumps({**ACCEPTED, **change}) + "\n")
    said = example(stillwatch, terms.ACCEPT_HELP)
    assert said.code in {ExitCode.INPUT, ExitCode.USAGE}
    assert says in said.err
    assert example(stillwatch, terms.LIST_HELP, "--json").document["acceptances"] == []


def test_a_version_and_an_acceptance_are_kept_once(begun: Path, stillwatch: Stillwatch) -> None:
    example(stillwatch, terms.PACK_HELP)
    example(stillwatch, terms.ADD_HELP)
    again = example(stillwatch, terms.ADD_HELP)
    assert (again.code, "is never changed" in again.err) == (ExitCode.USAGE, True)
    Path("accepted.jsonl").write_text(json.dumps(ACCEPTED) + "\n")
    example(stillwatch, terms.ACCEPT_HELP)
    again = example(stillwatch, terms.ACCEPT_HELP)
    assert (again.code, "in the register already" in again.err) == (ExitCode.USAGE, True)


def test_a_viewer_adds_nothing(begun: Path, stillwatch: Stillwatch) -> None:
    example(stillwatch, terms.PACK_HELP)
    said = stillwatch(*shlex.split("terms add clauses/marks.yaml --ledger ledger.db --actor vera"))
    assert said.code == ExitCode.REFUSED
