"""The report of a case as a PDF, for print and for the record.

Takes a case file and the facts of its bundle. Gives PDF bytes, made by `reportlab` with the fonts that it carries; no browser is needed, and the
same case gives the same bytes. A sign that the font lacks is printed as its code point, never left out.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import reportlab
from reportlab.graphics.shapes import Drawing, Line, Rect, String
from reportlab.lib.colors import HexColor
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.platypus import KeepTogether, Paragraph, SimpleDocTemplate, Spacer, Table, TableStyle

from stillwatch.evidence.cases import plots
from stillwatch.evidence.cases.certificates import BundleFacts
from stillwatch.evidence.cases.report import heading_of, power_text, value_text
from stillwatch.evidence.incident_report import wording
from stillwatch.records.case import CaseFile, Element, Gap

INK, SOFT, LINE, BAR, MARK = (HexColor(code) for code in ("#1b1f24", "#5b6470", "#d9dee4", "#2f5d8a", "#b3541e"))
COLOURS = {"observed": "#1d6b3c", "derived": "#2f5d8a", "attested": "#7a4a9c", "missing": "#9a3412"}
PAGE_WIDTH = A4[0] - 36 * mm
_SUPERSCRIPTS = "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"
_REPLACED = {"\N{MINUS SIGN}": "-", "\N{HORIZONTAL ELLIPSIS}": "...", "\N{INFINITY}": "infinity"}
"""Written out where the font lacks the sign."""
_LOWERED = str.maketrans(_SUPERSCRIPTS, "-0123456789")


def print_case(case: CaseFile, facts: BundleFacts) -> bytes:
    """Return the PDF.

    Args:
        case: the case file.
        facts: of its bundle.
    """
    _load_fonts()
    stream = io.BytesIO()
    document = SimpleDocTemplate(
        stream,
        pagesize=A4,
        leftMargin=18 * mm,
        rightMargin=18 * mm,
        topMargin=18 * mm,
        bottomMargin=18 * mm,
        title=_plain(heading_of(case)),
        author="stillwatch",
        subject=case.case_id,
        invariant=1,  # no clock and no random id inside
    )

    def footer(canvas: Any, _: Any) -> None:
        canvas.setFont("Report", 7.5)
        canvas.setFillColor(SOFT)
        canvas.drawString(18 * mm, 10 * mm, f"{case.case_id} · {case.made_us}")
        canvas.drawRightString(A4[0] - 18 * mm, 10 * mm, f"page {canvas.getPageNumber()}")

    document.build(_story(case, facts), onFirstPage=footer, onLaterPages=footer)
    return stream.getvalue()


def _story(case: CaseFile, facts: BundleFacts) -> list[Any]:
    """Return the parts of the report in order."""
    shared = " Version for sharing: fields that name persons or show text are withheld." if case.shared else ""
    story: list[Any] = [
        _text(heading_of(case), "title"),
        _text(
            f"Case {case.case_id} · {case.status.value} · drawn up {wording.time_text(case.made_us)} by stillwatch {case.version}.{shared}",
            "soft",
        ),
        Spacer(1, 3 * mm),
        _text(
            "Every statement carries the ground it rests on. Observed: a record of the time says so. Derived: computed from records by the "
            "method named, with its error rate. Attested: a person says so. What is missing is said in its place. Numbers in brackets are "
            "entries of the log; each is a file in records/, and verify.py checks all of them. This report draws no conclusion of law, and "
            "names nobody: accounts are what the logs know."
        ),
    ]
    days = plots.days_picture(case)
    if days is not None:
        story.append(
            KeepTogether([_text("The harvest by day", "heading"), _text(days.summary, "soft"), _days_drawing(days)])
        )
    story.append(_text("Elements", "heading"))
    for number, element in enumerate(case.elements, start=1):
        story += _element(number, element)
    story.append(_text("What is missing from the case as a whole", "heading"))
    story.append(_labelled([], case.gaps))
    story += _alternatives(case) + _claims(case) + _exhibits(case) + _custody(case) + _checking(facts)
    return story


def _element(number: int, element: Element) -> list[Any]:
    rows = [
        (one.label.value, f"{one.text} [{', '.join(map(str, one.entries))}]{f' ({one.method})' if one.method else ''}")
        for one in element.statements
    ]
    head = [
        _text(f"{number}. {element.title}", "subheading"),
        _text(f"{element.question} ({element.basis})", "soft"),
    ]
    return [KeepTogether(head), _labelled(rows, element.gaps)]


def _labelled(rows: Sequence[tuple[str, str]], gaps: Sequence[Gap]) -> Any:
    """Return statements and gaps as a table of label and text."""
    lines = [*rows, *(("missing", f"{gap.what} Why: {gap.why}. Would close it: {gap.needed}.") for gap in gaps)]
    cells = [
        [Paragraph(f'<font color="{COLOURS[label]}">{label}</font>', _styles()["label"]), _text(text)]
        for label, text in lines
    ]
    return _table(cells, [20 * mm, PAGE_WIDTH - 20 * mm], header=False) if cells else Spacer(1, 1)


def _alternatives(case: CaseFile) -> list[Any]:
    head = _text("Innocent explanations that were weighed", "heading")
    if not case.alternatives:
        return [head, _text("None is in the case.")]
    rows = [[_text(name, "soft") for name in ("explanation", "as its defender would put it", "outcome", "remark")]]
    rows += [[_text(part) for part in (one.name, one.says, one.outcome, one.remark)] for one in case.alternatives]
    return [head, _table(rows, [0.19 * PAGE_WIDTH, 0.3 * PAGE_WIDTH, 0.13 * PAGE_WIDTH, 0.38 * PAGE_WIDTH])]


def _claims(case: CaseFile) -> list[Any]:
    head = _text("Claims", "heading")
    picture = plots.claims_picture(case)
    if picture is None:
        return [head, _text("None is in the case.")]
    rows = [[_text(name, "soft") for name in ("claim", "null hypothesis", "p", "e", "n", "method")]]
    for one in case.claims:
        seed = "" if one.seed is None else f", seed {one.seed}"
        assumed = "; ".join(one.assumptions)
        rows.append(
            [
                [_text(one.name, "strong"), _text(one.statement), _text(f"Assumes: {assumed}", "soft")],
                _text(one.null_hypothesis),
                _text(power_text(one.log_p)),
                _text(power_text(one.log_e)),
                _text(f"{one.n:,} {one.n_unit}"),
                _text(f"{one.method}{seed}"),
            ]
        )
    widths = [share * PAGE_WIDTH for share in (0.36, 0.2, 0.11, 0.11, 0.1, 0.12)]
    return [head, KeepTogether([_text(picture.summary, "soft"), _claims_drawing(picture)]), _table(rows, widths)]


def _exhibits(case: CaseFile) -> list[Any]:
    head = _text("Exhibits", "heading")
    if not case.exhibits:
        return [head, _text("None is in the case.")]
    rows: list[list[Any]] = [[_text(name, "soft") for name in ("item", "entry", "what is shown", "withheld")]]
    for one in case.exhibits:
        shown = [_text(f"{name}: {value_text(value)}") for name, value in one.fields.items()] or [_text("nothing")]
        rows.append(
            [_text(str(one.number)), _text(str(one.entry_index)), shown, _text(", ".join(one.withheld), "soft")]
        )
    return [head, _table(rows, [share * PAGE_WIDTH for share in (0.08, 0.08, 0.58, 0.26)])]


def _custody(case: CaseFile) -> list[Any]:
    rows = [[_text(name, "soft") for name in ("entry", "time", "who", "act")]]
    rows += [
        [
            _text(part)
            for part in (str(one.entry_index), wording.time_text(one.time_us), wording.shown(one.actor), one.act)
        ]
        for one in case.custody
    ]
    return [_text("Custody", "heading"), _table(rows, [share * PAGE_WIDTH for share in (0.1, 0.28, 0.22, 0.4)])]


def _checking(facts: BundleFacts) -> list[Any]:
    lines = [
        "With Python 3.11 or later and the library cryptography, offline: python verify.py . --log-key LOG.vkey --authority ROOT.pem",
        (
            f"Log {facts.origin}, public key {facts.log_key}, last checkpoint of {facts.size:,} entries with root {facts.root}. "
            "Take the key and the authority's root certificate from elsewhere than this bundle."
        ),
        *(f"Time stamp: {line}" for line in facts.stamped),
    ]
    return [_text("How to check this without us", "heading"), *(_text(line) for line in lines)]


def _days_drawing(picture: plots.DaysPicture) -> Drawing:
    """Draw the harvest by day; the PDF's origin is at the bottom."""
    scale = PAGE_WIDTH / plots.WIDTH
    height = plots.DAYS_HEIGHT
    drawing = Drawing(PAGE_WIDTH, height * scale)
    drawing.scale(scale, scale)
    drawing.add(Line(plots.LEFT, height - plots.FLOOR, plots.WIDTH, height - plots.FLOOR, strokeColor=LINE))
    for bar in picture.bars:
        drawing.add(Rect(bar.x, height - bar.y - bar.height, bar.width, bar.height, fillColor=BAR, strokeColor=None))
    for mark in picture.marks:
        drawing.add(
            Line(mark.x, height - plots.FLOOR, mark.x, height - plots.TOP + 6, strokeColor=MARK, strokeDashArray=[3, 2])
        )
        drawing.add(_string(mark.x, height - 11 - 13 * mark.level, mark.label, mark.anchor, MARK))
    drawing.add(_string(plots.LEFT - 6, height - plots.TOP - 8, picture.top, "end"))
    drawing.add(_string(plots.LEFT - 6, height - plots.FLOOR, "0", "end"))
    drawing.add(_string(plots.LEFT, height - plots.FLOOR - 18, picture.first, "start"))
    drawing.add(_string(plots.WIDTH, height - plots.FLOOR - 18, picture.last, "end"))
    return drawing


def _claims_drawing(picture: plots.ClaimsPicture) -> Drawing:
    scale = PAGE_WIDTH / plots.WIDTH
    drawing = Drawing(PAGE_WIDTH, picture.height * scale)
    drawing.scale(scale, scale)
    for bar in picture.bars:
        y = picture.height - bar.y - 12
        drawing.add(_string(plots.CLAIM_LEFT - 8, y + 3, bar.name, "end"))
        drawing.add(Rect(plots.CLAIM_LEFT, y, bar.width, 12, fillColor=BAR, strokeColor=None))
        drawing.add(_string(plots.CLAIM_LEFT + bar.width + 6, y + 3, bar.value, "start"))
    return drawing


def _string(x: float, y: float, text: str, anchor: str, colour: Any = SOFT) -> String:
    return String(x, y, _plain(text), fontName="Report", fontSize=10.5, fillColor=colour, textAnchor=anchor)


def _table(rows: Sequence[Sequence[Any]], widths: Sequence[float], *, header: bool = True) -> Table:
    table = Table(rows, colWidths=widths, repeatRows=1 if header else 0, splitInRow=1)
    table.setStyle(
        TableStyle(
            [
                ("VALIGN", (0, 0), (-1, -1), "TOP"),
                ("LINEABOVE", (0, 0), (-1, -1), 0.4, LINE),
                ("LEFTPADDING", (0, 0), (-1, -1), 2),
                ("RIGHTPADDING", (0, 0), (-1, -1), 4),
                ("TOPPADDING", (0, 0), (-1, -1), 2),
                ("BOTTOMPADDING", (0, 0), (-1, -1), 2),
            ]
        )
    )
    return table


def _text(text: str, style: str = "body") -> Paragraph:
    """Return a paragraph of plain text: markup in it is only text."""
    return Paragraph(escape(_plain(wording.shown(text, wording.LONGEST_TEXT))), _styles()[style])


def _plain(text: str) -> str:
    """Return text in signs that the font has; others as their code points."""
    known = pdfmetrics.getFont("Report").face.charToGlyph
    # The font has few raised digits, and 10^8 must never be read as 108.
    text = re.sub(f"[{_SUPERSCRIPTS}]+", lambda run: "^" + run[0].translate(_LOWERED), text)
    written = "".join(_REPLACED.get(sign, sign) if ord(sign) not in known else sign for sign in text)
    return "".join(sign if ord(sign) in known else f"[U+{ord(sign):04X}]" for sign in written)


@cache
def _load_fonts() -> None:
    """Register the fonts that reportlab carries."""
    folder = Path(str(reportlab.__file__)).parent / "fonts"
    pdfmetrics.registerFont(TTFont("Report", str(folder / "Vera.ttf")))
    pdfmetrics.registerFont(TTFont("Report-Bold", str(folder / "VeraBd.ttf")))


@cache
def _styles() -> dict[str, ParagraphStyle]:
    """Return the styles of paragraphs."""
    body = ParagraphStyle(
        "body", fontName="Report", fontSize=8, leading=10.6, textColor=INK, spaceAfter=2, splitLongWords=1
    )
    made = {"body": body}
    for name, font, size, colour, before in (
        ("title", "Report-Bold", 16, INK, 0),
        ("heading", "Report-Bold", 11.5, INK, 12),
        ("subheading", "Report-Bold", 9, INK, 8),
        ("strong", "Report-Bold", 8, INK, 0),
        ("soft", "Report", 7.4, SOFT, 0),
        ("label", "Report-Bold", 7.4, INK, 0),
    ):
        made[name] = ParagraphStyle(
            name,
            parent=body,
            fontName=font,
            fontSize=size,
            leading=size * 1.32,
            textColor=colour,
            spaceBefore=before,
            spaceAfter=3,
        )
    return made
