"""Ranks of served answers among unseen ones, as the plan orders them: what the served-transcript test counts.

Takes a setting and observations. Gives ranks in the pre-registered random order. Every random choice has a generator of its own, seeded by
the plan's seed and the kind of choice, and its draws belong to places of the plan: what came back, and when, changes none of them.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from stillwatch.integrity.digest import digest_bytes
from stillwatch.records.suspect import Scored
from stillwatch.statistics.arguments import FloatArray
from stillwatch.statistics.rank_uniform import randomised_rank
from stillwatch.suspects.errors import MaterialError, PlanError
from stillwatch.suspects.parameters import Parameters
from stillwatch.suspects.test import Observations, Setting
from stillwatch.suspects.transcripts_file import Transcript, read_transcripts

LEAST_EXCHANGES = 20
"""Exchanges below which nothing is stated, of all accounts together or of one."""
OWN_SCORES = "own scores"
"""Reference that the material itself holds."""
_KNOWN: dict[str, object] = {
    "material": "transcripts",
    "accounts": (),  # under suspicion; all but the control accounts where it is empty
    "control_accounts": (),  # under no suspicion
    "least_unseen": 4,
    "reference": "",  # `own scores`, the name of a control, or nothing
    "stop_at": 0.0,  # evidence at which a run may end; 0 asks everything and gives the exact p-value
    "gate_level": 0.01,
    "most_lost": 0.05,
}


class Kind(IntEnum):
    """What a random choice is for: no two share a generator."""

    ORDER = 1
    ASKING = 2
    TIES = 3
    UNSEEN_TIES = 4
    LENGTHS = 5
    OWN = 6
    POWER = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """What the plan makes of a material."""

    exchanges: tuple[Transcript, ...]
    """In the pre-registered order."""
    suspected: frozenset[str]
    control_accounts: frozenset[str]
    least_unseen: int
    reference: str
    stop_at: float
    gate_level: float
    most_lost: float
    left_out: str
    """What was left out and why, for a statement; empty for nothing."""
    digest: str
    """Of the material."""

    def length_ranks(self, setting: Setting) -> FloatArray:
        """Give the ranks of served answers' lengths in characters, of the suspected accounts; no query is needed for them."""
        return self._ranks(
            setting, Kind.LENGTHS, [[float(len(answer)) for answer in one.answers] for one in self.exchanges]
        )

    def own_ranks(self, setting: Setting) -> FloatArray:
        """Give the ranks of served answers by our own model's scores, of the suspected accounts; empty where there are none."""
        return self._ranks(setting, Kind.OWN, [list(one.own_scores) for one in self.exchanges])

    def _ranks(self, setting: Setting, kind: Kind, scores: list[list[float]]) -> FloatArray:
        draws = np.random.default_rng([setting.seed, kind]).random(len(self.exchanges))
        return np.array(
            [
                randomised_rank(one[0], one[1:], draw)
                for one, draw, exchange in zip(scores, draws, self.exchanges, strict=True)
                if one and exchange.account in self.suspected
            ]
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranked:
    """Exchanges that a party scored with all their answers, in the planned order."""

    exchanges: tuple[Transcript, ...]
    ranks: FloatArray
    """Of the served answer among the unseen ones, [exchanges]."""
    unseen_ranks: FloatArray
    """Of the first unseen answer among the other unseen ones, [exchanges]."""
    lost: int
    """Exchanges that were asked, and lack a score."""

    def of(self, accounts: Collection[str]) -> FloatArray:
        """Give the ranks of these accounts."""
        return self.ranks[[one.account in accounts for one in self.exchanges]]

    def unseen_of(self, accounts: Collection[str]) -> FloatArray:
        """Give the ranks of unseen answers taken for served ones, of these accounts."""
        return self.unseen_ranks[[one.account in accounts for one in self.exchanges]]


def planned(setting: Setting) -> Planned:
    """Read parameters and material.

    Raises:
        PlanError: for parameters that cannot be used.
        MaterialError: for a material that cannot.
    """
    read = Parameters(setting.planned, _KNOWN)
    name = read.word("material")
    if name not in setting.materials:
        raise PlanError(f"test {setting.planned.id!a}: got no material {name!a}, expected the served transcripts")
    least = read.whole("least_unseen", 2, 1_000)
    path = setting.materials[name]
    content = read_transcripts(path, least)
    controls = frozenset(read.words("control_accounts"))
    present = {one.account for one in content.kept}
    suspected = frozenset(read.words("accounts")) or frozenset(present - controls)
    if suspected & controls:
        raise PlanError(f"test {setting.planned.id!a}: {len(suspected & controls)} accounts are suspected and controls")
    reference = read.word("reference")
    if reference not in {"", OWN_SCORES, *(control.name for control in setting.controls)}:
        raise PlanError(
            f"test {setting.planned.id!a}: got reference {reference!a}, expected {OWN_SCORES!a} or a control"
        )
    kept = [one for one in content.kept if one.account in suspected | controls]
    if reference == OWN_SCORES and not all(one.own_scores for one in kept):
        raise MaterialError(f"{path}: some exchanges have no own_scores; leave the reference out, or score them")
    order = np.random.default_rng([setting.seed, Kind.ORDER]).permutation(len(kept))
    counts = (
        (content.not_exchangeable, "were not drawn like their unseen answers"),
        (content.too_few, "have too few unseen answers or an empty one"),
        (content.repeated, "repeat a prompt with its answer"),
    )
    left_out = "; ".join(f"{count} {why}" for count, why in counts if count)
    return Planned(
        exchanges=tuple(kept[index] for index in order),
        suspected=suspected,
        control_accounts=controls,
        least_unseen=least,
        reference=reference,
        stop_at=read.number("stop_at", 0.0, 1e30),
        gate_level=read.number("gate_level", 1e-6, 0.1),
        most_lost=read.number("most_lost", 0.0, 0.5),
        left_out=f"Left out: {left_out}." if left_out else "",
        digest=digest_bytes(path.read_bytes()),
    )


def query_id(setting: Setting, party: str, exchange: Transcript, place: int) -> str:
    """Name the query about an answer: place 0 is the served one."""
    return f"{setting.planned.id}/{party}/{exchange.exchange_id}/{place}"


def rank(
    setting: Setting,
    plan: Planned,
    observations: Observations,
    party: str,
    *,
    referred: bool = True,
    summed: bool = False,
) -> Ranked:
    """Rank each served answer among the unseen ones by a party's scores.

    Args:
        setting: of the test.
        plan: from `planned`.
        observations: what came back.
        party: whose scores.
        referred: subtract the reference's scores, where the plan has a reference.
        summed: rank by sums of log-probabilities instead of means; without the reference, whose scores are means.
    """
    ties, unseen_ties = (
        np.random.default_rng([setting.seed, kind]).random(len(plan.exchanges))
        for kind in (Kind.TIES, Kind.UNSEEN_TIES)
    )
    exchanges, ranks, unseen_ranks, lost = [], [], [], 0
    for exchange, tie, unseen_tie in zip(plan.exchanges, ties, unseen_ties, strict=True):
        scores = _scores(setting, exchange, observations, party, summed=summed)
        if scores is not None and scores.size and plan.reference and referred and not summed:
            reference = _reference(setting, plan, exchange, observations)
            scores = scores - reference if reference is not None and reference.size else reference
        if scores is None:
            continue
        if not scores.size:
            lost += 1
            continue
        exchanges.append(exchange)
        ranks.append(randomised_rank(scores[0], scores[1:], tie))
        unseen_ranks.append(randomised_rank(scores[1], scores[2:], unseen_tie))
    return Ranked(exchanges=tuple(exchanges), ranks=np.array(ranks), unseen_ranks=np.array(unseen_ranks), lost=lost)


def _scores(
    setting: Setting, exchange: Transcript, observations: Observations, party: str, *, summed: bool
) -> FloatArray | None:
    """Give a party's score of each answer, the served one first; null where not all were asked, empty where one gave nothing."""
    observed = [observations.get(query_id(setting, party, exchange, place)) for place in range(len(exchange.answers))]
    if any(one is None for one in observed):
        return None
    scored = [
        one for one in observed if isinstance(one, Scored) and any(token.log_prob is not None for token in one.tokens)
    ]
    if len(scored) < len(observed):
        return np.empty(0)
    return np.array([one.log_prob if summed else one.mean_log_prob for one in scored])


def _reference(setting: Setting, plan: Planned, exchange: Transcript, observations: Observations) -> FloatArray | None:
    if plan.reference == OWN_SCORES:
        return np.array(exchange.own_scores)
    return _scores(setting, exchange, observations, plan.reference, summed=False)
