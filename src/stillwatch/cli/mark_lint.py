"""The verb `mark lint`: what a serving engine's marking settings do to the evidence."""

from __future__ import annotations

import stat
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stillwatch.cli import ledger_options
from stillwatch.cli.errors import OptionError
from stillwatch.cli.exit_codes import ExitCode
from stillwatch.cli.options import DebugOption, JsonOption
from stillwatch.cli.terminal import open_terminal
from stillwatch.cli.verb_help import VerbHelp

if TYPE_CHECKING:
    from stillwatch.watermark.lint.problem import SettingProblem

HELP = VerbHelp(
    name="lint",
    purpose="Name unsafe marking settings of vLLM, SGLang, transformers, TensorRT-LLM and synthid-text, with the measured consequence.",
    examples=("stillwatch mark lint marked/watermark.json",),
    writes="nothing. It ends with exit code 11 where a setting is unsafe and its rule was not accepted.",
)


def lint(
    configs: Annotated[
        list[Path], typer.Argument(metavar="CONFIG...", help="JSON or YAML; several are compared with each other.")
    ],
    *,
    engine: Annotated[
        str | None, typer.Option("--engine", metavar="NAME", help="Who reads them; by default told by their fields.")
    ] = None,
    keys: Annotated[
        Path | None,
        typer.Option("--keys", metavar="FILE", help="All keys ever issued, to compare: as `keys export` writes them."),
    ] = None,
    accept: Annotated[
        list[str] | None, typer.Option("--accept", metavar="RULE", help="A rule whose consequence you accept.")
    ] = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,  # noqa: ARG001  # read by the entry point
) -> ExitCode:
    """Lint marking settings."""
    from stillwatch.watermark.lint.lint import lint_settings  # noqa: PLC0415
    from stillwatch.watermark.lint.problem import render  # noqa: PLC0415
    from stillwatch.watermark.lint.rules import RULE_NAMES  # noqa: PLC0415
    from stillwatch.watermark.lint.settings import Engine  # noqa: PLC0415

    terminal = open_terminal(as_json=as_json)
    accepted = tuple(accept or ())
    unknown = [one for one in accepted if one not in RULE_NAMES]
    if unknown:
        raise OptionError(f"--accept got {unknown[0][:40]!a}, expected one of {', '.join(RULE_NAMES)}.")
    engines = {one.value.lower(): one for one in Engine}
    if engine is not None and engine.lower() not in engines:
        raise OptionError(f"--engine got {engine[:40]!a}, expected one of {', '.join(Engine)}.")
    contents = {str(path): ledger_options.small_file(path) for path in configs}
    result = lint_settings(
        contents, engine=None if engine is None else engines[engine.lower()], registered=None if keys is None else _registered(keys),
        accept=accepted, more=_readable(configs, contents),
    )  # fmt: skip
    for problem in result.problems:
        terminal.say(render(problem, contents[problem.file].decode("utf-8", errors="replace").splitlines()) + "\n")
    count = len(result.problems)
    terminal.say(
        f"{len(result.settings)} marking settings in {len(contents)} files, {count or 'no'} problem{'' if count == 1 else 's'}"
        + (f", {len(result.accepted)} accepted." if result.accepted else ".")
    )
    terminal.document(
        {
            "verb": "mark lint",
            "settings": [{"file": one.file, "line": one.place.line, "engine": one.engine.value, "kind": one.kind.value} for one in result.settings],
            "problems": [_row(one) for one in result.problems],
            "accepted": [_row(one) for one in result.accepted],
        }
    )  # fmt: skip
    return ExitCode.UNVERIFIED if count else ExitCode.DONE


def _registered(path: Path) -> dict[int, str]:
    """Give every 64-bit word of every issued key, and whose it is; a shared word of the provider's stays the provider's."""
    from stillwatch.watermark.key_file import read_key_file  # noqa: PLC0415

    found: dict[int, str] = {}
    for key in read_key_file(path):
        for start in range(0, len(key.key), 8):
            whose = f"{key.level.value} {key.assigned_to}"
            word = int.from_bytes(key.key[start : start + 8], "big")
            if not found.get(word, "").startswith("provider "):
                found[word] = whose
    return found


def _readable(configs: list[Path], contents: dict[str, bytes]) -> list[SettingProblem]:
    """Name configurations that hold a key and that others may read."""
    from stillwatch.watermark.lint.rules import keys_in, readable_problem  # noqa: PLC0415
    from stillwatch.watermark.lint.settings import find_settings  # noqa: PLC0415

    found = []
    for path in configs:
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & 0o077:
            found += [
                readable_problem(one, mode)
                for one in find_settings(contents[str(path)], str(path))
                if any(True for _ in keys_in(one)) or "keys" in one.fields
            ]
    return found


def _row(problem: SettingProblem) -> dict[str, Any]:
    row = asdict(problem)
    return {
        **{name: row[name] for name in ("rule", "file", "message", "consequence", "measured_by", "hint")},
        **row["place"],
    }
