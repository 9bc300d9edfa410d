"""docs/evidence.md says what cases, bundles and indicators do: verbs, options, files and elements."""

from __future__ import annotations

import re
from pathlib import Path

from stillwatch.cli import case, indicators
from stillwatch.cli.command_reference import help_of
from stillwatch.evidence.cases.elements import ELEMENT_KEYS

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "evidence.md").read_text(encoding="utf-8")
CASES = PAGE.partition("\n## Cases\n")[2]


def test_every_element_is_in_the_table() -> None:
    table = CASES.partition("| element |")[2].partition("\n\n")[0]
    assert set(ELEMENT_KEYS) <= set(re.findall(r"\w+", table))


def test_every_command_that_is_shown_is_one_with_these_options() -> None:
    known = {
        f"{group} {verb.name}"
        for group, verbs in (("case", case.VERBS), ("indicators", indicators.VERBS))
        for verb, _ in verbs
    }
    shown = re.findall(r"^stillwatch ((?:case|indicators) [\w-]+)(.*)$", CASES, re.MULTILINE)
    assert len(shown) > 10
    for verb, rest in shown:
        assert verb in known
        text = help_of(verb)
        assert all(option in text for option in re.findall(r"--[\w-]+", rest)), verb


def test_every_folder_and_file_of_a_bundle_is_named() -> None:
    bundle = CASES.partition("\n## Bundle\n")[2].partition("\n## ")[0]
    for name in ("report.html", "report.pdf", "case.json", "methods.json", "custody.json", "gaps.txt", "records/", "ledger/", "time/",
                 "certificates/", "manifest.json", "manifest.note", "verify.py", "README.txt"):  # fmt: skip
        assert f"`{name}" in bundle
