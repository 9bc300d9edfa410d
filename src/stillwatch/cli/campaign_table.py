"""Campaigns as a table on the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.table import Table
from rich.text import Text

from stillwatch.evidence.incident_report.wording import FINDING_WORDS, count, probability, shown
from stillwatch.records.campaign import Campaign

MOST_ROWS = 30


def campaign_table(campaigns: Sequence[Campaign], title: str) -> Table:
    """Give the table, the largest harvest first.

    Args:
        campaigns: flagged campaigns, or candidates.
        title: heading.

    Returns:
        At most `MOST_ROWS` rows; the caption says how many are left out.
    """
    table = Table(
        title=title, title_justify="left", title_style="bold", header_style="bold", expand=False, box=box.SIMPLE_HEAD
    )
    table.add_column("campaign", no_wrap=True)
    table.add_column("finding", no_wrap=True)
    table.add_column("accounts", justify="right")
    table.add_column("harvest", justify="right")
    table.add_column("days", justify="right")
    table.add_column("a day each", justify="right")
    table.add_column("q-value", justify="right", no_wrap=True)
    table.add_column("capability targeted", overflow="fold", min_width=14)
    ranked = sorted(campaigns, key=lambda campaign: (-campaign.harvest_exchanges, campaign.id))
    for campaign in ranked[:MOST_ROWS]:
        words = FINDING_WORDS[campaign.finding]
        table.add_row(
            shown(campaign.id, 24),
            Text(f"{words.symbol} {words.word}"),
            count(len(campaign.members)),
            count(campaign.harvest_exchanges),
            count(campaign.days),
            f"{campaign.rate_per_account_day:,.1f}",
            probability(campaign.q_value),
            Text(shown(campaign.capability, 80)),
        )
    if len(ranked) > MOST_ROWS:
        table.caption = f"{count(len(ranked) - MOST_ROWS)} more in campaigns.json and the report"
    return table
