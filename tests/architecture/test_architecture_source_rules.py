"""The source tree obeys its rules, and each rule can find what breaks it."""

from __future__ import annotations

from pathlib import Path

import pytest
import source_rules as rules

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = '"""Kernels. Takes text. Gives hashes. Promises that they are equal."""\n'
CLEAN = '''"""One sketch. Takes text. Gives a number."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True, kw_only=True)
class Sketch:
    """A sketch."""

    words: int


def draw(seed: int) -> int:
    """Draw a number."""

    def once() -> int:
        return int(np.random.default_rng(seed).integers(9))

    try:
        return once()
    except (ValueError, KeyError):
        return 0
'''
CATCH_ALL = "try:\n    pass\nexcept {}:\n    pass\n"
LONG_FUNCTION = "def walk():\n" + "    pass\n" * 60
# What is planted: the rule that must find it, the file, and what is written there (after the clean text where it is code).
PLANTED: tuple[tuple[rules.Rule, str, str], ...] = (
    (rules.modules_are_short, "src/stillwatch/sketches/shape.py", "# a\n" * 601),
    (rules.modules_are_short, "benchmarks/shape.py", "# a\n" * 601),
    (rules.functions_are_short, "benchmarks/scale.py", LONG_FUNCTION),
    (rules.functions_are_short, "src/stillwatch/sketches/shape.py", "class Shape:\n    async " + LONG_FUNCTION.replace("\n", "\n    ")),
    (rules.names_say_something, "src/stillwatch/sketches/text_utils.py", "# a\n"),
    (rules.names_say_something, "src/stillwatch/core/shape.py", "# a\n"),
    (rules.packages_say_what_they_do, "src/stillwatch/sketches/__init__.py", '"""Kernels. Takes text. Gives hashes."""\n'),
    (rules.packages_say_what_they_do, "src/stillwatch/links/attributes.py", '"""Links."""\n'),
    (rules.everything_public_is_described, "src/stillwatch/sketches/shape.py", "a = 1\n"),
    (rules.everything_public_is_described, "src/stillwatch/sketches/shape.py", '"""Shape."""\ndef shape():\n    pass\n'),
    (rules.everything_public_is_described, "src/stillwatch/sketches/shape.py", '"""A."""\nclass Shape:\n    """B."""\n    def of(self):\n        pass\n'),
    (rules.nothing_is_printed, "src/stillwatch/cli/detect.py", "print(1)\n"),
    (rules.nothing_is_printed, "src/stillwatch/sketches/shape.py", "import sys\nsys.stdout.write('a')\n"),
    (rules.errors_are_not_swallowed, "src/stillwatch/cli/detect.py", CATCH_ALL.format("Exception")),
    (rules.errors_are_not_swallowed, "src/stillwatch/sketches/shape.py", CATCH_ALL.format("(ValueError, BaseException)")),
    (rules.errors_are_not_swallowed, "tests/unit/test_shape.py", CATCH_ALL.format("").replace("except :", "except:")),
    (rules.errors_have_their_place, "src/stillwatch/sketches/shape.py", "class ShapeError(StillwatchError):\n    pass\n"),
    (rules.errors_have_their_place, "src/stillwatch/sketches/errors.py", "class ShapeError(ValueError):\n    pass\n"),
    (rules.records_do_not_change, "src/stillwatch/records/claim.py", "@dataclass(slots=True, kw_only=True)\nclass Claim:\n    n: int\n"),
    (rules.records_do_not_change, "src/stillwatch/sketches/shape.py", "@dataclass\nclass Shape:\n    n: int\n"),
    (rules.nothing_depends_on_the_process, "src/stillwatch/sketches/shape.py", "key = hash('a')\n"),
    (rules.nothing_depends_on_the_process, "src/stillwatch/sketches/shape.py", "rng = np.random.default_rng()\n"),
    (rules.nothing_depends_on_the_process, "src/stillwatch/sketches/shape.py", "np.random.shuffle(a)\n"),
    (rules.nothing_depends_on_the_process, "src/stillwatch/sketches/shape.py", "random.random()\n"),
    (rules.nothing_depends_on_the_process, "src/stillwatch/pipeline.py", "now = datetime.datetime.now()\n"),
    (rules.nothing_depends_on_the_process, "src/stillwatch/pipeline.py", "now = time.time()\n"),
    (rules.exports_are_in_packages, "src/stillwatch/sketches/shape.py", "__all__ = ['shape']\n"),
    (rules.nothing_is_unfinished, "src/stillwatch/sketches/shape.py", "# TO" + "DO: the rest\n"),
    (rules.nothing_is_unfinished, "src/stillwatch/sketches/shape.py", "raise NotImplemented" + "Error\n"),
    (rules.nothing_is_unfinished, "docs/method.md", "FIX" + "ME\n"),
    (rules.the_project_speaks_of_itself, "tests/unit/test_shape.py", "SHARED = '/wo" + "rk/shared'\n"),
    (rules.the_project_speaks_of_itself, "README.md", "This was written by an A" + "I.\n"),
)  # fmt: skip


def plant(root: Path, name: str, text: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


@pytest.fixture
def clean_tree(tmp_path: Path) -> Path:
    """A small tree in which nothing is wrong, with each thing that is allowed and looks like what is not."""
    for package in ("", "sketches/", "records/", "cli/"):
        plant(tmp_path, f"src/stillwatch/{package}__init__.py", PACKAGE)
    plant(tmp_path, "src/stillwatch/sketches/shape.py", CLEAN)
    plant(tmp_path, "src/stillwatch/sketches/cores.py", CLEAN)
    plant(tmp_path, "src/stillwatch/sketches/errors.py", '"""E."""\nclass ShapeError(StillwatchError):\n    """A."""\n')
    plant(
        tmp_path,
        "src/stillwatch/cli/main.py",
        '"""M."""\nimport sys\n' + CATCH_ALL.format("Exception") + "sys.stdout.write('a')\nnow = time.time()\n",
    )
    plant(tmp_path, "tests/unit/test_shape.py", "print(1)\nseed = hash('a')\n" + "# a\n" * 598)
    plant(tmp_path, "benchmarks/scale.py", LONG_FUNCTION.replace("    pass\n", "", 1))
    plant(tmp_path, "README.md", "Paths such as build/wo" + "rk/shared and .work-a, and a customer's agent.\n")
    return tmp_path


@pytest.mark.parametrize("rule", rules.RULES, ids=lambda rule: rule.__name__)
def test_the_project_obeys(rule: rules.Rule) -> None:
    found = rule(ROOT)
    assert not found, f"{rule.__doc__}\n" + "\n".join(found)


@pytest.mark.parametrize("rule", rules.RULES, ids=lambda rule: rule.__name__)
def test_a_clean_tree_obeys(rule: rules.Rule, clean_tree: Path) -> None:
    assert rule(clean_tree) == []


@pytest.mark.parametrize(
    ("rule", "name", "text"), PLANTED, ids=[f"{rule.__name__}-{place}" for place, (rule, *_) in enumerate(PLANTED)]
)
def test_a_planted_violation_is_found(rule: rules.Rule, name: str, text: str, clean_tree: Path) -> None:
    plant(clean_tree, name, text)
    found = rule(clean_tree)
    where = name.rsplit("/", 1)[0] if rule is rules.packages_say_what_they_do else name
    assert found
    assert all(line.startswith(where) for line in found)


def test_every_rule_has_a_planted_violation() -> None:
    assert {rule for rule, _, _ in PLANTED} == set(rules.RULES)


def test_the_rules_see_the_whole_project() -> None:
    """An empty tree obeys everything: the folders must be there, and hold what they should."""
    paths = {module.path for module in rules.modules(ROOT)}
    assert {"src/stillwatch/pipeline.py", "benchmarks/results.py", "tests/architecture/source_rules.py"} <= paths
    assert len(rules.library(ROOT)) > 100
    assert {"Makefile", "README.md", "docs/commands.md", ".ci/run"} <= {path for path, _ in rules.texts(ROOT)}
