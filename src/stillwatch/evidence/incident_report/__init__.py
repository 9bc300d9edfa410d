"""The incident report: one self-contained HTML page that a manager can read and an expert can check.

Takes an `IncidentReport`. Gives HTML text, and campaigns as plain dictionaries for `campaigns.json` and back.
Promises the same bytes for the same incident, no request to anywhere, and nothing that needs a script to be read.
"""

from stillwatch.evidence.incident_report.campaigns_file import (
    CampaignsFile,
    campaigns_document,
    read_campaigns_document,
)
from stillwatch.evidence.incident_report.incident import (
    ColumnPresence,
    ExhibitText,
    IncidentReport,
    RunFacts,
    TestNotRun,
)
from stillwatch.evidence.incident_report.render import render_report

__all__ = [
    "CampaignsFile",
    "ColumnPresence",
    "ExhibitText",
    "IncidentReport",
    "RunFacts",
    "TestNotRun",
    "campaigns_document",
    "read_campaigns_document",
    "render_report",
]
