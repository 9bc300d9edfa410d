"""docs/decisions.md says what terms, decisions and bundles do: verbs, options, words, validators; and its example passes."""

from __future__ import annotations

import re
from pathlib import Path

from stillwatch.cli import bundle, decide, terms
from stillwatch.cli.command_reference import help_of
from stillwatch.decisions.decide import _CAPS
from stillwatch.decisions.terms.lint import VALIDATORS, read_terms
from stillwatch.records.decision import Action
from stillwatch.records.terms import ClauseClass, ClauseKind, ClauseMode, Operator

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "decisions.md").read_text(encoding="utf-8")


def test_every_command_that_is_shown_is_one_with_these_options() -> None:
    known = {
        f"{group} {verb.name}"
        for group, verbs in (("terms", terms.VERBS), ("decide", decide.VERBS), ("bundle", bundle.VERBS))
        for verb, _ in verbs
    }
    shown = re.findall(r"^stillwatch ((?:terms|decide|bundle) [\w-]+)(.*)$", PAGE, re.MULTILINE)
    assert len(shown) == 10
    for verb, rest in shown:
        assert verb in known
        text = help_of(verb)
        assert all(option in text for option in re.findall(r"--[\w-]+", rest)), verb


def test_every_word_of_the_file_is_in_the_tables() -> None:
    words = set(re.findall(r"`([\w-]+)`", PAGE))
    assert {one.value for kind in (ClauseKind, ClauseClass, ClauseMode, Action, Operator) for one in kind} <= words


def test_every_validator_is_in_the_table() -> None:
    assert re.findall(
        r"^\| `(\w+)` \| \w", PAGE.partition("### What is refused")[2].partition("###")[0], re.MULTILINE
    ) == [validator.__name__ for validator in VALIDATORS]


def test_the_treatment_of_each_finding_is_what_the_code_does() -> None:
    table = PAGE.partition("| finding | at most |")[2].partition("\n\n")[0]
    said = {
        finding: action
        for findings, action in re.findall(r"^\| ([\w, -]+) \| (\w+) \|", table, re.MULTILINE)
        for finding in findings.split(", ")
    }
    assert said == {finding.value: action.value for finding, (action, _) in _CAPS.items()}


def test_the_example_of_terms_passes() -> None:
    example = PAGE.partition("```yaml\n")[2].partition("```")[0]
    sentences = " ".join(re.findall(r"says: (.*)", example))
    read = read_terms(example.encode(), sentences.encode(), "example.yaml")
    assert [one.id for one in read.clauses] == ["no-pooled-harvest", "licensed-distillation"]
