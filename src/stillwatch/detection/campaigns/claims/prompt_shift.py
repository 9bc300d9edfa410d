"""Shift of pooled prompts: the members' prompts, taken together, differ from those of customers of like volume.

A two-sample test with accounts as the units, so that one account's habits do not make n. Of every account two histograms are kept over all
prompts: openings (the hash of the first two masked words, in 32 buckets) and words. With q the mean shares of the
other members (itself left out, one vote per account) and p the mean shares of members and reference accounts, an account's
number is the sum of its shares times ln(q / p): how much more like the members it writes than like everybody (a classifier two-sample test:
Lopez-Paz and Oquab 2017, here a likelihood ratio of Neyman and Pearson). It is ranked among the reference accounts' numbers (`ranking.py`).

Null: members write as reference accounts of like volume do. Every product, course and trade shifts its customers' prompts as well, so it
is listed against no explanation: a mean of e-values would let it reject one alone. It says how far the group stands apart.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stillwatch.detection.campaigns.candidate import LEAST_EXCHANGES, LEAST_REFERENCE, Candidate
from stillwatch.detection.campaigns.claims.ranking import rank_largest
from stillwatch.detection.campaigns.claims.stating import Procedure
from stillwatch.detection.links.groups import LEAST_MEMBERS
from stillwatch.records.claim import Claim, Inconclusive, Question

FEATURES = ("openings", "words")
OWN_WEIGHT = 0.9
"""Weight of the members' profile in q; the rest is p, so that no bucket is impossible."""
LIKE_VOLUME = 4.0
"""Reference accounts have like volume within this factor of the median member's."""
ENOUGH_LIKE = 200
"""With fewer of like volume, all reference accounts are taken."""

PROCEDURE = Procedure(
    name="shift of pooled prompts",
    question=Question.EXTRACTION,
    null_hypothesis="The members' prompts begin and are as long as those of other customers of like volume.",
    assumptions=(
        "under the null each member is exchangeable with the reference accounts of like volume",
        "left-out profiles make members dependent only through their common mean, which is neglected",
    ),
    method="shift-of-pooled-prompts/v1",
    decides=False,
)

Floats = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.int64]


def prompt_shift_claim(candidate: Candidate) -> Claim | Inconclusive:
    """Rank how much more like the other members than like everybody the members write."""
    prompts = candidate.accounts.prompts
    members = candidate.members[prompts[candidate.members] >= LEAST_EXCHANGES]
    others = _like(candidate, members) if len(members) else candidate.outsiders[:0]
    if len(members) < LEAST_MEMBERS or len(others) < LEAST_REFERENCE:
        return PROCEDURE.cannot(
            f"{len(members)} members and {len(others)} reference accounts have enough prompts",
            f"{LEAST_MEMBERS} members and {LEAST_REFERENCE} reference accounts with {LEAST_EXCHANGES} prompts each",
        )
    histograms = candidate.accounts.histograms
    mine, theirs = np.zeros(len(members)), np.zeros(len(others))
    for name in FEATURES:
        members_part, others_part = shift_scores(histograms[name][members], histograms[name][others])
        mine += members_part
        theirs += others_part
    ranked = rank_largest(mine, theirs)
    return PROCEDURE.from_log_e(
        ranked.log_e,
        statement=(
            f"{ranked.members} of {ranked.tested} members begin and measure their prompts more like each other than"
            f" {1 - ranked.threshold:.0%} of {ranked.reference} other customers of like volume do."
        ),
        statistic_name=f"members in the top {ranked.threshold:.0%}",
        statistic=ranked.members,
        n=ranked.tested,
        n_unit="accounts",
        input_digest=candidate.input_digest,
    )


def shift_scores(members: npt.NDArray[np.int32], others: npt.NDArray[np.int32]) -> tuple[Floats, Floats]:
    """Return the mean log likelihood ratio of each account's prompts, members' profile against everybody's.

    Args:
        members: [m, bins] counts, at least two members.
        others: [n, bins] counts of the reference.

    Returns:
        ([m], [n]) mean ln(q / p) per prompt; a member's own prompts are not in its q.
    """
    mine = members / np.maximum(members.sum(axis=1, keepdims=True), 1)
    theirs = others / np.maximum(others.sum(axis=1, keepdims=True), 1)
    everybody = np.maximum((mine.sum(axis=0) + theirs.sum(axis=0)) / (len(mine) + len(theirs)), 1e-9)
    left_out = (mine.sum(axis=0)[None, :] - mine) / (len(mine) - 1)
    own = np.log(OWN_WEIGHT * left_out / everybody + 1.0 - OWN_WEIGHT)
    pooled = np.log(OWN_WEIGHT * mine.mean(axis=0) / everybody + 1.0 - OWN_WEIGHT)
    return (mine * own).sum(axis=1), theirs @ pooled


def _like(candidate: Candidate, members: Numbers) -> Numbers:
    prompts = candidate.accounts.prompts
    others = candidate.outsiders[prompts[candidate.outsiders] >= LEAST_EXCHANGES]
    volume = float(np.median(prompts[members]))
    like = others[(prompts[others] >= volume / LIKE_VOLUME) & (prompts[others] <= volume * LIKE_VOLUME)]
    return like if len(like) >= ENOUGH_LIKE else others
