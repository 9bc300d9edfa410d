"""render_report: an incident as one HTML page.

Takes an `IncidentReport`. Gives HTML text with everything inside it: no font, image, style or script is fetched, and the
page's own content security policy forbids it. Every value passes through Jinja's escaping; the only markup is the
template's. The page is whole without its script, which merely filters the table and opens sections.
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from stillwatch.evidence.incident_report import link_picture, timeline_picture, wording
from stillwatch.evidence.incident_report.incident import IncidentReport
from stillwatch.evidence.incident_report.pages import SHOWN_CONSIDERED, report_view
from stillwatch.records.campaign import Finding


def render_report(incident: IncidentReport) -> str:
    """Give the report as HTML.

    Args:
        incident: what was found, considered and not tested.

    Returns:
        A whole HTML document, UTF-8 text; the same incident gives the same text.
    """
    view = report_view(incident)
    style, script = _asset("report.css"), _asset("report.js")
    return _template().render(
        view=view,
        run=incident.run,
        tests_not_run=[
            tuple(wording.sentence(text) for text in (test.name, test.reason, test.needed))
            for test in incident.run.tests_not_run
        ],
        command=wording.sentence(incident.run.command),
        with_text=bool(incident.texts),
        findings=[wording.FINDING_WORDS[finding] for finding in Finding if finding is not Finding.ORDINARY],
        timeline_size=(timeline_picture.WIDTH, timeline_picture.HEIGHT),
        panel=timeline_picture,
        link_width=link_picture.WIDTH,
        shown_considered=SHOWN_CONSIDERED,
        style=style,
        script=script,
        style_hash=_hash(style),
        script_hash=_hash(script),
    )


@cache
def _environment() -> Environment:
    """Open the package's templates; an undefined name is an error, never an empty string."""
    environment = Environment(
        loader=PackageLoader("stillwatch.evidence.incident_report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["count"] = wording.count
    environment.filters["shown"] = wording.shown
    return environment


@cache
def _template() -> Template:
    """Read the page's template."""
    return _environment().get_template("report.html.j2")


@cache
def _asset(name: str) -> str:
    """Read a style sheet or script of the package as it is."""
    return _environment().get_template(name).render()


def _hash(text: str) -> str:
    """Give a content-security-policy source for an inline block: only exactly this text may act."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")
