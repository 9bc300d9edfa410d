"""The catalogue, attestations, the four words, and the names that others gave to what posture reads."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
from posture_evidence_samples import (
    NOW_US,
    VERSION,
    ago,
    assets,
    bundle,
    coverage,
    decision,
    drill,
    evidence,
    key,
    law_change,
    run,
    spread,
)

from stillwatch.governance.audit_report.content import report_content
from stillwatch.governance.drills import CONTROLS
from stillwatch.governance.errors import AttestationError, CatalogueError
from stillwatch.governance.law.reading import read_register
from stillwatch.governance.posture.assess import assess, counts, posture_document
from stillwatch.governance.posture.attestations import read_attestations
from stillwatch.governance.posture.catalogue import SHIPPED, read_catalogue
from stillwatch.governance.posture.checking import CHECKS
from stillwatch.governance.posture.control import Attestation, State
from stillwatch.governance.posture.evidence import EntryKind, day_of
from stillwatch.governance.posture.page import posture_page

CONTROLS_BY_ID = {one.id: one for one in read_catalogue()}
OF_A_CASE = "aisvs-1.0-C12.2.4"
ONLY_ATTESTED = "aisvs-1.0-C5.2.6"
SOURCES = {
    EntryKind.APPEAL_DECIDED: ("cli.decision_appeal", "APPEAL_DECIDED"),
    EntryKind.BUNDLE_ISSUED: ("cli.decision_register", "BUNDLE_ISSUED"),
    EntryKind.CANARY_SLOTS: ("evidence.canaries", "SLOTS_COMMITTED"),
    EntryKind.CASE_ERASED: ("evidence.cases.casework", "ERASURE_KIND"),
    EntryKind.CASE_ITEM: ("evidence.cases.casework", "ITEM_ENTRY_KIND"),
    EntryKind.DECISION_APPROVED: ("cli.decision_register", "APPROVED"),
    EntryKind.DECISION_PROPOSED: ("cli.decision_register", "PROPOSED"),
    EntryKind.DRILL_RESULT: ("governance.drills", "DRILL_RESULT"),
    EntryKind.INDICATORS_SHARED: ("evidence.indicators.share_record", "SHARED"),
    EntryKind.KEYS_EXPORTED: ("evidence.access", "KEYS_EXPORTED"),
    EntryKind.KEYS_REFUSED: ("evidence.access", "KEYS_REFUSED"),
    EntryKind.KEY_ISSUED: ("cli.key_register", "KEY_ISSUED"),
    EntryKind.KEY_RETIRED: ("cli.key_register", "KEY_RETIRED"),
    EntryKind.KEY_REVEALED: ("evidence.access", "KEY_REVEALED"),
    EntryKind.LAW_CHANGE: ("cli.law_update", "LAW_CHANGED"),
    EntryKind.LAW_WORK_CLOSED: ("cli.law_update", "WORK_CLOSED"),
    EntryKind.RUN_SEALED: ("evidence.sealing", "RUN_SEALED"),
    EntryKind.SHADOW_ERASED: ("evidence.shadow_samples", "SHADOW_ERASED"),
    EntryKind.SHADOW_SEALED: ("evidence.shadow_samples", "SHADOW_SEALED"),
    EntryKind.SUSPECT_CONCLUDED: ("cli.suspect_run", "CONCLUDED"),
    EntryKind.SUSPECT_PLANNED: ("cli.suspect_run", "PLANNED"),
    EntryKind.TERMS_ACCEPTED: ("cli.terms_register", "TERMS_ACCEPTED"),
    EntryKind.TERMS_ADDED: ("cli.terms_register", "TERMS_ADDED"),
    EntryKind.TEXT_LOOKED_AT: ("evidence.access", "TEXT_LOOKED_AT"),
    EntryKind.TEXT_REFUSED: ("evidence.access", "TEXT_REFUSED"),
}
OWN = {EntryKind.ASSETS_REGISTERED, EntryKind.AUDIT_REPORT, EntryKind.LOG_COVERAGE, EntryKind.POSTURE}
"""Kinds that are written here."""


def test_kinds_are_called_as_those_who_write_them_call_them() -> None:
    assert set(SOURCES) | OWN == set(EntryKind)
    for kind, (module, name) in SOURCES.items():
        assert getattr(importlib.import_module(f"stillwatch.{module}"), name) == kind.value


def test_every_control_that_the_legal_register_touches_is_in_the_catalogue() -> None:
    touched = {name for one in read_register().values() for name in one.touches.controls}
    assert touched
    assert touched <= set(CONTROLS_BY_ID)


def test_every_control_that_a_drill_speaks_for_names_that_drill() -> None:
    by_item = {one.item: one for one in CONTROLS_BY_ID.values()}
    for drill_name, items in CONTROLS.items():
        for item in items:
            assert any(
                drill_name in name or (drill_name == "campaign" and name == "spread_drill")
                for name in by_item[item].checks
            )


def test_the_catalogue_holds_what_speaks_of_model_theft() -> None:
    wanted = (
        "C11.2.2",
        "C11.3.1",
        "C11.3.2",
        "C11.3.3",
        "C11.3.4",
        "C12.1.1",
        "C12.1.3",
        "C12.2.2",
        "C12.2.3",
        "C12.2.4",
        "C12.2.5",
        "C1.1.5",
    )
    assert {f"aisvs-1.0-{name}" for name in wanted} <= set(CONTROLS_BY_ID)
    assert {one.source.id for one in CONTROLS_BY_ID.values()} >= {
        "atlas",
        "nist-ai-600-1",
        "eu-ai-act",
        "aa26-251a",
        "rand-a2849",
    }
    assert {name for one in CONTROLS_BY_ID.values() for name in one.checks} == set(CHECKS)
    for one in CONTROLS_BY_ID.values():
        assert one.checks or one.leaves_out, f"{one.id} is measured by nothing and does not say so"


def test_with_no_evidence_nothing_passes_and_nothing_fails() -> None:
    assert counts(assess(tuple(CONTROLS_BY_ID.values()), evidence())) == {
        "measured-pass": 0, "measured-fail": 0, "attested": 0, "not-covered": len(CONTROLS_BY_ID)
    }  # fmt: skip


def attested(control: str, *, on: float = 10, until: float = -10) -> Attestation:
    return Attestation(control=control, by="Ada", on_us=ago(on), until_us=ago(until), says="it is so", evidence="")


def test_nobodys_word_mends_a_failure_and_a_word_ends() -> None:
    control = CONTROLS_BY_ID["aisvs-1.0-C12.2.5"]
    said = (attested(control.id),)
    assert assess((control,), evidence(coverage(attributed=1)), said)[0].state is State.MEASURED_FAIL
    assert assess((control,), evidence(), said)[0].state is State.ATTESTED
    (ended,) = assess((control,), evidence(), (attested(control.id, until=0),))
    assert ended.state is State.NOT_COVERED
    assert f"ended on {day_of(NOW_US)}" in ended.why
    assert assess((control,), evidence(), (attested(control.id, on=-1, until=-9),))[0].state is State.NOT_COVERED


def test_a_control_passes_only_where_all_of_its_checks_hold() -> None:
    control = CONTROLS_BY_ID["aisvs-1.0-C11.3.1"]
    assert assess((control,), evidence(spread()))[0].state is State.NOT_COVERED
    (passed,) = assess((control,), evidence(spread(), run(1)))
    assert passed.state is State.MEASURED_PASS
    assert passed.until_us == ago(1 - 7)  # the run speaks for the shorter time
    assert assess((control,), evidence(spread(), run(9)))[0].state is State.MEASURED_FAIL


@pytest.mark.parametrize("kind", [kind for kind in EntryKind if kind not in OWN], ids=lambda kind: kind.value)
@pytest.mark.parametrize(
    "record",
    [
        {},
        {
            "decision": 7,
            "routes": 7,
            "work": [7],
            "change": 7,
            "figures": 7,
            "settings": 7,
            "drill": "log",
            "version": VERSION,
            "expires_us": "x",
        },
    ],
)
def test_a_record_of_another_form_hides_no_other_control(kind: EntryKind, record: dict[str, object]) -> None:
    found = assess(tuple(CONTROLS_BY_ID.values()), evidence((kind, 1, "mallory", record), spread()))
    assert len(found) == len(CONTROLS_BY_ID)
    states = {one.control.id: one.state for one in found}
    assert states["atlas-AML.T0005.001"] is (State.MEASURED_PASS)


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_attestations_are_read_and_bounded(tmp_path: Path) -> None:
    good = f"- {{control: {ONLY_ATTESTED}, by: Ada, on: 2026-11-01, until: 2027-11-01, says: tickets only, evidence: policy 12}}\n"
    (one,) = read_attestations(write(tmp_path / "good.yaml", good), CONTROLS_BY_ID)
    assert (one.by, day_of(one.until_us), one.evidence) == ("Ada", "2027-11-01", "policy 12")
    bad = """\
- {control: aisvs-9, by: Ada, on: 2026-11-01, until: 2027-11-01, says: x}
- {control: stillwatch-law, by: Ada, on: 2026-11-01, until: 2028-11-01, says: x}
- {control: stillwatch-law, by: Ada, on: 2026-11-01, until: soon, says: x}
- {control: stillwatch-law, by: "", on: 2026-11-01, until: 2027-11-01, says: x}
- {control: stillwatch-law, by: Ada, on: 2026-11-01, until: 2027-11-01, says: x, score: 9}
"""
    with pytest.raises(AttestationError) as caught:
        read_attestations(write(tmp_path / "bad.yaml", bad), CONTROLS_BY_ID)
    said = str(caught.value)
    for words in (
        "in no catalogue",
        "731 days after on",
        "expected days such as",
        "expected control, by, on, until, says",
        "unknown field 'score'",
    ):
        assert words in said
    with pytest.raises(AttestationError, match="no YAML"):
        read_attestations(write(tmp_path / "no.yaml", "a: [b"), CONTROLS_BY_ID)


def test_a_catalogue_with_a_check_that_is_none_is_refused(tmp_path: Path) -> None:
    text = (SHIPPED / "rand.yaml").read_text(encoding="utf-8").replace("surface_drill", "surface_drills")
    write(tmp_path / "rand.yaml", text)
    with pytest.raises(CatalogueError, match="surface_drills"):
        read_catalogue(tmp_path)
    with pytest.raises(CatalogueError, match=r"no \.yaml file"):
        read_catalogue(tmp_path / "nowhere")


def test_what_waits_for_somebody_is_listed_in_the_report() -> None:
    found = evidence(drill("log", 40), decision(2), assets(gaps=1), law_change(40))
    work = report_content(found, assess(tuple(CONTROLS_BY_ID.values()), found), ago(90))["open_work"]
    kinds = {one["kind"]: one["subject"] for one in work}
    assert kinds["drill overdue"] == "log"
    assert kinds["decision waits"] == "d-1"
    assert kinds["gap of an asset"] == "model m0"
    assert kinds["legal watch"] == "control aisvs-1.0-C11.3.3"
    assert {one["subject"] for one in work if one["kind"] == "control fails"} >= {"stillwatch-law", "stillwatch-assets"}


def test_posture_is_compared_with_the_last_one_before_the_period() -> None:
    control = CONTROLS_BY_ID["stillwatch-law"]
    sealed = (
        EntryKind.POSTURE,
        100,
        "bob",
        {"controls": [{"id": control.id, "state": "measured-pass"}, {"id": "gone", "state": "attested"}]},
    )
    found = evidence(sealed, law_change(40))
    changes = report_content(found, assess((control,), found), ago(90))["posture_changes"]
    assert changes == [{"control": control.id, "was": "measured-pass", "is": "measured-fail", "entry": 0}]
    assert report_content(found, assess((control,), found), ago(101))["posture_changes"] == []


def test_the_page_shows_every_control_with_its_word_and_loads_nothing() -> None:
    found = assess(
        tuple(CONTROLS_BY_ID.values()),
        evidence(
            spread(), run(1), decision(40, name="<b>d"), bundle(), key(), assets(gaps=1), law_change(), drill("log")
        ),
    )
    page = posture_page(posture_document(found, evidence()))
    assert page.count("<details>") == len(CONTROLS_BY_ID)
    assert {one.state for one in found} == {State.MEASURED_PASS, State.MEASURED_FAIL, State.NOT_COVERED}
    assert "<script" not in page
    assert 'src="' not in page
    assert "score" not in page
