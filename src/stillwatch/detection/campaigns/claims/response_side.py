"""Response side: what the members are answered, where answers or their counts are logged.

Three claims, each against the null that the members are answered as other customers are:

- *Inline reasoning.* The share of answers with reasoning in tags in the visible text (signal 12), ranked like the other shares of signs
  (`sign_shares.py`).
- *Reasoning drawn.* Reasoning tokens per request, ranked among reference accounts. Harvests of reasoning choose models that reason, and hard tasks.
- *Refusals taken elsewhere.* A refused request is sent again by another member. Of requests that two members sent, and of which exactly
  one was refused, the first is refused in half of the cases when a refusal moves nobody: which of two equal requests is refused does not
  depend on their order. Content that is refused anyway, and prompts that many share, stay at one half; only going elsewhere makes it more.

They are listed against no explanation: no simulated or public traffic has answers that depend on who asks, so their power is not known.
Refusals are judged on the sample of exchanges, so rare ones are missed. None of them says that the answers are kept.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stillwatch.detection.campaigns.candidate import LEAST_EXCHANGES, LEAST_REFERENCE, Candidate
from stillwatch.detection.campaigns.claims.ranking import rank_largest
from stillwatch.detection.campaigns.claims.sign_shares import LEAST_PROMPTS, share_claim
from stillwatch.detection.campaigns.claims.stating import Procedure
from stillwatch.detection.profiles.histories import Histories
from stillwatch.records.claim import Claim, Inconclusive, Question
from stillwatch.records.sketch import ResponseSign
from stillwatch.statistics.e_values import bernoulli_log_e

LEAST_PAIRS = 5
"""Prompts of two members of which one was refused, at the least."""

EXCHANGEABLE = (
    "under the null each member is exchangeable with the reference accounts, independently of the other members"
)
INLINE = Procedure(
    name="inline reasoning",
    question=Question.EXTRACTION,
    null_hypothesis="The members get reasoning in the visible answer no more often than other customers do.",
    assumptions=(EXCHANGEABLE, "reasoning in answers is known by its tags"),
    method="inline-reasoning/v1",
    decides=False,
)
REASONING = Procedure(
    name="reasoning drawn",
    question=Question.EXTRACTION,
    null_hypothesis="The members draw no more reasoning tokens per request than other customers do.",
    assumptions=(EXCHANGEABLE,),
    method="reasoning-drawn/v1",
    decides=False,
)
REFUSALS = Procedure(
    name="refusals taken elsewhere",
    question=Question.EXTRACTION,
    null_hypothesis="Which of two equal requests of two members is refused does not depend on which came first.",
    assumptions=(
        "the model refuses no less as time goes on",
        "prompts are independent; each gives one pair, its first two exchanges of different members",
        "judged on the sample of each account's exchanges",
    ),
    method="refusals-taken-elsewhere/v1",
    decides=False,
)


def inline_reasoning_claim(candidate: Candidate, histories: Histories) -> Claim | Inconclusive:
    """Rank the members' shares of answers with inline reasoning."""
    return share_claim(
        candidate,
        INLINE,
        signed=histories.answered["inline"],
        known=histories.answered["answers"],
        what="have reasoning in the visible answer",
    )


def reasoning_claim(candidate: Candidate, histories: Histories) -> Claim | Inconclusive:
    """Rank the members' reasoning tokens per request."""
    counted, tokens = histories.answered["counted"], histories.answered["reasoning_tokens"]
    members = candidate.members[counted[candidate.members] >= LEAST_PROMPTS]
    others = candidate.outsiders[counted[candidate.outsiders] >= LEAST_EXCHANGES]
    if not len(members) or len(others) < LEAST_REFERENCE:
        return REASONING.cannot(
            f"{len(members)} members and {len(others)} reference accounts have counts of reasoning tokens",
            f"members with {LEAST_PROMPTS} and {LEAST_REFERENCE} reference accounts with {LEAST_EXCHANGES} such exchanges each",
        )
    rates = tokens[members] / counted[members]
    ranked = rank_largest(np.where(rates > 0.0, rates, -1.0), tokens[others] / counted[others])
    return REASONING.from_log_e(
        ranked.log_e,
        statement=(
            f"The members draw {tokens[members].sum() / counted[members].sum():.0f} reasoning tokens per request; {ranked.members} of"
            f" {ranked.tested} draw more than {1 - ranked.threshold:.0%} of {ranked.reference} other customers."
        ),
        statistic_name=f"members in the top {ranked.threshold:.0%}",
        statistic=ranked.members,
        n=ranked.tested,
        n_unit="accounts",
        input_digest=candidate.input_digest,
    )


def refusals_claim(candidate: Candidate) -> Claim | Inconclusive:
    """Count requests that were refused to one member and then answered to another, against the other order."""
    study, rows = candidate.study, candidate.rows
    exact, signs = study.column("exact"), study.column("response_signs")
    rows = rows[exact.known[rows] & signs.known[rows]]
    refused = (signs.values[rows] & int(ResponseSign.REFUSAL)) != 0
    earlier, later = first_pairs(
        exact.values[rows], study.numbers[rows], study.column("time_us").values[rows], study.column("delivery").values[rows]
    )  # fmt: skip
    differ = refused[earlier] != refused[later]
    pairs, moved = int(differ.sum()), int((refused[earlier] & differ).sum())
    if pairs < LEAST_PAIRS:
        return REFUSALS.cannot(
            f"{pairs} prompts were sent by two members and refused to one of them",
            f"{LEAST_PAIRS} such prompts in logs with answers",
        )
    return REFUSALS.from_log_e(
        bernoulli_log_e(moved, pairs, 0.5),
        statement=f"Of {pairs} prompts sent by two members and refused to one, {moved} were refused first and answered to another member later.",
        statistic_name="refused first",
        statistic=moved,
        n=pairs,
        n_unit="prompts",
        input_digest=candidate.input_digest,
    )


def first_pairs(
    exact: npt.NDArray[np.int64],
    owners: npt.NDArray[np.int64],
    time_us: npt.NDArray[np.int64],
    delivery: npt.NDArray[np.int64],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return (position of the first exchange, of the first later one by another account) of each prompt that two accounts sent.

    Args:
        exact: [r] prompt hashes.
        owners: [r] account numbers.
        time_us: [r] times.
        delivery: [r] hashes that break ties of time.
    """
    order = np.lexsort((delivery, time_us, exact))
    exact, owners = exact[order], owners[order]
    starts = np.flatnonzero(np.diff(exact, prepend=exact[:1] - 1) != 0)
    first = np.repeat(starts, np.diff(np.append(starts, len(exact))))
    elsewhere = np.flatnonzero(owners != owners[first])
    firsts, places = np.unique(first[elsewhere], return_index=True)
    return order[firsts], order[elsewhere[places]]
