"""The entry point: assembles the verbs, and turns errors into messages and exit codes.

This is the boundary at which every error ends. An error that stillwatch raises on purpose is shown as its message. An error
that nobody foresaw is shown by its kind and place only, since its own text could hold a value from the logs.
"""

from __future__ import annotations

import io
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer

from stillwatch.cli import (
    assets,
    audit,
    bundle,
    canary,
    case,
    decide,
    demo,
    detect,
    drill,
    evaluate,
    explain,
    formats,
    guard,
    guard_envoy,
    indicators,
    keys,
    law,
    ledger,
    mark,
    posture,
    shadow,
    simulate,
    sketch,
    suspect,
    terms,
    version,
)
from stillwatch.cli.exit_codes import ExitCode, exit_code_of, exit_codes_text
from stillwatch.cli.terminal import json_text, printable
from stillwatch.cli.verb_help import VerbHelp
from stillwatch.records.errors import StillwatchError

# A verb is a function, or a tuple of verbs below it.
VERBS: tuple[tuple[VerbHelp, Any], ...] = (
    (demo.HELP, demo.demo),
    (detect.HELP, detect.detect),
    (sketch.HELP, sketch.sketch),
    (explain.HELP, explain.explain),
    (simulate.HELP, simulate.simulate),
    (evaluate.HELP, evaluate.evaluate),
    (formats.HELP, formats.formats),
    (terms.HELP, terms.VERBS),
    (decide.HELP, decide.VERBS),
    (bundle.HELP, bundle.VERBS),
    (guard.HELP, guard.guard),
    (guard_envoy.HELP, guard_envoy.guard_envoy),
    (keys.HELP, keys.VERBS),
    (mark.HELP, mark.VERBS),
    (shadow.HELP, shadow.VERBS),
    (canary.HELP, canary.VERBS),
    (drill.HELP, drill.VERBS),
    (suspect.HELP, suspect.VERBS),
    (ledger.HELP, ledger.VERBS),
    (case.HELP, case.VERBS),
    (indicators.HELP, indicators.VERBS),
    (law.HELP, law.VERBS),
    (assets.HELP, assets.VERBS),
    (posture.HELP, posture.posture),
    (audit.HELP, audit.VERBS),
    (version.HELP, version.version),
)
_CONTEXT = {"help_option_names": ["-h", "--help"]}
PURPOSE = "Find illicit distillation of an AI model in API logs, with a stated error rate."


def build_app() -> typer.Typer:
    """Assemble the verbs.

    Returns:
        The application; help is plain text, so that an example can be copied whole and any reader can read it.
    """
    app = typer.Typer(
        name="stillwatch",
        help=f"{PURPOSE}\n\n\b\nStart here:\n  stillwatch demo\n  stillwatch detect 'logs/*.jsonl.gz' --out case",
        epilog=f"\b\nExit codes:\n{exit_codes_text()}",
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings=_CONTEXT,
    )
    _add_verbs(app, VERBS)
    return app


def _add_verbs(app: typer.Typer, verbs: tuple[tuple[VerbHelp, Any], ...]) -> None:
    """Add verbs to an application, and groups of verbs below it."""
    for verb, function in verbs:
        if isinstance(function, tuple):
            group = typer.Typer(no_args_is_help=True, rich_markup_mode=None, context_settings=_CONTEXT)
            _add_verbs(group, function)
            app.add_typer(group, name=verb.name, help=verb.text(), short_help=verb.purpose)
        else:
            app.command(name=verb.name, help=verb.text(), short_help=verb.purpose, no_args_is_help=False)(function)


def run(arguments: Sequence[str]) -> int:
    """Run a command line.

    Args:
        arguments: without the program's name.

    Returns:
        The exit code.
    """
    as_json, debug = "--json" in arguments, "--debug" in arguments
    try:
        result = build_app()(args=list(arguments), prog_name="stillwatch", standalone_mode=False)
        sys.stdout.flush()
    except (BrokenPipeError, SystemExit):  # the reader has enough, as `head` does; typer turns that into an exit
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115  # takes what is still flushed at the end
        return ExitCode.DONE
    except Exception as error:  # noqa: BLE001  # the boundary at which every error ends
        return _fail(error, as_json=as_json, debug=debug)
    if result == ExitCode.INTERRUPTED:  # typer has caught the interrupt
        return _fail(KeyboardInterrupt(), as_json=as_json, debug=debug)
    return int(result) if isinstance(result, int) else ExitCode.DONE


def main() -> None:
    """Run the command line of this process and end it."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal without a sign shows its number rather than fail
            stream.reconfigure(errors="backslashreplace")
    sys.exit(run(sys.argv[1:]))


def _fail(error: BaseException, *, as_json: bool, debug: bool) -> int:
    """Tell an error, and give its exit code."""
    usage = getattr(error, "format_message", None)
    if usage is not None and not isinstance(error, StillwatchError):  # typer's own: the command line cannot be read
        code: int = int(getattr(error, "exit_code", ExitCode.USAGE))
        message = str(usage())
        getattr(error, "show", _nothing)()
    else:
        code = exit_code_of(error)
        message = _message(error, code)
        if debug:
            traceback.print_exception(error, file=sys.stderr)
        sys.stderr.write(f"stillwatch: {message}\n")
    if as_json:
        sys.stdout.write(json_text({"error": {"kind": _kind(error), "message": message, "exit_code": code}}) + "\n")
    return code


def _message(error: BaseException, code: int) -> str:
    """Give the message of an error, without any value that may come from the logs."""
    if isinstance(error, StillwatchError):
        return printable(str(error))
    if isinstance(error, KeyboardInterrupt):
        return "interrupted"
    if isinstance(error, OSError) and error.strerror and code != ExitCode.UNEXPECTED:
        where = f" {error.filename}" if error.filename else ""
        return printable(f"{error.strerror}:{where}" if where else error.strerror)
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return (
        f"unexpected failure: {type(error).__name__}{place}. Run again with --debug for the traceback, and report it."
    )


def _kind(error: BaseException) -> str:
    """Name the kind of an error."""
    return type(error).__name__


def _nothing() -> None:
    """Show nothing."""


if __name__ == "__main__":
    main()
