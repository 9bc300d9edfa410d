"""End users: does the stream have the day and night of people behind it?

One customer may openly run a product over several keys; its traffic then rises and falls with its end users. Null: each member's shares
of the 24 hours deviate from flat at least as much as in the reference account at the 0.1 quantile among accounts of like
volume. Pearson's statistic of n exchanges with deviation d^2 from flat is non-central chi-square with 23 degrees and
non-centrality 24 n d^2; the members' statistics are added, and a value in the lower tail speaks against end users. It also speaks against
office hours; it does not tell a harvest from any other unattended job, an honest customer's as well, and therefore decides nothing.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import stats

from stillwatch.detection.campaigns.candidate import LEAST_REFERENCE, Candidate
from stillwatch.detection.campaigns.claims.stating import Procedure
from stillwatch.detection.profiles.closeness import squared_distances
from stillwatch.records.claim import Claim, Inconclusive, Question
from stillwatch.statistics.robust import quantile_position

LEAST_EXCHANGES = 200
LEAST_OWN = 48
"""Exchanges of a member, two for each hour on average."""
DIURNAL_QUANTILE = 0.1

PROCEDURE = Procedure(
    name="round the clock",
    question=Question.EXTRACTION,
    null_hypothesis="Each member follows the day of its end users at least as much as nine of ten customers do.",
    assumptions=(
        "exchanges fall into hours independently, given the stream's own profile",
        "bursts make the statistic larger, which is conservative",
    ),
    method="round-the-clock/v2",
    decides=False,
)


def end_users_claim(candidate: Candidate) -> Claim | Inconclusive:
    """Test the hours of the members for flatness, each by itself: offices in several time zones are flat only when pooled."""
    hours = candidate.accounts.histograms["hours"]
    own = hours[candidate.members].astype(np.float64)
    own = own[own.sum(axis=1) >= LEAST_OWN]
    totals = own.sum(axis=1, keepdims=True)
    total = float(totals.sum())
    others = candidate.background.in_order("distance from flat hours", lambda numbers: _deviations(hours[numbers]))
    deviations = others.without(candidate.members)
    if total < LEAST_EXCHANGES or len(deviations) < LEAST_REFERENCE:
        return PROCEDURE.cannot(
            f"{int(total)} exchanges, and {len(deviations)} reference accounts of like volume",
            f"{LEAST_EXCHANGES} exchanges, and {LEAST_REFERENCE} reference accounts with as many",
        )
    least = max(float(deviations[quantile_position(len(deviations), DIURNAL_QUANTILE)]), 1e-4)
    statistic = float(((own - totals / 24.0) ** 2 / (totals / 24.0)).sum())
    degrees, noncentrality = 23.0 * len(own), 24.0 * total * least
    log_p = float(stats.ncx2.logcdf(statistic, degrees, noncentrality))
    if not np.isfinite(log_p):
        log_p = _normal_log_p(statistic, degrees, noncentrality)
    return PROCEDURE.from_log_p(
        min(log_p, 0.0),
        searched=0.0,
        statement=f"The members' hours deviate from flat by {max(statistic - degrees, 0.0) / (24.0 * total):.5f}; nine of ten customers deviate by {least:.5f} or more.",
        statistic_name="Pearson statistic against flat hours",
        statistic=statistic,
        n=int(total),
        n_unit="exchanges",
        input_digest=candidate.input_digest,
    )


def _deviations(hours: npt.NDArray[np.int32]) -> npt.NDArray[np.float64]:
    """[n] squared distance of the hours from flat; NaN with fewer than `LEAST_EXCHANGES`."""
    distances = squared_distances(hours, np.full(24, 1.0 / 24.0))
    return np.where(hours.sum(axis=1) >= LEAST_EXCHANGES, distances, np.nan)


def _normal_log_p(statistic: float, degrees: float, noncentrality: float) -> float:
    """Sankaran's normal approximation of the non-central chi-square's lower tail, where the series underflows."""
    k, nc = degrees, noncentrality
    h = 1.0 - 2.0 * (k + nc) * (k + 3.0 * nc) / (3.0 * (k + 2.0 * nc) ** 2)
    p = (k + 2.0 * nc) / (k + nc) ** 2
    m = (h - 1.0) * (1.0 - 3.0 * h)
    z = ((statistic / (k + nc)) ** h - (1.0 + h * p * (h - 1.0 - 0.5 * (2.0 - h) * m * p))) / (
        h * np.sqrt(2.0 * p) * (1.0 + 0.5 * m * p)
    )
    return float(stats.norm.logcdf(z))
