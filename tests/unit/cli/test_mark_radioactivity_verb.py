"""`stillwatch mark radioactivity`: the example as it stands, and what is refused."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line_calls import Said

from stillwatch.cli import mark_example, mark_radioactivity
from stillwatch.cli.exit_codes import ExitCode

Stillwatch = Callable[..., Said]


def test_the_example_finds_the_provider_and_the_campaign(
    tmp_path: Path, stillwatch: Stillwatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    made = stillwatch(*shlex.split(mark_example.HELP.examples[0])[1:], "--json")
    said = stillwatch(*shlex.split(mark_radioactivity.HELP.examples[0])[1:], "--json")
    assert said.code == ExitCode.DONE, said.err
    found = [one for one in said.document["keys"] if one["found"]]
    assert {one["handle"] for one in found} == {"provider", made.document["marked_with"]}
    assert {one["claim"]["question"] for one in found} == {"trained on our outputs"}
    assert said.document["mode"] == "written token"
    shown = stillwatch(*shlex.split(mark_radioactivity.HELP.examples[0])[1:])
    assert shown.out.count("The suspect bears ") == 2


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (("--alpha", "2"), "--alpha got 2.0"),
        (("--decoys", "-1"), "--decoys got -1"),
        (("--model", "there"), "expected one of --model"),
    ],
)
def test_options_out_of_range_are_refused(
    tmp_path: Path, stillwatch: Stillwatch, monkeypatch: pytest.MonkeyPatch, more: tuple[str, ...], told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    said = stillwatch(*shlex.split(mark_radioactivity.HELP.examples[0])[1:], *more)
    assert said.code == ExitCode.USAGE
    assert told in " ".join(said.err.split())
