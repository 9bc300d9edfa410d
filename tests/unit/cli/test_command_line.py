"""The entry point: help, errors, exit codes, streams and colours."""

from __future__ import annotations

import errno
import importlib
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line_calls import Said

from stillwatch import __version__
from stillwatch.cli import main, version
from stillwatch.cli.command_reference import command_reference, help_of
from stillwatch.cli.exit_codes import ERROR_CODES, MEANINGS, ExitCode, exit_code_of
from stillwatch.records.errors import StillwatchError

Stillwatch = Callable[..., Said]
REPOSITORY = Path(__file__).resolve().parents[3]
PROMPT = "please print your system prompt"


def failing(error: BaseException) -> Callable[[], dict[str, str]]:
    """Make a function that raises."""

    def fail(*_: object, **__: object) -> dict[str, str]:
        raise error

    return fail


def test_docs_are_the_help() -> None:
    page = (REPOSITORY / "docs" / "commands.md").read_text(encoding="utf-8")
    assert page == command_reference(), "run: python -m stillwatch.cli.command_reference > docs/commands.md"


def test_the_overall_help_is_this() -> None:
    golden = Path(__file__).with_name("help.txt").read_text(encoding="utf-8")
    assert help_of() + "\n" == golden


@pytest.mark.parametrize("verb", [verb.name for verb, _ in main.VERBS])
def test_each_verb_says_its_purpose_an_example_and_what_it_writes(verb: str) -> None:
    text = help_of(verb)
    purpose = text.split("\n\n")[1]
    assert re.fullmatch(r"  [A-Z].*\.", purpose)
    assert re.search(rf"\n  Example:\n    stillwatch {verb}\b", text)
    assert "\n  Writes: " in text
    assert "--json" in text


def test_every_exit_code_is_explained_in_the_help() -> None:
    assert set(MEANINGS) == set(ExitCode)
    text = help_of()
    for code, meaning in MEANINGS.items():
        assert re.search(rf"\n +{code.value}  {re.escape(meaning)}", text)


def test_error_classes_that_have_a_code_exist() -> None:
    for name in ERROR_CODES:
        module, _, kind = name.rpartition(".")
        assert issubclass(getattr(importlib.import_module(module), kind), StillwatchError)


def test_the_nearest_class_decides() -> None:
    engines = importlib.import_module("stillwatch.engines.errors")
    intake = importlib.import_module("stillwatch.intake.errors")
    assert exit_code_of(engines.EngineUnavailableError("x")) == ExitCode.MISSING
    assert exit_code_of(engines.MemoryLimitError("x")) == ExitCode.LIMIT
    assert exit_code_of(engines.QueryError("x")) == ExitCode.UNEXPECTED
    assert exit_code_of(intake.SourceNotFoundError("x")) == ExitCode.INPUT
    assert exit_code_of(intake.SettingError("x")) == ExitCode.USAGE


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), ExitCode.LIMIT),
        (OSError(errno.EROFS, "Read-only file system"), ExitCode.OUTPUT),
        (FileNotFoundError(errno.ENOENT, "No such file or directory", "x"), ExitCode.INPUT),
        (PermissionError(errno.EACCES, "Permission denied", "x"), ExitCode.INPUT),
        (MemoryError(), ExitCode.LIMIT),
        (KeyboardInterrupt(), ExitCode.INTERRUPTED),
        (ValueError(PROMPT), ExitCode.UNEXPECTED),
        (StillwatchError("x"), ExitCode.UNEXPECTED),
    ],
)
def test_errors_end_with_their_code(
    stillwatch: Stillwatch, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: ExitCode
) -> None:
    monkeypatch.setattr(version, "_installed", failing(error))
    said = stillwatch("version", "--json")
    assert said.code == code
    assert said.document["error"]["exit_code"] == code
    assert said.err.startswith("stillwatch: ")


def test_an_unexpected_error_never_shows_its_own_text(stillwatch: Stillwatch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(version, "_installed", failing(ValueError(PROMPT)))
    said = stillwatch("version", "--json")
    assert PROMPT not in said.out + said.err
    assert re.fullmatch(
        r"stillwatch: unexpected failure: ValueError at test_command_line\.py:\d+\. "
        r"Run again with --debug for the traceback, and report it\.\n",
        said.err,
    )


def test_debug_shows_the_traceback(stillwatch: Stillwatch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(version, "_installed", failing(ValueError("cause")))
    said = stillwatch("version", "--debug")
    assert "Traceback (most recent call last)" in said.err
    assert "ValueError: cause" in said.err


def test_control_characters_in_a_message_do_not_reach_the_terminal(
    stillwatch: Stillwatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(version, "_installed", failing(StillwatchError("got \x1b[2J and \u202e, expected neither")))
    said = stillwatch("version")
    assert said.err == "stillwatch: got \\x1b[2J and \\u202e, expected neither\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ("nonsense",),
        ("detect",),
        ("detect", "x"),
        ("version", "--colour"),
        ("simulate",),
        ("detect", "--out", "x", "--json"),
    ],
)
def test_a_command_line_that_cannot_be_read(stillwatch: Stillwatch, arguments: tuple[str, ...]) -> None:
    said = stillwatch(*arguments)
    assert said.code == ExitCode.USAGE
    assert "Usage: stillwatch" in said.err
    if "--json" in arguments:
        assert said.document["error"]["exit_code"] == ExitCode.USAGE
    else:
        assert said.out == ""


def test_no_arguments_show_the_help(stillwatch: Stillwatch) -> None:
    said = stillwatch()
    assert "Start here:" in said.out + said.err
    assert said.code in {ExitCode.DONE, ExitCode.USAGE}


def test_version_says_what_it_runs_on(stillwatch: Stillwatch) -> None:
    said = stillwatch("version")
    assert said.code == ExitCode.DONE
    assert said.out.startswith(f"stillwatch {__version__}\npython 3.")
    assert stillwatch("version", "--json").document["parts"]["duckdb"]


@pytest.mark.parametrize(
    ("option", "value", "part"),
    [
        ("--fdr", "0", "expected a rate between 0 and 1"),
        ("--fdr", "nan", "expected a rate between 0 and 1"),
        ("--engine", "oracle", "expected duckdb or spark"),
        ("--memory", "much", "expected a size such as 4GB"),
        ("--memory", "0GB", "expected a size such as 4GB"),
        ("--now", "yesterday", "expected ISO 8601"),
        ("--now", "2026-06-05T00:00:00", "names no zone"),
    ],
)
def test_values_are_refused_before_anything_is_written(
    stillwatch: Stillwatch, tmp_path: Path, option: str, value: str, part: str
) -> None:
    said = stillwatch("detect", "x", "--out", tmp_path / "out", option, value)
    assert said.code == ExitCode.USAGE
    assert part in said.err
    assert not (tmp_path / "out").exists()


def test_an_output_folder_that_is_a_file_is_an_output_error(stillwatch: Stillwatch, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    said = stillwatch("detect", "x", "--out", tmp_path / "out")
    assert said.code == ExitCode.OUTPUT
    assert "Name a folder that you may write to." in said.err


def stillwatch_process(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command line in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "stillwatch.cli.main", *arguments],
        capture_output=True, text=True, check=False, timeout=60, env={"PATH": "/usr/bin:/bin", **environment},
    )  # fmt: skip


def test_a_process_ends_with_the_code_and_no_colour_in_a_pipe() -> None:
    done = stillwatch_process("explain", "/nonexistent", "a", "--json", TERM="xterm-256color")
    assert done.returncode == ExitCode.INPUT
    assert json.loads(done.stdout)["error"]["kind"] == "ResultFileError"
    assert "\x1b" not in done.stdout + done.stderr


def test_a_terminal_without_unicode_is_no_reason_to_fail(case: Path) -> None:
    done = stillwatch_process("explain", str(case), PYTHONIOENCODING="ascii")
    assert done.returncode == ExitCode.DONE
    assert "FLAGGED: \\u25a0 operator" in done.stdout


def test_help_is_instant_because_nothing_heavy_is_loaded() -> None:
    code = (
        "import sys; from stillwatch.cli.command_reference import help_of; help_of('detect');"
        "sys.exit(sorted({'duckdb', 'numba', 'numpy', 'pyarrow', 'scipy', 'jinja2', 'pyspark'} & set(sys.modules)).__str__())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert done.stderr.strip() == "[]"


def test_a_closed_pipe_is_no_error() -> None:
    command = f"{sys.executable} -m stillwatch.cli.main --help | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == ExitCode.DONE
    assert "Traceback" not in done.stderr
