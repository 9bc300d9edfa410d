"""`stillwatch indicators`: from one provider's run to accounts at another, through files only."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
import two_providers as two
from command_line_calls import Said

from stillwatch.cli.exit_codes import ExitCode
from stillwatch.evidence.incident_report import campaigns_document

Stillwatch = Callable[..., Said]


@pytest.fixture
def north(tmp_path: Path) -> tuple[Path, Path]:
    """A provider's log, and the folder that a detection of it would have written."""
    log = two.write_provider(tmp_path / "north", "north", operators=6, seed=21)
    run = tmp_path / "run"
    run.mkdir()
    document = campaigns_document(version="0.1.0", fdr=0.01, campaigns=[two.campaign_of(log, "north")], considered=[])
    (run / "campaigns.json").write_text(json.dumps(document), encoding="utf-8")
    return log, run


@pytest.fixture
def shared(stillwatch: Stillwatch, north: tuple[Path, Path], tmp_path: Path) -> Path:
    """What the provider shares."""
    assert stillwatch("indicators", "key", tmp_path / "key").code == ExitCode.DONE
    said = stillwatch(
        "indicators",
        "export",
        north[1],
        north[0],
        "--key-file",
        tmp_path / "key",
        "--producer",
        "North",
        "--out",
        tmp_path / "out",
    )
    assert said.code == ExitCode.DONE, said.err
    assert "4 identifiers, 1 templates" in said.out
    return tmp_path / "out"


@pytest.mark.parametrize("ending", ["stix.json", "misp.json"])
def test_a_partner_finds_the_shared_operator_and_nobody_else(
    stillwatch: Stillwatch, shared: Path, tmp_path: Path, ending: str
) -> None:
    (file,) = shared.glob(f"*.{ending}")
    south = two.write_provider(tmp_path / "south", "south", operators=4, seed=22)
    assert stillwatch("indicators", "import", file, "--into", tmp_path / "in").code == ExitCode.DONE
    said = stillwatch(
        "indicators",
        "match",
        tmp_path / "in",
        south,
        "--key-file",
        tmp_path / "key",
        "--out",
        tmp_path / "found.json",
        "--json",
    )
    assert said.code == ExitCode.DONE, said.err
    found = said.document["matches"]
    assert [one["account_id"] for one in found] == [f"south-op-{number}" for number in range(4)]
    assert "A match is a lead" in said.err
    assert stat.S_IMODE((tmp_path / "found.json").stat().st_mode) == 0o600
    assert json.loads((tmp_path / "found.json").read_bytes())["matches"] == found


def test_another_key_is_an_input_error(stillwatch: Stillwatch, shared: Path, tmp_path: Path) -> None:
    stillwatch("indicators", "key", tmp_path / "other")
    (file,) = shared.glob("*.stix.json")
    south = two.write_provider(tmp_path / "south", "south", operators=1, seed=23)
    said = stillwatch("indicators", "match", file, south, "--key-file", tmp_path / "other", "--json")
    assert said.code == ExitCode.INPUT
    assert "nothing could match" in said.document["error"]["message"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--tlp", "purple"), "--tlp got 'purple'"),
        (("--producer", "\x1b[31m"), "--producer got a name"),
        (("--campaign", "c-none"), "is not a flagged campaign"),
    ],
)
def test_values_that_cannot_be_used_are_refused(
    stillwatch: Stillwatch, north: tuple[Path, Path], tmp_path: Path, options: tuple[str, ...], says: str
) -> None:
    stillwatch("indicators", "key", tmp_path / "key")
    given = ["--key-file", tmp_path / "key", "--producer", "North", "--out", tmp_path / "out", *options]
    said = stillwatch("indicators", "export", north[1], north[0], *given)
    assert said.code == ExitCode.USAGE
    assert says in said.err


def test_an_empty_folder_of_indicators_says_what_to_do(stillwatch: Stillwatch, tmp_path: Path) -> None:
    stillwatch("indicators", "key", tmp_path / "key")
    (tmp_path / "in").mkdir()
    said = stillwatch("indicators", "match", tmp_path / "in", tmp_path, "--key-file", tmp_path / "key")
    assert said.code == ExitCode.INPUT
    assert "run `stillwatch indicators import FILE" in said.err


def test_a_private_question_goes_there_and_back(stillwatch: Stillwatch, tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    ours.write_text("payment\tpm_1\nnetwork\t192.0.2.7\nemail domain\tMail.Example\n", encoding="utf-8")
    theirs.write_text("payment\tpm_2\nnetwork\t192.0.2.99\nemail domain\tmail.example\n", encoding="utf-8")
    state, question, answer = tmp_path / "state", tmp_path / "question", tmp_path / "answer"
    assert stillwatch("indicators", "private-ask", ours, "--state", state, "--out", question).code == ExitCode.DONE
    assert stat.S_IMODE(state.stat().st_mode) == 0o600
    assert stillwatch("indicators", "private-answer", theirs, question, "--out", answer).code == ExitCode.DONE
    said = stillwatch("indicators", "private-result", answer, "--state", state, "--json")
    assert said.document["identifiers"] == ["email domain mail.example", "network 192.0.2.0/24"]
    assert not state.exists()


def test_a_list_that_cannot_be_read_is_named_by_line(stillwatch: Stillwatch, tmp_path: Path) -> None:
    (tmp_path / "ours").write_text("payment\tpm_1\ncolour\tred\n", encoding="utf-8")
    said = stillwatch(
        "indicators", "private-ask", tmp_path / "ours", "--state", tmp_path / "s", "--out", tmp_path / "q"
    )
    assert said.code == ExitCode.USAGE
    assert "ours:2: expected kind, a tab and a value" in said.err
