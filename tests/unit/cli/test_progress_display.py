"""Progress: lines in a pipe, bars with the time left on a terminal."""

from __future__ import annotations

import io
import itertools
import threading

import pytest
from rich.console import Console

from stillwatch.cli.progress_display import StageBars, StageLines, stage_progress
from stillwatch.cli.terminal import Terminal, open_terminal


def terminal(*, is_terminal: bool) -> tuple[Terminal, io.StringIO]:
    heard = io.StringIO()
    console = Console(file=heard, force_terminal=is_terminal, width=100, color_system=None)
    return Terminal(people=console, aside=console, as_json=False), heard


def test_a_pipe_gets_one_line_per_stage() -> None:
    where, heard = terminal(is_terminal=False)
    clock = itertools.count(0.0, 1.5).__next__
    with stage_progress(where, clock) as progress:
        assert isinstance(progress, StageLines)
        for stage, amount in (("reading", 1_000), ("linking", 0)):
            progress.begin(stage, 2_000)
            progress.advance(amount)
            progress.advance(amount)
            progress.end()
    assert heard.getvalue() == "✓ reading (1.5 s, 2,000)\n✓ linking (1.5 s)\n"


def test_a_terminal_gets_a_bar_and_a_line_when_done() -> None:
    where, heard = terminal(is_terminal=True)
    clock = itertools.count(0.0, 3.0).__next__
    with stage_progress(where, clock) as progress:
        assert isinstance(progress, StageBars)
        progress.begin("sketching", 200)
        progress.advance(50)
        progress.bars.refresh()
        progress.end()
        progress.begin("unknown", None)
        progress.advance(7_000)
        progress.bars.refresh()
        progress.end()
        progress.end()
        progress.advance(1)
    text = heard.getvalue()
    assert "25%" in text
    assert "7,000" in text
    assert "✓ sketching (3.0 s, 50)" in text


def test_advance_may_come_from_many_threads() -> None:
    where, heard = terminal(is_terminal=False)
    with stage_progress(where, lambda: 0.0) as progress:
        progress.begin("reading", None)
        threads = [threading.Thread(target=lambda: [progress.advance(1) for _ in range(2_000)]) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        progress.end()
    assert "8,000" in heard.getvalue()


def test_the_bar_is_taken_away_when_a_stage_fails() -> None:
    where, _ = terminal(is_terminal=True)
    displays: list[StageBars] = []

    def fail() -> None:
        with stage_progress(where) as progress:
            assert isinstance(progress, StageBars)
            displays.append(progress)
            progress.begin("reading", 5)
            raise ValueError("stage")

    with pytest.raises(ValueError, match="stage"):
        fail()
    assert not displays[0].bars.live.is_started


def test_people_read_standard_error_where_output_is_json(capsys: pytest.CaptureFixture[str]) -> None:
    both = open_terminal(as_json=True)
    both.say("[bold]for people[/bold]")
    both.document({"a": "\u202e"})
    said = capsys.readouterr()
    assert said.err == "[bold]for people[/bold]\n"
    assert said.out == '{\n  "a": "\\u202e"\n}\n'
