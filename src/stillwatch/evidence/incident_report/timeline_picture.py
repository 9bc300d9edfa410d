"""The timeline: harvest per day above, all other traffic per day below, on one time axis and each on its own scale.

Takes days with counts. Gives the coordinates of bars and ticks; the template draws them. Two panels rather than two axes
in one, since a harvest is often a thousandth of the traffic and a shared scale would hide it. Above `MOST_BARS` days, days
are put together in bars of equal length. Linear in the number of days.
"""

from __future__ import annotations

from dataclasses import dataclass

from stillwatch.evidence.incident_report.wording import count, day_text

WIDTH = 960.0
LEFT = 64.0
RIGHT = 12.0
HARVEST_TOP = 24.0
HARVEST_HEIGHT = 120.0
REST_TOP = 184.0
REST_HEIGHT = 64.0
HEIGHT = 280.0
MOST_BARS = 120
MOST_TICKS = 8
HALF_LABEL = 48.0
"""Half the width of the longest tick label."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One bar and what it says."""

    x: float
    y: float
    width: float
    height: float
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """A mark of the time axis."""

    x: float
    label: str
    anchor: str
    """`middle`, or `end` at the right edge, so that no label leaves the picture."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DayRow:
    """A row of the table twin."""

    period: str
    harvest: int
    rest: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """Coordinates of both panels in a box of `WIDTH` by `HEIGHT`."""

    harvest: tuple[Bar, ...]
    rest: tuple[Bar, ...]
    ticks: tuple[Tick, ...]
    rows: tuple[DayRow, ...]
    harvest_top: str
    """Largest harvest bar as text: the label of its scale."""
    rest_top: str
    days_per_bar: int
    summary: str
    """One sentence that says what the picture shows, for those who cannot see it."""


def timeline(harvest: tuple[tuple[int, int], ...], volume: tuple[tuple[int, int], ...]) -> Timeline | None:
    """Lay out the timeline.

    Args:
        harvest: (day since epoch, harvest exchanges).
        volume: (day since epoch, exchanges of all accounts).

    Returns:
        The layout; null where there is no day at all.
    """
    days = [day for day, _ in (*harvest, *volume)]
    if not days:
        return None
    first, last = min(days), max(days)
    per_bar = -(-(last - first + 1) // MOST_BARS)
    bars = (last - first) // per_bar + 1
    taken, everything = [0] * bars, [0] * bars
    for day, exchanges in harvest:
        taken[(day - first) // per_bar] += exchanges
    for day, exchanges in volume:
        everything[(day - first) // per_bar] += exchanges
    rest = [max(0, total - own) for total, own in zip(everything, taken, strict=True)]
    periods = [_period(first + index * per_bar, min(last, first + (index + 1) * per_bar - 1)) for index in range(bars)]
    peak = max(range(bars), key=lambda index: (taken[index], -index))
    return Timeline(
        harvest=_bars(taken, periods, HARVEST_TOP, HARVEST_HEIGHT, "harvest exchanges"),
        rest=_bars(rest, periods, REST_TOP, REST_HEIGHT, "other exchanges"),
        ticks=_ticks(first, per_bar, bars),
        rows=tuple(
            DayRow(period=period, harvest=own, rest=other)
            for period, own, other in zip(periods, taken, rest, strict=True)
        ),
        harvest_top=count(max(taken)),
        rest_top=count(max(rest)),
        days_per_bar=per_bar,
        summary=(
            f"Harvest from {day_text(first)} to {day_text(last)}: {count(sum(taken))} exchanges, most in "
            f"{periods[peak]} with {count(taken[peak])}; all other traffic is {count(sum(rest))} exchanges."
        ),
    )


def _period(first: int, last: int) -> str:
    """Name a bar's days."""
    return day_text(first) if first == last else f"{day_text(first)} to {day_text(last)}"


def _bars(counts: list[int], periods: list[str], top: float, height: float, noun: str) -> tuple[Bar, ...]:
    """Lay out one panel; nought gives no bar, the smallest other count still shows."""
    step = (WIDTH - LEFT - RIGHT) / len(counts)
    gap = min(3.0, step * 0.2)
    largest = max(*counts, 1)
    laid = []
    for index, exchanges in enumerate(counts):
        if exchanges == 0:
            continue
        tall = max(1.5, height * exchanges / largest)
        laid.append(
            Bar(
                x=round(LEFT + index * step + gap / 2, 1),
                y=round(top + height - tall, 1),
                width=round(min(step - gap, 40.0), 1),
                height=round(tall, 1),
                label=f"{periods[index]}: {count(exchanges)} {noun}",
            )
        )
    return tuple(laid)


def _ticks(first: int, per_bar: int, bars: int) -> tuple[Tick, ...]:
    """Mark the axis at most `MOST_TICKS` times."""
    step = (WIDTH - LEFT - RIGHT) / bars
    every = -(-bars // MOST_TICKS)
    return tuple(
        Tick(
            x=round(LEFT + index * step + min(step, 40.0) / 2, 1),
            label=day_text(first + index * per_bar),
            anchor="end" if LEFT + (index + 0.5) * step > WIDTH - HALF_LABEL else "middle",
        )
        for index in range(0, bars, every)
    )
