"""The page: a report's document as HTML that loads nothing.

Every value passes through Jinja's escaping, and characters that hide or turn what stands beside them are spelled out. The page's policy forbids
every script, image and font.
"""

from __future__ import annotations

import base64
import hashlib
import math
import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from types import SimpleNamespace
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from stillwatch.records.suspect import Support
from stillwatch.suspects.composition import STRONGLY_E, SUPPORTS_E, evidence_text
from stillwatch.suspects.report import pictures

LONGEST = 600
SYMBOLS = {
    Support.STRONGLY.value: "■",
    Support.SUPPORTS.value: "◆",
    Support.LEAD.value: "△",
    Support.NONE.value: "○",
    Support.INCONCLUSIVE.value: "?",
}
"""The word carries the meaning; the symbol repeats it for those who see no colour."""
SIZE = SimpleNamespace(
    width=pictures.WIDTH, height=pictures.HEIGHT, left=pictures.LEFT, right=pictures.RIGHT, floor=pictures.FLOOR,
    top=pictures.TOP, bar_left=pictures.BAR_LEFT, bar_row=pictures.BAR_ROW, supports=pictures.bar_x(SUPPORTS_E),
    strongly=pictures.bar_x(STRONGLY_E),
)  # fmt: skip


def render_suspect_report(document: Mapping[str, Any], entry: int | None, digest: str) -> str:
    """Give the page.

    Args:
        document: of the report.
        entry: of the ledger that seals the document; null where it is not sealed.
        digest: of the document's bytes.

    Returns:
        A whole HTML document.
    """
    style = _environment().get_template("suspect.css").render()
    style_hash = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    drawn = {
        test["test"]: [
            picture
            for series in (*test["series"], *_power(test))
            if (picture := pictures.line_picture(series["title"], series["x_name"], series["y_name"], series["points"]))
        ]
        for test in document["tests"]
    }
    return (
        _environment()
        .get_template("suspect.html.j2")
        .render(
            doc=document, bars=pictures.evidence_bars(document["lines"]), drawn=drawn, size=SIZE, symbols=SYMBOLS,
            entry=entry, digest=digest, style=style, style_hash=f"sha256-{style_hash}",
        )
    )  # fmt: skip


def _power(test: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Give the power curve as a line."""
    if not test["power"] or not test["power"]["curve"]:
        return []
    return [
        {
            "title": "What would have been found",
            "x_name": "dilution",
            "y_name": "chance",
            "points": test["power"]["curve"],
        }
    ]


def _shown(value: object, limit: int = LONGEST) -> str:
    """Make a value of any origin safe to read."""
    text = value if isinstance(value, str) else repr(value)
    kept = text if len(text) <= limit else f"{text[: limit - 1]}…"
    return "".join(
        one if one == " " or unicodedata.category(one)[0] not in "CZ" else f"\\u{{{ord(one):x}}}" for one in kept
    )


def _e(value: float | str | None) -> str:
    """Write an e-value from its logarithm."""
    return "none" if value is None else evidence_text(float(value))


def _p(value: float | str | None) -> str:
    """Write a p-value from its logarithm."""
    if value is None:
        return "none"
    log10 = float(value) / math.log(10.0)
    return f"{10.0**log10:.2g}" if log10 > -4.0 else "0" if log10 == -math.inf else f"10^{log10:.1f}"


def _time(value: int | None) -> str:
    return "never" if value is None else datetime.fromtimestamp(value / 1e6, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


@cache
def _environment() -> Environment:
    """Open the templates; an undefined name is an error, never an empty string."""
    environment = Environment(
        loader=PackageLoader("stillwatch.suspects.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"shown": _shown, "evidence": _e, "chance": _p, "time": _time}
    return environment
