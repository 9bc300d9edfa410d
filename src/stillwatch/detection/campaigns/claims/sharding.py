"""Sharding: members divide a prompt set among themselves instead of each going through it.

Independent users of one public set (a benchmark, a course) meet: what one has sent, another sends too. Workers that draw from
one queue without replacement do not. Content is compared apart from the template: an exchange recurs when another member sent
the same prompt, or a span of it that is not part of what the members share anyway.

Null: members draw independently from a common pool that is at most `POOL_FACTOR` times as large as all that they were seen to
send; then an exchange recurs with at least a known chance. Few recurrences speak against it (an e-value for "rate at least").
Not shown: independent users of an unbounded source do not meet either; that explanation is `chance`, tested elsewhere.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from stillwatch.detection.campaigns.candidate import Candidate
from stillwatch.detection.campaigns.claims.stating import Procedure
from stillwatch.records.claim import Claim, Inconclusive, Question
from stillwatch.statistics.e_values import bernoulli_lower_log_e

POOL_FACTOR = 3
TEMPLATE_PROMPTS = 1.5
"""A span in at least this many different prompts per member belongs to the template, not to the content."""
LEAST_EXCHANGES = 20

PROCEDURE = Procedure(
    name="sharding without replacement",
    question=Question.COORDINATION,
    null_hypothesis=(
        "Each member draws on its own from one common set of prompts, at most three times as large as what was seen;"
        " what one member sends, others send too."
    ),
    assumptions=(
        "under the null each exchange recurs at another member with at least the stated chance, given those before it",
        f"the common set is at most {POOL_FACTOR} times as large as the exchanges seen",
        "recurrence is judged on the sample of each account's exchanges",
    ),
    method="sharding/v1",
)

Numbers = npt.NDArray[np.int64]


def sharding_claim(candidate: Candidate) -> Claim | Inconclusive:
    """Compare members' contents."""
    rows = candidate.harvest_rows
    study = candidate.study
    exact = study.column("exact")
    rows = rows[exact.known[rows]]
    owners = study.numbers[rows]
    if len(np.unique(owners)) < 2 or len(rows) < LEAST_EXCHANGES:
        return PROCEDURE.cannot(
            "fewer than two members with prompt text", f"{LEAST_EXCHANGES} exchanges with prompts of two members"
        )
    recurring = recurring_exchanges(candidate, rows)
    chance = 1.0 - math.exp(-candidate.sampled_share * (1.0 - _largest_share(owners)) / POOL_FACTOR)
    count = int(recurring.sum())
    return PROCEDURE.from_log_e(
        bernoulli_lower_log_e(count, len(rows), chance),
        statement=(
            f"{count} of {len(rows)} sampled exchanges recur at another member;"
            f" a common set would make at least {chance * len(rows):.1f} recur."
        ),
        statistic_name="recurring exchanges",
        statistic=count,
        n=len(rows),
        n_unit="exchanges",
        input_digest=candidate.input_digest,
    )


def recurring_exchanges(candidate: Candidate, rows: Numbers) -> npt.NDArray[np.bool_]:
    """[len(rows)] true where another member sent the same prompt, or the same item in other words.

    A span belongs to the template when the members who have it have it in several prompts each. Of the other spans of an
    exchange, the item's, two in three must be another member's too.
    """
    study = candidate.study
    owners = study.numbers[rows]
    exact = study.column("exact").values[rows]
    recurring = _distinct_owners(exact, owners) >= 2
    places, spans = study.listed(rows, "spans")
    if len(spans):
        prompt_of_row = np.unique(np.stack([owners, exact]), axis=1, return_inverse=True)[1].ravel()
        members = _distinct_owners(spans, owners[places])
        item = _distinct_owners(spans, prompt_of_row[places]) < TEMPLATE_PROMPTS * members
        item_spans = np.bincount(places[item], minlength=len(rows))
        met_spans = np.bincount(places[item & (members >= 2)], minlength=len(rows))
        recurring |= (item_spans > 0) & (3 * met_spans >= 2 * item_spans)
    return recurring


def _distinct_owners(values: Numbers, owners: Numbers) -> Numbers:
    """[e] for each element, how many owners its value has."""
    if not len(values):
        return np.zeros(0, dtype=np.int64)
    pairs = np.unique(np.stack([values, owners]), axis=1)
    keys, counts = np.unique(pairs[0], return_counts=True)
    found: Numbers = counts[np.searchsorted(keys, values)]
    return found


def _largest_share(owners: Numbers) -> float:
    return float(np.unique(owners, return_counts=True)[1].max() / len(owners))
