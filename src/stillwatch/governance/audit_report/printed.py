"""The report as a PDF, by `reportlab` with the fonts that it carries; the same report gives the same bytes."""

from __future__ import annotations

import io
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import reportlab
from reportlab.lib.colors import HexColor
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.platypus import Paragraph, SimpleDocTemplate, Table, TableStyle

from stillwatch.governance.audit_report.tables import Section, sections, title_of
from stillwatch.governance.posture.page import moment

INK, SOFT, LINE, HEAD = (HexColor(code) for code in ("#1b1f24", "#5b6470", "#d9dee4", "#f4f6f8"))
MARGIN = 18 * mm
PAGE_WIDTH = A4[0] - 2 * MARGIN


def print_report(content: Mapping[str, Any]) -> bytes:
    """Return the PDF of a report."""
    _load_fonts()
    stream = io.BytesIO()
    document = SimpleDocTemplate(
        stream, pagesize=A4, leftMargin=MARGIN, rightMargin=MARGIN, topMargin=MARGIN, bottomMargin=MARGIN, title=_plain(title_of(content)),
        author="stillwatch", invariant=1,  # no clock and no random id inside
    )  # fmt: skip

    def footer(canvas: Any, _: Any) -> None:
        canvas.setFont("Audit", 7.5)
        canvas.setFillColor(SOFT)
        canvas.drawString(MARGIN, 10 * mm, _plain(title_of(content)))
        canvas.drawRightString(A4[0] - MARGIN, 10 * mm, f"page {canvas.getPageNumber()}")

    story: list[Any] = [
        _text(title_of(content), "title"),
        _text(
            f"{moment(content['from_us'])} to {moment(content['to_us'])}, from {content['ledger_entries']:,} entries of the ledger, by stillwatch {content['version']}.",
            "soft",
        ),
    ]
    for one in sections(content):
        story += _section(one)
    document.build(story, onFirstPage=footer, onLaterPages=footer)
    return stream.getvalue()


def _section(one: Section) -> list[Any]:
    made: list[Any] = [_text(one.title, "heading"), *(_text(text) for text in one.sentences)]
    if one.rows:
        rows = [[_text(name, "strong") for name in one.heads], *([_text(cell) for cell in row] for row in one.rows)]
        table = Table(rows, colWidths=[share * PAGE_WIDTH for share in one.widths], repeatRows=1, splitInRow=1)
        table.setStyle(
            TableStyle(
                [
                    ("VALIGN", (0, 0), (-1, -1), "TOP"), ("LINEABOVE", (0, 0), (-1, -1), 0.4, LINE), ("BACKGROUND", (0, 0), (-1, 0), HEAD),
                    ("LEFTPADDING", (0, 0), (-1, -1), 2), ("RIGHTPADDING", (0, 0), (-1, -1), 4), ("TOPPADDING", (0, 0), (-1, -1), 2),
                    ("BOTTOMPADDING", (0, 0), (-1, -1), 2),
                ]
            )
        )  # fmt: skip
        made.append(table)
    return made


def _text(text: str, style: str = "body") -> Paragraph:
    """Return a paragraph of plain text: markup in it is only text."""
    return Paragraph(escape(_plain(text)), _styles()[style])


def _plain(text: str) -> str:
    """Return text in signs that the font has; the signs of states are left to their words, others are told by their code points."""
    known = pdfmetrics.getFont("Audit").face.charToGlyph
    for sign in "✓✗✎○":
        text = text.replace(f"{sign} ", "")
    return "".join(sign if ord(sign) in known or sign == "\n" else f"[U+{ord(sign):04X}]" for sign in text)


@cache
def _load_fonts() -> None:
    folder = Path(str(reportlab.__file__)).parent / "fonts"
    pdfmetrics.registerFont(TTFont("Audit", str(folder / "Vera.ttf")))
    pdfmetrics.registerFont(TTFont("Audit-Bold", str(folder / "VeraBd.ttf")))


@cache
def _styles() -> dict[str, ParagraphStyle]:
    body = ParagraphStyle(
        "body", fontName="Audit", fontSize=7.6, leading=10, textColor=INK, spaceAfter=2, splitLongWords=1
    )
    made = {"body": body}
    for name, font, size, colour, before in (
        ("title", "Audit-Bold", 16, INK, 0), ("heading", "Audit-Bold", 11.5, INK, 12), ("strong", "Audit-Bold", 7.6, INK, 0), ("soft", "Audit", 7.4, SOFT, 0),
    ):  # fmt: skip
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
