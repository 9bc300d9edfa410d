"""Versions of terms: sentences that matter, one event for a change, and none for a page that goes back and forth."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from stillwatch.governance.errors import SourceError
from stillwatch.governance.law.changes import DAY_US
from stillwatch.governance.law.sentences import relevant, sentences
from stillwatch.governance.law.terms_history import (
    TermsHistory,
    TermsVersion,
    fetch_clone,
    newest_commit,
    read_versions,
)

TERMS = """# Commercial Terms

*Last updated: 1 June 2026.* We are happy that you are here.

1. You may not use Outputs to train a model that competes with ours.
2. You may not resell the [Services](https://example.com/s_(x)).
- Visit our blog for recipes.
"""
OTHER = TERMS.replace("You may not resell", "You may resell with our consent")


def version(text: str, day: int, document: str = "Example/Commercial Terms") -> TermsVersion:
    return TermsVersion(document=document, commit=f"{day:040x}", time_us=day * DAY_US, text=text)


def test_sentences_are_told_apart_from_markup() -> None:
    assert sentences(TERMS) == (
        "Commercial Terms", "Last updated:", "1 June 2026.", "We are happy that you are here.",
        "You may not use Outputs to train a model that competes with ours.", "You may not resell the Services.", "Visit our blog for recipes.",
    )  # fmt: skip


def test_only_sentences_that_bear_on_extraction_count() -> None:
    assert list(relevant(TERMS).values()) == [
        "You may not use Outputs to train a model that competes with ours.", "You may not resell the Services.",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        TERMS.replace("1 June 2026", "2 June 2026"), TERMS.replace("recipes", "cookies"), TERMS.replace("1. You", "(a) You"),
        TERMS.replace("You may not resell", "**You may not resell**"), TERMS.upper(),
    ],
)  # fmt: skip
def test_what_is_round_the_clauses_is_no_event(text: str) -> None:
    history = TermsHistory()
    assert [history.take(version(one, day)) for day, one in enumerate((TERMS, text))] == [None, None]


def test_a_change_shows_the_sentences_that_came_and_went() -> None:
    history = TermsHistory()
    history.take(version(TERMS, 0))
    event = history.take(version(OTHER, 5))
    assert event is not None
    assert (event.came, event.went) == (
        ("You may resell with our consent the Services.",),
        ("You may not resell the Services.",),
    )


def test_a_page_that_serves_two_versions_by_turns_gives_one_event() -> None:
    history = TermsHistory()
    events = [history.take(version((TERMS, OTHER)[day % 2], day * 3)) for day in range(90)]
    assert sum(one is not None for one in events) == 1
    known = history.documents["Example/Commercial Terms"]
    assert (known.changed, known.flapping, known.serves_two_versions) == (89, 88, True)


def test_a_return_after_sixty_days_is_news() -> None:
    history = TermsHistory()
    days = ((TERMS, 0), (OTHER, 10), (OTHER, 100), (TERMS, 171))
    assert [history.take(version(text, day)) is not None for text, day in days] == [False, True, False, True]


def commit(folder: Path, files: dict[str, str | None], day: int) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink() if text is None else path.write_text(text, encoding="utf-8")
    moment = f"{1_700_000_000 + day * 86_400} +0000"
    who = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b"}
    run = {
        "cwd": folder,
        "env": {"PATH": os.environ["PATH"], "HOME": str(folder)}
        | who
        | {"GIT_AUTHOR_DATE": moment, "GIT_COMMITTER_DATE": moment},
    }
    subprocess.run(["git", "add", "--all"], check=True, **run)
    subprocess.run(["git", "commit", "--quiet", "-m", f"Record {day}"], check=True, **run)


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    folder = tmp_path / "versions"
    folder.mkdir()
    subprocess.run(["git", "init", "--quiet", "--initial-branch=main", folder], check=True)
    commit(folder, {"Example/Commercial Terms.md": TERMS, "README.md": "not terms", "Ünder/Gröüp.md": TERMS}, 0)
    commit(folder, {"Example/Commercial Terms.md": OTHER}, 1)
    commit(folder, {"Example/Commercial Terms.md": None, "Other/Terms of Service.md": TERMS}, 2)
    return folder


def test_versions_are_read_in_order_of_time(archive: Path) -> None:
    read = [(one.document, one.time_us // DAY_US) for one in read_versions(archive)]
    day = 1_700_000_000_000_000 // DAY_US
    assert read == [
        ("Example/Commercial Terms", day), ("Ünder/Gröüp", day), ("Example/Commercial Terms", day + 1), ("Other/Terms of Service", day + 2),
    ]  # fmt: skip


def test_only_versions_after_a_commit_are_read(archive: Path) -> None:
    before = newest_commit(archive)
    commit(archive, {"Other/Terms of Service.md": OTHER}, 9)
    assert [one.document for one in read_versions(archive, before)] == ["Other/Terms of Service"]


def test_a_clone_is_made_and_brought_up_to_date(archive: Path, tmp_path: Path) -> None:
    clone = tmp_path / "clone.git"
    fetch_clone(str(archive), clone)
    assert newest_commit(clone) == newest_commit(archive)
    commit(archive, {"Other/Terms of Service.md": OTHER}, 9)
    fetch_clone(str(archive), clone)
    assert newest_commit(clone) == newest_commit(archive)
    assert len(list(read_versions(clone))) == 5


def test_a_folder_that_is_no_repository_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="git"):
        newest_commit(tmp_path / "nothing")
