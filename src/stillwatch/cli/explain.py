"""The verb `explain`: why was this account flagged or not, in plain words."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stillwatch.cli.errors import AccountNotFoundError
from stillwatch.cli.exit_codes import ExitCode
from stillwatch.cli.options import DebugOption, JsonOption
from stillwatch.cli.terminal import open_terminal
from stillwatch.cli.verb_help import VerbHelp

HELP = VerbHelp(
    name="explain",
    purpose="Say in plain words why an account was flagged or not, and how it can be cleared.",
    examples=("stillwatch explain case", "stillwatch explain case ACCOUNT_ID"),
    writes="nothing; it reads the folder that `stillwatch detect` wrote.",
)


def explain(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder that `stillwatch detect` wrote.")],
    account_id: Annotated[
        str | None,
        typer.Argument(
            metavar="ACCOUNT_ID", help="The account; without it, one of the largest campaign.", show_default=False
        ),
    ] = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,  # noqa: ARG001  # read by the entry point
) -> ExitCode:
    """Explain one account."""
    # Table readers are loaded only where they are used, so that help is instant.
    from stillwatch.cli.explanation import explain_account, explanation_document, group_of  # noqa: PLC0415
    from stillwatch.cli.result_files import read_account, read_campaigns, read_run  # noqa: PLC0415

    terminal = open_terminal(as_json=as_json)
    found = read_campaigns(folder)
    candidates = (*found.campaigns, *found.considered)
    if account_id is None:
        if not candidates:
            raise AccountNotFoundError(f"{folder} holds no campaign to take an example from. Name an ACCOUNT_ID.")
        largest = min(
            candidates, key=lambda one: (one.finding not in {"operator", "reseller"}, -len(one.members), one.id)
        )
        account_id = largest.members[0]
    row = read_account(folder, account_id)
    if row is None:
        raise AccountNotFoundError(
            f"account {account_id!a} is not in {folder / 'accounts.parquet'}: the detection saw no exchange of it. "
            "Give the id exactly as the logs have it."
        )
    campaign = group_of(row, candidates)
    run = read_run(folder)
    sections = explain_account(row, campaign, fdr=found.fdr, tests_not_run=run.get("tests_not_run", ()))
    for section in sections:
        terminal.say(section.title, style="bold")
        for line in section.lines:
            terminal.say(line)
        terminal.say()
    terminal.document({"verb": "explain", **explanation_document(row, campaign, sections, fdr=found.fdr)})
    return ExitCode.DONE
