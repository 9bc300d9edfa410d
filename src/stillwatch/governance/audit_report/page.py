"""The report as a page: one file of HTML that loads nothing."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import Any

from stillwatch.governance.audit_report.tables import Section, sections, title_of
from stillwatch.governance.posture.page import moment, states_list, whole_page


def report_page(content: Mapping[str, Any]) -> str:
    """Give the page of a report."""
    parts = "".join(_section(one) for one in sections(content))
    body = f"""<h1>{_text(title_of(content))}</h1>
<p class="soft">{moment(content["from_us"])} to {moment(content["to_us"])}, from {content["ledger_entries"]:,} entries of the ledger, by stillwatch {_text(content["version"])}.</p>
{states_list(content["posture"]["counts"])}
{parts}"""
    return whole_page(title_of(content), body)


def _section(one: Section) -> str:
    said = "".join(f"<p>{_text(text)}</p>" for text in one.sentences)
    if not one.rows:
        return f"<h2>{_text(one.title)}</h2>{said}"
    columns = "".join(f'<col style="width:{share:.0%}">' for share in one.widths)
    heads = "".join(f'<th scope="col">{_text(name)}</th>' for name in one.heads)
    rows = "".join("<tr>" + "".join(f"<td>{_text(cell)}</td>" for cell in row) + "</tr>" for row in one.rows)
    return f'<h2>{_text(one.title)}</h2>{said}<table><colgroup>{columns}</colgroup><tr class="head">{heads}</tr>{rows}</table>'


def _text(value: str) -> str:
    return html.escape(value)
