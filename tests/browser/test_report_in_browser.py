"""The report in a real browser: it opens, reads whole, fetches nothing, and its script does what it should.

Chromium keeps every request, console line and policy violation in its log; the page's tree is printed after the script ran.
"""

from __future__ import annotations

import http.server
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest

EVIDENCE_TESTS = Path(__file__).resolve().parents[1] / "unit" / "evidence"
if str(EVIDENCE_TESTS) not in sys.path:  # the hand-made incident is written once
    sys.path.insert(0, str(EVIDENCE_TESTS))

import example_incident as example  # noqa: E402

from stillwatch.evidence.incident_report import IncidentReport, render_report  # noqa: E402

CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on the path; install the package `chromium`"),
]
HOSTILE = "\"><script>document.title='owned'</script><img src=/owned.png onerror=\"document.title='owned'\">\u202e"


class Site(http.server.BaseHTTPRequestHandler):
    """Serves the one page and remembers what else was asked for."""

    page: ClassVar[bytes] = b""
    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        type(self).asked.append(self.path)
        found = self.path == "/report.html"
        self.send_response(200 if found else 404)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.end_headers()
        self.wfile.write(type(self).page if found else b"")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class names it
        """Stay silent."""


@pytest.fixture
def site() -> Iterator[str]:
    """Serve on a free port of this machine."""
    Site.asked = []
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Site)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def opened(
    incident: IncidentReport | str, site: str, profile: Path, *flags: str, fragment: str = ""
) -> tuple[str, str]:
    """Open a report, or a page made from one, and give (tree as HTML, browser's log)."""
    assert CHROMIUM is not None
    Site.page = (incident if isinstance(incident, str) else render_report(incident)).encode()
    done = subprocess.run(
        [
            CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
            "--disable-component-update", "--disable-sync", "--disable-default-apps", "--disable-extensions",
            "--disable-dev-shm-usage", "--enable-logging=stderr", "--v=0", f"--user-data-dir={profile}",
            "--virtual-time-budget=3000", *flags, "--dump-dom", f"{site}/report.html{fragment}",
        ],
        capture_output=True, text=True, check=True, timeout=90,
    )  # fmt: skip
    return done.stdout, done.stderr


def console_lines(log: str) -> list[str]:
    """Give what the page itself wrote or broke."""
    return [line for line in log.splitlines() if "CONSOLE" in line]


def test_the_report_opens_whole_and_quiet(site: str, tmp_path: Path) -> None:
    tree, log = opened(example.incident(), site, tmp_path)
    assert console_lines(log) == []
    assert Site.asked[0] == "/report.html"
    assert set(Site.asked) <= {"/report.html", "/favicon.ico"}  # the browser's own wish, not the page's
    assert "3 campaigns were found: 238 accounts harvesting the model." in tree
    assert tree.count("<svg") == 6
    assert '<html lang="en" class="scripted">' in tree


def test_it_reads_the_same_without_its_script(site: str, tmp_path: Path) -> None:
    bare = re.sub(r"<script>.*?</script>", "", render_report(example.incident()), flags=re.DOTALL)
    tree, log = opened(bare, site, tmp_path)
    assert console_lines(log) == []
    assert '<html lang="en">' in tree
    assert "What this run could not test" in tree
    assert tree.count("<svg") == 6


def test_hostile_values_do_nothing(site: str, tmp_path: Path) -> None:
    pool = example.pool()
    evil = replace(
        pool, members=tuple(sorted((HOSTILE, *pool.members))), capability=HOSTILE, models=((HOSTILE, 1),),
        links=(replace(pool.links[2], value=HOSTILE, kind=HOSTILE, carriers=(HOSTILE,)),),
    )  # fmt: skip
    tree, log = opened(replace(example.incident(), campaigns=(evil,)), site, tmp_path)
    assert console_lines(log) == []
    assert "/owned.png" not in Site.asked
    title = re.search(r"<title>(.*?)</title>", tree)
    assert title is not None
    assert title[1].startswith("Harvest incident report")


def test_a_planted_script_is_stopped_by_the_policy(site: str, tmp_path: Path) -> None:
    """The policy is a second wall: what would slip through the escaping may still not act. It must be able to fail."""
    incident = example.incident()
    page = render_report(incident).replace("<main", "<script>document.title='owned'</script><main", 1)
    tree, log = opened(page, site, tmp_path)
    assert "<title>owned</title>" not in tree
    assert any("Content Security Policy" in line for line in console_lines(log))


def test_a_link_to_a_closed_campaign_opens_it(site: str, tmp_path: Path) -> None:
    pool = example.pool()
    many = tuple(replace(pool, id=f"c-{number:012x}", harvest_exchanges=100 - number) for number in range(6))
    tree, _ = opened(replace(example.incident(), campaigns=many), site, tmp_path, fragment="#campaign-c-000000000005")
    states = dict(re.findall(r'<details class="campaign" id="(campaign-c-0[0-9a-f]+)"( open="")?>', tree))
    assert states["campaign-c-000000000005"]
    assert not states["campaign-c-000000000004"]


def test_print_gives_every_campaign(site: str, tmp_path: Path) -> None:
    pool = example.pool()
    many = tuple(replace(pool, id=f"c-{number:012x}", harvest_exchanges=100 - number) for number in range(6))
    paper = tmp_path / "report.pdf"
    opened(replace(example.incident(), campaigns=many), site, tmp_path / "profile", f"--print-to-pdf={paper}")
    pages = len(re.findall(rb"/Type\s*/Page\b", paper.read_bytes()))
    assert pages >= 12, "closed campaigns must be open on paper"
