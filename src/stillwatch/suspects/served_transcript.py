"""Served-transcript test (T4): does a suspect know the very answers that we served, and not others that we might have served?

Takes log-probabilities that a suspect gives to served answers and to unseen re-samples of the same model, asked in the same way. Gives
claims that it was trained on our outputs, and on those of single accounts.

An answer that was served and re-samples of the same model for the same prompt are draws of one distribution. For a suspect that never saw
which was served they are exchangeable, whatever it has in common with our model: ancestors, style, web text, or other answers of ours to the
very prompts. So the rank of the served answer is uniform, exactly, and ranks of different exchanges are independent. The sum of the ranks
has Irwin and Hall's law; an e-process over them in a pre-registered random order may be stopped at any time.

Where it is known how likely our own model finds each answer, that is subtracted first (`reference`). It treats served and unseen answers
alike, so that nothing about the null changes; and what every model finds easy or hard no longer hides what this one has learnt.

Before anything is stated, a gate must be passed: ranks that must be uniform whatever the suspect did. Lengths of served answers; their scores
by our own model; unseen answers taken for served ones; the same by every negative control. Otherwise the test is inconclusive.

What it does not show: how the suspect came by the answers; that is what accounts, and the ranks of other accounts' answers, are there for. A
suspect that was trained on reworded answers, on few of them, or once, may not be found, and the power says so.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from stillwatch.records.claim import Claim, Inconclusive, Question
from stillwatch.records.suspect import (
    SUSPECT,
    Ability,
    ControlOutcome,
    ControlRole,
    Effect,
    Query,
    Sensitivity,
    Series,
    Stated,
    Support,
    TestResult,
)
from stillwatch.statistics.arguments import FloatArray
from stillwatch.statistics.e_process import ever_log_p, rank_log_e_path
from stillwatch.statistics.false_discovery import e_benjamini_hochberg, holm
from stillwatch.statistics.rank_uniform import uniform_sum_lower_log_p, uniformity_log_p
from stillwatch.suspects.test import Observations, Setting
from stillwatch.suspects.transcript_power import power_of
from stillwatch.suspects.transcript_ranks import (
    LEAST_EXCHANGES,
    Kind,
    Planned,
    Ranked,
    planned,
    query_id,
    rank,
)

METHOD = "served-transcript/v1"
NAME = "served transcript"
CONFIDENCE_DEVIATIONS = 1.959964
"""Of a normal law, for the interval of the mean rank at 95 %."""
MOST_SENSITIVITY = 10
"""Accounts that are left out one at a time, and up to which each has a power of its own."""
BINS = 10
"""Of the picture of ranks."""


class ServedTranscript:
    """T4."""

    __slots__ = ()
    method = METHOD
    title = "Served-transcript test"
    questions = (Question.TRAINED_ON_OUTPUTS, Question.TRAINED_ON_ACCOUNT)
    needs = frozenset({Ability.SCORE})
    reach = Support.STRONGLY

    def prepare(self, setting: Setting) -> Iterator[Query]:
        """Give the queries: exchanges in random order, of each all answers in random order, by every party.

        Raises:
            SuspectError: where parameters or material cannot be used.
        """
        plan = planned(setting)
        shuffled = np.random.default_rng([setting.seed, Kind.ASKING])
        for exchange in plan.exchanges:
            # Answers of accounts under no suspicion are a control already; only a reference is needed for them.
            parties = [
                SUSPECT,
                *(
                    control.name
                    for control in setting.controls
                    if exchange.account in plan.suspected or control.name == plan.reference
                ),
            ]
            for place in shuffled.permutation(len(exchange.answers)).tolist():
                for party in parties:
                    yield Query(
                        id=query_id(setting, party, exchange, place),
                        test=setting.planned.id,
                        party=party,
                        prompt=exchange.prompt,
                        system=exchange.system,
                        continuation=exchange.answers[place],
                        max_tokens=1,
                    )

    def enough(self, setting: Setting, observations: Observations) -> bool:
        """Tell whether the evidence has reached what the plan says."""
        plan = planned(setting)
        if not plan.stop_at:
            return False
        found = rank(setting, plan, observations, SUSPECT)
        mine = found.of(plan.suspected)
        return len(mine) >= LEAST_EXCHANGES and float(rank_log_e_path(mine).max()) >= math.log(plan.stop_at)

    def conclude(self, setting: Setting, observations: Observations) -> TestResult:
        """State whether the suspect knows what was served: of all accounts together, and of each.

        Raises:
            SuspectError: where parameters or material cannot be used.
        """
        plan = planned(setting)
        found = rank(setting, plan, observations, SUSPECT)
        mine = found.of(plan.suspected)
        gate = tuple(_gate(setting, plan, observations, found))
        reason = _why_not(plan, found, mine, gate)
        if reason is not None:
            stated = tuple(
                Stated(
                    claim=Inconclusive(name=NAME, question=question, reason=reason[0], needed=reason[1], method=METHOD)
                )
                for question in self.questions
            )
            return TestResult(test=setting.planned.id, method=METHOD, stated=stated, controls=gate)
        path = rank_log_e_path(mine)
        positive = [
            rank(setting, plan, observations, control.name).of(plan.suspected)
            for control in setting.controls
            if control.role is ControlRole.POSITIVE
        ]
        others = tuple(_other_controls(setting, plan, observations, found))
        return TestResult(
            test=setting.planned.id,
            method=METHOD,
            stated=(_pooled(setting, plan, mine, path), *_per_account(setting, plan, found)),
            controls=(*gate, *others),
            sensitivity=tuple(_sensitivity(setting, plan, observations, found)),
            power=power_of(len(mine), plan, setting, positive[0] if positive and len(positive[0]) else None),
            series=tuple(_series(mine, path)),
            innocent=_innocent(others),
        )


def _gate(setting: Setting, plan: Planned, observations: Observations, found: Ranked) -> Iterator[ControlOutcome]:
    """Give what must be uniform whatever the suspect did; each gets an equal part of the gate's level."""
    checks: list[tuple[str, ControlRole | None, FloatArray]] = [
        ("lengths of served answers among unseen ones", None, plan.length_ranks(setting)),
        ("own scores of served answers among unseen ones", None, plan.own_ranks(setting)),
        ("unseen answers taken for served ones, by the suspect", None, found.unseen_of(plan.suspected)),
    ]
    for control in setting.controls:
        if control.role is not ControlRole.POSITIVE:
            theirs = rank(setting, plan, observations, control.name, referred=control.name != plan.reference)
            checks.append((control.name, control.role, theirs.of(plan.suspected)))
    checks = [check for check in checks if len(check[2])]
    for name, role, ranks in checks:
        log_p = uniformity_log_p(ranks)
        yield ControlOutcome(
            name=name,
            role=role,
            log_p=log_p,
            as_expected=log_p > math.log(plan.gate_level / len(checks)),
            remark=f"mean rank {ranks.mean():.3f} of {len(ranks)} exchanges; 0.5 and any shape but uniform are tested",
        )


def _why_not(plan: Planned, found: Ranked, mine: FloatArray, gate: Sequence[ControlOutcome]) -> tuple[str, str] | None:
    """Give why nothing can be stated, and what would be needed."""
    failed = [check for check in gate if not check.as_expected]
    if failed:
        return (
            f"served and unseen answers differ where they may not: {failed[0].name} ({failed[0].remark})",
            "unseen answers of the same snapshot, system prompt, decoding and filters as the served ones",
        )
    if len(mine) < LEAST_EXCHANGES:
        return (
            f"{len(mine)} exchanges were scored with all their answers; {plan.left_out}",
            f"at least {LEAST_EXCHANGES}",
        )
    if found.lost > plan.most_lost * (found.lost + len(found.exchanges)):
        return (
            f"of {found.lost + len(found.exchanges)} exchanges, {found.lost} lack a score; which ones may hang on what they say",
            f"scores of all answers for at least {1.0 - plan.most_lost:.0%} of the exchanges",
        )
    return None


def _claim(
    setting: Setting, plan: Planned, question: Question, ranks: FloatArray, path: FloatArray, more: str
) -> Claim:
    whose = "these accounts" if question is Question.TRAINED_ON_OUTPUTS else "this account"
    first = float((ranks <= 1.0 / (plan.least_unseen + 1)).mean())
    # The p-value of the sum is valid where every exchange is asked; where a run may stop earlier, only the evidence's own is.
    log_p = ever_log_p(path) if plan.stop_at else uniform_sum_lower_log_p(ranks)
    return Claim(
        name=NAME,
        question=question,
        statement=(
            f"Answers served to {whose} rank at {ranks.mean():.3f} on average among unseen ones, 0.5 expected by chance; "
            f"{first:.0%} rank in the lowest {1.0 / (plan.least_unseen + 1):.0%}.{more}"
        ),
        null_hypothesis="the suspect is independent of which of the exchangeable answers was served, given prompts and our model",
        statistic_name="sum of ranks",
        statistic=math.fsum(ranks),
        log_p=log_p,
        log_e=float(path[-1]),
        n=len(ranks),
        n_unit="served answers",
        assumptions=(
            "served and unseen answers were drawn alike: snapshot, system prompt, decoding, filters",
            "exchanges were chosen by account and time only",
            "the unseen answers left nobody's hands",
        ),
        method=METHOD,
        seed=setting.seed,
        input_digest=plan.digest,
    )


def _stated(claim: Claim, ranks: FloatArray, account: str | None) -> Stated:
    shift = 0.5 - float(ranks.mean())
    half = CONFIDENCE_DEVIATIONS * float(ranks.std(ddof=1)) / math.sqrt(len(ranks))
    effect = Effect(
        name="mean rank below chance",
        value=shift,
        low=max(-0.5, shift - half),
        high=min(0.5, shift + half),
        confidence=0.95,
    )
    return Stated(claim=claim, account=account, effect=effect)


def _pooled(setting: Setting, plan: Planned, mine: FloatArray, path: FloatArray) -> Stated:
    more = f" {plan.left_out}" if plan.left_out else ""
    return _stated(_claim(setting, plan, Question.TRAINED_ON_OUTPUTS, mine, path, more), mine, None)


def _per_account(setting: Setting, plan: Planned, found: Ranked) -> Iterator[Stated]:
    """State for each suspected account; Holm keeps the chance of any false one, e-BH the share of false ones."""
    ranks = {account: found.of({account}) for account in sorted(plan.suspected)}
    tested = [account for account, own in ranks.items() if len(own) >= LEAST_EXCHANGES]
    paths = {account: rank_log_e_path(ranks[account]) for account in tested}
    log_ps = [ever_log_p(paths[a]) if plan.stop_at else uniform_sum_lower_log_p(ranks[a]) for a in tested]
    by_holm = holm(log_ps, setting.alpha) if tested else ()
    by_e = e_benjamini_hochberg([float(paths[a][-1]) for a in tested], setting.alpha) if tested else ()
    for account, own in ranks.items():
        if account not in paths:
            reason = f"{len(own)} exchanges of this account were scored with all their answers"
            missing = Inconclusive(
                name=NAME,
                question=Question.TRAINED_ON_ACCOUNT,
                reason=reason,
                needed=f"at least {LEAST_EXCHANGES}",
                method=METHOD,
            )
            yield Stated(claim=missing, account=account)
            continue
        place = tested.index(account)
        chosen = [name for name, by in (("Holm", by_holm), ("e-BH", by_e)) if place in by]
        more = (
            f" Of {len(tested)} accounts that were tested, this one is selected at {setting.alpha:g} by {' and '.join(chosen)}."
            if chosen
            else f" Of {len(tested)} accounts that were tested, this one is not selected at {setting.alpha:g}."
        )
        claim = _claim(setting, plan, Question.TRAINED_ON_ACCOUNT, own, paths[account], more)
        # An account alone has fewer exchanges than all together, and so finds less.
        power = power_of(len(own), plan, setting, None) if len(tested) <= MOST_SENSITIVITY else None
        yield dataclasses.replace(_stated(claim, own, account), power=power)


def _other_controls(
    setting: Setting, plan: Planned, observations: Observations, found: Ranked
) -> Iterator[ControlOutcome]:
    """Give what tells where the answers came from: other accounts' answers, and parties that must be found."""
    for account in sorted(plan.control_accounts):
        ranks = found.of({account})
        if len(ranks):
            log_p = uniform_sum_lower_log_p(ranks)
            yield ControlOutcome(
                name=f"answers served to {account}, by the suspect",
                role=None,
                log_p=log_p,
                as_expected=log_p > math.log(plan.gate_level),
                remark=f"mean rank {ranks.mean():.3f} of {len(ranks)} exchanges of an account that is under no suspicion",
            )
    for control in setting.controls:
        if control.role is ControlRole.POSITIVE:
            ranks = rank(setting, plan, observations, control.name).of(plan.suspected)
            if len(ranks):
                log_p = uniform_sum_lower_log_p(ranks)
                yield ControlOutcome(
                    name=control.name,
                    role=control.role,
                    log_p=log_p,
                    as_expected=log_p <= math.log(setting.alpha),
                    remark=f"mean rank {ranks.mean():.3f} of {len(ranks)} exchanges; trained on them, and so to be found",
                )


def _sensitivity(setting: Setting, plan: Planned, observations: Observations, found: Ranked) -> Iterator[Sensitivity]:
    variants: list[tuple[str, FloatArray]] = [
        (
            "sums of log-probabilities instead of means, without a reference",
            rank(setting, plan, observations, SUSPECT, summed=True).of(plan.suspected),
        )
    ]
    if plan.reference:
        variants.append(
            ("without a reference", rank(setting, plan, observations, SUSPECT, referred=False).of(plan.suspected))
        )
    if len(plan.suspected) > 1:
        variants += [
            (f"without account {account}", found.of(plan.suspected - {account}))
            for account in sorted(plan.suspected)[:MOST_SENSITIVITY]
        ]
    for change, ranks in variants:
        if len(ranks):
            path = rank_log_e_path(ranks)
            log_p = ever_log_p(path) if plan.stop_at else uniform_sum_lower_log_p(ranks)
            yield Sensitivity(change=change, log_p=log_p, log_e=float(path[-1]))


def _series(mine: FloatArray, path: FloatArray) -> Iterator[Series]:
    yield Series(
        title="Evidence after each served answer",
        x_name="served answers",
        y_name="log10 E",
        points=tuple((index + 1.0, value / math.log(10)) for index, value in enumerate(path.tolist())),
    )
    counts, edges = np.histogram(mine, bins=BINS, range=(0.0, 1.0))
    yield Series(
        title="Ranks of served answers (level where it never saw them)",
        x_name="rank",
        y_name="share",
        points=tuple(
            (float(left) + 0.5 / BINS, float(count) / len(mine)) for left, count in zip(edges[:-1], counts, strict=True)
        ),
    )


def _innocent(others: Sequence[ControlOutcome]) -> tuple[str, ...]:
    """Give what is left to be explained, the likeliest first: a suspect that knows everybody's answers has them from elsewhere."""
    published = "the served answers were published by whoever received them, and the suspect read them there"
    third = "a third party harvested them, and the suspect was trained on the third party's data"
    licensed = "the suspect was licensed to train on them"
    known: Mapping[bool, tuple[str, ...]] = {
        True: (
            "answers of accounts under no suspicion are known to it as well: they may have leaked together",
            published,
            third,
        ),
        False: (published, third),
    }
    leaked = any(control.role is None and not control.as_expected for control in others)
    return (*known[leaked], licensed)
