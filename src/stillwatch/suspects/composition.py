"""Composition: from the results of tests to one line for each claim, in words that say no more than was shown.

Takes the results of a plan. Gives a line for each of the four questions, and for the last one for each account. The rules:

- Within a question, e-values are averaged, which is valid however they hang together (Vovk and Wang 2021, section 3); only tests that the plan names
  as sequential are multiplied first.
- `supports` needs E >= 20 and `strongly supports` E >= 1000, from tests that rest on our own randomisation. Likeness can earn `lead` and no more.
- A test that only modifies can weaken the first claim: where it shows that the answers are not those of our model, that claim is at most a lead.
- Accounts, and suspects, are selected together by e-BH at the plan's level, so that many questions do not make one find (R. Wang and Ramdas 2022).
- p-values within a question are Holm's. A control that speaks where it should not makes its test count for nothing.
- That nothing was found is a result if the test's power is known and its positive controls were found; else it clears nobody.

An e-value is no probability of guilt; no line gives one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from stillwatch.records.claim import Claim, Inconclusive, Question
from stillwatch.records.suspect import (
    ControlRole,
    Effect,
    Power,
    Stated,
    Support,
    SuspectPlan,
    TestResult,
)
from stillwatch.statistics.e_values import mean_log_e, product_log_e
from stillwatch.statistics.false_discovery import e_q_values, holm_adjusted
from stillwatch.suspects.test import SuspectTest

SUPPORTS_E = 20.0
STRONGLY_E = 1_000.0
QUESTIONS = (Question.SERVES, Question.DERIVED, Question.TRAINED_ON_OUTPUTS, Question.TRAINED_ON_ACCOUNT)
NUMBERS = {question: f"C{place}" for place, question in enumerate(QUESTIONS, start=1)}
SAYS = {
    Question.SERVES: "it serves our model",
    Question.DERIVED: "its weights derive from ours",
    Question.TRAINED_ON_OUTPUTS: "it was trained on what our model answered",
    Question.TRAINED_ON_ACCOUNT: "it was trained on what we answered to {account}",
}
INNOCENT = {
    Question.SERVES: "it passes requests on to our model, or to a customer of ours, as a contract allows",
    Question.DERIVED: "both come from the same public weights, or it was built on weights that we published",
    Question.TRAINED_ON_OUTPUTS: "it was trained on answers of ours that others published, or under a licence",
    Question.TRAINED_ON_ACCOUNT: "the account's holder published the answers or passed them on, and they were found there",
}
CHANCE = "chance: evidence of this size comes up by itself now and then"
INNOCENT_OF_A_LEAD = "likeness has common causes: the same public data, the same base model, the style of the time"
_UNKNOWN_POWER = " What would have been found is not known, so this clears nobody."
_ORDER = tuple(Support)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What a report says about one question."""

    question: Question
    account: str | None
    support: Support
    sentence: str
    log_e: float | None
    """Natural logarithm, of the tests that rest on our own randomisation; null where none was run to its end."""
    log_p: float | None
    """Natural logarithm of the smallest p-value, adjusted by Holm within the question; null where no test gave one."""
    effect: Effect | None
    """Of the test with the largest e-value."""
    tests: tuple[str, ...]
    """Methods that it rests on."""
    innocent: str
    """The strongest innocent explanation that is left; empty where nothing was found."""
    exculpates: bool
    """Whether that nothing was found says something."""
    missing: tuple[str, ...]
    """Why tests of this question gave no claim."""

    @property
    def number(self) -> str:
        """C1 to C4."""
        return NUMBERS[self.question]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Said:
    """One statement with the test that made it."""

    stated: Stated
    result: TestResult
    reach: Support

    @property
    def claim(self) -> Claim | Inconclusive:
        return self.stated.claim


def compose(plan: SuspectPlan, results: Sequence[TestResult], tests: Mapping[str, SuspectTest]) -> tuple[Line, ...]:
    """Give the lines of a report.

    Args:
        plan: that was committed to.
        results: of its tests.
        tests: by id.

    Returns:
        A line for each of the four questions, in order; of the last, one for each account, and one without where there is none.
    """
    said = [
        _Said(stated=stated, result=result, reach=tests[result.test].reach)
        for result in results
        for stated in result.stated
    ]
    lines = []
    for question in QUESTIONS:
        mine = [one for one in said if one.claim.question is question]
        if question is Question.TRAINED_ON_OUTPUTS and not _evidence(mine):
            # Who was trained on some account's answers was trained on our answers: the mean holds for the null of no account at all.
            mine += [one for one in _evidence(said) if one.claim.question is Question.TRAINED_ON_ACCOUNT]
        accounts: list[str | None] = [None]
        if question is Question.TRAINED_ON_ACCOUNT:
            accounts = [*sorted({one.stated.account for one in mine if one.stated.account})] or [None]
        lines += _lines(plan, question, mine, accounts)
    return tuple(lines)


def select_suspects(log_es: Mapping[str, float], level: float) -> dict[str, float]:
    """Give, for the same question about several suspects, the smallest level at which e-BH selects each.

    Args:
        log_es: natural logarithms of e-values, by suspect; all suspects that were tested, not only those that stand out.
        level: false-discovery rate, in (0, 1).

    Returns:
        The q-values of those that are selected at that level.
    """
    names = sorted(log_es)
    found = e_q_values([log_es[name] for name in names])
    return {name: float(q) for name, q in zip(names, found, strict=True) if q <= level}


def _lines(plan: SuspectPlan, question: Question, said: Sequence[_Said], accounts: Sequence[str | None]) -> list[Line]:
    """Give the lines of one question, its accounts selected together."""
    log_es = {account: _combined(plan, _of(said, account, question)) for account in accounts}
    counted = [account for account in accounts if log_es[account] is not None]
    selected = set(counted)
    if question is Question.TRAINED_ON_ACCOUNT and counted:
        levels = e_q_values([log_es[account] or 0.0 for account in counted])
        selected = {account for account, q in zip(counted, levels, strict=True) if q <= plan.alpha}
    log_ps = _adjusted([one for account in accounts for one in _of(said, account, question)])
    return [
        _line(
            plan, question, account, _of(said, account, question), log_es[account], log_ps, chosen=account in selected
        )
        for account in accounts
    ]


def _of(said: Sequence[_Said], account: str | None, question: Question) -> list[_Said]:
    return [one for one in said if question is not Question.TRAINED_ON_ACCOUNT or one.stated.account in {account, None}]


def _evidence(said: Sequence[_Said]) -> list[_Said]:
    """Give the claims that can support: by our own randomisation, with controls as they should be."""
    return [
        one
        for one in said
        if isinstance(one.claim, Claim)
        and _ORDER.index(one.reach) >= _ORDER.index(Support.SUPPORTS)
        and not one.stated.against
        and _controls_hold(one.result)
    ]


def _controls_hold(result: TestResult) -> bool:
    return all(one.as_expected for one in result.controls if one.role is not ControlRole.POSITIVE)


def _combined(plan: SuspectPlan, said: Sequence[_Said]) -> float | None:
    """Average e-values, those of sequential tests multiplied first."""
    evidence = _evidence(said)
    by_test: dict[str, list[float]] = {}
    for one in evidence:
        by_test.setdefault(one.result.test, []).append(one.claim.log_e if isinstance(one.claim, Claim) else 0.0)
    each = {name: mean_log_e(values) for name, values in by_test.items()}
    if not each:
        return None
    multiplied = [value for name, value in each.items() if name in plan.sequential]
    averaged = [value for name, value in each.items() if name not in plan.sequential]
    return mean_log_e(averaged + ([product_log_e(multiplied)] if multiplied else []))


def _adjusted(said: Sequence[_Said]) -> dict[int, float]:
    """Give Holm's adjusted log p of each claim that has one, by the claim's identity."""
    counted = {id(one.claim): one.claim.log_p for one in said if isinstance(one.claim, Claim) and one.claim.log_p is not None
               and not one.stated.against and one.reach is not Support.NONE and _controls_hold(one.result)}  # fmt: skip
    if not counted:
        return {}
    smallest = min(counted.values())
    if smallest < -700.0:  # exp underflows: the adjustment, a factor of at most the number of tests, is made on logs
        return {key: min(0.0, value + math.log(len(counted))) for key, value in counted.items()}
    levels = holm_adjusted(list(counted.values()))
    return {key: math.log(level) if level > 0.0 else -math.inf for key, level in zip(counted, levels, strict=True)}


def _line(
    plan: SuspectPlan,
    question: Question,
    account: str | None,
    said: Sequence[_Said],
    log_e: float | None,
    log_ps: Mapping[int, float],
    *,
    chosen: bool,
) -> Line:
    mine = [log_ps[id(one.claim)] for one in said if id(one.claim) in log_ps]
    log_p = min(mine, default=None)
    different = _difference(said) if question is Question.SERVES else None
    support = _support(plan, said, log_e, log_p, chosen=chosen, different=different is not None)
    evidence = _evidence(said)
    best = max(evidence, key=lambda one: one.claim.log_e if isinstance(one.claim, Claim) else 0.0, default=None)
    powers = [power.statement for one in evidence if (power := _power(one, account)) is not None]
    positive = [control for one in evidence for control in one.result.controls if control.role is ControlRole.POSITIVE]
    exculpates = support is Support.NONE and bool(powers) and all(one.as_expected for one in positive)
    missing = tuple(
        dict.fromkeys(f"{one.claim.name}: {one.claim.reason}" for one in said if isinstance(one.claim, Inconclusive))
    )
    voided = [one.result.method for one in said if not _controls_hold(one.result) and isinstance(one.claim, Claim)]
    missing += tuple(f"{method}: a control did not behave as it must" for method in dict.fromkeys(voided))
    return Line(
        question=question,
        account=account,
        support=support,
        sentence=_sentence(
            question, account, support, log_e, powers if exculpates else [], different, planned=bool(said)
        ),
        log_e=log_e,
        log_p=log_p,
        effect=None if best is None else best.stated.effect,
        tests=tuple(dict.fromkeys(one.result.method for one in said if isinstance(one.claim, Claim))),
        innocent=_innocent(
            question, support, best, chosen=chosen and log_e is not None and log_e >= math.log(SUPPORTS_E) - 1e-12
        ),
        exculpates=exculpates,
        missing=missing,
    )


def _power(said: _Said, account: str | None) -> Power | None:
    """Give the power of a claim; that of all accounts together says nothing of one among several."""
    if said.stated.power is not None:
        return said.stated.power
    alone = len({one.account for one in said.result.stated}) == 1
    return said.result.power if account is None or alone else None


def _support(
    plan: SuspectPlan, said: Sequence[_Said], log_e: float | None, log_p: float | None, *, chosen: bool, different: bool
) -> Support:
    """Find the word."""
    leads = [one.claim.log_e for one in said if isinstance(one.claim, Claim) and one.reach is Support.LEAD and not one.stated.against and _controls_hold(one.result)]  # fmt: skip
    if log_e is None and not leads:
        return Support.NONE if different else Support.INCONCLUSIVE
    if log_e is not None and chosen and log_e >= math.log(SUPPORTS_E) - 1e-12:
        strong = log_e >= math.log(STRONGLY_E) - 1e-12
        return Support.LEAD if different else Support.STRONGLY if strong else Support.SUPPORTS
    level = math.log(plan.alpha)
    if max([*leads, log_e or 0.0]) >= -level or (log_p is not None and log_p <= level):
        return Support.LEAD
    return Support.NONE


def _difference(said: Sequence[_Said]) -> float | None:
    """Give the evidence that the suspect's answers are not our model's, where it is enough."""
    found = [
        one.claim.log_e
        for one in said
        if one.stated.against and isinstance(one.claim, Claim) and _controls_hold(one.result)
    ]
    log_e = mean_log_e(found) if found else -math.inf
    return log_e if log_e >= math.log(SUPPORTS_E) - 1e-12 else None


def _innocent(question: Question, support: Support, best: _Said | None, *, chosen: bool) -> str:
    """Name the strongest innocent explanation that is left.

    Args:
        question: what is claimed.
        support: the word that was earned.
        best: the strongest evidence from our own randomisation; null where there is likeness only.
        chosen: whether that evidence is beyond what chance gives.
    """
    if support in {Support.NONE, Support.INCONCLUSIVE}:
        return ""
    if not chosen:
        return INNOCENT_OF_A_LEAD if best is None else CHANCE
    return best.result.innocent[0] if best is not None and best.result.innocent else INNOCENT[question]


def _sentence(
    question: Question,
    account: str | None,
    support: Support,
    log_e: float | None,
    powers: Sequence[str],
    different: float | None,
    *,
    planned: bool,
) -> str:
    """Say it."""
    what = SAYS[question].format(account=account or "a named account")
    e = "" if log_e is None else f" (E = {evidence_text(log_e)})"
    said = {
        Support.INCONCLUSIVE: f"Nothing can be said on whether {what}: {'no test of it gave a result that counts' if planned else 'the plan holds no test of it'}.",
        Support.NONE: f"There is no support for the claim that {what}{e}."
        + (f" {' '.join(powers)}" if powers else "" if different is not None else _UNKNOWN_POWER),
        Support.LEAD: f"There is a lead that {what}{e}; it is no finding, and a test that can show more is needed.",
        Support.SUPPORTS: f"The data support the claim that {what}{e}.",
        Support.STRONGLY: f"The data strongly support the claim that {what}{e}.",
    }[support]
    if different is not None:
        said += f" Its answers are not distributed as our model's (E = {evidence_text(different)}): it does not serve our model unchanged."
    return said


def evidence_text(log_e: float) -> str:
    """Write an e-value, rounded down, so that it never seems to reach a level that it does not; from a million on as a power of ten."""
    if log_e == math.inf:
        return "infinite"
    if log_e < math.log(1e-3):
        return "below 0.001"
    log10 = log_e / math.log(10.0)
    if log10 >= 6.0:
        return f"10^{math.floor(log10 * 10.0 + 1e-9) / 10.0:.1f}"
    value = math.exp(log_e) * (1.0 + 1e-12)
    if value >= 100.0:
        return f"{math.floor(value):,}"
    unit = 10.0 ** (math.floor(math.log10(value)) - 2)
    return f"{math.floor(value / unit + 1e-9) * unit:.3g}"
