"""The report of a case as one HTML page that loads nothing.

Takes a case file and the facts of its bundle. Gives HTML text; the same case gives the same text. Every value passes through Jinja's escaping,
and values of any origin are first made visible (`wording.shown`), so that no name in a log acts on the page.
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from types import SimpleNamespace

from jinja2 import Environment, PackageLoader, StrictUndefined

from stillwatch.evidence.cases import plots
from stillwatch.evidence.cases.certificates import BundleFacts
from stillwatch.evidence.incident_report import wording
from stillwatch.records.case import CaseFile

LONGEST_VALUE = 600
SIZE = SimpleNamespace(
    width=plots.WIDTH,
    days_height=plots.DAYS_HEIGHT,
    left=plots.LEFT,
    top=plots.TOP,
    floor=plots.FLOOR,
    claim_left=plots.CLAIM_LEFT,
)


def heading_of(case: CaseFile) -> str:
    """Return the title of a case, or its id where the title is withheld.

    Args:
        case: the case file.
    """
    return wording.sentence(case.title) if case.title else f"Case {case.case_id}"


def value_text(value: object) -> str:
    """Return the value of a field in a line.

    Args:
        value: as JSON has it.
    """
    return wording.shown(value if isinstance(value, str) else repr(value), LONGEST_VALUE)


def render_case(case: CaseFile, facts: BundleFacts) -> str:
    """Return the page.

    Args:
        case: the case file.
        facts: of its bundle.

    Returns:
        A whole HTML document.
    """
    style = _environment().get_template("case.css").render()
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return (
        _environment()
        .get_template("case.html.j2")
        .render(
            case=case,
            facts=facts,
            heading=heading_of(case),
            days=plots.days_picture(case),
            claims=plots.claims_picture(case),
            size=SIZE,
            style=style,
            style_hash=f"sha256-{digest}",
        )
    )


def power_text(log_value: float | None) -> str:
    """Return a p- or e-value, or `none` where there is none.

    Args:
        log_value: natural logarithm.
    """
    return "none" if log_value is None else wording.power_of_ten(log_value)


@cache
def _environment() -> Environment:
    """Open the templates; an undefined name is an error, never an empty string."""
    environment = Environment(
        loader=PackageLoader("stillwatch.evidence.cases", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["time"] = wording.time_text
    environment.filters["shown"] = wording.shown
    environment.filters["sentence"] = wording.sentence
    environment.filters["power"] = power_text
    environment.filters["value"] = value_text
    return environment
