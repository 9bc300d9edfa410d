"""Sharding: members divide a prompt set among themselves instead of each going through it.

Independent users of one public set (a benchmark, a course) meet: what one has sent, another sends too. Workers that draw from
one queue without replacement do not. Content is compared apart from the template: an exchange recurs when another member sent
the same prompt, or a span of it that is not part of what the members share anyway.

Null: members draw independently from a common pool that is at most `POOL_FACTOR` times as large as all that they were seen to
send; then an exchange recurs with at least a known chance. Few recurrences speak against it (an e-value for "rate at least"), among all
exchanges and among those whose items can be told apart: items of one data set have phrases in common, and a short prompt is hardly more than such
a phrase, so that another item is taken for the same one. Only where what recurs is on few members; a sheet that a class goes through in
words of its own is on many. The two are averaged. And what each goes through for itself it meets once: fragments of content recur between
members, not within one. Fragments that fall within one member as often as chance deals them speak against it too; the two e-values are averaged. Where whole prompts recur as often as a common set makes
them, it is asked instead whether they recur within a third of the time: a queue that begins again gives out each prompt once before it
gives out one twice.
Not shown: independent users of an unbounded source do not meet either; that explanation is `chance`, tested elsewhere.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stillwatch.detection.campaigns.candidate import Candidate
from stillwatch.detection.campaigns.claims.ranking import NOTHING
from stillwatch.detection.campaigns.claims.stating import Procedure
from stillwatch.records.claim import Claim, Inconclusive, Question
from stillwatch.statistics.e_values import bernoulli_log_e, bernoulli_lower_log_e, mean_log_e

POOL_FACTOR = 3
TEMPLATE_PROMPTS = 1.5
"""A span in at least this many different prompts per member belongs to the template, not to the content."""
WITHIN_FACTOR = 3.0
"""Null of the second test: fragments fall within one member at most a third as often as if dealt out at random (each goes through
the set for itself), or at least three times as often (each tries its items again)."""
PASSES = 3
"""Parts of the exchanges in time order that are looked at by themselves."""
FRAGMENT_SHARE = 0.02
"""A span on more than this share of exchanges is no fragment of the content."""
LEAST_EXCHANGES = 20
TELLING_SPANS = 3
"""Spans of an item from which it is told apart in other words; with fewer it is told apart where it recurs word for word."""
SELDOM_SHARE = 0.2
"""What recurs is on at most this share of the members, at the median: a sheet that each goes through is on more, in whatever words."""

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
        "independent users of a set do not take turns in time",
    ),
    method="sharding/v3",
)

Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recurrence:
    """Of each exchange, [n]."""

    recurring: npt.NDArray[np.bool_]
    """Another member sent the same item."""
    told_apart: npt.NDArray[np.bool_]
    """The item is told apart from others of one data set."""
    holders: Numbers
    """Members that sent the prompt or any span of its item, at least 1 where known."""


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
    recurrence = recurring_exchanges(candidate, rows)
    chance = 1.0 - math.exp(-candidate.sampled_share * (1.0 - _largest_share(owners)) / POOL_FACTOR)
    count = int(recurrence.recurring.sum())
    within, met = fragments_within(candidate, rows)
    dealt = float(((np.unique(owners, return_counts=True)[1] / len(owners)) ** 2).sum())
    same = int((_distinct(exact.values[rows], owners) >= 2).sum())
    met_rarely = _met_rarely(recurrence, chance, len(candidate.members))
    # Where whole prompts recur as a common set makes them, fragments cannot speak against it; a queue that begins again can.
    spoken = _in_passes(candidate, rows) if same >= chance * len(rows) else _dealt_log_e(within, met, dealt)
    log_e = mean_log_e([met_rarely, spoken])
    return PROCEDURE.from_log_e(
        log_e,
        statement=(
            f"{count} of {len(rows)} sampled exchanges recur at another member; a common set would make at least"
            f" {chance * len(rows):.1f} recur. {within} of {met} common fragments lie within one member;"
            f" {dealt * met:.1f} would if exchanges were dealt out at random."
        ),
        statistic_name="recurring exchanges",
        statistic=count,
        n=len(rows),
        n_unit="exchanges",
        input_digest=candidate.input_digest,
    )


def _met_rarely(recurrence: Recurrence, chance: float, members: int) -> float:
    """Log e-value of few recurrences, among all exchanges and among those whose items are told apart."""
    recurring, told_apart = recurrence.recurring, recurrence.told_apart
    among_all = bernoulli_lower_log_e(int(recurring.sum()), len(recurring), chance)
    seldom = not recurring.any() or float(np.median(recurrence.holders[recurring])) <= SELDOM_SHARE * members
    told = bernoulli_lower_log_e(int(recurring[told_apart].sum()), int(told_apart.sum()), chance)
    # An e-value that is put to nothing by a look at the data is one still.
    return mean_log_e([among_all, told if seldom else NOTHING])


def _in_passes(candidate: Candidate, rows: Numbers) -> float:
    """Log e-value of few whole prompts that recur within one third of the exchanges in time order, the least over the thirds.

    A queue that is worked off again gives every prompt out once before it gives one out twice, at all times; a class meets its sheet in one
    week, and the other weeks say nothing.
    """
    study = candidate.study
    exact, owners = study.column("exact").values[rows], study.numbers[rows]
    order = np.lexsort((study.column("delivery").values[rows], study.column("time_us").values[rows]))
    found = []
    for part in np.array_split(order, PASSES):
        met = int((_distinct(exact[part], owners[part]) >= 2).sum())
        others = candidate.sampled_share * (1.0 - _largest_share(owners[part])) * len(part) / len(rows)
        found.append(bernoulli_lower_log_e(met, len(part), 1.0 - math.exp(-others / POOL_FACTOR)))
    return min(found)


def _dealt_log_e(within: int, met: int, dealt: float) -> float:
    """Log e-value against "within one member at most a third, or at least three times, as often as chance deals them"."""
    return min(
        bernoulli_log_e(within, met, dealt / WITHIN_FACTOR),
        bernoulli_lower_log_e(within, met, min(dealt * WITHIN_FACTOR, 1.0)),
    )


def recurring_exchanges(candidate: Candidate, rows: Numbers) -> Recurrence:
    """Find the exchanges of which another member sent the same prompt, or the same item in other words.

    A span belongs to the template when the members who have it have it in several prompts each. Of the other spans of an
    exchange, the item's, two in three must be another member's too.
    """
    study = candidate.study
    owners = study.numbers[rows]
    exact = study.column("exact").values[rows]
    holders = _distinct(exact, owners)
    recurring = holders >= 2
    told_apart = recurring.copy()
    places, spans = study.listed(rows, "spans")
    if len(spans):
        members = _distinct(spans, owners[places])
        item = _distinct(spans, _paired(exact, owners)[places]) < TEMPLATE_PROMPTS * members
        item_spans = np.bincount(places[item], minlength=len(rows))
        met_spans = np.bincount(places[item & (members >= 2)], minlength=len(rows))
        recurring |= (item_spans > 0) & (3 * met_spans >= 2 * item_spans)
        told_apart |= item_spans >= TELLING_SPANS
        np.maximum.at(holders, places[item], members[item])
    return Recurrence(recurring=recurring, told_apart=told_apart, holders=holders)


def fragments_within(candidate: Candidate, rows: Numbers) -> tuple[int, int]:
    """Return (fragments whose first two prompts are one member's, fragments in two prompts or more).

    A fragment is a span on few of the exchanges; its first two different prompts are those with the smallest hashes, and
    fragments that meet in the same two prompts count once. Who goes through a set for himself meets a fragment of it once; when one
    queue is dealt out, what recurs in it falls on one member as often as on any two.
    """
    study = candidate.study
    places, spans = study.listed(rows, "spans")
    exact, owners = study.column("exact").values[rows], study.numbers[rows]
    order = np.lexsort((exact[places], spans))
    spans, places = spans[order], places[order]
    new = np.ones(len(spans), dtype=bool)
    new[1:] = (spans[1:] != spans[:-1]) | (exact[places[1:]] != exact[places[:-1]])
    spans, places = spans[new], places[new]
    firsts = np.flatnonzero(np.diff(spans, prepend=spans[:1] - 1) != 0)
    counts = np.diff(np.append(firsts, len(spans)))
    firsts = firsts[(counts >= 2) & (counts <= max(3.0, FRAGMENT_SHARE * len(rows)))]
    if not len(firsts):
        return 0, 0
    pairs = np.unique(np.stack([places[firsts], places[firsts + 1]], axis=1), axis=0)
    return int((owners[pairs[:, 0]] == owners[pairs[:, 1]]).sum()), len(pairs)


def _paired(left: Numbers, right: Numbers) -> Numbers:
    """Join two columns to one key; two different pairs share a key with a chance of about 2^-64."""
    joined: Numbers = (left.view(np.uint64) * np.uint64(0x9E3779B97F4A7C15) ^ right.astype(np.uint64)).view(np.int64)
    return joined


def _distinct(values: Numbers, others: Numbers) -> Numbers:
    """[e] for each element, how many different `others` its value has."""
    if not len(values):
        return np.zeros(0, dtype=np.int64)
    places = np.unique(_paired(values, others), return_index=True)[1]
    keys, counts = np.unique(values[places], return_counts=True)
    found: Numbers = counts[np.searchsorted(keys, values)]
    return found


def _largest_share(owners: Numbers) -> float:
    return float(np.unique(owners, return_counts=True)[1].max() / len(owners))
