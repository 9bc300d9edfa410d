"""What stands around the code agrees with it: documents, constraints, Makefile, continuous integration."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

from stillwatch import __version__
from stillwatch.cli.main import VERBS

ROOT = Path(__file__).resolve().parents[2]
PINNED = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]*==[0-9][0-9A-Za-z.]*$")


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    return tomllib.loads(text_of("pyproject.toml"))


def constraints() -> dict[str, str]:
    lines = [line for line in text_of("constraints.txt").splitlines() if not line.startswith("#")]
    return {line.split("==")[0].lower().replace("_", "-"): line for line in lines}


def test_every_verb_is_documented() -> None:
    headings = re.findall(r"^## stillwatch ([\w-]+)$", text_of("docs/commands.md"), re.MULTILINE)
    assert headings == [verb.name for verb, _ in VERBS]


def test_every_decision_is_in_the_index_and_numbered_once() -> None:
    files = sorted(path.name for path in (ROOT / "docs" / "adr").glob("0*.md"))
    assert re.findall(r"\((0[^)]+\.md)\)", text_of("docs/adr/README.md")) == files
    assert [int(name[:4]) for name in files] == list(range(1, len(files) + 1))


@pytest.mark.parametrize("path", sorted((ROOT / "docs" / "adr").glob("0*.md")), ids=lambda path: path.stem)
def test_a_decision_has_the_parts_that_it_needs(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.startswith(f"# {int(path.name[:4])}. ")
    assert "Status: " in text
    assert all(f"## {part}\n" in text for part in ("Context", "Decision", "Rejected", "Consequences"))


def test_everything_that_is_installed_has_one_exact_version(project: dict[str, Any]) -> None:
    wanted = [*project["project"]["dependencies"], *project["build-system"]["requires"]]
    wanted += [name for names in project["project"]["optional-dependencies"].values() for name in names]
    wanted += [name for names in project["dependency-groups"].values() for name in names]
    names = {re.split(r"[<>=\[ ]", requirement)[0].lower().replace("_", "-") for requirement in wanted}
    assert names <= set(constraints())


def test_constraints_are_exact_and_name_no_place() -> None:
    assert all(PINNED.match(line) for line in constraints().values())
    assert not re.search(r"://|@ |--", "\n".join(constraints().values()))


def test_continuous_integration_runs_the_tests() -> None:
    run = ROOT / ".ci" / "run"
    assert os.access(run, os.X_OK)
    assert "set -euo pipefail" in text_of(".ci/run")
    assert text_of(".ci/run").rstrip().endswith("make test")


def test_help_names_every_target_that_a_person_calls() -> None:
    makefile = text_of("Makefile")
    (listed,) = re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    inner = {"install", "install-test", "install-bench"}
    result = subprocess.run(
        ["make", "--no-print-directory", "help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert set(re.findall(r"^  make (\S+)", result.stdout, re.MULTILINE)) == set(listed.split()) - inner


@pytest.mark.parametrize("target", ["demo", "test", "bench", "results", "docs"])
def test_a_target_can_be_planned(target: str) -> None:
    """`make -n` reads every rule that the target needs."""
    result = subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


def test_the_two_commands_stand_in_the_first_screen() -> None:
    first = text_of("README.md").splitlines()[:30]
    assert any("docs/picture.png" in line for line in first)
    assert any(line.startswith("make demo") for line in first)
    assert any(line.startswith("make test") for line in first)
    assert (ROOT / "docs" / "picture.png").stat().st_size < 200_000


def test_the_version_is_said_once(project: dict[str, Any]) -> None:
    assert __version__ in {project["project"]["version"], "0.0.0+source"}
    assert not re.search(r"__version__ = \"[1-9]|version = \"[1-9]", text_of("src/stillwatch/__init__.py"))
