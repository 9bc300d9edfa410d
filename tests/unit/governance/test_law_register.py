"""The register that is shipped, and files that cannot be one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from stillwatch.evidence.cases.elements import ELEMENT_KEYS
from stillwatch.governance.errors import RegisterError
from stillwatch.governance.law.reading import SHIPPED, read_register
from stillwatch.records.law import Grade, LawKind
from stillwatch.records.terms import ClauseKind

REGISTER = read_register()
ONE = """
- id: one
  title: One
  kind: bill
  jurisdiction: US
  status: pending
  date: '2026-01'
  gist: Says something.
  grade: secondary
  sources: [{title: A report}]
  verified: {by: us, on: '2026-11-23', against: a report}
"""


def test_the_rows_of_the_note_are_there_with_their_grades() -> None:
    grades = {
        name: REGISTER[name].grade
        for name in ("us-hr-8283", "us-nstm-4", "pagaya-v-klarna", "eu-ai-act-50", "thomson-reuters-v-ross")
    }
    assert grades == {
        "us-hr-8283": Grade.PRIMARY, "us-nstm-4": Grade.SECONDARY, "pagaya-v-klarna": Grade.UNCERTAIN, "eu-ai-act-50": Grade.SECONDARY,
        "thomson-reuters-v-ross": Grade.UNCERTAIN,
    }  # fmt: skip
    assert {one.kind for one in REGISTER.values()} >= set(LawKind) - {LawKind.RULE}
    assert len(REGISTER) >= 45


def test_the_conflicts_of_the_note_stay_visible() -> None:
    said = {name: {one.says for one in REGISTER[name].conflicts} for name in ("us-s-5252", "us-nstm-4", "eu-ai-act-50")}
    assert all(len(both) == 2 for both in said.values()), said


@pytest.mark.parametrize("entry", REGISTER.values(), ids=lambda one: one.id)
def test_an_entry_says_who_checked_it_and_touches_what_is_there(entry) -> None:
    assert entry.verified.by
    assert re.fullmatch(r"2026-\d\d-\d\d", entry.verified.on)
    assert entry.verified.against
    assert set(entry.touches.clauses) <= {kind.value for kind in ClauseKind}
    assert set(entry.touches.elements) <= set(ELEMENT_KEYS)
    assert all(one.url is None or one.url.startswith("https://") for one in entry.sources)
    assert len(entry.gist) > 30
    assert not re.search(r"\b(AI-written|TBD)\b", entry.gist)


def test_every_name_that_is_followed_is_followed_once() -> None:
    names = [name for one in REGISTER.values() for name in one.follows]
    assert len(names) == len(set(names)) > 20


def test_an_own_register_replaces_by_id(tmp_path: Path) -> None:
    (tmp_path / "ours.yaml").write_text(ONE.replace("id: one", "id: us-hr-8283"), encoding="utf-8")
    both = read_register((SHIPPED, tmp_path))
    assert both["us-hr-8283"].title == "One"
    assert len(both) == len(REGISTER)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("kind: bill", "kind: rumour"), r"ours\.yaml:2: kind got 'rumour', expected one of bill, statute"),
        (("status: pending", "status: nearly"), r"status got 'nearly'"),
        (("date: '2026-01'", "date: soon"), r"date got 'soon', expected one such as 2026"),
        (("grade: secondary", "grade: primary"), r"grade primary needs the address"),
        (("  gist: Says something.\n", ""), r"missing \['gist'\]"),
        (("  gist:", "  guess: x\n  gist:"), r"unknown \['guess'\]"),
        (("verified: {by: us,", "verified: {"), r"verified needs by, on, against"),
        (("grade:", "follows: [nobody]\n  grade:"), r"follows got 'nobody'"),
        (("- id: one", "- id: One"), r"id got 'One'"),
        (("- id", "- [id"), r"this is no YAML"),
        ((ONE, "x: 1"), r"expected a list of entries"),
        ((ONE, ONE + ONE), r"one stands twice"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_used_is_refused_with_its_place(
    tmp_path: Path, change: tuple[str, str], said: str
) -> None:
    (tmp_path / "ours.yaml").write_text(ONE.replace(*change), encoding="utf-8")
    with pytest.raises(RegisterError, match=said):
        read_register((tmp_path,))


def test_a_folder_without_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RegisterError, match=r"got no \.yaml file"):
        read_register((tmp_path,))
