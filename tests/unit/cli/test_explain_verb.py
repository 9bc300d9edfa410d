"""`stillwatch explain`: every finding in plain words, and the same for programs."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import example_incident as example
import pytest
from command_line_calls import LONER, Said

from stillwatch.cli.exit_codes import ExitCode
from stillwatch.cli.explanation import explain_account, group_of
from stillwatch.cli.result_files import AccountRow
from stillwatch.records.campaign import Finding

Stillwatch = Callable[..., Said]


def test_a_flagged_account_is_told_why_and_how_to_be_cleared(stillwatch: Stillwatch, case: Path) -> None:
    pool = example.pool()
    said = stillwatch("explain", case, pool.members[0])
    assert said.code == ExitCode.DONE
    for part in (
        "FLAGGED: ■ operator. One operator harvests the model through these accounts.",
        f"It belongs to {pool.id}, a group of 214 accounts. All 214 accounts send one rare constant text",
        "q-value is 1.3",
        "at or below the promised false-discovery rate of 1%",
        "Do these accounts act together?",
        "  - injected span: One 24-word text stands in 41,208 of 41,730 exchanges",
        "Does their traffic harvest the model?",
        "span 9f31c2ab, carried by 214 members of the group; nobody else has it",
        "exchange req_000000 in logs/2026-04-22.jsonl at 17 shows: reasoning elicitation",
        "✕ rejected: plug-in fleet",
        "output harvest: The logs have no answer text. Needed: The column `response`.",
        "an agreement that allows it",
        "a stolen key",
        "the first to ask about: plug-in fleet",
    ):
        assert part in said.out, part
    assert said.err == ""


@pytest.mark.parametrize(
    ("place", "parts"),
    [
        (
            0,
            (
                "not flagged: ○ look-alike",
                "✓ stands: plug-in fleet",
                "an innocent explanation stands",
                "above the promised",
            ),
        ),
        (1, ("not flagged: ? unresolved", "prompts are cut", "until then nothing is held against the account")),
        (2, ("not flagged: △ victim", "tell the holder and change the key")),
        (3, ("not flagged: § licensed", "the agreement covers it")),
    ],
)
def test_who_was_not_flagged_is_told_why(
    stillwatch: Stillwatch, case: Path, place: int, parts: tuple[str, ...]
) -> None:
    said = stillwatch("explain", case, example.considered()[place].members[0])
    for part in parts:
        assert part in said.out, part


def row_of(account: str, finding: Finding, campaign: str | None = None) -> AccountRow:
    return AccountRow(
        account_id=account, flagged=False, campaign_id=campaign, finding=finding.value, q_value=None, exchanges=40,
        first_seen="2026-01-01T00:00:00Z", last_seen="2026-01-02T00:00:00Z",
    )  # fmt: skip


def test_of_several_groups_the_one_nearest_to_a_report_is_told() -> None:
    far = example.considered()[0]
    near = replace(far, id="c-000000000000", log_e=far.log_e + 1.0)
    other = replace(near, id="c-000000000001", finding=Finding.UNRESOLVED, log_e=far.log_e + 2.0)
    row = row_of(far.members[0], Finding.LOOK_ALIKE)
    for groups in itertools.permutations((far, near, other)):
        assert group_of(row, groups) == near
    assert group_of(row_of(LONER, Finding.ORDINARY), (far, near, other)) is None


def test_what_was_not_tested_is_not_said_to_stand() -> None:
    alike = example.considered()[0]
    stands = alike.explanations[0]
    others = (
        replace(stands, name="chance", rejected=True),
        replace(stands, name="public prompt set", tested=False, log_e=stands.log_e - 1.0),
    )
    group = replace(alike, explanations=(*others, stands))
    row = row_of(alike.members[0], Finding.LOOK_ALIKE)
    sections = {one.title: one.lines for one in explain_account(row, group, fdr=0.01, tests_not_run=())}
    marks = [line.partition(" (e")[0] for line in sections["Innocent explanations considered"]]
    assert marks == [f"  ✓ stands: {stands.name}", "  ? not tested: public prompt set", "  ✕ rejected: chance"]


def test_an_owner_of_a_stolen_key_is_no_member_of_the_campaign() -> None:
    pool = example.pool()
    row = row_of("acct_owner", Finding.VICTIM, pool.id)
    group = group_of(row, (pool, *example.considered()))
    assert group == pool
    sections = {one.title: one.lines for one in explain_account(row, group, fdr=0.01, tests_not_run=())}
    assert f"Beside its owner it was used by {pool.id}, a group of 214 accounts." in sections["Account acct_owner"][1]
    assert "What this account shows itself" not in sections


def test_an_ordinary_account_has_nothing_to_clear(stillwatch: Stillwatch, case: Path) -> None:
    said = stillwatch("explain", case, LONER)
    assert "not flagged: · ordinary" in said.out
    assert "The account sent 1 exchange from 1970-01-01T00:00:00Z to 1970-01-01T00:00:01Z." in said.out
    assert "output harvest: no exchange has answer text. Needed: the column `response`" in said.out
    assert "nothing to clear" in said.out
    assert "What the group shows" not in said.out


def test_without_an_account_the_largest_campaign_gives_one(stillwatch: Stillwatch, case: Path) -> None:
    said = stillwatch("explain", case)
    assert f"Account {example.pool().members[0]}" in said.out


def test_json_is_one_document_and_people_read_the_other_stream(stillwatch: Stillwatch, case: Path) -> None:
    pool = example.pool()
    said = stillwatch("explain", case, pool.members[0], "--json")
    document = said.document
    assert document["verb"] == "explain"
    assert document["flagged"] is True
    assert document["campaign"]["id"] == pool.id
    assert [one["name"] for one in document["campaign"]["explanations"]] == [one.name for one in pool.explanations]
    assert document["words"]["How the account can be cleared"]
    assert "FLAGGED" in said.err


def test_an_unknown_account_is_an_input_error(stillwatch: Stillwatch, case: Path) -> None:
    said = stillwatch("explain", case, "acct_\x1b[31mnobody")
    assert said.code == ExitCode.INPUT
    assert said.err == (
        f"stillwatch: account 'acct_\\x1b[31mnobody' is not in {case}/accounts.parquet: the detection saw no exchange of it. "
        "Give the id exactly as the logs have it.\n"
    )


@pytest.mark.parametrize("name", ["accounts.parquet", "campaigns.json", "run.json"])
@pytest.mark.parametrize("content", [None, b"\x00broken", b"[]"])
def test_a_missing_or_broken_result_file_is_named(
    stillwatch: Stillwatch, case: Path, name: str, content: bytes | None
) -> None:
    if content is None:
        (case / name).unlink()
    else:
        (case / name).write_bytes(content)
    said = stillwatch("explain", case, LONER, "--json")
    assert said.code == ExitCode.INPUT
    assert str(case / name) in said.document["error"]["message"]
    assert "stillwatch detect" in said.document["error"]["message"]


def test_campaigns_of_another_layout_are_refused(stillwatch: Stillwatch, case: Path) -> None:
    (case / "campaigns.json").write_text(json.dumps({"version": "9"}))
    said = stillwatch("explain", case, LONER)
    assert said.code == ExitCode.INPUT
    assert "is not a campaigns file of this version" in said.err


def test_no_campaign_gives_no_example(stillwatch: Stillwatch, case: Path) -> None:
    nothing = {"version": "0.1.0", "fdr": 0.01, "campaigns": [], "considered": []}
    (case / "campaigns.json").write_text(json.dumps(nothing))
    said = stillwatch("explain", case)
    assert said.code == ExitCode.INPUT
    assert "holds no campaign to take an example from" in said.err
