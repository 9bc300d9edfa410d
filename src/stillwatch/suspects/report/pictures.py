"""The pictures of a report, as coordinates with the origin at the top left: evidence on the way, power, strength of each claim.

Takes points. Gives lines and labels for SVG; nothing is drawn where there is nothing to show. Linear in the points, of which at most some hundred are kept.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

WIDTH = 640.0
HEIGHT = 220.0
LEFT = 54.0
RIGHT = 18.0
TOP = 14.0
FLOOR = 178.0
MOST_POINTS = 240
BAR_ROW = 30.0
BAR_LEFT = 64.0
BAR_ROOM = 420.0
MOST_LOG10 = 12.0
"""Evidence beyond 10^12 is drawn as long as that; the number beside the bar says the rest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """A line to hold the points against."""

    y: float
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LinePicture:
    """A line over an axis."""

    title: str
    path: str
    levels: tuple[Level, ...]
    x_name: str
    y_name: str
    x_first: str
    x_last: str
    y_first: str
    y_last: str
    summary: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One claim's evidence."""

    name: str
    y: float
    width: float
    value: str


def line_picture(title: str, x_name: str, y_name: str, points: Sequence[Sequence[float]]) -> LinePicture | None:
    """Lay out a line.

    Args:
        title: what it shows.
        x_name: what runs to the right.
        y_name: what runs up; the levels of the words are drawn for `log10 E`, and 0.8 for `chance`.
        points: (x, y), ascending in x.

    Returns:
        The picture; none for fewer than two points.
    """
    kept = [(float(x), float(y)) for x, y in points if math.isfinite(x) and math.isfinite(y)]
    if len(kept) < 2:
        return None
    step = max(1, math.ceil(len(kept) / MOST_POINTS))
    drawn = [*kept[::step], *([kept[-1]] if (len(kept) - 1) % step else [])]
    is_evidence, is_chance = "log10" in y_name.lower().replace(" ", ""), y_name == "chance"
    levels = (
        [(math.log10(20.0), "supports: E = 20"), (3.0, "strongly: E = 1,000")]
        if is_evidence
        else [(0.8, "0.8")]
        if is_chance
        else []
    )
    low = min([y for _, y in kept] + [0.0])
    high = max([y for _, y in kept] + ([1.0] if is_chance else [level for level, _ in levels]))
    x_low, x_high = kept[0][0], kept[-1][0]

    def place(x: float, y: float) -> tuple[float, float]:
        across = LEFT + (WIDTH - LEFT - RIGHT) * (x - x_low) / ((x_high - x_low) or 1.0)
        return round(across, 1), round(FLOOR - (FLOOR - TOP) * (y - low) / ((high - low) or 1.0), 1)

    path = "M" + "L".join(f"{x} {y}" for x, y in (place(*point) for point in drawn))
    shown = [level for level in levels if low <= level[0] <= high]
    return LinePicture(
        title=title, path=path,
        levels=tuple(Level(y=place(x_low, value)[1], label=label) for value, label in shown),
        x_name=x_name, y_name=y_name, x_first=_number(x_low), x_last=_number(x_high), y_first=_number(low),
        y_last=_number(high), summary=f"{title}: {y_name} from {_number(kept[0][1])} to {_number(kept[-1][1])} over {x_name} {_number(x_low)} to {_number(x_high)}.",
    )  # fmt: skip


def evidence_bars(lines: Sequence[dict[str, Any]]) -> tuple[Bar, ...]:
    """Lay out the evidence of each line that has some.

    Args:
        lines: of the document.
    """
    bars = []
    for place, line in enumerate(one for one in lines if one["log_e"] is not None):
        log10 = float(line["log_e"]) / math.log(10.0)
        bars.append(
            Bar(
                name=line["claim"] if line["account"] is None else f"{line['claim']} {line['account'][:18]}",
                y=8.0 + BAR_ROW * place,
                width=round(BAR_ROOM * min(max(log10, 0.0), MOST_LOG10) / MOST_LOG10, 1),
                value=f"10^{log10:.1f}" if math.isfinite(log10) else "beyond all",
            )
        )
    return tuple(bars)


def bar_x(e_value: float) -> float:
    """Give where an e-value stands on the scale of the bars."""
    return round(BAR_ROOM * math.log10(e_value) / MOST_LOG10, 1)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) else f"{value:.2g}"
