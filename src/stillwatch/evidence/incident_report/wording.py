"""Words and numbers as the report says them.

Takes record values. Gives short text: counts with separators, probabilities as powers of ten, days and times in UTC, and
values of hostile origin made visible (control and direction characters spelled out, very long ones cut in the middle).
Escaping for HTML is the template's work; here nothing is markup.
"""

from __future__ import annotations

import math
import unicodedata
from dataclasses import dataclass
from datetime import date, timedelta

from stillwatch.evidence.incident_report.campaigns_file import iso_time
from stillwatch.records.campaign import Finding

SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
TIMES = "\N{MULTIPLICATION SIGN}"
MINUS = "\N{MINUS SIGN}"
LONGEST_VALUE = 64
"""Characters of an identifier that are shown whole; longer ones are cut in the middle with their length."""
LONGEST_SENTENCE = 1_200
LONGEST_TEXT = 4_000
EPOCH_DAY = date(1970, 1, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingWords:
    """How a finding is said. The symbol and the word carry the meaning; colour only repeats it."""

    word: str
    symbol: str
    means: str


FINDING_WORDS = {
    Finding.OPERATOR: FindingWords(
        word="operator",
        symbol="■",
        means="One operator harvests the model through these accounts.",
    ),
    Finding.RESELLER: FindingWords(
        word="reseller",
        symbol="◆",
        means="Accounts that resell other people's traffic and carry a harvest in it.",
    ),
    Finding.VICTIM: FindingWords(
        word="victim",
        symbol="△",
        means="The account's own ordinary use and, from elsewhere, somebody else's harvest: most likely a stolen key.",
    ),
    Finding.LICENSED: FindingWords(
        word="licensed",
        symbol="§",
        means="Harvests under an agreement that allows it.",
    ),
    Finding.LOOK_ALIKE: FindingWords(
        word="look-alike",
        symbol="○",
        means="Linked accounts for which an innocent explanation could not be rejected.",
    ),
    Finding.UNRESOLVED: FindingWords(
        word="unresolved",
        symbol="?",
        means="Linked accounts for which telemetry is missing or evidence is short. Neither guilty nor innocent.",
    ),
    Finding.ORDINARY: FindingWords(
        word="ordinary",
        symbol="·",
        means="No candidate group contains the account.",
    ),
}


def count(number: int) -> str:
    """Give an integer with separators: `28,800,000`."""
    return f"{number:,}"


def counted(number: int, one: str, many: str) -> str:
    """Give a number with its noun: `1 account`, `1,204 accounts`."""
    return f"{number:,} {one if number == 1 else many}"


def share(part: int, whole: int) -> str:
    """Give part of whole as a percentage; `less than 0.1%` rather than a rounded nought.

    Args:
        part: at least 0.
        whole: at least 0; nought gives `none`.
    """
    if whole <= 0:
        return "none"
    percent = 100.0 * part / whole
    if 0.0 < percent < 0.1:
        return "less than 0.1%"
    return percentage(part / whole)


def percentage(fraction: float) -> str:
    """Give a fraction as a percentage without needless digits: `1%`, `0.5%`, `12.3%`."""
    return f"{100.0 * fraction:.3g}%"


def power_of_ten(log_value: float) -> str:
    """Give exp(log_value) without underflow or overflow.

    Args:
        log_value: natural logarithm of a positive number; infinities are allowed.

    Returns:
        `0.012`, `85`, `3.2 x 10⁻¹⁵` with a true times sign, `0` or `∞`.
    """
    if math.isinf(log_value):
        return "∞" if log_value > 0 else "0"
    exponent_exact = log_value / math.log(10.0)
    if -3.0 < exponent_exact < 5.0:
        value = math.exp(log_value)
        return f"{value:,.0f}" if value >= 100.0 else f"{value:.2g}"
    exponent = math.floor(exponent_exact)
    mantissa = round(10.0 ** (exponent_exact - exponent), 1)
    if mantissa >= 10.0:
        mantissa, exponent = 1.0, exponent + 1
    return f"{mantissa:.1f} {TIMES} 10{str(exponent).translate(SUPERSCRIPTS)}"


def probability(value: float) -> str:
    """Give a probability or rate in [0, 1] without needless noughts."""
    return power_of_ten(math.log(value)) if value > 0.0 else "0"


def log10_text(log_value: float) -> str:
    """Give the base-ten logarithm with one decimal; a true minus sign."""
    if math.isinf(log_value):
        return "∞" if log_value > 0 else f"{MINUS}∞"
    value = round(log_value / math.log(10.0), 1) + 0.0  # + 0.0 turns a negative nought into nought
    return f"{value:.1f}".replace("-", MINUS)


def number(value: float) -> str:
    """Give a statistic with four significant digits."""
    if value == int(value) and abs(value) < 1e9:
        return f"{int(value):,}"
    return f"{value:,.4g}".replace("-", MINUS)


def day_text(day: int) -> str:
    """Give days since the epoch as `22 Apr 2026`."""
    try:
        moment = EPOCH_DAY + timedelta(days=day)
    except OverflowError:
        return f"day {day}"
    return f"{moment.day} {moment:%b %Y}"


def time_text(time_us: int) -> str:
    """Give microseconds since the epoch as `2026-04-22 13:05:11 UTC`."""
    iso = iso_time(time_us)
    return f"{iso[:19].replace('T', ' ')} UTC" if iso.endswith("Z") else iso


def shown(value: str, limit: int = LONGEST_VALUE) -> str:
    """Make an identifier of any origin safe to read.

    Direction overrides, control, format and unassigned characters and line ends are spelled out, so that no value can
    reorder or hide what stands beside it; a longer value is cut in the middle and says its length.

    Args:
        value: any text.
        limit: characters that are shown whole, at least 16.

    Returns:
        Text without control, format, surrogate or private characters.
    """
    kept = value
    if len(value) > limit:
        kept = f"{value[: limit - 12]}…{value[-8:]}"
    text = "".join(_visible(character) for character in kept)
    return text if kept is value else f"{text} ({len(value):,} characters)"


def sentence(value: str) -> str:
    """Make a record's sentence safe to read; as `shown`, with room for a sentence."""
    return shown(value, LONGEST_SENTENCE)


def excerpt(value: str, limit: int = LONGEST_TEXT) -> str:
    """Make prompt text safe to read: as `shown`, with its line ends and tabs kept."""
    lines = value[:limit].expandtabs(4).replace("\r\n", "\n").split("\n")
    text = "\n".join(shown(line, limit) for line in lines)
    return text if len(value) <= limit else f"{text}… ({len(value):,} characters)"


def _visible(character: str) -> str:
    """Spell out a character that does not show itself."""
    if character == " " or unicodedata.category(character)[0] not in "CZ":
        return character
    if character == "\u00a0":
        return " "
    point = ord(character)
    return f"\\u{{{point:x}}}"
