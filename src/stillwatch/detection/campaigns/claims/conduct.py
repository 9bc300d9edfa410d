"""Common conduct: members send alike, far more than customers of one product do.

Every account has its hours of the day, its gaps between exchanges, its pace (exchanges per active day), its days, its volume and its
bursts. One operator's workers draw them from one scheduler and one queue; customers have each a life of their own, even where a product brings
them together. For each member the centre is the other members (itself left out, one vote per account): their mean shares of hours, of gaps
and of days, free of sampling noise (`profiles/closeness.py`), their median pace and volume, and the hours of the days in which they
act (`bursts.py`). Its distance from the centre in each feature is ranked among the reference accounts of like volume, and the sum of the ln of the ranks is ranked again: a conformal p-value for "this account is as far
from the centre as any customer". The number of members with small p is then counted (`ranking.py`).

This is done three times, with more features each time (`VIEWS`), and the e-values are averaged, which is an e-value whatever their
dependence: a pool that works off one queue in the same days is seen sooner with all of them, one whose accounts take turns without days.
Reference traffic of other days says nothing of these days; then only the first view is taken.

Null: members are customers, and at most `PRODUCT_FACTOR` times as likely as any customer of like volume to lie so near to the centre.
That leaves room for what customers of one product, trade or country have in common. It does not show a harvest: any fleet under one
scheduler is as alike.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
from scipy import sparse

from stillwatch.detection.campaigns.candidate import LEAST_EXCHANGES, LEAST_REFERENCE, Candidate
from stillwatch.detection.campaigns.claims.bursts import ActiveHours, burst_distances
from stillwatch.detection.campaigns.claims.ranking import rank_p_values
from stillwatch.detection.campaigns.claims.stating import Procedure
from stillwatch.detection.campaigns.study import in_sorted
from stillwatch.detection.links.groups import LEAST_MEMBERS
from stillwatch.detection.profiles.accounts import Accounts
from stillwatch.detection.profiles.closeness import LEAST_COUNT, shares
from stillwatch.records.claim import Claim, Inconclusive, Question
from stillwatch.statistics.e_values import mean_log_e

HISTOGRAMS = ("hours", "gaps", "days")
NUMBERS = ("pace", "volume")
VIEWS = (
    ("hours", "gaps", "pace"),
    ("hours", "gaps", "pace", "days"),
    ("hours", "gaps", "pace", "days", "volume", "bursts"),
)
"""Sets of features by which an account may lie near to others; an e-value is averaged over them."""
THRESHOLDS = (0.002, 0.005, 0.01, 0.02)
PRODUCT_FACTOR = 10.0
"""Of honest groups with a common text in development worlds, whose accounts are one product's customers, at most 4 in 100 members were
within the nearest 0.5 per cent on average, which is 8 times the chance of any customer; with the days it was 5 times at most, in four later worlds."""
MOST_REFERENCE = 4_000
ENOUGH_REFERENCE = 500
"""Reference accounts of like volume from which the others are left out."""
SPREAD = 2.0**1.5
"""Accounts have like volume within this factor of the median member's."""

PROCEDURE = Procedure(
    name="common conduct",
    question=Question.COORDINATION,
    null_hypothesis=(
        "The members are customers with hours, gaps, days, a volume and a pace of their own: at most ten times as likely as any customer of"
        " like volume to lie so near to the others."
    ),
    assumptions=(
        "customers of one product are at most 10 times as likely as any customer to send so much alike",
        "left-out centres make members dependent only through their common mean, which is neglected",
    ),
    method="common-conduct/v3",
)

Floats = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class LikeVolume:
    """Reference accounts of one volume, with what candidates are compared with, gathered once."""

    numbers: Numbers
    """[n] account numbers, ascending."""
    shares: dict[str, Floats]
    """Histogram -> [n, bins]"""
    noise: dict[str, Floats]
    """Histogram -> [n]"""
    numbers_of: dict[str, Floats]
    """Each of `NUMBERS` -> [n]"""
    hours: sparse.csr_matrix | None
    """[n, cells] shares of the hours of the log in which they act, where these were read."""

    def __len__(self) -> int:
        """Return the number of accounts."""
        return len(self.numbers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Conduct:
    """How every account sends, measured once for all candidates."""

    exchanges: Numbers
    """[n]"""
    shares: dict[str, Floats]
    """Histogram -> [n, bins] shares."""
    noise: dict[str, Floats]
    """Histogram -> [n] squared length of the shares that is sampling noise; infinite with fewer than `LEAST_COUNT` counts."""
    numbers_of: dict[str, Floats]
    """Each of `NUMBERS` -> [n] `pace`: ln of exchanges per active day; `volume`: ln of exchanges."""
    reference: Numbers
    """Accounts that may serve as reference, ascending."""
    same_days: bool
    """Reference traffic is of the days that are judged."""
    hours: ActiveHours | None = None
    """Hours in which the accounts that are compared act; null before they are read."""
    by_volume: dict[int, LikeVolume] = field(default_factory=dict)
    """Power of two of a volume -> reference accounts of like volume, found when first asked for."""

    @property
    def views(self) -> tuple[tuple[str, ...], ...]:
        """Sets of features that can be compared in this run, those of `VIEWS`."""
        if not self.same_days:
            return VIEWS[:1]
        return VIEWS if self.hours is not None else VIEWS[:2]

    def compared(self, groups: Iterable[Numbers]) -> Numbers:
        """Return the accounts that are compared when these groups are tested: members, and reference accounts of like volume."""
        asked = [members[self.exchanges[members] >= LEAST_EXCHANGES] for members in groups]
        # Two are enough: who bears a claim of synchrony is asked by conduct too, in groups with few busy members.
        asked = [members for members in asked if len(members) >= 2]
        powers = {_power(float(np.median(self.exchanges[members]))) for members in asked}
        like = [_like_numbers(self, power) for power in sorted(powers)]
        return np.unique(np.concatenate([*asked, *like])) if asked else np.zeros(0, np.int64)

    def with_hours(self, hours: ActiveHours) -> Conduct:
        """Return the conduct with the hours of the accounts that are compared."""
        return replace(self, hours=hours, by_volume={})


def measure_conduct(accounts: Accounts, reference: Numbers) -> Conduct:
    """Measure the accounts; `reference` are numbers of accounts with `LEAST_EXCHANGES` or more."""
    own: dict[str, Floats] = {}
    noise: dict[str, Floats] = {}
    for name in HISTOGRAMS:
        counts = accounts.histograms[name]
        totals = counts.sum(axis=1).astype(np.float64)
        own[name] = shares(counts)
        sampled = (own[name] * (1.0 - own[name])).sum(axis=1) / np.maximum(totals - 1.0, 1.0)
        noise[name] = np.where(totals >= LEAST_COUNT, sampled, -np.inf)
    return Conduct(
        exchanges=accounts.exchanges,
        shares=own,
        noise=noise,
        numbers_of={
            "pace": np.log(accounts.exchanges / np.maximum(accounts.active_days, 1)),
            "volume": np.log(np.maximum(accounts.exchanges, 1).astype(np.float64)),
        },
        reference=reference,
        same_days=bool(accounts.observed[reference].all()),
    )


def conduct_p_values(conduct: Conduct, members: Numbers, centre: Numbers | None = None) -> tuple[list[Floats], int]:
    """Return each member's conformal p-values of lying so near to the others, one array for each view, and the number of reference accounts.

    Args:
        conduct: All accounts.
        members: Account numbers, ascending, each with `LEAST_EXCHANGES` or more; at least two.
        centre: Members that make the centre; all by default. One of them is left out of its own centre.

    Returns:
        ([m] in (0, 1] for each of `conduct.views`, reference accounts).
    """
    centre = members if centre is None else centre
    like = _like_volume(conduct, float(np.median(conduct.exchanges[members])))
    strangers = ~in_sorted(like.numbers, members)
    reference = int(strangers.sum())
    if reference < LEAST_REFERENCE or len(centre) < 2:
        return [np.ones(len(members)) for _ in conduct.views], reference
    central = np.isin(members, centre)
    logs: Floats = np.log(np.arange(1, reference + 2) / (reference + 1.0))
    ranks: dict[str, tuple[Floats, Floats]] = {}
    for name, (mine, all_others) in _distances(conduct, members, central, like).items():
        others = all_others[strangers]
        order = np.argsort(others)
        ascending = others[order]
        theirs = np.empty(reference)
        theirs[order] = logs[np.searchsorted(ascending, ascending, side="right") - 1]
        ranks[name] = (logs[np.searchsorted(ascending, mine, side="right")], theirs)
    found = []
    for view in conduct.views:
        scores = sum(ranks[name][0] for name in view)
        ranked = np.sort(sum(ranks[name][1] for name in view))
        below = np.searchsorted(ranked, scores, side="right")
        found.append(np.asarray((1.0 + below) / (reference + 1.0), dtype=np.float64))
    return found, reference


def conduct_claim(candidate: Candidate, conduct: Conduct) -> Claim | Inconclusive:
    """Count members that lie nearer to the others than customers do."""
    members = candidate.members[conduct.exchanges[candidate.members] >= LEAST_EXCHANGES]
    if len(members) < LEAST_MEMBERS:
        return PROCEDURE.cannot(
            f"{len(members)} members have enough exchanges", f"{LEAST_MEMBERS} members with {LEAST_EXCHANGES} exchanges"
        )
    views, reference = conduct_p_values(conduct, members)
    if reference < LEAST_REFERENCE:
        return PROCEDURE.cannot(
            f"{reference} reference accounts", f"{LEAST_REFERENCE} with {LEAST_EXCHANGES} exchanges"
        )
    ranks = [rank_p_values(p_values, reference, thresholds=THRESHOLDS, factor=PRODUCT_FACTOR) for p_values in views]
    ranked, view = max(zip(ranks, conduct.views, strict=True), key=lambda pair: pair[0].log_e)
    expected = PRODUCT_FACTOR * ranked.threshold * ranked.tested
    return PROCEDURE.from_log_e(
        mean_log_e([one.log_e for one in ranks]),
        statement=(
            f"{ranked.members} of {ranked.tested} members keep the {_listed(view)} of the others more closely than"
            f" {1 - ranked.threshold:.1%} of {ranked.reference} customers of like volume do; one product's customers would be {expected:.1f} at most."
        ),
        statistic_name=f"members within the nearest {ranked.threshold:.1%}",
        statistic=ranked.members,
        n=ranked.tested,
        n_unit="accounts",
        input_digest=candidate.input_digest,
    )


def _listed(view: tuple[str, ...]) -> str:
    return f"{', '.join(view[:-1])} and {view[-1]}"


def _power(volume: float) -> int:
    return round(float(np.log2(max(volume, 1.0))))


def _like_volume(conduct: Conduct, volume: float) -> LikeVolume:
    """Return reference accounts of like volume, at most `MOST_REFERENCE`; all reference accounts where these are few."""
    power = _power(volume)
    if power not in conduct.by_volume:
        like = _like_numbers(conduct, power)
        conduct.by_volume[power] = LikeVolume(
            numbers=like,
            shares={name: conduct.shares[name][like] for name in HISTOGRAMS},
            noise={name: conduct.noise[name][like] for name in HISTOGRAMS},
            numbers_of={name: conduct.numbers_of[name][like] for name in NUMBERS},
            hours=None if conduct.hours is None else conduct.hours.of(like),
        )
    return conduct.by_volume[power]


def _like_numbers(conduct: Conduct, power: int) -> Numbers:
    exchanges = conduct.exchanges[conduct.reference]
    like = conduct.reference[(exchanges >= 2.0**power / SPREAD) & (exchanges <= 2.0**power * SPREAD)]
    if len(like) < ENOUGH_REFERENCE:
        like = conduct.reference
    # Numbers follow hashes, so that evenly spaced ones are a random draw that the order of input does not change.
    return like[:: max(1, -(-len(like) // MOST_REFERENCE))]


def _distances(
    conduct: Conduct, members: Numbers, central: npt.NDArray[np.bool_], reference: LikeVolume
) -> dict[str, tuple[Floats, Floats]]:
    """Return feature -> ([m] members', [n] reference's) distance from the centre."""
    found = {}
    weight = central.astype(np.float64)
    others = weight.sum() - weight
    for name in _of_views(conduct.views, HISTOGRAMS):
        own = conduct.shares[name][members]
        total = weight @ own
        left_out = (total[None, :] - weight[:, None] * own) / others[:, None]
        mine = ((own - left_out) ** 2).sum(axis=1) - conduct.noise[name][members]
        profile = total / weight.sum()
        theirs = ((reference.shares[name] - profile) ** 2).sum(axis=1) - reference.noise[name]
        found[name] = (mine, theirs)
    for name in _of_views(conduct.views, NUMBERS):
        own = conduct.numbers_of[name][members]
        medians = _left_out_medians(own, central)
        found[name] = (np.abs(own - medians), np.abs(reference.numbers_of[name] - np.median(own[central])))
    if conduct.hours is not None and reference.hours is not None:
        found["bursts"] = burst_distances(conduct.hours, members, central, reference.hours)
    return found


def _of_views(views: tuple[tuple[str, ...], ...], names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for name in names if any(name in view for view in views))


def _left_out_medians(values: Floats, central: npt.NDArray[np.bool_]) -> Floats:
    """[m] for each value the median of the central ones, itself left out; two central values at least."""
    ascending = np.sort(values[central])
    medians = np.full(len(values), np.median(ascending))
    place = np.searchsorted(ascending, values[central])  # of equal values it does not matter which is left out
    rest = len(ascending) - 1
    lower, upper = (rest - 1) // 2, rest // 2
    medians[central] = (ascending[lower + (place <= lower)] + ascending[upper + (place <= upper)]) / 2.0
    return medians
