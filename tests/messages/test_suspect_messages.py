"""What a report on a suspect says, word by word, for every word that it has and every rule that bounds it.

`suspects/NAME.txt` is what is said. Where it changes on purpose, write it anew with `python tests/messages/test_suspect_messages.py`, and
read the difference.
"""

from __future__ import annotations

import math
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from stillwatch.records.claim import Claim, Inconclusive, Question
from stillwatch.records.suspect import (
    Budget,
    ControlOutcome,
    ControlRole,
    Power,
    Stated,
    Support,
    SuspectPlan,
    TestResult,
)
from stillwatch.suspects.composition import compose

HERE = Path(__file__).parent / "suspects"
PLAN = SuspectPlan(
    suspect="s", purpose="p", decided_by="d", parties=(), tests=(), materials=(), queries=0, queries_root="", salt="", alpha=0.05,
    sequential=(), stop_early=False, budget=Budget(requests=1, seconds=1), seed=1, version="", code_digest="",
)  # fmt: skip
POWER = Power(
    statement="With these 300 prompts, 10% of them used in training would have been found with a chance of 0.8.",
    curve=(),
)
REACHES = {
    "t0": Support.LEAD,
    "t1": Support.NONE,
    "t2": Support.LEAD,
    "t3": Support.STRONGLY,
    "t4": Support.STRONGLY,
    "t5": Support.STRONGLY,
}
TESTS: Any = {name: SimpleNamespace(reach=reach) for name, reach in REACHES.items()}
SERVES, DERIVED, OUTPUTS, ACCOUNT = (
    Question.SERVES, Question.DERIVED, Question.TRAINED_ON_OUTPUTS, Question.TRAINED_ON_ACCOUNT
)  # fmt: skip


def claim(question: Question, *, e: float, p: float | None = None) -> Claim:
    return Claim(
        name="a test", question=question, statement="s", null_hypothesis="h", statistic_name="x", statistic=1.0,
        log_p=None if p is None else math.log(p), log_e=math.log(e), n=1, n_unit="x", assumptions=("a",), method="a/v1",
    )  # fmt: skip


def result(test: str, question: Question, *, account: str | None = None, against: bool = False, power: Power | None = None,
           controls: tuple[ControlOutcome, ...] = (), innocent: tuple[str, ...] = (), **numbers: Any) -> TestResult:  # fmt: skip
    stated = Stated(claim=claim(question, **numbers), account=account, against=against)
    return TestResult(
        test=test, method=f"{test}/v1", stated=(stated,), power=power, controls=controls, innocent=innocent
    )


def control(role: ControlRole | None, *, as_expected: bool) -> ControlOutcome:
    return ControlOutcome(name="base", role=role, log_p=-9.0, as_expected=as_expected, remark="")


NOTHING = Inconclusive(name="served transcripts", question=OUTPUTS, reason="suspect gives no log-probabilities of given text", needed="x", method="t4/v1")  # fmt: skip
CASES: dict[str, tuple[TestResult, ...]] = {
    "nothing_planned": (),
    "inconclusive": (TestResult(test="t4", method="t4/v1", stated=(Stated(claim=NOTHING),)),),
    "no_support_and_power": (result("t4", OUTPUTS, e=0.4, p=0.6, power=POWER),),
    "no_support_without_power": (result("t4", OUTPUTS, e=0.4, p=0.6),),
    "positive_control_not_found": (
        result("t4", OUTPUTS, e=0.4, p=0.6, power=POWER, controls=(control(ControlRole.POSITIVE, as_expected=False),)),
    ),
    "small_p_is_a_lead": (result("t4", OUTPUTS, e=6.0, p=0.01, power=POWER),),
    "just_below": (result("t4", OUTPUTS, e=19.9, p=0.01),),
    "supports": (result("t4", OUTPUTS, e=20.0, p=0.001),),
    "just_below_strongly": (result("t4", OUTPUTS, e=999.0, p=1e-5),),
    "strongly": (result("t4", OUTPUTS, e=1000.0, p=1e-6, innocent=("it was licensed to",)),),
    "huge": (result("t4", OUTPUTS, e=1e200, p=1e-210),),
    "likeness_is_a_lead": (result("t2", DERIVED, e=1e9, p=1e-9),),
    "likeness_without_evidence": (result("t2", DERIVED, e=0.5, p=0.7),),
    "mean_of_two": (result("t3", OUTPUTS, e=30.0, p=0.01), result("t4", OUTPUTS, e=0.5, p=0.5)),
    "a_control_speaks": (
        result("t4", OUTPUTS, e=1e6, p=1e-8, controls=(control(ControlRole.NEGATIVE, as_expected=False),)),
    ),
    "calibration_fails": (result("t4", OUTPUTS, e=1e6, p=1e-8, controls=(control(None, as_expected=False),)),),
    "served_but_different": (result("t3", SERVES, e=5000.0, p=1e-6), result("t1", SERVES, e=300.0, p=1e-4, against=True)),
    "difference_alone": (result("t1", SERVES, e=300.0, p=1e-4, against=True),),
    "equality_alone": (result("t1", SERVES, e=1e5, p=1e-7),),
    "accounts": (
        result("t4", ACCOUNT, account="a-1", e=900.0, p=1e-4),
        result("t4", ACCOUNT, account="a-2", e=1.1, p=0.4, power=POWER),
        result("t4", ACCOUNT, account="a-3", e=25.0, p=0.02),
    ),
}  # fmt: skip


def text(name: str) -> str:
    """Give what is said, a paragraph for each line."""
    lines = compose(PLAN, CASES[name], TESTS)
    return "\n\n".join(
        "\n".join(
            [f"{one.number}{f' {one.account}' if one.account else ''}: {one.support.value}", one.sentence]
            + ([f"Innocent: {one.innocent}."] if one.innocent else [])
            + [f"Not counted: {why}." for why in one.missing]
            + (["It exculpates."] if one.exculpates else [])
        )
        for one in lines
        if name == "nothing_planned" or one.tests or one.missing
    ) + "\n"  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_the_report_says_this(name: str) -> None:
    assert text(name) == (HERE / f"{name}.txt").read_text(encoding="utf-8")


def test_every_text_has_its_case() -> None:
    assert {path.stem for path in HERE.glob("*.txt")} == set(CASES)


@pytest.mark.parametrize("test", ["t0", "t1", "t2"])
@pytest.mark.parametrize("question", [SERVES, DERIVED, OUTPUTS])
def test_likeness_never_earns_more_than_a_lead(test: str, question: Question) -> None:
    lines = compose(PLAN, [result(test, question, e=1e300, p=1e-300)], TESTS)
    assert {one.support for one in lines} <= {Support.INCONCLUSIVE, Support.NONE, Support.LEAD}


def test_nothing_is_called_proof() -> None:
    said = " ".join(text(name) for name in CASES).lower()
    assert not any(word in said for word in ("prove", "proof", "guilt", "stole", "certain", "copied"))


def test_sequential_tests_are_multiplied_and_others_averaged() -> None:
    results = [result("t3", OUTPUTS, e=8.0, p=0.1), result("t4", OUTPUTS, e=4.0, p=0.1)]
    (averaged,) = [one for one in compose(PLAN, results, TESTS) if one.question is OUTPUTS]
    multiplied = [
        one for one in compose(replace(PLAN, sequential=("t3", "t4")), results, TESTS) if one.question is OUTPUTS
    ]
    assert averaged.log_e == pytest.approx(math.log(6.0))
    assert multiplied[0].log_e == pytest.approx(math.log(32.0))
    assert (averaged.support, multiplied[0].support) == (Support.NONE, Support.SUPPORTS)


def test_an_account_alone_speaks_for_the_outputs_as_well() -> None:
    lines = compose(PLAN, [result("t4", ACCOUNT, account=name, e=e) for name, e in (("a", 3000.0), ("b", 1.0))], TESTS)
    (outputs,) = [one for one in lines if one.question is OUTPUTS]
    assert outputs.log_e == pytest.approx(math.log(1500.5))


if __name__ == "__main__":
    for file in CASES:
        (HERE / f"{file}.txt").write_text(text(file), encoding="utf-8")
    sys.exit(0)
