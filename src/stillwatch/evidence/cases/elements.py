"""The elements of a case: what has to be shown, in the order in which it is asked, and where each comes from.

Purpose is inferred from the elements of H.R. 8283 (119th Congress, as introduced 15 April 2026), section 3(11)(B); it is a bill, not law,
and the best checklist there is. The contract elements are those without which a breach cannot be pleaded.
"""

from __future__ import annotations

from dataclasses import dataclass

_BILL = "H.R. 8283 (as introduced), section 3(11)"


@dataclass(frozen=True, slots=True, kw_only=True)
class ElementForm:
    """An element before anything is known for it."""

    key: str
    title: str
    question: str
    basis: str
    nothing: str
    """What the gap says where there is no statement at all."""
    needed: str
    """What would close that gap."""


VOLUME = ElementForm(
    key="volume",
    title="Volume, pattern and timing",
    question="How much was taken, in what pattern, and when?",
    basis=f"{_BILL}(B)(i)",
    nothing="No campaign is in the case, so volume, pattern and timing are unknown.",
    needed="stillwatch case add CASE --run DIR --campaign ID",
)
CAPABILITY = ElementForm(
    key="capability",
    title="Concentration on capabilities",
    question="Which capabilities did the requests aim at, and how narrowly?",
    basis=f"{_BILL}(B)(ii)",
    nothing="No test of what the requests aim at is in the case.",
    needed="a campaign of logs that hold prompts",
)
COORDINATION = ElementForm(
    key="coordination",
    title="Coordinated accounts",
    question="Do the accounts act as one?",
    basis=f"{_BILL}(B)(iii)",
    nothing="No test of coordination is in the case.",
    needed="a campaign of two accounts or more",
)
TIMELINE = ElementForm(
    key="timeline",
    title="Timeline against another model's development",
    question="Does the harvest go with a suspect's releases?",
    basis=f"{_BILL}(B)(iv)",
    nothing="No release dates of a suspect are in the case, so its timeline was not compared.",
    needed="stillwatch case add CASE --releases FILE --suspect NAME",
)
ACCOUNT = ElementForm(
    key="account",
    title="Contract: the accounts",
    question="Which accounts are bound?",
    basis="contract: parties",
    nothing="No account is named in the case.",
    needed="a campaign, or --terms with the accounts",
)
TERMS = ElementForm(
    key="terms",
    title="Contract: the terms that were accepted",
    question="Which version of the terms did each account accept, and when?",
    basis=f"contract: assent; {_BILL}(A)(iii)",
    nothing="No acceptance of terms is in the case. A contract binds only those who assented.",
    needed="stillwatch case add CASE --terms FILE, from the records of acceptance",
)
ACT = ElementForm(
    key="act",
    title="Contract: the act",
    question="What was done that the terms forbid?",
    basis="contract: breach",
    nothing="No exchange is in the case that shows the act itself.",
    needed="stillwatch case add CASE --exhibits, with the logs",
)
GATE = ElementForm(
    key="gate",
    title="Contract: the gate that was evaded",
    question="Which limit, identity check or closure was got round, and how?",
    basis=f"contract: breach; {_BILL}(A)(i)-(ii)",
    nothing="No decision, closure or limit is in the case that the accounts got round.",
    needed="stillwatch case add CASE --decision FILE, or an attestation: --attest gate",
)
PERMISSION = ElementForm(
    key="permission",
    title="No permission",
    question="Was the use allowed by an agreement, or by an exception?",
    basis=f"{_BILL}(C); contract: exceptions",
    nothing="Nothing in the case says whether an agreement or exception allowed the use.",
    needed="an attestation by somebody who keeps the agreements: --attest permission",
)
COPY = ElementForm(
    key="copy",
    title="Our outputs in the copy",
    question="Was a suspect model or data set made with these outputs?",
    basis="contract: causation; use",
    nothing="No test of a suspect model or data set is in the case. Harvesting is shown, if at all; use is not.",
    needed="stillwatch case add CASE --report FILE, from tests of the suspect",
)
HARM = ElementForm(
    key="harm",
    title="Harm",
    question="What did it cost?",
    basis="H.R. 8283 (as introduced), section 4(b)(6); damages",
    nothing="No figure of harm is in the case.",
    needed="an attestation by somebody who can answer for the figures: --attest harm",
)
ELEMENTS = (VOLUME, CAPABILITY, COORDINATION, TIMELINE, ACCOUNT, TERMS, ACT, GATE, PERMISSION, COPY, HARM)
ELEMENT_KEYS = tuple(form.key for form in ELEMENTS)

CLAIM_ELEMENTS = {
    "round the clock": VOLUME,
    "synchrony": VOLUME,
    "common conduct": VOLUME,
    "ramp against own baseline": VOLUME,
    "registration in batches": GATE,
    "pivot to a new model": CAPABILITY,
    "release timeline": TIMELINE,
}
"""Claims whose element is not the one of their question."""
