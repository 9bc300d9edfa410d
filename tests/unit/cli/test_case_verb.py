"""`stillwatch case` and the rest of `indicators`: every example as it stands, from a run's folder to a bundle that verifies."""

from __future__ import annotations

import json
import shlex
import shutil
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import two_providers as two
from command_line_calls import Said

INTEGRITY_TESTS = Path(__file__).resolve().parents[1] / "integrity"
if str(INTEGRITY_TESTS) not in sys.path:  # the authority is written once
    sys.path.insert(0, str(INTEGRITY_TESTS))

import time_stamping_authority  # noqa: E402

from stillwatch.cli import case as case_verbs  # noqa: E402
from stillwatch.cli import indicators as indicator_verbs  # noqa: E402
from stillwatch.cli.exit_codes import ExitCode  # noqa: E402
from stillwatch.evidence.incident_report import campaigns_document  # noqa: E402

Stillwatch = Callable[..., Said]
RUN = {
    "version": "0.1.0", "engine": "duckdb", "fdr": 0.01, "input_digest": "aa", "output_digest": "bb", "counts": {}, "tests_not_run": [],
    "formats": ["generic"],
}  # fmt: skip
needs_openssl = pytest.mark.skipif(
    time_stamping_authority.missing() is not None, reason=str(time_stamping_authority.missing())
)


@pytest.fixture
def begun(tmp_path: Path, stillwatch: Stillwatch, monkeypatch: pytest.MonkeyPatch) -> str:
    """A ledger with its people, a run's folder `case` and its logs `world`; give the log's public key."""
    monkeypatch.chdir(tmp_path)
    for name in ("STILLWATCH_LEDGER_KEY_FILE", "STILLWATCH_CASE_KEYS"):
        monkeypatch.delenv(name, raising=False)
    said = stillwatch(
        *shlex.split(
            "ledger init --ledger ledger.db --origin example.com/log --actor alice --key-file ledger.key --json"
        )
    )
    for role, name in (("analyst", "bob"), ("approver", "carol"), ("viewer", "vera"), ("auditor", "otto")):
        stillwatch(*shlex.split(f"ledger role --ledger ledger.db --actor alice --assign {role} --to {name}"))
    log = two.write_provider(tmp_path / "world", "traffic-0", operators=6, honest=5, seed=31)
    Path("world/accounts.parquet").write_bytes(b"")
    _accounts(Path("world/accounts.parquet"))
    Path("case").mkdir()
    document = campaigns_document(
        version="0.1.0", fdr=0.01, campaigns=[two.campaign_of(log, "traffic-0")], considered=[]
    )
    Path("case/campaigns.json").write_text(json.dumps(document), encoding="utf-8")
    Path("case/run.json").write_text(json.dumps(RUN), encoding="utf-8")
    return str(said.document["verifier_key"])


def _accounts(path: Path) -> None:
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.parquet as pq  # noqa: PLC0415

    pq.write_table(pa.table({"account_id": ["traffic-0-honest-0"], "payment_id": ["pm_x"]}), path)


def call(stillwatch: Stillwatch, line: str, *more: str, actor: str = "bob") -> Said:
    """Run a verb below `case` on the ledger of the current folder."""
    return stillwatch("case", *shlex.split(line), *more, "--ledger", "ledger.db", "--actor", actor, "--keys", "keys")


def opened(stillwatch: Stillwatch) -> str:
    """Open a case; give its id."""
    return str(call(stillwatch, "open 'Harvest of June' --json").document["case"])


@needs_openssl
def test_every_example_of_case_works_as_it_stands(begun: str, stillwatch: Stillwatch, tmp_path: Path) -> None:
    authority = time_stamping_authority.Authority(tmp_path / "authority")
    shutil.copy(authority.root, "tsa.pem")
    Path("log.vkey").write_text(begun, encoding="utf-8")
    words: dict[str, str] = {"LOG_KEY_FILE": "log.vkey"}
    stillwatch(*shlex.split("decide propose case --ledger ledger.db --actor bob"))
    for verb, _ in case_verbs.VERBS:
        for example in verb.examples:
            if verb.name == "export" and "--share" not in example:
                stillwatch(*shlex.split("ledger checkpoint --ledger ledger.db --actor alice --key-file ledger.key"))
                with authority.serving() as url:
                    stamp = f"ledger stamp --ledger ledger.db --actor alice --tsa-url {url} --tsa-certificates tsa.pem"
                    assert stillwatch(*shlex.split(stamp)).code == ExitCode.DONE
            said = stillwatch(*(words.get(word, word) for word in shlex.split(example)[1:]), "--json")
            assert said.code == ExitCode.DONE, f"{example}: {said.err}"
            if verb.name == "open":
                words["CASE"] = said.document["case"]
    assert "The key of case-" in said.err
    verified = stillwatch("case", "verify", "shared.zip", "--log-key", "log.vkey", "--authority", "tsa.pem", "--json")
    assert verified.code == ExitCode.DONE
    assert sorted(verified.document["established"]) == [str(number) for number in range(1, 9)]
    assert verified.document["open"] == {}


def test_every_example_of_indicators_works_as_it_stands(begun: str, stillwatch: Stillwatch) -> None:
    Path("ours").write_text("payment\tpm_1\n", encoding="utf-8")
    words = {"OURS": "ours", "THEIRS": "ours"}
    for verb, _ in indicator_verbs.VERBS:
        for example in verb.examples:
            shared = next(iter(sorted(Path("shared").glob("*.stix.json"))), Path("none"))
            words["shared/INDICATORS.stix.json"] = str(shared)
            said = stillwatch(*(words.get(word, word) for word in shlex.split(example)[1:]), "--json")
            assert said.code == ExitCode.DONE, f"{example}: {said.err}"
    assert said.document["identifiers"] == ["payment pm_1"]


def test_a_look_at_exhibits_is_an_entry_before_it_and_only_for_who_may(begun: str, stillwatch: Stillwatch) -> None:
    case = opened(stillwatch)
    line = f"add {case} --run case --exhibits world/traffic-0.jsonl --most-exhibits 3"
    refused = call(stillwatch, line, actor="alice")
    assert refused.code == ExitCode.REFUSED
    assert "may not look at text" in refused.err
    added = call(stillwatch, line, "--json")
    assert [one["kind"] for one in added.document["items"]] == ["run", "campaign", "exchange", "exchange", "exchange"]
    shown = stillwatch(*shlex.split("ledger show --ledger ledger.db --actor otto --json"))
    kinds = [one["kind"] for one in shown.document["entries"]]
    assert kinds.index("text refused") < kinds.index("text looked at") < len(kinds) - 1
    assert "patient teacher" not in shown.out


def test_terms_decisions_releases_reports_claims_and_statements(begun: str, stillwatch: Stillwatch) -> None:
    case = opened(stillwatch)
    Path("terms.json").write_text(
        '{"account_id":"a","terms_version":"2026-03","accepted_at":"2026-04-02T10:00:00Z"}', encoding="utf-8"
    )
    Path("decision.json").write_text('{"account_id":"a","action":"block","gate":"daily limit"}', encoding="utf-8")
    Path("report.json").write_text('{"about":"Suspect-7B"}', encoding="utf-8")
    Path("releases.csv").write_text("model,released_at\nSuspect-7B,2026-05-20T00:00:00Z\n", encoding="utf-8")
    claim = campaigns_document(version="", fdr=0.5, campaigns=[two.example.pool()], considered=[])["campaigns"][0][
        "claims"
    ][0]
    Path("claim.json").write_text(json.dumps(claim), encoding="utf-8")
    files = "--terms terms.json --decision decision.json --report report.json --claim claim.json"
    said = call(
        stillwatch,
        f"add {case} {files} --releases releases.csv --suspect 'Suspect Labs' --attest harm --text 'USD 1'",
        "--json",
    )
    assert [one["kind"] for one in said.document["items"]] == [
        "terms", "decision", "suspect report", "claim", "releases", "statement",
    ]  # fmt: skip
    status = call(stillwatch, f"status {case}", "--json", actor="vera").document
    filled = {name for name, one in status["elements"].items() if one["statements"]}
    assert filled == {"terms", "gate", "copy", "coordination", "timeline", "harm"}


@pytest.mark.parametrize(
    ("line", "code", "says"),
    [
        ("add CASE", ExitCode.USAGE, "nothing was named to add"),
        ("add CASE --attest gate", ExitCode.USAGE, "--attest needs --text"),
        ("add CASE --releases x", ExitCode.USAGE, "--releases needs --suspect"),
        ("add CASE --campaign c-1", ExitCode.USAGE, "name its folder with --run"),
        ("add CASE --run case --campaign c-1", ExitCode.USAGE, "which case does not hold"),
        ("add CASE --terms nothing.json", ExitCode.INPUT, "nothing.json: cannot be read"),
        ("add CASE --attest guilt --text x", ExitCode.INPUT, "got the element 'guilt'"),
        ("add case-000000000000 --attest gate --text x", ExitCode.INPUT, "there is no case"),
        ("note CASE ' '", ExitCode.INPUT, "a note has 1 characters"),
        ("status CASE --set done", ExitCode.USAGE, "--set got 'done'"),
        ("open ' '", ExitCode.USAGE, "TITLE is empty"),
        ("export CASE --out bundle", ExitCode.USAGE, "no signing key was named"),
        (
            "export CASE --out bundle --key-file ledger.key",
            ExitCode.INPUT,
            "make one with `stillwatch ledger checkpoint`",
        ),
    ],
)
def test_what_cannot_be_done_is_said(begun: str, stillwatch: Stillwatch, line: str, code: ExitCode, says: str) -> None:
    case = opened(stillwatch)
    said = call(stillwatch, line.replace("CASE", case))
    assert (said.code, says in said.err) == (code, True), said.err


@pytest.mark.parametrize(
    ("line", "actor"),
    [("open x", "vera"), ("note CASE x", "otto"), ("erase CASE --reason x", "bob"), ("list", "nobody")],
)
def test_who_may_not_is_refused(begun: str, stillwatch: Stillwatch, line: str, actor: str) -> None:
    case = opened(stillwatch)
    said = call(stillwatch, line.replace("CASE", case), actor=actor)
    assert said.code == ExitCode.REFUSED
    assert "may not" in said.err


def test_keys_must_be_named(begun: str, stillwatch: Stillwatch) -> None:
    said = stillwatch("case", "list", "--ledger", "ledger.db", "--actor", "bob")
    assert said.code == ExitCode.USAGE
    assert "expected --keys DIR, or STILLWATCH_CASE_KEYS" in said.err


def test_a_changed_bundle_ends_with_the_step_and_exit_code_11(begun: str, stillwatch: Stillwatch) -> None:
    case = opened(stillwatch)
    call(stillwatch, f"note {case} hello")
    stillwatch(*shlex.split("ledger checkpoint --ledger ledger.db --actor alice --key-file ledger.key"))
    assert call(stillwatch, f"export {case} --out bundle --key-file ledger.key").code == ExitCode.DONE
    assert stat.S_IMODE(Path("bundle").stat().st_mode) == 0o700
    untrusted = stillwatch("case", "verify", "bundle", "--json")
    assert untrusted.code == ExitCode.UNVERIFIED
    assert sorted(untrusted.document["open"]) == ["1", "2", "8"]
    Path("bundle/gaps.txt").write_text("nothing", encoding="utf-8")
    said = stillwatch("case", "verify", "bundle", "--json")
    assert said.code == ExitCode.UNVERIFIED
    assert said.document["error"]["message"].startswith("bundle: step 1, ")
    assert stillwatch("case", "verify", "nowhere").code == ExitCode.INPUT
    again = call(stillwatch, f"export {case} --out bundle --key-file ledger.key")
    assert again.code == ExitCode.INPUT
    assert "is there already" in again.err


def test_a_text_is_exported_only_by_who_may_look_at_it(begun: str, stillwatch: Stillwatch) -> None:
    case = opened(stillwatch)
    call(stillwatch, f"add {case} --run case --exhibits world/traffic-0.jsonl --most-exhibits 1")
    stillwatch(*shlex.split("ledger checkpoint --ledger ledger.db --actor alice --key-file ledger.key"))
    refused = call(stillwatch, f"export {case} --out whole --key-file ledger.key", actor="otto")
    assert refused.code == ExitCode.REFUSED
    assert not Path("whole").exists()
    shared = call(stillwatch, f"export {case} --share --out shared --key-file ledger.key", actor="otto")
    assert shared.code == ExitCode.DONE
    assert "patient teacher" not in "".join(path.read_text("utf-8", "replace") for path in Path("shared").rglob("*.*"))
    whole = call(stillwatch, f"export {case} --out whole --key-file ledger.key")
    assert whole.code == ExitCode.DONE
    assert "patient teacher" in Path("whole/report.html").read_text(encoding="utf-8")


def test_a_sealed_run_leads_each_exhibit_to_sealed_bytes_and_a_changed_log_is_refused(
    begun: str, stillwatch: Stillwatch
) -> None:
    from stillwatch.cli.ledger_options import open_for  # noqa: PLC0415
    from stillwatch.evidence.sealing import SealedRun, seal_run, sealed_file  # noqa: PLC0415

    log = Path(json.loads(Path("case/campaigns.json").read_text())["campaigns"][0]["exhibits"][0]["source_file"])
    run = SealedRun(
        version="0.1.0", input_digest=str(RUN["input_digest"]), output_digest=str(RUN["output_digest"]),
        inputs=(sealed_file("traffic", log),), results=(sealed_file("campaigns.json", Path("case/campaigns.json")),),
    )  # fmt: skip
    with open_for("ledger.db", "bob", "SEAL_RUN") as (_, access):
        sealed = seal_run(access, "bob", run)
    case = opened(stillwatch)
    line = f"add {case} --run case --exhibits world/traffic-0.jsonl --most-exhibits 2"
    assert call(stillwatch, line).code == ExitCode.DONE
    stillwatch(*shlex.split("ledger checkpoint --ledger ledger.db --actor alice --key-file ledger.key"))
    assert call(stillwatch, f"export {case} --out bundle --key-file ledger.key").code == ExitCode.DONE
    entry = json.loads(Path(f"bundle/records/{sealed:012d}.json").read_bytes())
    assert entry["kind"] == "run sealed"
    assert entry["record"]["inputs"][0]["path"] == str(log)
    page = Path("bundle/report.html").read_text(encoding="utf-8")
    assert f"sealed as entry {sealed} of the log" in page
    assert "was not sealed when it was made" not in page
    assert call(stillwatch, f"export {case} --share --out shared --key-file ledger.key").code == ExitCode.DONE
    assert not Path(f"shared/records/{sealed:012d}.json").exists()
    assert sorted(stillwatch("case", "verify", "bundle", "--json").document["open"]) == ["1", "2", "8"]
    log.write_bytes(log.read_bytes().replace(b"patient", b"hostile", 1))
    said = call(stillwatch, line)
    assert said.code == ExitCode.UNVERIFIED
    assert "is not the file that was sealed" in said.err


def test_a_share_is_an_entry_without_an_identifier(begun: str, stillwatch: Stillwatch) -> None:
    stillwatch("indicators", "key", "partners.key")
    export = "indicators export case 'world/traffic-*' --key-file partners.key --producer North --out shared"
    assert stillwatch(*shlex.split(f"{export} --ledger ledger.db")).code == ExitCode.USAGE
    assert stillwatch(*shlex.split(f"{export} --ledger ledger.db --actor vera")).code == ExitCode.REFUSED
    said = stillwatch(*shlex.split(f"{export} --ledger ledger.db --actor bob --json"))
    (shared,) = said.document["sets"]
    shown = stillwatch(*shlex.split("ledger show --ledger ledger.db --actor otto --json")).document["entries"]
    index = next(one["index"] for one in shown if one["kind"] == "indicators shared")
    text = stillwatch(*shlex.split(f"ledger show {index} --ledger ledger.db --actor otto --json")).out
    assert shared["set_id"] in text
    digests = [
        one["extensions"]
        for one in json.loads(Path(shared["stix"]).read_text())["objects"]
        if one["type"] == "indicator"
    ]
    assert digests
    assert not [one for one in json.dumps(digests).split('"') if len(one) == 64 and one in text]


def test_an_exhibit_that_is_another_exchange_now_is_not_taken_for_it(begun: str, stillwatch: Stillwatch) -> None:
    """A log with the same name and an exchange at the same place, of another account: not the exhibit."""
    case = opened(stillwatch)
    log = Path("world/traffic-0.jsonl")
    log.write_bytes(log.read_bytes().replace(b"traffic-0-op-", b"traffic-0-xx-"))
    said = call(stillwatch, f"add {case} --run case --exhibits world/traffic-0.jsonl")
    assert said.code == ExitCode.USAGE
    assert "is not in these logs; name those that the run read" in said.err


def test_a_missing_extra_is_named(begun: str, stillwatch: Stillwatch, monkeypatch: pytest.MonkeyPatch) -> None:
    stillwatch("indicators", "key", "partners.key")
    Path("ours").write_text("payment\tpm_1\n", encoding="utf-8")
    for name in ("stix2", "private_set_intersection", "private_set_intersection.python"):
        monkeypatch.setitem(sys.modules, name, None)
    export = "indicators export case 'world/traffic-*' --key-file partners.key --producer North --out shared"
    for line, extra in ((export, "sharing"), ("indicators private-ask ours --state s --out q", "private-intersection")):
        said = stillwatch(*shlex.split(line))
        assert said.code == ExitCode.MISSING
        assert f"pip install 'stillwatch[{extra}]'" in said.err
