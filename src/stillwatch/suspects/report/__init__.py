"""The report on one suspect: a page that loads nothing, and the same as JSON.

Takes a plan, what was collected and what was concluded. Gives one document, and a page drawn from it alone. Promises that the page says nothing
that the document does not, that it shows no text of a prompt or an answer, and the same bytes for the same run.
"""

from stillwatch.suspects.report.document import Sealed, report_document
from stillwatch.suspects.report.page import render_suspect_report

__all__ = ["Sealed", "render_suspect_report", "report_document"]
