"""Lint: all problems of all configurations, by place.

Takes the bytes of configurations. Gives what was found in them. Complexity: linear in the files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from stillwatch.watermark.lint.problem import SettingProblem
from stillwatch.watermark.lint.rules import RULES, keys_are_reused
from stillwatch.watermark.lint.settings import Engine, MarkSettings, find_settings


@dataclass(frozen=True, slots=True, kw_only=True)
class LintResult:
    """What a lint found."""

    settings: tuple[MarkSettings, ...]
    problems: tuple[SettingProblem, ...]
    """By file and place; those that were accepted are not among them."""
    accepted: tuple[SettingProblem, ...]
    """Likewise, of the rules that were accepted."""


def lint_settings(
    files: Mapping[str, bytes],
    *,
    engine: Engine | None = None,
    registered: Mapping[int, str] | None = None,
    accept: Sequence[str] = (),
    more: Sequence[SettingProblem] = (),
) -> LintResult:
    """Lint configurations together.

    Args:
        files: name to content.
        engine: who reads them; null to tell by their fields.
        registered: key to `level subject` of all keys ever issued; null where the registry is not at hand.
        accept: names of rules that are accepted.
        more: problems that were found elsewhere, such as a file's mode.

    Raises:
        MarkSettingsError: where a file cannot be read or holds no marking settings.
    """
    settings = tuple(one for name, content in files.items() for one in find_settings(content, name, engine))
    found = [problem for one in settings for rule in RULES for problem in rule(one)]
    found += keys_are_reused(settings, None if registered is None else dict(registered))
    found += more
    order = {name: place for place, name in enumerate(files)}
    found.sort(key=lambda one: (order[one.file], one.place, one.rule))
    return LintResult(
        settings=settings,
        problems=tuple(one for one in found if one.rule not in accept),
        accepted=tuple(one for one in found if one.rule in accept),
    )
