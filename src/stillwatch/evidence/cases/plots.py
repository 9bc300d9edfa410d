"""The pictures of a case, as coordinates: harvest by day with the suspect's releases, and the strength of each claim.

Takes a case file. Gives bars, lines and labels in a box with the origin at the top left; the page draws them as SVG and the PDF as its own
shapes, from the same numbers. Nothing is drawn where there is nothing to show. Linear in the number of days.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from stillwatch.evidence.incident_report.wording import counted, day_text
from stillwatch.records.case import CaseFile

WIDTH = 720.0
DAYS_HEIGHT = 170.0
LEFT = 52.0
TOP = 34.0
FLOOR = 140.0
CLAIM_ROW = 18.0
CLAIM_LEFT = 210.0
MOST_CLAIMS = 24
HALF_LABEL = 80.0
MOST_BARS = 180
MOST_LOG10 = 30.0
"""Evidence of over 10^30 is drawn as long as that; the number beside the bar says the rest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rectangle:
    """A bar."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A vertical line with a label."""

    x: float
    label: str
    level: int
    """0 or 1: the row in which the label stands, so that neighbours do not overlap."""
    anchor: str
    """`start`, `middle` or `end`, so that no label leaves the picture."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DaysPicture:
    """Harvest by day."""

    bars: tuple[Rectangle, ...]
    marks: tuple[Mark, ...]
    top: str
    """The largest bar in words."""
    first: str
    last: str
    summary: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimBar:
    """One claim's strength."""

    name: str
    y: float
    width: float
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimsPicture:
    """The strength of each claim."""

    bars: tuple[ClaimBar, ...]
    height: float
    summary: str


def days_picture(case: CaseFile) -> DaysPicture | None:
    """Lay out the harvest by day.

    Args:
        case: the case file.

    Returns:
        The picture; none where there is no harvest.
    """
    if not case.harvest:
        return None
    first, last = case.harvest[0][0], case.harvest[-1][0]
    per_bar = math.ceil((last - first + 1) / MOST_BARS)
    sums: dict[int, int] = {}
    for day, count in case.harvest:
        sums[(day - first) // per_bar] = sums.get((day - first) // per_bar, 0) + count
    number = (last - first) // per_bar + 1
    step = (WIDTH - LEFT) / number
    most = max(sums.values())
    bars = tuple(
        Rectangle(
            x=round(LEFT + place * step, 2),
            y=round(FLOOR - (FLOOR - TOP) * count / most, 2),
            width=round(max(0.5, step * 0.86), 2),
            height=round((FLOOR - TOP) * count / most, 2),
        )
        for place, count in sorted(sums.items())
    )
    inside = [(day, name) for day, name in case.releases if first <= day <= last]
    marks = tuple(
        _mark(round(LEFT + (day - first) / per_bar * step, 2), name[:24], place % 2)
        for place, (day, name) in enumerate(inside)
    )
    total = sum(sums.values())
    span = f"{day_text(first)} to {day_text(last)}"
    every = "day" if per_bar == 1 else f"{per_bar} days"
    return DaysPicture(
        bars=bars,
        marks=marks,
        top=f"{most:,}",
        first=day_text(first),
        last=day_text(last),
        summary=f"{total:,} exchanges from {span}, a bar for every {every}, at most {most:,}; {counted(len(marks), 'release', 'releases')} of a suspect in this span.",
    )


def claims_picture(case: CaseFile) -> ClaimsPicture | None:
    """Lay out the strength of each claim.

    Args:
        case: the case file.

    Returns:
        The picture, the strongest first; none where there is no claim.
    """
    ranked = sorted(case.claims, key=lambda claim: (-claim.log_e, claim.name))[:MOST_CLAIMS]
    if not ranked:
        return None
    room = WIDTH - CLAIM_LEFT - 80.0
    bars = []
    for place, claim in enumerate(ranked):
        strength = claim.log_e / math.log(10.0)
        shown = min(max(strength, 0.0), MOST_LOG10)
        bars.append(
            ClaimBar(
                name=claim.name[:34],
                y=round(8.0 + CLAIM_ROW * place, 2),
                width=round(room * shown / MOST_LOG10, 2),
                value=f"{strength:.1f}" if math.isfinite(strength) else "over 2000",
            )
        )
    more = f" of {len(case.claims)}" if len(case.claims) > len(ranked) else ""
    return ClaimsPicture(
        bars=tuple(bars),
        height=16.0 + CLAIM_ROW * len(bars),
        summary=f"Base-ten logarithm of the e-value of {len(ranked)}{more} claims; bars end at {MOST_LOG10:.0f}.",
    )


def _mark(x: float, label: str, level: int) -> Mark:
    """Place a mark's label to the side that has room."""
    anchor = "end" if x > WIDTH - HALF_LABEL else "start" if x < LEFT + HALF_LABEL else "middle"
    return Mark(x=x, label=label, level=level, anchor=anchor)
