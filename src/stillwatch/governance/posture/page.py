"""The page of a posture: one file of HTML that loads nothing."""

from __future__ import annotations

import datetime as dt
import html
from collections.abc import Mapping, Sequence
from typing import Any

from stillwatch.governance.posture.control import State

SIGNS: Mapping[str, str] = {
    State.MEASURED_PASS.value: "✓",
    State.MEASURED_FAIL.value: "✗",
    State.ATTESTED.value: "✎",
    State.NOT_COVERED.value: "○",
}
"""A sign for each state beside its word, so that no colour carries it alone."""
MEANINGS: Mapping[str, str] = {
    State.MEASURED_PASS.value: "every check of it holds",
    State.MEASURED_FAIL.value: "a check of it fails",
    State.ATTESTED.value: "somebody answers for it, until a day",
    State.NOT_COVERED.value: "nothing fresh shows it",
}
STYLE = """:root{--ink:#1b1f24;--soft:#5b6470;--line:#d9dee4;--back:#fff;--head:#f4f6f8}
body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:76rem;padding:0 1rem;color:var(--ink);background:var(--back)}
h1{font-size:1.7rem;margin-bottom:.2rem}h2{font-size:1.15rem;margin:2.2rem 0 .2rem}p.soft,small,td.soft{color:var(--soft)}
ul.states{display:flex;flex-wrap:wrap;gap:.8rem;list-style:none;padding:0}ul.states li{border:1px solid var(--line);border-radius:.5rem;padding:.6rem 1rem;min-width:11rem}
ul.states b{display:block;font-size:1.5rem;line-height:1.2}table{border-collapse:collapse;width:100%;margin:.6rem 0;table-layout:fixed}
th,td{text-align:left;padding:.45rem .6rem;border-bottom:1px solid var(--line);vertical-align:top;overflow-wrap:anywhere}th{background:var(--head);font-weight:600}
td.n{text-align:right}.state{white-space:nowrap;font-weight:600}.measured-pass{color:#1d6b3c}.measured-fail{color:#a3211b}.attested{color:#6d3f91}.not-covered{color:#5b6470}
details summary{cursor:pointer;color:var(--soft)}details ul{margin:.3rem 0;padding-left:1.1rem}
@media (prefers-color-scheme:dark){:root{--ink:#e8eaed;--soft:#a2abb6;--line:#3a414a;--back:#15181c;--head:#20252b}.measured-pass{color:#6fcf97}.measured-fail{color:#ff8f88}.attested{color:#c9a2ea}.not-covered{color:#a2abb6}}
@media (max-width:48rem){table,tbody,tr,td{display:block}tr.head{display:none}tr{border-bottom:1px solid var(--line);padding:.4rem 0}td{border:0;padding:.15rem 0}}
@media print{details>*{display:block}}"""


def posture_page(document: Mapping[str, Any]) -> str:
    """Give the page.

    Args:
        document: as `assess.posture_document` gives it.
    """
    by_catalogue: dict[str, list[Mapping[str, Any]]] = {}
    for one in document["controls"]:
        by_catalogue.setdefault(one["catalogue"], []).append(one)
    tables = "".join(f"<h2>{_text(name)}</h2>{controls_table(rows)}" for name, rows in by_catalogue.items())
    body = f"""<h1>Posture against model theft</h1>
<p class="soft">As of {moment(document["at_us"])}, by stillwatch {_text(document["version"])} over {document["ledger_entries"]:,} entries of the ledger.</p>
{states_list(document["counts"])}
<p>The four numbers are counts. They are not weighed and not added up: a control that fails is not mended by one that holds.</p>
{tables}"""
    return whole_page("Posture against model theft", body)


def whole_page(title: str, body: str) -> str:
    """Give a page of HTML that loads nothing."""
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{_text(title)}</title><meta name="viewport" content="width=device-width,initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'"><style>{STYLE}</style></head><body>
{body}
</body></html>
"""


def states_list(counts: Mapping[str, int]) -> str:
    """Give the four counts."""
    items = "".join(
        f'<li><b>{counts[name]}</b><span class="state {name}">{SIGNS[name]} {name}</span><br><small>{MEANINGS[name]}</small></li>'
        for name in SIGNS
    )
    return f'<ul class="states">{items}</ul>'


def controls_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Give a table of controls."""
    body = "".join(_row(one) for one in rows)
    return (
        '<table><colgroup><col style="width:11rem"><col style="width:17rem"><col><col style="width:8rem"></colgroup>'
        f'<tr class="head"><th scope="col">state</th><th scope="col">control</th><th scope="col">why</th><th scope="col">until</th></tr>{body}</table>'
    )


def _row(one: Mapping[str, Any]) -> str:
    checks = "".join(
        f"<li>{_text(part['check'].replace('_', ' '))}: {_text(part['outcome'])}. {_text(part['why'])}{_entries(part['entries'])}</li>"
        for part in one["checks"]
    )
    more = f"<details><summary>checks and limits</summary><ul>{checks}<li>Left out: {_text(one['leaves_out'] or 'nothing')}</li></ul></details>"
    until = moment(one["until_us"])[:10] if one["until_us"] else ""
    return (
        f'<tr><td class="state {one["state"]}">{SIGNS[one["state"]]} {one["state"]}</td><td><b>{_text(one["item"])}</b><br>{_text(one["title"])}</td>'
        f'<td>{_text(one["why"])}{more}</td><td class="state">{until}</td></tr>'
    )


def _entries(entries: Sequence[int]) -> str:
    return f" <small>(entries {', '.join(map(str, entries))})</small>" if entries else ""


def moment(time_us: int) -> str:
    """Give a moment to the minute, UTC."""
    return dt.datetime.fromtimestamp(time_us // 1_000_000, dt.UTC).strftime("%Y-%m-%d %H:%M UTC")


def _text(value: str) -> str:
    return html.escape(str(value))
