"""What `mark lint` says, word by word; and every rule is found in some configuration."""

from __future__ import annotations

from pathlib import Path

import pytest

from stillwatch.watermark.lint.errors import MarkSettingsError
from stillwatch.watermark.lint.lint import lint_settings
from stillwatch.watermark.lint.problem import render
from stillwatch.watermark.lint.rules import RULE_NAMES
from stillwatch.watermark.lint.settings import Engine

FOLDER = Path(__file__).resolve().parent / "mark_settings"
CONFIGS = sorted(path for path in FOLDER.iterdir() if path.suffix in {".json", ".yaml"})
SAFE = b'{"key": "9b1c44e07d5a3f68", "context_window": 4, "enforce_all": true}'


def said(path: Path) -> str:
    """Lint a configuration; give the text of every problem."""
    content = path.read_bytes()
    result = lint_settings({path.name: content})
    lines = content.decode().splitlines()
    return "\n\n".join(render(one, lines) for one in result.problems) + "\n"


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_the_message_is_the_golden_one(path: Path) -> None:
    golden = path.with_name(path.name + ".txt")
    assert said(path) == golden.read_text(encoding="utf-8")


def test_every_rule_is_found_somewhere() -> None:
    found = {problem.rule for path in CONFIGS for problem in lint_settings({path.name: path.read_bytes()}).problems}
    issued = {0x9B1C44E07D5A3F68: "campaign c-1"}
    found |= {one.rule for one in lint_settings({"a": SAFE, "b": SAFE}).problems}
    found |= {one.rule for one in lint_settings({"a": SAFE}, registered={}).problems}
    assert found == set(RULE_NAMES) - {"readable-key"}  # the file's mode is seen by the verb
    (served,) = lint_settings({"a": SAFE}, registered=issued).problems
    assert served.rule == "reused-key"
    assert "the registry's key of campaign c-1" in served.message


def test_safe_settings_have_no_problem() -> None:
    assert lint_settings({"a": SAFE}, registered={0x9B1C44E07D5A3F68: "provider example"}).problems == ()
    vllm = b'{"key": 11177777777777777777, "deduplicate_contexts": "single_turn"}'
    result = lint_settings({"a": vllm}, accept=["opt-out-possible"])
    assert result.problems == ()
    assert [one.rule for one in result.accepted] == ["opt-out-possible"]
    trt = lint_settings({"a": b"watermark_config: {key: 11177777777777777777}"}, engine=Engine.TENSORRT_LLM)
    assert trt.problems == ()


def test_no_message_holds_a_key() -> None:
    for path in CONFIGS:
        text = said(path)
        for key in ("42,", "77001", "2a1f", "9b1c44e07d5a3f68", "15485863", "654", "836", "123456789"):
            assert key not in text


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"), (b"{}", "holds no marking settings"), (b"a: [1", "is neither JSON nor YAML"), (b"\xff\xfe", "no UTF-8"),
        (b"x" * (1 << 20 | 1), "expected at most"), (b"&a [*a]", "nested over"), (b"temperature: 1", "holds no marking settings"),
        (b"watermark-config: '{\"key\": }'", "the string is no JSON"), (b"a: \x00", "is neither JSON nor YAML"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_said(content: bytes, words: str) -> None:
    with pytest.raises(MarkSettingsError, match=words):
        lint_settings({"a.yaml": content})


def test_several_settings_in_one_file_are_all_looked_at() -> None:
    result = lint_settings(
        {"a.yaml": b"- {key: '9b1c44e07d5a3f68', enforce_all: true}\n- {key: '9b1c44e07d5a3f68', enforce_all: true}\n"}
    )
    assert len(result.settings) == 2
    (problem,) = result.problems
    assert (problem.rule, problem.place.line) == ("reused-key", 2)
    assert "is the key of a.yaml:1 too" in problem.message
