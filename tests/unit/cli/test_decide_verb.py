"""`stillwatch decide` and `stillwatch bundle`: every example as it stands, from a run to a bundle, with two people."""

from __future__ import annotations

import contextlib
import json
import shlex
import sqlite3
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from command_line_calls import Said, write_case

from stillwatch.cli import bundle, decide, decision_appeal
from stillwatch.cli.exit_codes import ExitCode
from stillwatch.cli.verb_help import VerbHelp
from stillwatch.evidence.cases.gathering import campaign_item
from stillwatch.evidence.incident_report import read_campaigns_document

Stillwatch = Callable[..., Said]
TERMS = """\
terms: api
version: "1"
title: API terms
appeal: appeals@example.com
wording: 7.3 Customer will not pool accounts. 7.4 Customer will not train on Output.
clauses:
  - {id: no-pooling, kind: coordination, class: measure, mode: enforce, clause: "7.3", says: Customer will not pool accounts.,
     action: block, when: {coordinated: true, harvesting: true}, when_stale: closed}
  - {id: no-training, kind: training, class: measure, clause: "7.4", says: Customer will not train on Output., action: challenge,
     when: {harvesting: true}}
"""


@pytest.fixture
def begun(tmp_path: Path, stillwatch: Stillwatch, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """A ledger with its people, a run in `run`, and terms that members of its first campaign accepted; give the flagged campaigns."""
    monkeypatch.chdir(tmp_path)
    for name in ("STILLWATCH_LEDGER_KEY_FILE", "STILLWATCH_BUNDLE_KEY_FILE", "STILLWATCH_CASE_KEYS"):
        monkeypatch.delenv(name, raising=False)
    call(stillwatch, "ledger init --ledger ledger.db --origin example.com/log --actor alice --key-file ledger.key")
    for role, name in (("analyst", "bob"), ("approver", "carol"), ("approver", "bob"), ("viewer", "vera")):
        call(stillwatch, f"ledger role --ledger ledger.db --actor alice --assign {role} --to {name}")
    write_case(tmp_path / "run")
    campaigns: list[dict[str, Any]] = json.loads(Path("run/campaigns.json").read_text())["campaigns"]
    Path("terms.yaml").write_text(TERMS)
    accepted = [
        {"account_id": member, "terms": "api", "version": "1", "accepted_at": "2020-01-01T00:00:00Z"}
        for member in campaigns[0]["members"]
    ]
    Path("accepted.jsonl").write_text("".join(json.dumps(one) + "\n" for one in accepted))
    call(stillwatch, "terms add terms.yaml --ledger ledger.db --actor bob")
    call(stillwatch, "terms accept accepted.jsonl --ledger ledger.db --actor bob")
    return campaigns


def call(stillwatch: Stillwatch, line: str, *more: str, code: int = ExitCode.DONE) -> Said:
    """Run a command line that must end so."""
    said = stillwatch(*shlex.split(line), *more)
    assert said.code == code, said.err
    return said


def example(stillwatch: Stillwatch, verb: VerbHelp, *more: str, code: int = ExitCode.DONE, **names: str) -> Said:
    """Run the first example of a verb, capital names replaced."""
    words = [names.get(word, word) for word in shlex.split(verb.examples[0])[1:]]
    return call(stillwatch, shlex.join(words), *more, code=code)


def proposed(stillwatch: Stillwatch) -> dict[str, Any]:
    """Propose; give the decision that blocks."""
    made = example(stillwatch, decide.PROPOSE_HELP, "--json").document["decisions"]
    (block,) = [one for one in made if one["action"] == "block"]
    return dict(block)


def test_from_a_run_to_a_bundle_with_two_people(begun: list[dict[str, Any]], stillwatch: Stillwatch) -> None:
    block = proposed(stillwatch)
    assert block["clauses"] == ["api@1/no-pooling"]
    assert block["recorded"] == ["api@1/no-training"]
    member = begun[0]["members"][0]
    example(stillwatch, bundle.KEY_HELP)
    assert stat.S_IMODE(Path("bundle.key").stat().st_mode) == 0o600
    assert example(stillwatch, bundle.BUILD_HELP, "--json").document["accounts"] == 0  # nobody approved yet
    approved = example(stillwatch, decide.APPROVE_HELP, "--json", DECISION=block["decision"]).document
    assert (approved["proposed_by"], approved["approved_by"]) == ("bob", "carol")
    built = example(stillwatch, bundle.BUILD_HELP, "--json").document
    assert (built["version"], built["accounts"], built["actions"]) == (2, len(begun[0]["members"]), {"block": 1})
    verified = example(stillwatch, bundle.VERIFY_HELP, "--json").document
    assert (verified["version"], verified["stale"]) == (2, False)
    shown = example(stillwatch, bundle.SHOW_HELP, "--json").document
    assert shown["account"]["action"] == "allow"
    shown = call(stillwatch, f"bundle show gateway.bundle --key bundle.pub --account {member} --json").document
    assert shown["account"] == {
        "action": "block", "decision": block["decision"], "clauses": ["api@1/no-pooling"], "appeal": "appeals@example.com"
    }  # fmt: skip
    listed = example(stillwatch, decide.LIST_HELP, "--json").document["decisions"]
    assert [one["decision"] for one in listed if one["in_effect"]] == [block["decision"]]
    detail = example(stillwatch, decide.SHOW_HELP, "--json", DECISION=block["decision"]).document
    assert "7.3" in detail["notice"]
    assert example(stillwatch, decide.REPLAY_HELP, "--json").document["evaluations"] == 1
    kinds = [
        one["kind"]
        for one in call(stillwatch, "ledger show --ledger ledger.db --actor bob --limit 500 --json").document["entries"]
    ]
    assert kinds.count("decision proposed") == len(listed)
    assert kinds.count("decision approved") == 1
    assert kinds.count("bundle issued") == 2


def test_every_verb_has_its_example_run_above() -> None:
    assert {verb.name for verb, _ in decide.VERBS} == {"propose", "approve", "list", "show", "replay", "appeal"}
    assert {verb.name for verb, _ in bundle.VERBS} == {"key", "build", "verify", "show"}


def test_a_decision_that_an_appeal_reverses_is_in_no_bundle(
    begun: list[dict[str, Any]], stillwatch: Stillwatch
) -> None:
    block = proposed(stillwatch)["decision"]
    example(stillwatch, bundle.KEY_HELP)
    example(stillwatch, decide.APPROVE_HELP, DECISION=block)
    assert example(stillwatch, bundle.BUILD_HELP, "--json").document["accounts"] == len(begun[0]["members"])
    line = f"decide appeal {block} --ledger ledger.db --reason 'A course at a school'"
    assert "somebody else" in call(stillwatch, f"{line} --outcome upheld --actor bob", code=ExitCode.REFUSED).err
    call(stillwatch, f"{line} --outcome upheld --actor vera", code=ExitCode.REFUSED)
    call(stillwatch, f"{line} --outcome granted --actor carol", code=ExitCode.USAGE)
    call(stillwatch, f"{line} --outcome upheld --actor carol")
    assert example(stillwatch, bundle.BUILD_HELP, "--json").document["accounts"] == len(begun[0]["members"])
    said = example(stillwatch, decision_appeal.APPEAL_HELP, "--json", DECISION=block).document
    assert (said["outcome"], said["reason"]) == ("reversed", "A course at a school")
    assert example(stillwatch, bundle.BUILD_HELP, "--json").document["accounts"] == 0
    assert "was reversed before" in call(stillwatch, f"{line} --outcome upheld --actor carol", code=ExitCode.USAGE).err


def test_a_case_is_decided_about_as_its_run_is(begun: list[dict[str, Any]], stillwatch: Stillwatch) -> None:
    from stillwatch.cli.case_options import open_cases  # noqa: PLC0415

    case = call(stillwatch, "case open 'Harvest' --ledger ledger.db --actor bob --keys keys --json").document["case"]
    document = {"version": "", "fdr": 0.01, "campaigns": begun[:1], "considered": []}
    (campaign,) = read_campaigns_document(document, "test").campaigns
    with open_cases("ledger.db", "bob", "APPEND", Path("keys")) as cases:
        cases.work.add(case, [campaign_item(campaign, 0.01)], "bob")
    line = shlex.join([{"CASE": case}.get(word, word) for word in shlex.split(decide.PROPOSE_HELP.examples[1])[1:]])
    (made,) = call(stillwatch, line, "--json").document["decisions"]
    assert (made["campaign"], made["action"]) == (campaign.id, "block")


def test_nobody_approves_their_own_and_nobody_approves_without_the_role(
    begun: list[dict[str, Any]], stillwatch: Stillwatch
) -> None:
    block = proposed(stillwatch)["decision"]
    said = call(stillwatch, f"decide approve {block} --ledger ledger.db --actor bob", code=ExitCode.REFUSED)
    assert "ask somebody else" in said.err
    call(stillwatch, f"decide approve {block} --ledger ledger.db --actor vera", code=ExitCode.REFUSED)
    call(stillwatch, f"decide approve {block} --ledger ledger.db --actor carol")
    again = call(stillwatch, f"decide approve {block} --ledger ledger.db --actor carol", code=ExitCode.USAGE)
    assert "was approved before" in again.err
    call(stillwatch, "decide approve d-none --ledger ledger.db --actor carol", code=ExitCode.USAGE)


def test_only_flagged_campaigns_and_owners_of_stolen_keys_are_decided_about_unless_all_are_asked_for(
    begun: list[dict[str, Any]], stillwatch: Stillwatch
) -> None:
    some = call(stillwatch, "decide propose run --ledger ledger.db --actor bob --json").document
    every = call(stillwatch, "decide propose run --all --ledger ledger.db --actor bob --json").document
    assert some["campaigns"] == len(begun) + 1
    told = [one for one in some["decisions"] if one["finding"] == "victim"]
    assert [one["action"] for one in told] == ["allow"]
    shown = call(stillwatch, f"decide show {told[0]['decision']} --ledger ledger.db --actor bob")
    assert "new key" in shown.out
    assert every["campaigns"] > some["campaigns"]
    assert all(one["action"] == "allow" for one in every["decisions"] if one["finding"] not in {"operator", "reseller"})


def test_an_old_bundle_an_expired_one_and_a_strange_one_are_refused(
    begun: list[dict[str, Any]], stillwatch: Stillwatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    example(stillwatch, bundle.KEY_HELP)
    example(stillwatch, bundle.BUILD_HELP)
    old = Path("gateway.bundle").read_bytes()
    example(stillwatch, bundle.BUILD_HELP)
    new = Path("gateway.bundle").read_bytes()
    example(stillwatch, bundle.VERIFY_HELP)
    Path("gateway.bundle").write_bytes(old)
    assert "version 2 was seen" in example(stillwatch, bundle.VERIFY_HELP, code=ExitCode.UNVERIFIED).err
    Path("gateway.bundle").write_bytes(new[:-1] + bytes([new[-1] ^ 1]))
    assert "does not verify" in example(stillwatch, bundle.VERIFY_HELP, code=ExitCode.UNVERIFIED).err
    Path("gateway.bundle").write_bytes(new)
    example(stillwatch, bundle.VERIFY_HELP)
    late = time.time_ns() + 25 * 3_600 * 10**9
    monkeypatch.setattr("time.time_ns", lambda: late)
    assert "expired" in example(stillwatch, bundle.VERIFY_HELP, code=ExitCode.UNVERIFIED).err
    assert example(stillwatch, bundle.VERIFY_HELP, "--accept-stale", "--json").document["stale"] is True


def test_a_key_is_not_overwritten(begun: list[dict[str, Any]], stillwatch: Stillwatch) -> None:
    example(stillwatch, bundle.KEY_HELP)
    before = Path("bundle.key").read_bytes()
    example(stillwatch, bundle.KEY_HELP, code=ExitCode.INPUT)
    assert Path("bundle.key").read_bytes() == before


@pytest.mark.parametrize(
    ("statements", "says"),
    [
        (
            ("DROP TRIGGER acceptance_stays", "UPDATE acceptance SET accepted_us = 1"),
            "an acceptance is not what entry",
        ),
        (
            (
                "DROP TRIGGER terms_version_stays",
                "UPDATE terms_version SET facts = CAST(replace(facts, 'block', 'allow') AS BLOB)",
            ),
            "api 1 is not what entry",
        ),
        (
            ("DROP TRIGGER terms_version_stays", "UPDATE terms_version SET facts = 'text'"),
            "column facts: got str, expected bytes",
        ),
    ],
)
def test_a_register_that_was_changed_behind_the_ledger_decides_nothing(
    begun: list[dict[str, Any]], stillwatch: Stillwatch, statements: tuple[str, ...], says: str
) -> None:
    change_behind(*statements)
    said = example(stillwatch, decide.PROPOSE_HELP, code=ExitCode.UNVERIFIED)
    assert says in said.err


def test_an_approval_that_nobody_gave_builds_no_bundle(begun: list[dict[str, Any]], stillwatch: Stillwatch) -> None:
    block = proposed(stillwatch)["decision"]
    example(stillwatch, bundle.KEY_HELP)
    call(stillwatch, "ledger role --ledger ledger.db --actor alice --assign viewer --to zoe")  # an entry of alice
    change_behind(f"INSERT INTO approval (decision_id, entry_index) SELECT '{block}', max(entry_index) FROM entry")
    said = example(stillwatch, bundle.BUILD_HELP, code=ExitCode.UNVERIFIED)
    assert f"the approval of {block} is not what entry" in said.err


def change_behind(*statements: str) -> None:
    """Change the store as somebody with the file would."""
    with contextlib.closing(sqlite3.connect("ledger.db")) as connection, connection:
        for statement in statements:
            connection.execute(statement)


def test_what_is_on_record_is_named_and_not_proposed_again(begun: list[dict[str, Any]], stillwatch: Stillwatch) -> None:
    first = example(stillwatch, decide.PROPOSE_HELP, "--json").document["decisions"]
    assert all(one["new"] and one["supersedes"] == [] for one in first)
    block = next(one["decision"] for one in first if one["action"] == "block")
    example(stillwatch, decide.APPROVE_HELP, DECISION=block)
    entries = number_of_entries()
    again = example(stillwatch, decide.PROPOSE_HELP, "--json").document["decisions"]
    assert [(one["decision"], one["new"]) for one in again] == [(one["decision"], False) for one in first]
    assert "0 new decisions" in example(stillwatch, decide.PROPOSE_HELP).out
    assert number_of_entries() == entries


def test_a_changed_decision_supersedes_the_older_one_and_says_so(
    begun: list[dict[str, Any]], stillwatch: Stillwatch
) -> None:
    block = proposed(stillwatch)["decision"]
    example(stillwatch, decide.APPROVE_HELP, DECISION=block)
    Path("terms.yaml").write_text(
        TERMS.replace('version: "1"', 'version: "2"').replace("action: block", "action: challenge")
    )
    member, *_ = members = begun[0]["members"]
    accepted = [
        {"account_id": one, "terms": "api", "version": "2", "accepted_at": "2021-01-01T00:00:00Z"}
        for one in members[1:]
    ]
    Path("accepted.jsonl").write_text("".join(json.dumps(one) + "\n" for one in accepted))
    call(stillwatch, "terms add terms.yaml --ledger ledger.db --actor bob")
    call(stillwatch, "terms accept accepted.jsonl --ledger ledger.db --actor bob")
    said = example(stillwatch, decide.PROPOSE_HELP)
    assert f"supersedes {block}" in said.out
    listed = example(stillwatch, decide.LIST_HELP, "--json").document["decisions"]
    by_id = {one["decision"]: one for one in listed}
    challenge = next(one for one in listed if one["action"] == "challenge")
    # The challenge has begun; the block of the one who kept the old terms waits for approval, so the older block still holds them.
    assert (challenge["acts_on"], by_id[block]["acts_on"]) == (len(members) - 1, 1)
    assert by_id[block]["superseded_by"] is not None
    example(stillwatch, bundle.KEY_HELP)
    assert example(stillwatch, bundle.BUILD_HELP, "--json").document["actions"] == {"challenge": 1, "block": 1}
    for account, action in ((member, "block"), (members[1], "challenge"), (members[-1], "challenge")):
        shown = call(stillwatch, f"bundle show gateway.bundle --key bundle.pub --account {account} --json").document
        assert shown["account"]["action"] == action


def number_of_entries() -> int:
    with contextlib.closing(sqlite3.connect("ledger.db")) as connection:
        return int(connection.execute("SELECT count(*) FROM entry").fetchone()[0])


MARK_TERMS = """\
terms: api
version: "1"
title: API terms
appeal: appeals@example.com
wording: 7.3 Customer will not pool accounts. 8.1 Provider may mark Output.
clauses:
  - {id: marks, kind: marking-disclosure, clause: "8.1", says: Provider may mark Output.}
  - {id: no-pooling, kind: coordination, class: measure, mode: enforce, clause: "7.3", says: Customer will not pool accounts.,
     action: mark, when: {coordinated: true, harvesting: true}}
"""


def test_the_bundle_takes_the_campaigns_key_from_the_registry(
    begun: list[dict[str, Any]], stillwatch: Stillwatch
) -> None:
    Path("terms.yaml").write_text(MARK_TERMS.replace('"1"', '"3"'))
    members, campaign = begun[0]["members"], begun[0]["id"]
    accepted = [
        {"account_id": one, "terms": "api", "version": "3", "accepted_at": "2021-01-01T00:00:00Z"} for one in members
    ]
    Path("accepted.jsonl").write_text("".join(json.dumps(one) + "\n" for one in accepted))
    call(stillwatch, "terms add terms.yaml --ledger ledger.db --actor bob")
    call(stillwatch, "terms accept accepted.jsonl --ledger ledger.db --actor bob")
    example(stillwatch, decide.PROPOSE_HELP)
    example(stillwatch, bundle.KEY_HELP)
    built = example(stillwatch, bundle.BUILD_HELP, "--json")
    assert built.document["campaigns_without_key"] == [campaign]
    assert "has no key in use" in example(stillwatch, bundle.BUILD_HELP).out
    call(stillwatch, "keys master --out marks.secret")

    def issue(scheme: str) -> str:
        issued = call(
            stillwatch,
            f"keys issue --ledger ledger.db --actor bob --master file:marks.secret --level campaign --subject {campaign} --scheme {scheme} "
            f"--tokenizer-digest sha256:{'ab' * 32} --valid-until 2099-01-01T00:00:00Z --json",
        )
        return str(issued.document["keys"][0]["handle"])

    first = issue("sglang-gumbel@murmur3-v1")
    assert example(stillwatch, bundle.BUILD_HELP, "--json").document["mark_keys"] == {}  # its window begins in a second
    time.sleep(1.1)
    built = example(stillwatch, bundle.BUILD_HELP, "--json").document
    assert (list(built["mark_keys"].values()), built["campaigns_without_key"]) == ([first], [])
    second = issue("sglang-gumbel@murmur3-v1")
    green = issue("green-bernoulli@v1")
    time.sleep(1.1)
    assert "--mark-scheme" in example(stillwatch, bundle.BUILD_HELP, code=ExitCode.USAGE).err
    for scheme, handle in (("sglang-gumbel@murmur3-v1", second), ("green-bernoulli@v1", green)):
        built = example(stillwatch, bundle.BUILD_HELP, "--mark-scheme", scheme, "--json").document
        assert list(built["mark_keys"].values()) == [handle]
    call(stillwatch, f"keys retire {second} --ledger ledger.db --actor bob --reason closed")
    built = example(stillwatch, bundle.BUILD_HELP, "--mark-scheme", "sglang-gumbel@murmur3-v1", "--json").document
    assert list(built["mark_keys"].values()) == [first]
    call(
        stillwatch,
        "keys export --in-use --ledger ledger.db --actor bob --master file:marks.secret --purpose gateway --out marks.jsonl",
    )
    raw = [json.loads(line)["key_hex"] for line in Path("marks.jsonl").read_text().splitlines()]
    content = Path("gateway.bundle").read_bytes()
    assert len(raw) == 2
    assert not any(key.encode() in content or bytes.fromhex(key) in content for key in raw)
    call(
        stillwatch,
        "guard --upstream http://127.0.0.1:9 --check --engine sglang --mark-keys marks.jsonl --bundle gateway.bundle --key bundle.pub "
        "--for example.com/gateway --state gateway.state",
    )


def test_a_case_takes_the_decisions_on_its_campaigns_with_what_replays_them(
    begun: list[dict[str, Any]], stillwatch: Stillwatch
) -> None:
    from stillwatch.cli.case_options import open_cases  # noqa: PLC0415
    from stillwatch.decisions.compile_policy import compile_terms  # noqa: PLC0415
    from stillwatch.decisions.evaluate import replay  # noqa: PLC0415

    case = call(stillwatch, "case open 'Harvest' --ledger ledger.db --actor bob --keys keys --json").document["case"]
    at = "--ledger ledger.db --actor bob --keys keys"
    assert "holds no campaign" in call(stillwatch, f"case add {case} --decisions {at}", code=ExitCode.USAGE).err
    document = {"version": "", "fdr": 0.01, "campaigns": begun[:1], "considered": []}
    (campaign,) = read_campaigns_document(document, "test").campaigns
    with open_cases("ledger.db", "bob", "APPEND", Path("keys")) as cases:
        cases.work.add(case, [campaign_item(campaign, 0.01)], "bob")
    assert (
        "no decision on the case's campaigns"
        in call(stillwatch, f"case add {case} --decisions {at}", code=ExitCode.USAGE).err
    )
    block = proposed(stillwatch)["decision"]
    (added,) = call(stillwatch, f"case add {case} --decisions {at} --json").document["items"]
    assert added["kind"] == "decision"
    call(stillwatch, f"case add {case} --decisions {at}", code=ExitCode.USAGE)  # it holds them
    example(stillwatch, decide.APPROVE_HELP, DECISION=block)
    assert len(call(stillwatch, f"case add {case} --decisions {at} --json").document["items"]) == 1  # now approved
    with open_cases("ledger.db", "bob", "READ", Path("keys")) as cases:
        last = cases.work.unsealed(case)[-1].disclosures
    held = {name: value for name, (_, value) in last.items()}
    assert (held["decision"], held["approved_by"], held["members"]) == (block, "carol", list(campaign.members))
    (evaluation,), (policies,) = held["evaluations"], held["policies"]
    # Whoever has the bundle has policies and request, and Cedar gives the same bytes.
    Path("terms-of-case.yaml").write_text(TERMS)
    from stillwatch.cli.terms_files import read_terms_file  # noqa: PLC0415

    compiled = compile_terms(read_terms_file(Path("terms-of-case.yaml")).terms)
    assert (policies["digest"], policies["policies"], policies["schema"]) == (
        compiled.digest,
        compiled.policies,
        compiled.schema,
    )
    assert replay(evaluation.encode(), compiled).record == evaluation.encode()
    status = call(stillwatch, f"case status {case} {at} --json").document["elements"]["gate"]["statements"]
    assert status == 2
    call(stillwatch, "ledger checkpoint --ledger ledger.db --actor alice --key-file ledger.key")
    for name, more in (("whole", ""), ("shared", "--share")):
        call(stillwatch, f"case export {case} --out {name} {more} --key-file ledger.key {at}")
        said = stillwatch(*shlex.split(f"case verify {name} --log-key {name}/ledger/log.vkey --json"))
        assert "5" in said.document["established"], said.err
    records = {
        name: "".join(path.read_text() for path in Path(name, "records").iterdir()) for name in ("whole", "shared")
    }
    assert "decision proposed" in records["whole"]
    assert "decision approved" in records["whole"]
    assert campaign.members[0] not in records["shared"]
    assert "carol" not in "".join(path.read_text() for path in Path("shared").rglob("*.json"))
    readable = "".join(path.read_text() for path in Path("shared").rglob("*.html"))
    assert f"Decision {block}" in readable
