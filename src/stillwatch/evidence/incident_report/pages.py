"""What each section of the report shows: records turned into text, pictures and lists of bounded length.

Takes an `IncidentReport`. Gives views: flat, of strings and numbers, without markup. Lists that could be long are cut to a
stated number, and the view says how many there are and where the whole list stands.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from stillwatch.evidence.incident_report import wording
from stillwatch.evidence.incident_report.incident import IncidentReport
from stillwatch.evidence.incident_report.link_picture import LinkPicture, is_common, link_picture
from stillwatch.evidence.incident_report.timeline_picture import Timeline, timeline
from stillwatch.evidence.incident_report.wording import FindingWords
from stillwatch.records.campaign import SET_APART, Campaign, Exhibit, Explanation, Link
from stillwatch.records.claim import Claim

SHOWN_MEMBERS = 50
SHOWN_EXHIBITS = 40
SHOWN_LINKS = 40
SHOWN_CONSIDERED = 200
OPEN_CAMPAIGNS = 3
"""Campaigns whose section stands open; the others open on a click and in print."""
PICTURED_CAMPAIGNS = 60
"""Campaigns, the largest first, whose timeline and links are drawn; the others have the tables only, or a browser tires."""
MICROSECONDS_OF_A_DAY = 86_400_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimView:
    """A row of the claims table."""

    name: str
    question: str
    statement: str
    null_hypothesis: str
    statistic: str
    log10_p: str
    p: str
    e: str
    n: str
    assumptions: tuple[str, ...]
    method: str
    seed: str
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplanationView:
    """An innocent explanation and how it fared."""

    name: str
    says: str
    e: str
    rejected: bool
    tested: bool
    against: str
    remark: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkView:
    """A row of the link table: the picture in words."""

    kind: str
    value: str
    members: str
    accounts: str
    rarity: str
    one_in: str
    common: bool
    carriers: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExhibitView:
    """A row of the evidence table."""

    claim: str
    account: str
    exchange: str
    time: str
    source: str
    span: str
    text: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignView:
    """A section of the report."""

    anchor: str
    id: str
    words: FindingWords
    reason: str
    members: tuple[str, ...]
    member_count: int
    claims: tuple[ClaimView, ...]
    inconclusive: tuple[tuple[str, str, str], ...]
    """(test, reason, what is needed)"""
    explanations: tuple[ExplanationView, ...]
    exhibits: tuple[ExhibitView, ...]
    exhibit_count: int
    links: tuple[LinkView, ...]
    link_count: int
    picture: LinkPicture | None
    timeline: Timeline | None
    capability: str
    exchanges: int
    harvest_exchanges: int
    harvest_share: str
    first_seen: str
    last_seen: str
    days: int
    rate: str
    q_value: str
    e: str
    models: tuple[tuple[str, str], ...]
    standing: str
    """The explanation that stands, for a candidate that was not flagged; empty where none does."""
    open: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportView:
    """The whole page."""

    title: str
    headline: str
    lead: str
    promise: str
    fdr: str
    first_day: str
    last_day: str
    harvest: int
    harvest_share: str
    account_share: str
    timeline: Timeline | None
    campaigns: tuple[CampaignView, ...]
    considered: tuple[CampaignView, ...]
    considered_count: int
    columns: tuple[tuple[str, float, str], ...]
    """(column, share in percent, share as text)"""


def report_view(report: IncidentReport) -> ReportView:
    """Give the view of the whole page.

    Args:
        report: the incident.

    Returns:
        Text and pictures, in a fixed order: flagged campaigns by harvest, the largest first.
    """
    run = report.run
    texts = {(text.source_file, text.source_offset): text.text for text in report.texts}
    flagged = sorted(report.campaigns, key=lambda one: (-one.harvest_exchanges, one.id))
    considered = sorted(
        report.considered, key=lambda one: (one.finding not in SET_APART, one.finding.value, -len(one.members), one.id)
    )
    harvest = sum(campaign.harvest_exchanges for campaign in flagged)
    return ReportView(
        title=f"Harvest incident report, {wording.time_text(run.first_seen_us)[:10]} to {wording.time_text(run.last_seen_us)[:10]}",
        headline=_headline(report),
        lead=_lead(report, flagged),
        promise=_promise(len(flagged), run.fdr),
        fdr=wording.percentage(run.fdr),
        first_day=wording.day_text(run.first_seen_us // MICROSECONDS_OF_A_DAY),
        last_day=wording.day_text(run.last_seen_us // MICROSECONDS_OF_A_DAY),
        harvest=harvest,
        harvest_share=wording.share(harvest, run.exchanges),
        account_share=wording.share(run.flagged_accounts, run.accounts),
        timeline=timeline(_together(flagged), report.volume) if flagged else None,
        campaigns=tuple(
            campaign_view(
                campaign,
                volume=report.volume if index < PICTURED_CAMPAIGNS else (),
                texts=texts,
                is_open=index < OPEN_CAMPAIGNS,
            )
            for index, campaign in enumerate(flagged)
        ),
        considered=tuple(
            campaign_view(campaign, volume=(), texts={}, is_open=False) for campaign in considered[:SHOWN_CONSIDERED]
        ),
        considered_count=len(considered),
        columns=tuple(
            (wording.shown(column.name), round(100.0 * column.share, 1), wording.percentage(column.share))
            for column in run.columns
        ),
    )


def campaign_view(
    campaign: Campaign, *, volume: tuple[tuple[int, int], ...], texts: Mapping[tuple[str, int], str], is_open: bool
) -> CampaignView:
    """Give the view of one campaign.

    Args:
        campaign: flagged or considered.
        volume: (day since epoch, exchanges of all accounts); empty for no timeline.
        texts: prompt text by (source file, offset); empty where no text may be shown.
        is_open: whether the section stands open.
    """
    left = [explanation for explanation in campaign.explanations if not explanation.rejected]
    standing = [explanation for explanation in left if explanation.tested] or left
    links = sorted(campaign.links, key=lambda link: (-link.rarity * link.members, link.kind, link.value))
    return CampaignView(
        anchor=_anchor(campaign.id),
        id=wording.shown(campaign.id, 24),
        words=wording.FINDING_WORDS[campaign.finding],
        reason=wording.sentence(campaign.finding_reason),
        members=tuple(wording.shown(member) for member in campaign.members[:SHOWN_MEMBERS]),
        member_count=len(campaign.members),
        claims=tuple(_claim(claim) for claim in sorted(campaign.claims, key=lambda claim: (-claim.log_e, claim.name))),
        inconclusive=tuple(
            (wording.sentence(item.name), wording.sentence(item.reason), wording.sentence(item.needed))
            for item in campaign.inconclusive
        ),
        explanations=tuple(_explanation(explanation) for explanation in campaign.explanations),
        exhibits=tuple(_exhibit(exhibit, texts) for exhibit in campaign.exhibits[:SHOWN_EXHIBITS]),
        exhibit_count=len(campaign.exhibits),
        links=tuple(_link(link) for link in links[:SHOWN_LINKS]),
        link_count=len(links),
        picture=link_picture(links, campaign.members) if volume else None,
        timeline=timeline(campaign.timeline, volume) if volume else None,
        capability=wording.sentence(campaign.capability) or "not told",
        exchanges=campaign.exchanges,
        harvest_exchanges=campaign.harvest_exchanges,
        harvest_share=wording.share(campaign.harvest_exchanges, campaign.exchanges),
        first_seen=wording.time_text(campaign.first_seen_us),
        last_seen=wording.time_text(campaign.last_seen_us),
        days=campaign.days,
        rate=wording.number(round(campaign.rate_per_account_day, 1)),
        q_value=wording.probability(campaign.q_value),
        e=wording.power_of_ten(campaign.log_e),
        models=tuple((wording.shown(model), wording.count(exchanges)) for model, exchanges in campaign.models),
        standing="; ".join(wording.sentence(explanation.name) for explanation in standing),
        open=is_open,
    )


def _anchor(identifier: str) -> str:
    """Give an id that is safe as a fragment, whatever the record holds."""
    return "campaign-" + "".join(
        character if character.isascii() and character.isalnum() else "-" for character in identifier[:40]
    )


def _headline(report: IncidentReport) -> str:
    """Say in one line what was found."""
    flagged = len(report.campaigns)
    if flagged == 0:
        return "No campaign was found."
    accounts = wording.counted(report.run.flagged_accounts, "account", "accounts")
    if flagged == 1:
        return f"One campaign was found: {accounts} harvesting the model."
    return f"{wording.count(flagged)} campaigns were found: {accounts} harvesting the model."


def _lead(report: IncidentReport, flagged: Sequence[Campaign]) -> str:
    """Say in a few lines how large it is, or what a quiet result does not mean."""
    run = report.run
    seen = (
        f"{wording.counted(run.accounts, 'account', 'accounts')} and {wording.count(run.exchanges)} exchanges were read"
    )
    if not flagged:
        return (
            f"{seen}; {wording.counted(run.candidates, 'group', 'groups')} of linked accounts were weighed and none was "
            "flagged. This does not show that there is no harvest: the section on limits says what this run could not test."
        )
    largest = flagged[0]
    days = wording.counted(largest.days, "day", "days")
    return (
        f"{seen}; {wording.counted(run.candidates, 'group', 'groups')} of linked accounts were weighed. The largest campaign "
        f"sent {wording.count(largest.harvest_exchanges)} harvest exchanges from "
        f"{wording.counted(len(largest.members), 'account', 'accounts')} over {days}, "
        f"{wording.number(round(largest.rate_per_account_day, 1))} a day per account; its target: "
        f"{wording.sentence(largest.capability) or 'not told'}."
    )


def _promise(flagged: int, fdr: float) -> str:
    """Say what the false-discovery rate means, and what it does not."""
    one_in = max(1, round(1.0 / fdr))
    meaning = (
        f"Over many runs like this one, on average at most 1 in {wording.count(one_in)} of the campaigns flagged is expected "
        "to be a group of honest accounts. It is a rate over campaigns, not the probability that one campaign is guilty, and "
        "it rests on the assumptions that stand beside each claim."
    )
    return meaning if flagged else f"{meaning} No campaign of this run reached that bar."


def _together(campaigns: Sequence[Campaign]) -> tuple[tuple[int, int], ...]:
    """Add the harvest of all campaigns by day."""
    days: dict[int, int] = {}
    for campaign in campaigns:
        for day, exchanges in campaign.timeline:
            days[day] = days.get(day, 0) + exchanges
    return tuple(sorted(days.items()))


def _claim(claim: Claim) -> ClaimView:
    """Turn a claim into text."""
    return ClaimView(
        name=wording.sentence(claim.name),
        question=claim.question.value,
        statement=wording.sentence(claim.statement),
        null_hypothesis=wording.sentence(claim.null_hypothesis),
        statistic=f"{wording.sentence(claim.statistic_name)} = {wording.number(claim.statistic)}",
        log10_p="none" if claim.log_p is None else wording.log10_text(claim.log_p),
        p="" if claim.log_p is None else wording.power_of_ten(claim.log_p),
        e=wording.power_of_ten(claim.log_e),
        n=f"{wording.count(claim.n)} {wording.sentence(claim.n_unit)}",
        assumptions=tuple(wording.sentence(assumption) for assumption in claim.assumptions),
        method=wording.shown(claim.method),
        seed="exact, no seed" if claim.seed is None else str(claim.seed),
        digest=wording.shown(claim.input_digest) or "not recorded",
    )


def _explanation(explanation: Explanation) -> ExplanationView:
    """Turn an explanation into text."""
    return ExplanationView(
        name=wording.sentence(explanation.name),
        says=wording.sentence(explanation.says),
        e=wording.power_of_ten(explanation.log_e),
        rejected=explanation.rejected,
        tested=explanation.tested,
        against=", ".join(wording.sentence(name) for name in explanation.against) or "nothing",
        remark=wording.sentence(explanation.remark),
    )


def _link(link: Link) -> LinkView:
    """Turn a link into text."""
    shown = ", ".join(wording.shown(account, 40) for account in link.carriers[:12])
    more = link.members - min(12, len(link.carriers))
    return LinkView(
        kind=wording.shown(link.kind),
        value=wording.shown(link.value),
        members=wording.count(link.members),
        accounts=wording.count(link.accounts),
        rarity=wording.number(round(link.rarity, 2)),
        one_in=wording.power_of_ten(link.rarity),
        common=is_common(link),
        carriers=f"{shown} and {wording.count(more)} more" if more > 0 else shown,
    )


def _exhibit(exhibit: Exhibit, texts: Mapping[tuple[str, int], str]) -> ExhibitView:
    """Turn an exhibit into text."""
    text = texts.get((exhibit.source_file, exhibit.source_offset))
    span = (
        f"bytes {wording.count(exhibit.source_offset)} to {wording.count(exhibit.source_offset + exhibit.source_length)}"
        if exhibit.source_length
        else f"row {wording.count(exhibit.source_offset)}"
    )
    return ExhibitView(
        claim=wording.sentence(exhibit.claim),
        account=wording.shown(exhibit.account_id, 40),
        exchange="no id in the log" if exhibit.exchange_id is None else wording.shown(exhibit.exchange_id, 40),
        time=wording.time_text(exhibit.time_us),
        source=wording.shown(exhibit.source_file, 80),
        span=span,
        text=None if text is None else wording.excerpt(text),
    )
