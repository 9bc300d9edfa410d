# ruff: noqa: INP001  # a script, not a package
"""docs/detection.md: the method, every test, every innocent explanation, and what to do with a finding.

Takes the tests and explanations as the code states them and, from here, what no code says: what a test does not show, and what to look at next.
Gives the page. Run `python docs/detection_page.py > docs/detection.md`; a test compares.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
from collections.abc import Mapping

from stillwatch.detection.campaigns import claims
from stillwatch.detection.campaigns.claims.stating import Procedure
from stillwatch.detection.campaigns.explanations import EXPLANATIONS, Innocent
from stillwatch.records.campaign import Finding
from stillwatch.records.claim import Question

NOT_SHOWN = {
    "template lift": "Whose the common source is. A plug-in, a course and a benchmark are common sources too.",
    "infrastructure lift": "That the accounts harvest; or that who pays also writes. An agency pays for many unrelated customers.",
    "synchrony": "A common purpose: one scheduler, one outage or one webinar moves unrelated accounts in the same minutes.",
    "common conduct": (
        "A common hand where hours, gaps, pace, days, volume and bursts come from elsewhere: a product that runs by one clock on all its"
        " customers' accounts, a shift, a school, a course with lessons."
    ),
    "ramp against own baseline": "A harvest; or one hand where a season, a price or a launch moves customers in the same hours. It is weak below some tens of accounts.",
    "replacement after a ban": (
        "That a ban was the cause: a customer that moves to new accounts looks the same. One ban and one launch in the days after are one"
        " coincidence, however many accounts they move."
    ),
    "explore, then exploit": "Coordination, nor a harvest whose trials are worded in ways that the list of phrases does not know, or that explored elsewhere.",
    "shift of pooled prompts": "Extraction: every product, course and trade shifts its customers' prompts too. It says how far a group stands apart.",
    "inline reasoning": "That the reasoning is kept; a product may show its users tags. It needs logged answers.",
    "reasoning drawn": "A harvest: hard questions and reasoning models draw as much. It follows the choice of model above all.",
    "refusals taken elsewhere": "Intent: two people with one question and a sampler that refuses now and then do the same, though in both orders alike.",
    "one stream dealt out": (
        "What the answers are for: a firm that spreads a job over accounts and declares nothing looks the same, and so does one that pays with"
        " one card for workers at home who keep one clock."
    ),
    "purses of their own": "A harvest, nor one hand. An organisation whose members each pay for themselves looks the same.",
    "registration in batches": "That one hand registered them: an import of customers looks the same.",
    "pivot to a new model": "Intent. Users of an alias for the newest model move together without knowing it.",
    "sharding without replacement": "That the members are one party: strangers who write freely do not meet either. Others show that.",
    "no repetition": "A harvest. It takes suites and retries off the list, no more.",
    "elicitation": "Harvesting by one account: honest customers ask for steps and grades too. A harvest without such phrases is not seen.",
    "output harvest": "That the answers are kept. A writer's product draws long answers as well.",
    "capability concentration": "Coordination, and anything about a product with one purpose.",
    "not ordinary work": "That the remaining work is a harvest.",
    "concealed reasoning": "Success. It counts what is asked for, not what was got.",
    "round the clock": "A harvest: any unattended job has flat hours. An operator who imitates office hours passes.",
}
UNLISTED = {
    "round the clock": "any unattended job has flat hours, an honest customer's as well",
    "ramp against own baseline": "on simulated campaigns it found nothing that common conduct had not, with far larger e-values",
    "replacement after a ban": "where it spoke on simulated campaigns, common conduct spoke louder, and one ban with one launch is one coincidence",
    "shift of pooled prompts": "honest products shift as much as campaigns do, and in a mean of e-values it could decide alone",
    "inline reasoning": "no traffic to measure its power on has answers that depend on who asks",
    "reasoning drawn": "no traffic to measure its power on has answers that depend on who asks",
    "refusals taken elsewhere": "no traffic to measure its power on has answers that depend on who asks",
}
"""Tests that decide nothing by themselves, and why: a test without power of its own only dilutes the mean of the others."""
LOOK_AT = {
    "chance": "The links of the campaign: how rare they are, and whether the members that carry them are the ones that harvest.",
    "public prompt set": "Two exhibits of different members, side by side. Search for the item in public benchmarks and courses.",
    "product on its customers' accounts": "Whether a known product has this template or client; ask its maker. Compare first exchanges with the product's launch.",
    "regression suite": "Whether the same prompts come back with each of the customer's releases.",
    "bulk work on own material": "Exhibits: whose material is it? A firm's own documents look like nobody else's.",
    "ordinary use": "What comes after the answer in the session: people go on talking; collectors take the next item.",
    "one customer's product over several keys": "The organisation's contract and contact. An open customer answers a question.",
}
FINDINGS = {
    Finding.OPERATOR: "Every innocent explanation was rejected. Look at the exhibits, then decide; the report names what each account shares.",
    Finding.RESELLER: (
        "The harvest rides on much other traffic. Ask what the account sells before acting: its other users may be honest, and a key"
        " may be stolen by someone who copies its owner's client."
    ),
    Finding.VICTIM: (
        "Not flagged; a group of its own, which names the campaign. Revoke the key, tell the owner (`decide propose` writes the notice), and keep the thief's side of the traffic as evidence of the campaign. A thief is told by client and"
        " network, or by one of them and by what is sent; one who keeps to the owner's client and sends what the owner sends is not told apart."
    ),
    Finding.LICENSED: "Not flagged; in a campaign of others, a group of its own. Check that the agreement covers the capability and the volume.",
    Finding.LOOK_ALIKE: "Not flagged. The explanation that stands is named; nothing is to be done.",
    Finding.UNRESOLVED: "Not flagged, and not cleared. The report says which column or how many exchanges would decide it.",
    Finding.ORDINARY: "In no candidate group. Not a certificate: a campaign of one pattern that nothing here looks at would be called so.",
}
QUESTIONS = {
    Question.COORDINATION: "Do these accounts act together?",
    Question.EXTRACTION: "Does this traffic harvest the model?",
    Question.ATTRIBUTION: "Who stands behind it?",
}

METHOD = """# Detection

This page is made from the tests themselves: `python docs/detection_page.py > docs/detection.md`. Numbers are not repeated here; they
are named constants beside the code that uses them, each with its reason.

## Method

1. **Sketch.** Each exchange becomes hashes, bits and counts (`sketches/`), by itself. Nothing later has text.
2. **Count.** Over all exchanges, per account, in SQL: totals, signs, histograms of hours, days, gaps, lengths (`detection/profiles/`).
3. **Link.** A bounded sample of each account's exchanges, chosen by hash ([ADR 4](adr/0004-bounded-sample-chosen-by-hash.md)), gives a table of
   accounts and attributes: text spans, near-duplicate bands, templates, system prompts, cards, addresses, clients, parameters. Text
   counts only as a template, in two prompts of the account at least ([ADR 5](adr/0005-two-prompts-rule.md)). A value weighs
   ln(accounts / carriers), so what everybody has weighs nothing. Values are hubs; there are never pairs of accounts, and the cost is linear.
4. **Group.** Sets of accounts that carry the same rare values, their intersections with rare infrastructure and client configurations, and
   busy single accounts are candidates. A candidate is a place to look and claims nothing. Those whose members have most kinds of thing
   in common are tested; the others count among the candidates when the rate is kept ([ADR 10](adr/0010-common-conduct-and-ranked-groups.md)).
5. **Test.** Each candidate meets every test below that its columns allow. Each test is a claim against its own null hypothesis, as an
   e-value: a number that is at most 1 on average when the null is true.
6. **Weigh.** Each innocent explanation is a null hypothesis of its own, with the tests that can speak against it. The evidence against it is
   the mean of their e-values; the evidence for a campaign is the *smallest* over all explanations that apply
   ([ADR 3](adr/0003-innocent-explanations-as-null-hypotheses.md)). An explanation that no test could examine stands.
7. **Select.** Weighted e-BH at `--fdr` over all candidates: the expected share of false ones among the campaigns is at most that rate,
   however the candidates depend on each other. Half of the rate is dealt to all alike, half to those that have most text and request
   parameters in common ([ADR 25](adr/0025-shares-of-the-rate-and-days-in-common.md)).
8. **Members.** A campaign's claims are about most of its members. Only accounts that bear the evidence themselves are flagged
   (`detection/campaigns/membership.py`, [ADR 26](adr/0026-bursts-two-hands-and-bearers.md)), and never victims or licensed ones
   ([ADR 6](adr/0006-victims-and-licensed-are-never-flagged.md)).

### What the rate means
At `--fdr 0.01`, of the *campaigns* reported over many runs, one in a hundred on average is not one, if the assumptions of the tests hold. It is
not a rate over accounts, not the chance that a given campaign is false, and it says nothing of campaigns that were missed.
`tests/calibration/` checks it on simulated traffic without campaigns; `docs/results.md` reports false positives by look-alike class.

### What detection does not see
- A campaign that shares no text, card, address, client or parameters between accounts, and does not send in step.
- A harvest so thin inside other traffic that its text is on too small a share of each account (`LEAST_SHARE`).
- A campaign that goes through a small prompt set several times: it reads like users of a public set.
- Groups under `LEAST_MEMBERS` accounts, except one account that harvests alone and much.
- Anything in columns that the logs do not have. The report lists the tests that could not run.
"""

TRIAGE = """## Triage

Read the report from the top: the finding, the explanation nearest to standing, the exhibits. Before acting on an account:

1. Does the account itself bear the evidence? `stillwatch explain DIR ACCOUNT_ID` says why it was flagged and how it can be cleared.
2. Is the weakest explanation one that you can check outside the logs? The list above says where to look.
3. Which tests could not run, and would one of them have spoken for the customer?
4. Is the account's age, contract or history at odds with the finding? Detection did not see them.

An appeal is a question about one explanation: what would have to be in the logs if it were true? If it is there, the finding falls.
"""


def detection_page() -> str:
    """Give the page, in Markdown."""
    findings = "\n".join(f"| *{finding.value}* | {text} |" for finding, text in FINDINGS.items())
    parts = [METHOD, "## Tests\n"]
    for question, asked in QUESTIONS.items():
        mine = [procedure for procedure in procedures() if procedure.question is question]
        if mine:
            parts.append(f"### {question.value.capitalize()}: {asked[0].lower()}{asked[1:]}\n")
            parts += [_test(procedure) for procedure in mine]
    parts += ["## Innocent explanations\n", *(_explanation(innocent) for innocent in EXPLANATIONS)]
    parts += ["## Findings\n", f"| finding | what to do |\n|---|---|\n{findings}\n", TRIAGE]
    return "\n".join(parts)


def procedures() -> tuple[Procedure, ...]:
    """Give every test that a module of `claims` states, by name."""
    found: dict[str, Procedure] = {}
    for module in pkgutil.iter_modules(claims.__path__):
        for value in vars(importlib.import_module(f"{claims.__name__}.{module.name}")).values():
            stated = value.values() if isinstance(value, dict) else (value,)
            found |= {procedure.name: procedure for procedure in stated if isinstance(procedure, Procedure)}
    return tuple(found[name] for name in sorted(found))


def _said(said: Mapping[str, str], name: str, where: str) -> str:
    """Give what is said of a test or an explanation; a new one has to be described first."""
    if name not in said:
        raise SystemExit(f"docs/detection_page.py: {where} says nothing of {name!r}; add a sentence there")
    return said[name]


def _test(procedure: Procedure) -> str:
    against = ", ".join(f"*{innocent.name}*" for innocent in EXPLANATIONS if procedure.name in innocent.tests)
    assumed = "\n".join(f"  - {assumption}" for assumption in procedure.assumptions)
    against = (
        against
        or f"no explanation ({_said(UNLISTED, procedure.name, 'UNLISTED')}): it is shown in the report and decides nothing by itself"
    )
    return (
        f"#### {procedure.name[0].upper()}{procedure.name[1:]}\n\n"
        f"`{procedure.method}`, against {against}.\n\n"
        f"- **Null hypothesis.** {procedure.null_hypothesis}\n"
        f"- **Assumes**\n{assumed}\n"
        f"- **Does not show.** {_said(NOT_SHOWN, procedure.name, 'NOT_SHOWN')}\n"
    )


def _explanation(innocent: Innocent) -> str:
    tests = ", ".join(innocent.tests)
    return (
        f"### {innocent.name[0].upper()}{innocent.name[1:]}\n\n{innocent.says}\n\n- **Spoken against by** {tests}.\n"
        f"- **When it stands:** {innocent.stands}\n- **Look at.** {_said(LOOK_AT, innocent.name, 'LOOK_AT')}\n"
    )


if __name__ == "__main__":
    sys.stdout.write(detection_page())
