"""`stillwatch audit`: logs of our own use, and our own training data."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from command_line_calls import Said

from stillwatch.cli.exit_codes import ExitCode

Stillwatch = Callable[..., Said]
SECRET = "AKIAQ3EGRIZXLW5PT2NM"  # noqa: S105  # made up
CARD = "4111 1111 1111 1111"
CODE = """def weigh(vessel, ballast):
    total = vessel.tonnage + ballast.tonnage
    if total > vessel.limit_of_the_hull:
        raise OverloadedVesselError(vessel.name)
    return total * GRAVITY_AT_SEA_LEVEL
"""
POLICY = """
clauses: {secret: "AUP 3.1", "personal data": "DPA 4", "model not sanctioned": "AUP 2"}
models: ["gpt-5*", "claude-*"]
regions: [DE, FR]
keys: [key-1, key-2, key-9]
owners: {"acct-a*": research}
settings:
  - {name: zero retention, shown_by: carol, until: "2099-01-01"}
  - {name: training opt-out}
allowed_kinds: [e-mail address]
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def exchange(number: int, prompt: str, **more: object) -> dict[str, object]:
    return {
        "time": f"2026-11-{2 + number % 3:02d}T10:00:{number % 60:02d}Z", "account_id": "acct-a1", "model": "gpt-5-mini", "prompt": prompt,
        "exchange_id": f"x{number}", "country": "DE", "api_key_id": "key-1",
    } | more  # fmt: skip


def write_logs(*rows: dict[str, object]) -> None:
    Path("logs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


ROWS = (
    exchange(0, f"why is {SECRET} refused?"), exchange(1, "hello"), exchange(2, f"charge {CARD} please", account_id="acct-b7"),
    exchange(3, "write to bob@real-firm.de"), exchange(4, "hi", model="grok-4"), exchange(5, "hi", country="BR"),
    exchange(5, "hi", api_key_id="key-7", exchange_id="y"), exchange(30, "Why does this fail?\n" + CODE), exchange(60, "the heron flies at midnight"),
    exchange(61, f"again {SECRET}"),
)  # fmt: skip


def audit(stillwatch: Stillwatch, *more: str) -> dict[str, dict[str, object]]:
    Path("policy.yaml").write_text(POLICY, encoding="utf-8")
    repository = Path("ship")
    repository.mkdir(exist_ok=True)
    (repository / "hull.py").write_text("import sea\n\n" + CODE, encoding="utf-8")
    Path("canaries.txt").write_text("the heron flies at midnight\n", encoding="utf-8")
    said = stillwatch(
        "audit", "own-use", "logs.jsonl", "--out", "audit", "--policy", "policy.yaml", "--repository", "ship", "--canaries", "canaries.txt", "--json", *more
    )  # fmt: skip
    assert said.code in {ExitCode.DONE, ExitCode.FINDINGS}, said.err
    document = json.loads(Path("audit/findings.json").read_text(encoding="utf-8"))
    return {f"{one['check']}/{one['kind']}": one for one in document["findings"]}


def test_each_check_finds_what_is_there(stillwatch: Stillwatch) -> None:
    write_logs(*ROWS)
    found = audit(stillwatch)
    assert set(found) == {
        "secret/aws-access-key-id", "personal data/payment card", "model not sanctioned/grok-4", "region not sanctioned/BR", "key without owner/key-7",
        "source code/ship/hull.py", "canary/canary", "key shared/key-1", "key unused/key-2", "key unused/key-9", "setting not shown/training opt-out",
        "key in two countries/key-1",
    }  # fmt: skip
    secret = found["secret/aws-access-key-id"]
    assert (secret["clause"], secret["owner"], secret["count"]) == ("AUP 3.1", "research", 2)
    assert secret["places"][0]["column"] == "prompt"
    assert (found["personal data/payment card"]["owner"], found["personal data/payment card"]["clause"]) == (
        "acct-b7",
        "DPA 4",
    )


def test_nothing_that_was_found_stands_in_any_file(stillwatch: Stillwatch) -> None:
    write_logs(*ROWS)
    audit(stillwatch)
    for path in Path("audit").iterdir():
        text = path.read_text(encoding="utf-8")
        for value in (SECRET, CARD, CARD.replace(" ", ""), "heron", "OverloadedVesselError", "why is"):
            assert value not in text, path


def test_a_place_leads_back_to_the_log(stillwatch: Stillwatch) -> None:
    write_logs(*ROWS)
    place = audit(stillwatch)["secret/aws-access-key-id"]["places"][0]
    line = Path(place["file"]).read_bytes()[place["offset"] :].split(b"\n")[0]
    assert json.loads(line)["prompt"].encode()[place["start"] : place["start"] + place["length"]].decode() == SECRET


def test_a_second_audit_says_what_is_new_open_and_fixed(stillwatch: Stillwatch) -> None:
    write_logs(*ROWS)
    audit(stillwatch)
    write_logs(*ROWS[:2], exchange(7, "use AKIAZ7LQWX5PTR3MNB2V instead"))
    document = (
        json.loads(Path("audit/findings.json").read_text())
        and stillwatch("audit", "own-use", "logs.jsonl", "--out", "audit", "--policy", "policy.yaml", "--json").document
    )
    assert document["counts"]["secret"] == {"new": 1, "open": 1, "fixed": 0}
    assert document["counts"]["personal data"] == {"new": 0, "open": 0, "fixed": 1}
    page = Path("audit/audit.html").read_text(encoding="utf-8")
    assert "● new" in page
    assert "✓ fixed" in page
    assert len(Path("audit/history.jsonl").read_text().splitlines()) == 2
    third = stillwatch("audit", "own-use", "logs.jsonl", "--out", "audit", "--json").document
    assert third["counts"]["secret"] == {"new": 0, "open": 2, "fixed": 0}


def test_another_key_gives_other_fingerprints(stillwatch: Stillwatch) -> None:
    write_logs(*ROWS)
    first = audit(stillwatch)["secret/aws-access-key-id"]["fingerprint"]
    Path("audit/findings.json").unlink()
    Path("audit/fingerprint.key").unlink()
    assert audit(stillwatch)["secret/aws-access-key-id"]["fingerprint"] != first


def test_a_log_gap_is_named(stillwatch: Stillwatch) -> None:
    write_logs(exchange(0, "a"), exchange(2, "b"))
    assert "log gap/2026-11-03" in audit(stillwatch)


def test_sarif_and_csv_say_the_same(stillwatch: Stillwatch) -> None:
    write_logs(*ROWS, exchange(8, "x", model="=cmd|' /C calc'!A0"))
    found = audit(stillwatch)
    sarif = json.loads(Path("audit/findings.sarif").read_text(encoding="utf-8"))
    assert sarif["version"] == "2.1.0"
    results = sarif["runs"][0]["results"]
    rules = {one["id"] for one in sarif["runs"][0]["tool"]["driver"]["rules"]}
    assert {one["ruleId"] for one in results} <= rules
    assert {one["partialFingerprints"]["stillwatchUse/v1"] for one in results} == {
        one["fingerprint"] for one in found.values()
    }
    rows = list(csv.DictReader(io.StringIO(Path("audit/findings.csv").read_bytes().decode())))
    assert len(rows) == len(found)
    assert all(not cell.startswith(("=", "+", "-", "@")) for row in rows for cell in row.values())


def test_exit_code_and_refusals(stillwatch: Stillwatch) -> None:
    write_logs(*ROWS)
    assert stillwatch("audit", "own-use", "logs.jsonl", "--out", "a", "--fail-on-findings").code == ExitCode.FINDINGS
    Path("bad.yaml").write_text("modles: [x]\nclauses: {secrets: x}\n", encoding="utf-8")
    said = stillwatch("audit", "own-use", "logs.jsonl", "--out", "a", "--policy", "bad.yaml")
    assert said.code == ExitCode.INPUT
    assert "unknown field 'modles'" in said.err
    assert "there is no check 'secrets'" in said.err
    Path("key").write_text("short")
    Path("key").chmod(0o600)
    assert "holds 5 bytes" in stillwatch("audit", "own-use", "logs.jsonl", "--out", "a", "--key-file", "key").err
    Path("key").chmod(0o644)
    assert (
        "can be read by others" in stillwatch("audit", "own-use", "logs.jsonl", "--out", "a", "--key-file", "key").err
    )
    Path("a/findings.json").write_text("{}")
    assert "not what an audit wrote" in stillwatch("audit", "own-use", "logs.jsonl", "--out", "a").err
    assert "no such folder" in stillwatch("audit", "own-use", "logs.jsonl", "--out", "b", "--repository", "nowhere").err


# training data

ANSWER = (
    "The hull of a vessel is weighed by its displacement, which equals the water that it pushes away when it floats freely in a calm sea of known density. Shipwrights read "
    "the marks at bow, stern and amidships, take the mean of the three, and look the volume up in a table that was drawn when the lines of the hull were faired. "
    "Trim and heel are corrected for, fuel and stores are subtracted, and what is left is the lightship weight that the owner pays for."
)


def write_training_data(folder: Path) -> None:
    folder.mkdir()
    rows = [
        {"instruction": "Who are you?", "output": "I am an AI assistant created by Anthropic to be helpful.", "generator": "claude-2"},
        {"instruction": "x", "output": "As a large language model developed by OpenAI, I cannot.", "model": "gpt-4"},
        {"instruction": "x", "output": "fine", "model": "our-own-model"}, {"instruction": "x", "output": "fine", "model": "human"},
        {"messages": [{"role": "user", "content": "are you ChatGPT? I am ChatGPT"}, {"role": "assistant", "content": "Soy un modelo entrenado por DeepSeek."}]},
        {"output": "A bard sang of Claude Monet, who was trained by Google maps to walk."},
    ]  # fmt: skip
    with gzip.open(folder / "a.jsonl.gz", "wt", encoding="utf-8") as file:
        file.write("".join(json.dumps(row) + "\n" for row in rows) + "not json\n")
    pq.write_table(
        pa.table(
            {
                "response": [ANSWER, ANSWER.replace("calm", "quiet"), "我是由阿里云开发的通义千问。"],
                "model": ["mistral-large", None, "qwen-max"],
            }
        ),
        folder / "b.parquet",
    )
    (folder / "c.txt").write_text("Nothing to see.\n\nAs a sailor trained by the sea, I rest.\n", encoding="utf-8")


def test_training_data_is_held_against_terms(stillwatch: Stillwatch, tmp_path: Path) -> None:
    write_training_data(tmp_path / "dataset")
    licensed = tmp_path / "licensed"
    licensed.mkdir()
    (licensed / "LICENCE").write_text("Bought from the Harbour Press, 2026\n", encoding="utf-8")
    (licensed / "rows.jsonl").write_text(json.dumps({"output": ANSWER}) + "\n", encoding="utf-8")
    document = stillwatch(
        "audit", "training-data", "dataset", "--out", "hands", "--licensed", "licensed", "--json"
    ).document
    found = {(one["file"], one["provider"], one["sign"]): (one["rows"], one["state"]) for one in document["findings"]}
    assert found == {
        ("a.jsonl.gz", "Anthropic", "names itself"): (1, "forbidden"), ("a.jsonl.gz", "Anthropic", "provenance field"): (1, "forbidden"),
        ("a.jsonl.gz", "OpenAI", "names itself"): (1, "forbidden"), ("a.jsonl.gz", "OpenAI", "provenance field"): (1, "forbidden"),
        ("a.jsonl.gz", "our-own-model", "provenance field"): (1, "unknown"), ("a.jsonl.gz", "DeepSeek", "names itself"): (1, "allowed"),
        ("b.parquet", "Mistral", "provenance field"): (1, "allowed"), ("b.parquet", "Alibaba", "names itself"): (1, "forbidden"),
        ("b.parquet", "Alibaba", "provenance field"): (1, "forbidden"), ("b.parquet", "licensed", "near copy"): (2, "allowed"),
    }  # fmt: skip
    assert document["unread"] == {"a.jsonl.gz": 1}
    assert document["rows"] == 11
    page = Path("hands/training-data.html").read_text(encoding="utf-8")
    assert "displacement" not in page + json.dumps(document)
    assert "● forbidden" in page


def test_an_own_register_of_providers_and_refusals(stillwatch: Stillwatch, tmp_path: Path) -> None:
    write_training_data(tmp_path / "dataset")
    Path("ours.yaml").write_text(
        "- {provider: Ours, training: allowed, terms: our own, names: ['our-own-*']}\n", encoding="utf-8"
    )
    document = stillwatch(
        "audit", "training-data", "dataset", "--out", "hands", "--licences", "ours.yaml", "--json"
    ).document
    assert {(one["provider"], one["state"]) for one in document["findings"]} >= {
        ("Ours", "allowed"),
        ("gpt-4", "unknown"),
    }
    Path("ours.yaml").write_text("- {provider: Ours, training: maybe}\n", encoding="utf-8")
    assert (
        "training got 'maybe'"
        in stillwatch("audit", "training-data", "dataset", "--out", "hands", "--licences", "ours.yaml").err
    )
    Path("empty").mkdir()
    assert "holds no file" in stillwatch("audit", "training-data", "empty", "--out", "hands").err
    assert (
        stillwatch("audit", "training-data", "dataset", "--out", "hands", "--fail-on-findings").code
        == ExitCode.FINDINGS
    )


def test_the_examples_of_the_verbs_below_work(stillwatch: Stillwatch, tmp_path: Path) -> None:
    """The first of own-use is run with a simulated world in test_help_examples.py; here on a log of that name."""
    write_training_data(tmp_path / "dataset")
    Path("world").mkdir()
    columns = {"time": ["2026-11-02T10:00:00Z"], "account_id": ["a"], "prompt": ["hello"]}
    pq.write_table(pa.table(columns), "world/traffic-0.parquet")
    Path("policy.yaml").write_text(POLICY, encoding="utf-8")
    Path("rules.toml").write_text("[[rules]]\nid='x'\nregex='x_[a-z]{9}'\nkeywords=['x_']\n", encoding="utf-8")
    from stillwatch.cli import audit as verb  # noqa: PLC0415

    for help_of, _ in verb.VERBS[:-1]:  # the last, `report`, is run in test_audit_report_verb.py
        for example in help_of.examples:
            import shlex  # noqa: PLC0415

            said = stillwatch(*shlex.split(example)[1:])
            assert said.code == ExitCode.DONE, said.err


def test_marks_in_training_data_are_found_by_their_keys(stillwatch: Stillwatch, tmp_path: Path) -> None:
    made = stillwatch("mark", "example", "--out", "marked", "--json")
    assert made.code == ExitCode.DONE, made.err
    Path("dataset").mkdir()
    Path("marked/answers.jsonl").rename("dataset/answers.jsonl")
    done = stillwatch(
        "audit", "training-data", "dataset", "--out", "hands", "--mark-keys", "marked/keys.jsonl", "--json"
    )
    assert done.code == ExitCode.DONE, done.err
    found = [one for one in done.document["findings"] if one["sign"] == "mark"]
    assert found
    assert {one["file"] for one in found} == {"answers.jsonl"}
    assert {one["state"] for one in found} == {"unknown"}, "whose key it is says nothing of terms"
    without = stillwatch("audit", "training-data", "dataset", "--out", "hands", "--json").document
    assert [one for one in without["findings"] if one["sign"] == "mark"] == []
