"""Innocent explanations: each is a null hypothesis, each has its own tests, and a campaign is claimed only against all of them.

Takes the claims of a candidate. Gives one `Explanation` each with an e-value: the mean of the e-values of the tests that can speak
against it (a mean of e-values is an e-value under any dependence; Vovk & Wang 2021). The campaign's e-value is the smallest over
the explanations: it is an e-value for the union of the nulls (if any one explanation is true, its own e-value, hence the
smallest, has expectation at most 1). An explanation for which every test lacked data keeps e = 1: it stands, and the
candidate is unresolved.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from stillwatch.records.campaign import Explanation
from stillwatch.records.claim import Claim, Inconclusive
from stillwatch.statistics.e_values import mean_log_e

Result = Claim | Inconclusive


@dataclass(frozen=True, slots=True, kw_only=True)
class Innocent:
    """An innocent explanation and the tests that can speak against it."""

    name: str
    says: str
    tests: tuple[str, ...]
    stands: str
    """What the reader is told when it is not rejected."""


ONE_HAND = (
    "infrastructure lift", "synchrony", "common conduct", "registration in batches",
)  # fmt: skip
"""Tests that hold even between customers of one product: these say one hand, not one source."""

CHANCE = Innocent(
    name="chance",
    says="Unrelated customers happen to look alike.",
    tests=("template lift", "pivot to a new model", *ONE_HAND),
    stands="What the accounts have in common may be chance.",
)
PUBLIC_SET = Innocent(
    name="public prompt set",
    says="Each account goes through the same public benchmark, course or prompt list for itself.",
    tests=("sharding without replacement",),
    stands="The accounts send the same items, as users of a public set do.",
)
PRODUCT = Innocent(
    name="product on its customers' accounts",
    says="One product, plug-in or tool runs on the accounts of its many customers, each with a life of its own.",
    tests=ONE_HAND,
    stands="The accounts live by rhythms and infrastructure of their own, as customers of one product do.",
)
SUITE = Innocent(
    name="regression suite",
    says="A test suite or unattended job sends the same prompts again and again.",
    tests=("no repetition",),
    stands="The accounts send the same prompts again, as test suites do.",
)
OWN_WORK = Innocent(
    name="bulk work on own material",
    says="A firm translates, labels, classifies or summarises its own material in bulk.",
    tests=("not ordinary work",),
    stands="Most exchanges ask for ordinary bulk work.",
)
ORDINARY_USE = Innocent(
    name="ordinary use",
    says="The accounts use the model as other customers do and do not harvest training material.",
    tests=(
        "elicitation",
        "output harvest",
        "capability concentration",
        "concealed reasoning",
        "explore, then exploit",
        "one stream dealt out",
    ),
    stands="What the accounts ask for and receive is within what other customers ask for and receive.",
)
OWN_PRODUCT = Innocent(
    name="one customer's product over several keys",
    says="One customer openly runs a product with end users, or a job of its own, over several accounts or keys.",
    tests=("concealed reasoning", "purses of their own"),
    stands="The accounts openly belong to one customer, who pays for them and does not ask for hidden reasoning.",
)

NOT_ASKED = "Not asked: another explanation stands already."
"""What the reader is told of an explanation whose tests were not tried, since nothing could come of it."""
EXPLANATIONS = (CHANCE, PUBLIC_SET, PRODUCT, SUITE, OWN_WORK, ORDINARY_USE, OWN_PRODUCT)


def weigh(results: Mapping[str, Result], applicable: tuple[Innocent, ...], threshold: float) -> tuple[Explanation, ...]:
    """Weigh each applicable explanation.

    Args:
        results: Test name -> claim or inconclusive.
        applicable: The explanations that this candidate could have.
        threshold: log e from which an explanation counts as rejected.
    """
    weighed = []
    for innocent in applicable:
        claims = [results[name] for name in innocent.tests if isinstance(results.get(name), Claim)]
        log_e = mean_log_e([claim.log_e for claim in claims if isinstance(claim, Claim)]) if claims else 0.0
        against = sorted((claim for claim in claims if isinstance(claim, Claim) and claim.log_e > 0.0), key=_strength)
        rejected = log_e >= threshold
        if rejected:
            remark = f"Rejected: {against[0].statement}"
        elif claims:
            remark = innocent.stands
        elif any(name in results for name in innocent.tests):
            remark = "No test could speak against it: the columns or the exchanges that it needs are missing."
        else:
            remark = NOT_ASKED
        weighed.append(
            Explanation(
                name=innocent.name,
                says=innocent.says,
                log_e=log_e,
                rejected=rejected,
                against=tuple(claim.name for claim in against),
                remark=remark,
                tested=bool(claims),
            )
        )
    return tuple(weighed)


def _strength(claim: Claim) -> tuple[float, str]:
    return (-claim.log_e, claim.name)
