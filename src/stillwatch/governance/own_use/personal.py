"""Recognisers of personal and customer data: a shape, a check, and for numbers that many things look like, a word nearby.

The words are of the languages in which such a number has a name. A recogniser that needs one finds nothing without it, by design.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from stillwatch.governance.own_use import checks

CONTEXT_BYTES = 64
"""How far before and after a number a word may stand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recogniser:
    """How one kind of data is told."""

    kind: str
    """Such as `payment card`."""
    pattern: re.Pattern[bytes]
    """Matched where the data begins."""
    check: checks.Check | None
    """Of the match without separators; null where the shape is enough."""
    context: re.Pattern[bytes] | None = None
    """Must be found nearby; null where no word is needed."""
    anchor: str = "digits"
    """What a scan looks for first: `digits`, `at` (the sign @), `letters` (two capitals and two digits)."""


_SEPARATORS = bytes.maketrans(b"", b"")
_DROP = b" -./\xc2\xa0"


def plain(match: bytes) -> str:
    """Give a match without separators, in capitals."""
    return match.translate(_SEPARATORS, _DROP).decode("ascii", "replace").upper()


def _words(*words: str) -> re.Pattern[bytes]:
    return re.compile(b"|".join(re.escape(word.encode()) for word in words), re.IGNORECASE)


_PUBLIC_MAIL = re.compile(rb"@(?:[\w.-]+\.)?(?:example\.(?:com|org|net|edu)|test|invalid|localhost|domain\.com|email\.com|company\.com|users\.noreply\.github\.com)$", re.IGNORECASE)  # fmt: skip


def _private_mail(text: str) -> bool:
    """Leave out addresses that stand for any address (RFC 2606, and those that manuals use)."""
    return not _PUBLIC_MAIL.search(text.lower().encode()) and ".." not in text


RECOGNISERS: tuple[Recogniser, ...] = (
    Recogniser(
        kind="e-mail address",
        pattern=re.compile(rb"[A-Za-z0-9._%+-]{1,64}@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.){1,6}[A-Za-z]{2,24}\b"),
        check=None,
        anchor="at",
    ),
    Recogniser(kind="payment card", pattern=re.compile(rb"\d(?:[ -]?\d){11,18}(?![\d-])"), check=checks.payment_card),
    Recogniser(
        kind="IBAN", pattern=re.compile(rb"[A-Z]{2}\d{2}(?:[ ]?[A-Z0-9]){11,30}(?![A-Za-z0-9])"), check=checks.iban, anchor="letters",
    ),
    Recogniser(
        kind="US social security number",
        pattern=re.compile(rb"\d{3}[- ]\d{2}[- ]\d{4}(?![\d-])|\d{9}(?!\d)"),
        check=checks.us_social_security,
        context=_words("ssn", "social security", "social-security", "soc sec", "taxpayer"),
    ),
    Recogniser(
        kind="German tax number",
        pattern=re.compile(rb"\d{2}[ ]?\d{3}[ ]?\d{3}[ ]?\d{3}(?!\d)"),
        check=checks.german_tax_id,
        context=_words("steuer", "idnr", "tin", "tax id", "tax-id", "tax number"),
    ),
    Recogniser(
        kind="Spanish identity number", pattern=re.compile(rb"(?:\d{8}|[XYZ]\d{7})-?[A-Z](?![A-Za-z0-9])"), check=checks.spanish_id,
        context=_words("dni", "nie", "nif", "documento", "identidad"),
    ),
    Recogniser(
        kind="French social security number",
        pattern=re.compile(rb"[12][ ]?\d{2}[ ]?(?:0[1-9]|1[0-2]|[2-9]\d)[ ]?(?:\d{2}|2[AB])[ ]?\d{3}[ ]?\d{3}[ ]?\d{2}(?!\d)"),
        check=checks.french_social_security,
    ),
    Recogniser(
        kind="Dutch citizen number", pattern=re.compile(rb"\d{4}[. ]?\d{2}[. ]?\d{3}(?!\d)|\d{9}(?!\d)"), check=checks.dutch_citizen,
        context=_words("bsn", "burgerservice", "sofinummer"),
    ),
    Recogniser(
        kind="Polish citizen number", pattern=re.compile(rb"\d{11}(?!\d)"), check=checks.polish_citizen, context=_words("pesel"),
    ),
    Recogniser(
        kind="Italian fiscal code",
        pattern=re.compile(rb"[A-Z]{6}\d{2}[ABCDEHLMPRST]\d{2}[A-Z]\d{3}[A-Z](?![A-Za-z0-9])"),
        check=checks.italian_fiscal,
        anchor="letters",
    ),
    Recogniser(
        kind="Brazilian citizen number", pattern=re.compile(rb"\d{3}\.\d{3}\.\d{3}-\d{2}(?!\d)|\d{11}(?!\d)"), check=checks.brazilian_citizen,
        context=_words("cpf", "cadastro de pessoa"),
    ),
    Recogniser(
        kind="Aadhaar number", pattern=re.compile(rb"\d{4}[ -]?\d{4}[ -]?\d{4}(?!\d)"), check=checks.aadhaar, context=_words("aadhaar", "aadhar", "uidai"),
    ),
    Recogniser(
        kind="NHS number", pattern=re.compile(rb"\d{3}[ -]?\d{3}[ -]?\d{4}(?!\d)"), check=checks.british_health,
        context=_words("nhs", "health number", "patient"),
    ),
    Recogniser(
        kind="public address", pattern=re.compile(rb"(?:\d{1,3}\.){3}\d{1,3}(?![\d.]|-\d)"), check=checks.public_address,
        context=_words("ip", "host", "server", "address", "client", "ssh", "login", "http", "subnet", "remote"),
    ),
    Recogniser(
        kind="telephone number",
        pattern=re.compile(rb"(?!\d{4}-\d{2}-\d{2})\+?\d{1,3}[ .-]?\(?\d{1,5}\)?(?:[ .-]?\d{2,5}){2,4}(?![\d-])"),
        check=checks.telephone,
        context=_words("phone", "mobile", "call me", "cell", "whatsapp", "telefon", "t\u00e9l", "tel.", "tel:", "m\u00f3vil", "fax", "\u96fb\u8a71", "\u7535\u8bdd", "\u624b\u673a"),
    ),
)  # fmt: skip
"""The mail address's check is `_private_mail`; it stands apart because an address is found from its middle."""
private_mail = _private_mail
