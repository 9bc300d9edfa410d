"""Prompts of a test: takes a file of JSON lines, each with a `prompt`; gives the prompts in order."""

from __future__ import annotations

import json
from pathlib import Path

from stillwatch.suspects.errors import MaterialError


def read_prompts(path: Path) -> tuple[str, ...]:
    """Read the prompts of a material.

    Args:
        path: of UTF-8 lines, each a JSON object with a text `prompt`; other fields are left alone, empty lines skipped.

    Raises:
        MaterialError: naming the line, never its text.
    """
    prompts = []
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise MaterialError(f"{path}: cannot be read as UTF-8 ({type(error).__name__}); give JSON lines") from error
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            prompt = json.loads(line)["prompt"]
        except (json.JSONDecodeError, KeyError, TypeError):
            prompt = None
        if not isinstance(prompt, str) or not prompt:
            raise MaterialError(f'{path}:{number}: expected a JSON object with a text "prompt" that is not empty')
        prompts.append(prompt)
    if not prompts:
        raise MaterialError(f'{path}: got no prompt, expected JSON lines with a "prompt"')
    return tuple(prompts)
