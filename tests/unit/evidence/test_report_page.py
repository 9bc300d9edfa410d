"""The report: what it says, that it fetches nothing, that no value can act in it, and that it bears large cases."""

from __future__ import annotations

import base64
import hashlib
import itertools
import re
from dataclasses import replace
from html.parser import HTMLParser

import example_incident as example

from stillwatch.evidence.incident_report import ExhibitText, render_report
from stillwatch.evidence.incident_report.pages import SHOWN_MEMBERS
from stillwatch.records.campaign import Finding

HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(2)>{{ 7 * 7 }}\u202egnp.exe\x00'
VOID = {"meta", "link", "br", "img", "input", "hr", "rect", "path", "line"}


class Page(HTMLParser):
    """Reads a page: elements, attributes, text, and whether every element is closed."""

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "script" not in self.open and "style" not in self.open:
            self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))


def page() -> Page:
    return Page(render_report(example.incident()))


def test_every_element_is_closed_and_ids_are_unique() -> None:
    read = page()
    assert read.open == []
    ids = [attributes["id"] for _, attributes in read.elements if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_the_first_screen_says_what_was_found_and_what_the_promise_means() -> None:
    text = page().text
    assert "3 campaigns were found: 238 accounts harvesting the model." in text
    assert "false-discovery rate of at most 1%" in text
    assert "on average at most 1 in 100 of the campaigns flagged is expected to be a group of honest accounts" in text
    assert "not the probability that one campaign is guilty" in text


def test_every_part_that_the_issue_asks_for_is_there() -> None:
    text = page().text
    for part in (
        "Harvest exchanges a day",
        "What links the accounts",
        "Shared attributes as a table",
        "Null hypothesis: The accounts chose what they send independently of each other.",
        "Assumes: Hours of an account are exchangeable within its own days.",
        "injected-span/v1",
        "req_000003",
        "bytes 3,145,745 to 3,148,056",
        "row 1,048,593",
        "Innocent explanations considered",
        "Customers of a plug-in repeat each other's questions; these accounts hardly ever do.",
        "multi-step reasoning in mathematics",
        "41,730 exchanges, of which 41,208 (98.7%) harvest",
        "26 exchanges a day per account",
        "Considered and not flagged",
        "One template on 312 accounts, but each has its own users and hours",
        "What this run could not test",
        "the column `response`",
        "3 log lines could not be read",
        "stillwatch detect 'world/traffic-*'",
        "This page shows no prompt or answer text.",
    ):
        assert part in text, part


def test_all_findings_are_explained_in_words() -> None:
    text = page().text
    for word in ("operator", "reseller", "victim", "licensed", "look-alike", "unresolved"):
        assert word in text


def test_the_same_incident_gives_the_same_bytes() -> None:
    assert render_report(example.incident()) == render_report(example.incident())


def test_the_page_fetches_nothing() -> None:
    source = render_report(example.incident())
    read = Page(source)
    assert not {"img", "link", "iframe", "object", "embed", "base", "form"} & {tag for tag, _ in read.elements}
    assert all((attributes.get("href") or "#").startswith("#") for _, attributes in read.elements)
    assert not any("src" in attributes or "style" in attributes for _, attributes in read.elements)
    assert "url(" not in source
    assert "@import" not in source
    assert "http" not in re.sub(r'http-equiv="', "", source)


def test_the_policy_lets_only_the_page_s_own_style_and_script_act() -> None:
    source = render_report(example.incident())
    policy = next(
        attributes["content"] for tag, attributes in Page(source).elements if attributes.get("http-equiv") is not None
    )
    assert policy is not None
    assert policy.startswith("default-src 'none'")
    for tag in ("style", "script"):
        blocks = re.findall(rf"<{tag}>(.*?)</{tag}>", source, re.DOTALL)
        assert len(blocks) == 1
        digest = base64.b64encode(hashlib.sha256(blocks[0].encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy


def test_landmarks_language_and_names_for_those_who_do_not_see() -> None:
    read = page()
    tags = [tag for tag, _ in read.elements]
    assert {"main", "header", "footer", "nav"} <= set(tags)
    assert ("html", {"lang": "en"}) in read.elements
    for tag, attributes in read.elements:
        if tag == "svg":
            assert attributes["role"] == "img"
            assert attributes["aria-label"]
        if tag == "th":
            assert attributes["scope"] in {"col", "row"}
    headings = [int(tag[1]) for tag in tags if re.fullmatch(r"h[1-6]", tag)]
    assert headings[0] == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(headings))


def test_no_value_can_act() -> None:
    pool = example.pool()
    members = tuple(sorted((HOSTILE, HOSTILE * 400, *pool.members)))
    evil = replace(
        pool,
        id=HOSTILE,
        members=members,
        finding_reason=HOSTILE,
        capability=HOSTILE,
        models=((HOSTILE, 4),),
        claims=(replace(pool.claims[0], name=HOSTILE, statement=HOSTILE, assumptions=(HOSTILE,)),),
        explanations=(replace(pool.explanations[0], name=HOSTILE, says=HOSTILE, remark=HOSTILE, against=(HOSTILE,)),),
        links=(replace(pool.links[2], kind=HOSTILE, value=HOSTILE, carriers=members[:41]),),
        exhibits=(replace(pool.exhibits[0], exchange_id=HOSTILE, account_id=HOSTILE, source_file=HOSTILE),),
        inconclusive=(replace(pool.inconclusive[0], name=HOSTILE, reason=HOSTILE, needed=HOSTILE),),
    )
    incident = example.incident()
    run = replace(incident.run, command=HOSTILE, version=HOSTILE, engine=HOSTILE, input_digest=HOSTILE)
    source = render_report(replace(incident, run=run, campaigns=(evil,), considered=(evil,)))
    harmless = Page(render_report(incident))
    read = Page(source)
    assert {tag for tag, _ in read.elements} <= {tag for tag, _ in harmless.elements} | {"li"}
    assert sum(tag == "script" for tag, _ in read.elements) == 1
    assert not any(name.startswith("on") for _, attributes in read.elements for name in attributes)
    assert "\u202e" not in source
    assert "\x00" not in source
    assert "\\u{202e}" in read.text
    assert "{{ 7 * 7 }}" in read.text
    assert len(max(read.text.split(), key=len)) < 500


def test_text_is_shown_only_when_given_and_then_said_so() -> None:
    exhibit = example.pool().exhibits[0]
    text = ExhibitText(
        source_file=exhibit.source_file, source_offset=exhibit.source_offset, text="Think aloud.\n<b>Then</b> answer."
    )
    with_text = render_report(example.incident(texts=(text,)))
    assert "Think aloud." not in page().text
    assert "Think aloud.\n&lt;b&gt;Then&lt;/b&gt; answer." in with_text
    assert "This page shows prompt text." in Page(with_text).text


def test_a_quiet_run_is_not_called_clean() -> None:
    incident = example.incident()
    run = replace(incident.run, flagged_accounts=0, metadata_only=True)
    text = Page(render_report(replace(incident, run=run, campaigns=()))).text
    assert "No campaign was found." in text
    assert "This does not show that there is no harvest" in text
    assert "Metadata only." in text


def test_the_table_of_considered_groups_names_what_stands_and_begins_with_who_is_set_apart() -> None:
    incident = example.incident()
    alike = next(one for one in incident.considered if one.finding is Finding.LOOK_ALIKE)
    untested = replace(alike.explanations[0], name="never asked", tested=False)
    groups = (replace(alike, explanations=(untested, *alike.explanations)), *incident.considered[1:])
    page = render_report(replace(incident, considered=groups))
    table = page[page.index("Table of groups considered") :].partition("</table>")[0]
    assert "never asked" not in table
    assert alike.explanations[0].name in table
    assert "? not tested" in Page(page).text
    order = [table.index(word) for word in ("licensed", "victim", "look-alike", "unresolved")]
    assert order == sorted(order)


def test_one_campaign_is_said_in_the_singular() -> None:
    incident = example.incident()
    run = replace(incident.run, flagged_accounts=1)
    text = Page(render_report(replace(incident, run=run, campaigns=(example.whale(),)))).text
    assert "One campaign was found: 1 account harvesting the model." in text
    assert "A campaign of one account: there is nothing to link." in text


def test_an_empty_run_still_gives_a_page() -> None:
    incident = example.incident()
    run = replace(incident.run, exchanges=0, accounts=0, flagged_accounts=0, candidates=0, tests_not_run=(), columns=())
    read = Page(render_report(replace(incident, run=run, campaigns=(), considered=(), volume=())))
    assert "0 accounts and 0 exchanges were read" in read.text
    assert "Every test of this version could be run on this input." in read.text


def test_a_campaign_of_25000_members_is_cut_and_says_where_the_rest_stands() -> None:
    pool = example.pool()
    members = tuple(f"acct_{number:06d}" for number in range(25_000))
    source = render_report(replace(example.incident(), campaigns=(replace(pool, members=members),)))
    assert "acct_000049" in source
    assert "acct_000050" not in source
    assert f"The first {SHOWN_MEMBERS} of 25,000." in Page(source).text
    assert len(source) < 200_000


def test_300_campaigns_stay_readable() -> None:
    pool = example.pool()
    many = tuple(replace(pool, id=f"c-{number:012x}", harvest_exchanges=number) for number in range(300))
    source = render_report(replace(example.incident(), campaigns=many))
    assert source.count('<details class="campaign"') == 304
    assert source.count('<details class="campaign" id="campaign-c-00000000012b" open>') == 1
    assert source.count("Harvest exchanges a day") == 61
    assert len(source) < 8_000_000
