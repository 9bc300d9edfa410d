"""A group of verbs: `stillwatch GROUP VERB`, each verb with the same help as a verb of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import typer

from stillwatch.cli.verb_help import VerbHelp


@dataclass(frozen=True, slots=True, kw_only=True)
class VerbGroup:
    """Verbs about one thing."""

    name: str
    purpose: str
    """One line."""
    verbs: tuple[tuple[VerbHelp, Any], ...]
    """Help and function of each verb, in the order in which they are used."""

    def app(self) -> typer.Typer:
        """Assemble the verbs of the group."""
        app = typer.Typer(
            name=self.name,
            help=self.purpose,
            short_help=self.purpose,
            no_args_is_help=True,
            add_completion=False,
            rich_markup_mode=None,
            pretty_exceptions_enable=False,
            context_settings={"help_option_names": ["-h", "--help"]},
        )
        for verb, function in self.verbs:
            app.command(name=verb.name, help=verb.text(), short_help=verb.purpose, no_args_is_help=False)(function)
        return app
