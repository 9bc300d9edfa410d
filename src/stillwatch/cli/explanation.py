"""Why an account was flagged or not, in plain words.

Takes the account's row, its candidate and the run's facts. Gives lines for people and a document for programs, both from the
records alone. No text of prompts or answers is in any of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from stillwatch.cli.result_files import AccountRow
from stillwatch.evidence.incident_report.wording import (
    FINDING_WORDS,
    counted,
    percentage,
    power_of_ten,
    probability,
    sentence,
    shown,
)
from stillwatch.records.campaign import Campaign, Finding, Link
from stillwatch.records.claim import Question

QUESTIONS = {  # those that are asked of accounts
    Question.COORDINATION: "Do these accounts act together?",
    Question.EXTRACTION: "Does their traffic harvest the model?",
    Question.ATTRIBUTION: "Who stands behind it?",
}
MOST_EXHIBITS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A heading and its lines."""

    title: str
    lines: tuple[str, ...]


def group_of(row: AccountRow, groups: Sequence[Campaign]) -> Campaign | None:
    """Give the group that an account's finding comes from.

    A row names only campaigns. Whoever was considered and left alone has the finding of a group that was considered; where several
    groups share it, the one that came closest to being reported is taken.

    Args:
        row: the account's row.
        groups: campaigns and considered groups of the same run.

    Returns:
        The group; null for an account that no group holds.
    """
    named = next((one for one in groups if one.id == row.campaign_id), None)
    if named is not None:
        return named
    holding = [one for one in groups if row.account_id in one.members and one.finding.value == row.finding]
    return max(holding, key=lambda one: (one.log_e, one.id), default=None)


def explain_account(
    row: AccountRow, campaign: Campaign | None, *, fdr: float, tests_not_run: Sequence[Mapping[str, Any]]
) -> tuple[Section, ...]:
    """Explain an account.

    Args:
        row: its row of accounts.parquet.
        campaign: the campaign or candidate that holds it; null for none.
        fdr: promised false-discovery rate.
        tests_not_run: tests that the whole run could not do: name, reason, needed.

    Returns:
        Sections, first the answer.
    """
    finding = Finding(row.finding)
    sections = [_answer(row, finding, campaign, fdr)]
    if campaign is not None:
        sections += [_claims(campaign), _own(row, campaign), _explanations(campaign)]
    sections += [_missing(campaign, tests_not_run), _clearing(finding, campaign)]
    return tuple(section for section in sections if section.lines)


def explanation_document(
    row: AccountRow, campaign: Campaign | None, sections: Sequence[Section], *, fdr: float
) -> dict[str, Any]:
    """Give the explanation as the JSON document has it.

    Args:
        row: the account's row.
        campaign: the campaign or candidate that holds it.
        sections: what `explain_account` gave.
        fdr: promised false-discovery rate.
    """
    group = None
    if campaign is not None:
        group = {
            "id": campaign.id,
            "finding": campaign.finding.value,
            "reason": campaign.finding_reason,
            "accounts": len(campaign.members),
            "q_value": campaign.q_value,
            "claims": [
                {
                    "name": claim.name,
                    "question": claim.question.value,
                    "statement": claim.statement,
                    "log_p": claim.log_p,
                }
                for claim in campaign.claims
            ],
            "explanations": [
                {"name": one.name, "rejected": one.rejected, "remark": one.remark, "against": list(one.against)}
                for one in campaign.explanations
            ],
        }
    return {
        **asdict(row),
        "fdr": fdr,
        "campaign": group,
        "words": {section.title: list(section.lines) for section in sections},
    }


def _answer(row: AccountRow, finding: Finding, campaign: Campaign | None, fdr: float) -> Section:
    """Say yes or no, and what the account is taken for."""
    words = FINDING_WORDS[finding]
    verdict = "FLAGGED" if row.flagged else "not flagged"
    lines = [f"{verdict}: {words.symbol} {words.word}. {words.means}"]
    if campaign is not None:
        size = counted(len(campaign.members), "account", "accounts")
        place = "It belongs to" if row.account_id in campaign.members else "Beside its owner it was used by"
        lines.append(f"{place} {campaign.id}, a group of {size}. {sentence(campaign.finding_reason)}")
        q = probability(campaign.q_value)
        relation = "at or below" if campaign.q_value <= fdr else "above"
        lines.append(f"The group's q-value is {q}, {relation} the promised false-discovery rate of {percentage(fdr)}.")
    lines.append(
        f"The account sent {counted(row.exchanges, 'exchange', 'exchanges')} from {row.first_seen} to {row.last_seen}."
    )
    return Section(title=f"Account {shown(row.account_id)}", lines=tuple(lines))


def _claims(campaign: Campaign) -> Section:
    """Give the claims by question, the strongest first."""
    lines: list[str] = []
    for question, asked in QUESTIONS.items():
        own = sorted(
            (claim for claim in campaign.claims if claim.question is question), key=lambda one: (-one.log_e, one.name)
        )
        if own:
            lines.append(asked)
        for claim in own:
            p = "" if claim.log_p is None else f"p = {power_of_ten(claim.log_p)}, "
            lines.append(
                f"  - {sentence(claim.name)}: {sentence(claim.statement)} ({p}e = {power_of_ten(claim.log_e)})"
            )
    return Section(title="What the group shows", lines=tuple(lines))


def _own(row: AccountRow, campaign: Campaign) -> Section:
    """Say what is known of this very account."""
    lines = [f"  - {_link(link)}" for link in campaign.links if row.account_id in link.carriers]
    exhibits = [exhibit for exhibit in campaign.exhibits if exhibit.account_id == row.account_id]
    lines += [
        f"  - exchange {shown(exhibit.exchange_id or 'without id')} in {shown(exhibit.source_file, 80)} at "
        f"{exhibit.source_offset:,} shows: {sentence(exhibit.claim)}"
        for exhibit in exhibits[:MOST_EXHIBITS]
    ]
    if not lines and len(campaign.members) > 1 and row.account_id in campaign.members:
        lines = ["  - none of the listed attributes or exhibits names it; it belongs to the group by the claims above"]
    return Section(title="What this account shows itself", lines=tuple(lines))


def _link(link: Link) -> str:
    """Say a shared attribute in words."""
    outside = max(0, link.accounts - link.members)
    beside = (
        "nobody else has it" if outside == 0 else f"{counted(outside, 'account', 'accounts')} outside the group too"
    )
    members = counted(link.members, "member", "members")
    return f"{shown(link.kind)} {shown(link.value)}, carried by {members} of the group; {beside}"


def _explanations(campaign: Campaign) -> Section:
    """Give the innocent explanations: those that stand, those that were not tested, those that were rejected."""
    ranked = sorted(campaign.explanations, key=lambda one: (one.rejected, not one.tested, one.log_e, one.name))
    lines = tuple(
        f"  {'✕ rejected' if one.rejected else '✓ stands' if one.tested else '? not tested'}: {sentence(one.name)} (e = {power_of_ten(one.log_e)}). "
        f"{sentence(one.remark)}"
        for one in ranked
    )
    return Section(title="Innocent explanations considered", lines=lines)


def _missing(campaign: Campaign | None, tests_not_run: Sequence[Mapping[str, Any]]) -> Section:
    """Say what could not be tested."""
    lines = []
    named = set()
    for item in campaign.inconclusive if campaign is not None else ():
        named.add(item.name)
        lines.append(_untested(item.name, item.reason, item.needed))
    lines += [
        _untested(str(test["name"]), str(test["reason"]), str(test["needed"]))
        for test in tests_not_run
        if test["name"] not in named
    ]
    return Section(title="What could not be tested", lines=tuple(lines))


def _untested(name: str, reason: str, needed: str) -> str:
    """Say why a test could not run, and what it needs."""
    return f"  - {sentence(name)}: {sentence(reason).removesuffix('.')}. Needed: {sentence(needed).removesuffix('.')}."


def _clearing(finding: Finding, campaign: Campaign | None) -> Section:
    """Say how the account is cleared, or what else follows."""
    again = "then run `stillwatch detect` again"
    if finding in {Finding.OPERATOR, Finding.RESELLER}:
        lines = [
            f"  - an agreement that allows it: name it in the column `licence` of the accounts file, {again} with --accounts",
            "  - a stolen key: the holder's own ordinary use from their own network beside this traffic; change the key",
            "  - proof of one of the explanations above, from records that the logs do not hold",
        ]
        weakest = min(campaign.explanations, key=lambda one: (one.log_e, one.name), default=None) if campaign else None
        if weakest is not None:
            lines.append(
                f"  - the explanation that came closest, and so the first to ask about: {sentence(weakest.name)}"
            )
        return Section(title="How the account can be cleared", lines=tuple(lines))
    following = {
        Finding.VICTIM: "  - tell the holder and change the key; nothing is held against the account",
        Finding.LICENSED: "  - nothing: the agreement covers it; look at it again when the agreement ends",
        Finding.LOOK_ALIKE: "  - nothing to clear: an innocent explanation stands",
        Finding.UNRESOLVED: f"  - add what is missing above, {again}; until then nothing is held against the account",
        Finding.ORDINARY: "  - nothing to clear: no group that stood out holds the account",
    }
    return Section(title="What follows", lines=(following[finding],))
