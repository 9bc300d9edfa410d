"""The page of a report: it loads nothing, runs nothing, and shows what is hostile as what it is."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from planned_run import folder_of

from stillwatch.cli.main import run
from stillwatch.suspects.report import render_suspect_report

CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)
HOSTILE = "\"><script>document.title='owned'</script><img src=http://example.com/x.png>\u202e"


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The document of a real run."""
    folder = folder_of(tmp_path_factory.mktemp("page") / "p")
    options = ["--ledger", f"sqlite:{folder}/ledger.db", "--actor"]
    assert run(["ledger", "init", *options, "alice", "--origin", "example.com/l", "--key-file", str(folder / "k")]) == 0
    assert run(["ledger", "role", *options, "alice", "--assign", "analyst", "--to", "bob"]) == 0
    for verb in (
        ["plan", str(folder / "draft.yaml")],
        ["run", str(folder)],
        ["report", str(folder), "--out", str(folder / "out")],
    ):
        assert run(["suspect", *verb, *options, "bob"]) == 0
    return json.loads((folder / "out" / "report.json").read_bytes())


def hostile(value: Any) -> Any:
    """Put markup into every sentence and name that may come from elsewhere."""
    if isinstance(value, dict):
        free = {
            "suspect",
            "purpose",
            "reason",
            "statement",
            "remark",
            "name",
            "included_because",
            "seen",
            "title",
            "model",
            "innocent",
        }
        return {name: HOSTILE if name in free and isinstance(one, str) else hostile(one) for name, one in value.items()}
    return [hostile(one) for one in value] if isinstance(value, list) else value


def test_the_page_is_the_same_for_the_same_document(document: dict[str, Any]) -> None:
    assert render_suspect_report(document, 4, "sha256:0") == render_suspect_report(document, 4, "sha256:0")


def test_the_page_loads_and_runs_nothing(document: dict[str, Any]) -> None:
    page = render_suspect_report(hostile(document), 4, "sha256:0")
    assert "<script" not in page
    assert not re.search(r"<(img|link|iframe|object|embed|base|form)\b", page)
    assert not re.search(r"(src|href)=", page.replace("src=http://example.com/x.png", ""))
    assert "\u202e" not in page
    assert "default-src &#39;none&#39;" in page or "default-src 'none'" in page


def test_the_page_has_all_its_parts(document: dict[str, Any]) -> None:
    page = render_suspect_report(document, None, "sha256:0")
    headings = re.findall(r"<h2>([^<]+)</h2>", page)
    assert headings == [
        "The four claims",
        "What would have been found",
        "The tests",
        "Controls and calibration",
        "Sensitivity",
        "Evidence",
    ]
    assert page.count("<svg") == page.count('role="img"') >= 3
    assert "not sealed" in page
    for number in ("C1", "C2", "C3", "C4"):
        assert f'aria-label="{number}"' in page


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on the path; install the package `chromium`")
def test_a_browser_reads_it_whole(document: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    file.write_text(render_suspect_report(hostile(document), 4, "sha256:0"), encoding="utf-8")
    command = [
        CHROMIUM or "",
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--enable-logging=stderr",
        "--dump-dom",
        file.as_uri(),
    ]
    result = subprocess.run(
        command, capture_output=True, text=True, check=True, timeout=120, env={"HOME": str(tmp_path)}
    )
    assert "owned" not in re.findall(r"<title>(.*?)</title>", result.stdout, re.DOTALL)[0].replace(
        "document.title='owned'", ""
    )
    assert "Evidence" in result.stdout
    assert "CONSOLE" not in result.stderr
