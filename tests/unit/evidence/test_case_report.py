"""The report of a case as page and as PDF: nothing acts, nothing is fetched, the same case gives the same bytes."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
import sample_case as sample

from stillwatch.evidence.cases.bundle import case_file_of
from stillwatch.evidence.cases.certificates import BundleFacts
from stillwatch.evidence.cases.plots import claims_picture, days_picture
from stillwatch.evidence.cases.printed_report import print_case
from stillwatch.evidence.cases.report import render_case
from stillwatch.records.case import CaseFile, Statement

EVIL = '<script>alert(1)</script><img src=x onerror=alert(2)> \u202etxt.exe \x1b[31m & "quoted" \''
FACTS = BundleFacts(
    origin="example.com/log", log_key="example.com/log+00", size=19, root="ab" * 32, entries=10, files=(("records/1.json", "cd" * 32),),
    stamped=("checkpoint of 19 entries at 2026-05-28 20:26:40 UTC by CN=Test",),
)  # fmt: skip


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> CaseFile:
    made = sample.make_sample(tmp_path_factory.mktemp("case"), stamped=False)
    return case_file_of(made.work, made.case_id, made_us=1_780_000_000_000_000, version="0.1.0", shared=False)


def hostile(case: CaseFile) -> CaseFile:
    """Put hostile text wherever a user or a log could."""
    exhibit = replace(case.exhibits[0], fields={"prompt": EVIL, EVIL: EVIL})
    element = case.elements[0]
    said = Statement(text=EVIL, label=element.statements[0].label, entries=(1,))
    step = replace(case.custody[0], actor=EVIL)
    return replace(
        case,
        title=EVIL,
        exhibits=(exhibit,),
        elements=(replace(element, statements=(said,)), *case.elements[1:]),
        releases=((case.harvest[3][0], EVIL),),
        custody=(step,),
    )


class Tags(HTMLParser):
    """Gathers tags and the addresses in them."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += attrs


def test_no_value_acts_on_the_page(case: CaseFile) -> None:
    page = render_case(hostile(case), FACTS)
    found = Tags()
    found.feed(page)
    assert not found.tags & {"script", "img", "iframe", "object", "link", "form", "a"}
    assert not [name for name, _ in found.attributes if name.startswith("on") or name in {"src", "href"}]
    assert "\u202e" not in page
    assert "\x1b" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_the_page_forbids_everything_but_its_own_style(case: CaseFile) -> None:
    page = render_case(case, FACTS)
    assert re.search(r"default-src 'none'; style-src 'sha256-[A-Za-z0-9+/]{43}='", page.replace("&#39;", "'"))
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "https://" not in page


def test_page_and_pdf_are_the_same_each_time(case: CaseFile) -> None:
    assert render_case(case, FACTS) == render_case(case, FACTS)
    assert print_case(case, FACTS) == print_case(case, FACTS)


def test_the_page_has_every_element_label_gap_and_plot(case: CaseFile) -> None:
    page = render_case(case, FACTS)
    for element in case.elements:
        assert f". {element.title.replace(chr(39), '&#39;')}</h3>" in page
    for word in (
        "observed",
        "derived",
        "attested",
        "missing",
        "Innocent explanations that were weighed",
        "Custody",
        FACTS.log_key,
    ):
        assert word in page
    assert page.count("<svg") == 2
    assert page.count('<rect class="bar"') == len(case.harvest) + len(case.claims)


def test_plots_stay_in_their_box(case: CaseFile) -> None:
    days = days_picture(case)
    claims = claims_picture(case)
    assert days is not None
    assert claims is not None
    assert all(bar.x >= 0 and bar.x + bar.width <= 721 and 0 <= bar.y <= 140 for bar in days.bars)
    assert max(bar.height for bar in days.bars) == pytest.approx(106)
    assert all(bar.width <= 720 for bar in claims.bars)
    assert [mark.label for mark in days.marks] == ["Suspect-7B"]
    assert days_picture(replace(case, harvest=())) is None
    assert claims_picture(replace(case, claims=())) is None


@pytest.mark.skipif(
    shutil.which("pdftotext") is None, reason="pdftotext is not installed (Debian: apt-get install poppler-utils)"
)
def test_the_pdf_can_be_read(case: CaseFile, tmp_path: Path) -> None:
    (tmp_path / "report.pdf").write_bytes(print_case(hostile(case), FACTS))
    done = subprocess.run(
        ["pdftotext", "-layout", "report.pdf", "-"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    text = " ".join(done.stdout.split())
    for word in (
        *(element.title for element in case.elements),
        "How to check this without us",
        "<script>alert(1)</script>",
    ):
        assert word in text, word
    assert "10^" in text
    assert not re.search("[⁰⁴⁵⁶⁷⁸⁹⁻]", text)


def test_signs_that_the_font_lacks_are_printed_as_code_points(case: CaseFile) -> None:
    assert print_case(replace(case, title="案件 \N{SNOWMAN}"), FACTS).startswith(b"%PDF-")
    from stillwatch.evidence.cases.printed_report import _plain  # noqa: PLC0415

    assert _plain("案 3.2 and 10⁻¹⁵") == "[U+6848] 3.2 and 10^-15"
