"""Every example of the help, run as it stands there, in the order in which a newcomer would run them."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

PLUGIN_TESTS = Path(__file__).resolve().parents[1] / "plugins"
if str(PLUGIN_TESTS) not in sys.path:  # a bundle with an account for each action is written once
    sys.path.insert(0, str(PLUGIN_TESTS))

import products  # noqa: E402

from stillwatch.cli import (  # noqa: E402
    assets,
    audit,
    bundle,
    canary,
    decide,
    demo,
    detect,
    drill,
    evaluate,
    explain,
    formats,
    guard,
    guard_envoy,
    indicators,
    keys,
    law,
    ledger,
    main,
    mark,
    posture,
    shadow,
    simulate,
    sketch,
    suspect,
    terms,
    version,
)
from stillwatch.cli import case as case_verb  # noqa: E402
from stillwatch.cli.exit_codes import ExitCode  # noqa: E402
from stillwatch.cli.explanation import group_of  # noqa: E402
from stillwatch.cli.result_files import read_account, read_campaigns  # noqa: E402
from stillwatch.cli.verb_help import VerbHelp  # noqa: E402

pytestmark = pytest.mark.slow


def run_examples(verb: VerbHelp, folder: Path, **names: str) -> list[subprocess.CompletedProcess[str]]:
    """Run a verb's examples in a folder, capital names replaced."""
    done = []
    for example in verb.examples:
        words = [names.get(word, word) for word in shlex.split(example)]
        assert words[0] == "stillwatch"
        done.append(
            subprocess.run(
                [sys.executable, "-m", "stillwatch.cli.main", *words[1:]],
                cwd=folder,
                capture_output=True,
                text=True,
                check=False,
                timeout=300,
                env={**os.environ, "NO_COLOR": "1"},
            )
        )
        assert done[-1].returncode == ExitCode.DONE, f"{example}: {done[-1].stderr[-2000:]}"
    return done


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run the example of `simulate`; give the folder in which it ran."""
    folder = tmp_path_factory.mktemp("examples")
    run_examples(simulate.HELP, folder)
    return folder


@pytest.fixture(scope="module")
def case(world: Path) -> Path:
    """Run the example of `detect`; give the folder in which it ran."""
    done = run_examples(detect.HELP, world)
    assert "Report: case/report.html" in done[0].stdout
    return world


def test_every_verb_has_its_examples_run_here() -> None:
    run_here = {
        one.HELP.name
        for one in (
            assets,
            audit,
            bundle,
            canary,
            case_verb,
            decide,
            demo,
            detect,
            drill,
            evaluate,
            explain,
            formats,
            guard,
            guard_envoy,
            indicators,
            law,
            keys,
            ledger,
            mark,
            posture,
            shadow,
            simulate,
            sketch,
            suspect,
            terms,
            version,
        )
    }
    assert run_here == {verb.name for verb, _ in main.VERBS}


def test_version_and_formats(tmp_path: Path) -> None:
    run_examples(version.HELP, tmp_path)
    run_examples(formats.HELP, tmp_path)


def test_case_and_indicators(tmp_path: Path) -> None:
    """The verbs below them have their examples run in test_case_verb.py."""
    first = ledger.HELP.examples[:1]
    role = ("stillwatch ledger role --ledger ledger.db --actor alice --assign analyst --to bob",)
    run_examples(VerbHelp(name="ledger", purpose="", examples=(*first, *role), writes=""), tmp_path)
    _, listed = run_examples(case_verb.HELP, tmp_path)
    assert "Harvest of June" in listed.stdout
    (made,) = run_examples(indicators.HELP, tmp_path)
    assert "written to partners.key" in made.stdout


def test_terms(tmp_path: Path) -> None:
    """The verbs below it have their examples run in test_terms_verb.py."""
    packed, linted = run_examples(terms.HELP, tmp_path)
    assert "not legal advice" in packed.stdout
    assert "no problem" in linted.stdout


def test_keys(tmp_path: Path) -> None:
    """The verbs below it have their examples run in test_keys_verb.py."""
    (made,) = run_examples(keys.HELP, tmp_path)
    assert "Keep it secret" in made.stdout


def test_mark(tmp_path: Path) -> None:
    _, detected = run_examples(mark.HELP, tmp_path)
    assert detected.stdout.count("Found: ") == 2


def test_suspect(tmp_path: Path) -> None:
    """The whole way: a suspect to practise on, its plan, its run, its report, and the comparison of reports."""
    first = ledger.HELP.examples[:1]
    role = ("stillwatch ledger role --ledger ledger.db --actor alice --assign analyst --to bob",)
    run_examples(VerbHelp(name="ledger", purpose="", examples=(*first, *role), writes=""), tmp_path)
    done = [run_examples(verb, tmp_path)[0].stdout for verb, _ in suspect.VERBS]
    assert "strongly support" in done[3]
    assert (tmp_path / "practice" / "report" / "report.html").exists()
    assert "1 of 1 suspects" in done[4]


def test_decide_and_bundle(tmp_path: Path) -> None:
    """The verbs below them have their examples run in test_decide_verb.py."""
    first = ledger.HELP.examples[:1]
    role = ("stillwatch ledger role --ledger ledger.db --actor alice --assign analyst --to bob",)
    run_examples(VerbHelp(name="ledger", purpose="", examples=(*first, *role), writes=""), tmp_path)
    (listed,) = run_examples(decide.HELP, tmp_path)
    assert "There is no decision" in listed.stdout
    (made,) = run_examples(bundle.HELP, tmp_path)
    assert "for the gateways" in made.stdout


def test_law(tmp_path: Path) -> None:
    """The verbs below it have their examples run in test_law_verb.py."""
    (listed,) = run_examples(law.HELP, tmp_path)
    assert "eu-ai-act-50" in listed.stdout


def test_guard(tmp_path: Path) -> None:
    """The others run until they are told to stop; test_guard_verb.py and test_guard_sketches.py run them so."""
    first = VerbHelp(name="guard", purpose="", examples=guard.HELP.examples[:1], writes="")
    (checked,) = run_examples(first, tmp_path)
    assert "no bundle: nobody is acted on" in checked.stdout


def test_guard_envoy(tmp_path: Path) -> None:
    """The second example runs until it is told to stop; test_guard_envoy_verb.py runs it so."""
    pytest.importorskip("grpc", reason="the extra envoy is not installed")
    products.write_files(tmp_path)
    first = VerbHelp(name="guard-envoy", purpose="", examples=guard_envoy.HELP.examples[:1], writes="")
    (checked,) = run_examples(first, tmp_path)
    assert "version" in checked.stdout


def test_drill_shadow_and_canary(tmp_path: Path) -> None:
    """The verbs below them have their examples run in tests of their own."""
    assert all("measured-pass" in one.stdout for one in run_examples(drill.HELP, tmp_path))
    (made,) = run_examples(shadow.HELP, tmp_path)
    assert "Master key: shadow.key" in made.stdout
    (packed,) = run_examples(canary.HELP, tmp_path)
    assert "no secret" in packed.stdout


def test_ledger(tmp_path: Path) -> None:
    """The verbs below it have their examples run in test_ledger_verb.py."""
    _, verified = run_examples(ledger.HELP, tmp_path)
    assert "2 entries, 0 checkpoints" in verified.stdout


def test_simulate(world: Path) -> None:
    assert (world / "world" / "truth.parquet").exists()


def test_detect_writes_what_its_help_says(case: Path) -> None:
    written = {file.name for file in (case / "case").iterdir()}
    assert {"accounts.parquet", "campaigns.json", "report.html", "run.json"} <= written
    assert all(name in detect.HELP.writes for name in written)


def test_sketch(case: Path) -> None:
    made, found = run_examples(sketch.HELP, case)
    assert "1 part in sketches, 1 of them new" in made.stdout
    assert "Report: again/report.html" in found.stdout
    assert (case / "again" / "accounts.parquet").read_bytes() == (case / "case" / "accounts.parquet").read_bytes()


def test_assets(world: Path) -> None:
    """The verbs below it have their examples run in test_posture_verb.py."""
    (done,) = run_examples(assets.HELP, world)
    assert "models and endpoints" in done.stdout


def test_posture(tmp_path: Path) -> None:
    """The second example has its ledger in test_posture_verb.py."""
    first = VerbHelp(name="posture", purpose="", examples=posture.HELP.examples[:1], writes="")
    (done,) = run_examples(first, tmp_path)
    assert "counts and no score" in done.stdout


def test_audit(case: Path) -> None:
    """The verbs below it have their examples run in test_audit_verb.py."""
    (done,) = run_examples(audit.HELP, case)
    assert "findings that are new or open" in done.stdout


def test_explain(case: Path) -> None:
    campaigns = json.loads((case / "case" / "campaigns.json").read_text())
    groups = campaigns["campaigns"] + campaigns["considered"]
    done = run_examples(explain.HELP, case, ACCOUNT_ID=groups[-1]["members"][0])
    assert all("flagged: " in one.stdout.lower() for one in done)


def test_whoever_was_linked_to_a_group_is_told_which_and_what_stands(case: Path) -> None:
    found = read_campaigns(case / "case")
    groups = (*found.campaigns, *found.considered)
    accounts = pq.read_table(case / "case" / "accounts.parquet", columns=["account_id", "finding"]).to_pylist()
    linked = {one["account_id"]: one["finding"] for one in accounts if one["finding"] != "ordinary"}
    assert "look-alike" in linked.values()
    for account, finding in linked.items():
        row = read_account(case / "case", account)
        assert row is not None
        group = group_of(row, groups)
        assert group is not None, account
        assert finding == "victim" or (account in group.members and group.finding.value == finding)
    alike = next(account for account, finding in linked.items() if finding == "look-alike")
    (_, done) = run_examples(explain.HELP, case, ACCOUNT_ID=alike)
    assert "It belongs to c-" in done.stdout
    assert "✓ stands: " in done.stdout


def test_evaluate(case: Path) -> None:
    done = run_examples(evaluate.HELP, case)
    assert "By campaign family" in done[0].stdout
    assert "shared card" in done[1].stdout


def test_demo(tmp_path: Path) -> None:
    (done,) = run_examples(demo.HELP, tmp_path)
    report = tmp_path / "demo" / "case" / "report.html"
    assert f"Open the report: {report}" in done.stdout
    assert report.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
