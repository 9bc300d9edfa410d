"""Mail that was saved to a file (RFC 5322), such as the alert of a docket or a newsletter: its subject is what it says."""

from __future__ import annotations

import email
import email.policy
from email.errors import MessageError

from stillwatch.governance.errors import SourceError
from stillwatch.governance.law.sources.documents import day_of, text_of
from stillwatch.records.law import LawNotice

SOURCE = "mail"


def read(content: bytes, place: str) -> tuple[LawNotice, ...]:
    """Give one notice for a message; its body is not read.

    Raises:
        SourceError: where it has neither subject nor date.
    """
    try:
        message = email.message_from_bytes(content, policy=email.policy.default)
        subject, date = text_of(message["Subject"]), text_of(message["Date"])
        name = " ".join(str(message["Message-ID"] or "").split())
    except (MessageError, ValueError, LookupError):
        subject = date = name = ""
    if not subject or not date:
        raise SourceError(
            f"{place}: got a message without subject and date, expected mail as a program saves it (.eml)"
        )
    return (
        LawNotice(source=SOURCE, identifier=name or subject, title=subject, date=day_of(date), says=subject, url=""),
    )
