"""Timeline test: does the harvest rise before a suspect's releases more than it would before other days?

Takes the harvest by day and the suspect's release days, which the user gives. Gives a claim, or says why there is none.

Null: the releases have nothing to do with the harvest. Statistic: harvest on the `WINDOW_DAYS` days that end the day before a release,
over all releases in reach, each day counted once. Under the null the series may be shifted round its own span (circular shifts keep
its level, its trends and its dependence from day to day; M. Harrison and S. Geman, Neural Computation 21, 2009, on shift
nulls). All shifts are tried, so there is no randomness: p is the share of shifts, the true one included, that reach the statistic.
Assumption: under the null every shift of the series against the releases is as likely; a series that merely grows breaks it, and the
claim says so. The p-value cannot fall below 1 / days. Ties count against the statistic. Complexity: days times releases.

It does not show who harvested, and a harvest that follows our own releases may meet a suspect's by chance of the season.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from stillwatch.integrity.canonical import canonical_bytes
from stillwatch.integrity.digest import digest_bytes
from stillwatch.records.claim import Claim, Inconclusive, Question
from stillwatch.statistics.e_values import calibrate_log_p

WINDOW_DAYS = 14
"""Days before a release in which its training data would be gathered; fixed before any case is looked at."""
FEWEST_DAYS = 28
METHOD = "release-timeline/v1"
NAME = "release timeline"
QUESTION = Question.ATTRIBUTION
ASSUMPTIONS = (
    "Were the releases unrelated to the harvest, every circular shift of the daily series against them would be as likely.",
    "The release days come from the public record and were not chosen with the harvest in view.",
    "A harvest that only grows or shrinks over the whole span breaks the first assumption.",
)


def release_timeline(
    harvest: Sequence[tuple[int, int]], releases: Sequence[int], *, window_days: int = WINDOW_DAYS
) -> Claim | Inconclusive:
    """Test a harvest against a suspect's releases.

    Args:
        harvest: (day since epoch, exchanges), each day once; days without harvest may be left out.
        releases: days since epoch on which the suspect released something.
        window_days: days before a release that count, at least 1.

    Returns:
        A claim, or why there is none.
    """
    counts = dict(harvest)
    if not counts or not any(counts.values()):
        return _cannot("there is no harvest by day", "a campaign with a timeline")
    first, last = min(counts), max(counts)
    days = last - first + 1
    if days < FEWEST_DAYS:
        return _cannot(f"the harvest spans {days} days", f"a span of {FEWEST_DAYS} days or more")
    window = {day for release in set(releases) for day in range(release - window_days, release) if first <= day <= last}
    if not window:
        return _cannot(
            f"no release is within {window_days} days after a day of the harvest",
            "releases of the suspect in or after its span",
        )
    if len(window) > days // 2:
        return _cannot(
            f"the days before releases are {len(window)} of {days}, so no day stands out",
            "a longer span of logs, or fewer releases",
        )
    series = [counts.get(day, 0) for day in range(first, last + 1)]
    places = sorted(day - first for day in window)
    sums = [sum(series[(place + shift) % days] for place in places) for shift in range(days)]
    reached = sum(one >= sums[0] for one in sums)
    log_p = math.log(reached / days)
    total = sum(series)
    return Claim(
        name=NAME,
        question=QUESTION,
        statement=(
            f"{sums[0]:,} of {total:,} exchanges fall on the {len(window)} days before releases; by the length of time alone it would be "
            f"{total * len(window) / days:,.0f}. Of {days} ways to shift the days, {reached} give as much."
        ),
        null_hypothesis="The suspect's releases have nothing to do with when the harvest was made.",
        statistic_name="exchanges on the days before releases",
        statistic=float(sums[0]),
        log_p=log_p,
        log_e=calibrate_log_p(log_p),
        n=days,
        n_unit="days",
        assumptions=ASSUMPTIONS,
        method=METHOD,
        input_digest=digest_bytes(canonical_bytes([sorted(counts.items()), sorted(set(releases)), window_days])),
    )


def _cannot(reason: str, needed: str) -> Inconclusive:
    return Inconclusive(name=NAME, question=QUESTION, reason=reason, needed=needed, method=METHOD)
