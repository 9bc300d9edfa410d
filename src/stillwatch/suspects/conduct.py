"""Conduct: whether an endpoint answered as it said that it does.

Takes what came back for probes and tests. Gives what the party did wrong, each with a name, what was seen, and the abilities on which nothing may rest
any more. Most judgements are contradictions (a text given back is not the text that was sent), which need no chance. Two are claims: drift, by an
exact permutation of the rounds of each probe (Phipson and Smyth 2010: p = (1 + #) / (1 + B)); and log-probabilities that are not those by which samples
are drawn, by bets on whether the token that is called likeliest comes up (a test martingale, Ville 1939). Cost: B times probes times rounds.

What it does not show: an endpoint that treats probes and tests alike and wrongly in a way that leaves every probe as it should be; one that has no
token counts can hide a prompt before ours as long as it is always the same.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from stillwatch.records.claim import Claim, Question
from stillwatch.records.suspect import Ability, Answer, Conduct, Observation, Query, Scored, Token, Unanswered
from stillwatch.statistics.e_values import calibrate_log_p, mean_log_e
from stillwatch.suspects.probes import PROBE

TOLERANCE = 0.05
"""Nats a token by which the same text may be scored differently in two rounds: arithmetic in batches is not exact."""
UNSTEADY = 0.1
"""Share of answers at temperature 0 that may differ from the usual one of their probe: engines that batch are not exact at ties."""
TEMPLATE_TOKENS = 48
"""Tokens beyond one for each byte that a template may add to a prompt."""
DRIFT_ALPHA = 0.001
LIE_E = 1_000.0
PERMUTATIONS = 9_999
FEWEST_BETS = 200
"""Tokens below which log-probabilities of samples are not judged."""
MOST_REFUSED = 0.05
EVERYTHING = (Ability.ANSWER, Ability.SAMPLE, Ability.USAGE, Ability.LOGPROBS, Ability.SCORE)
_BETS = (-0.8, -0.4, -0.2, -0.1, 0.1, 0.2, 0.4, 0.8)
REFUSALS = ("i'm sorry", "i am sorry", "i can't help", "i cannot", "i can't assist", "i'm unable", "as an ai")

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Heard:
    """What one party gave."""

    party: str
    queries: Sequence[Query]
    """Those that the party was asked, in order."""
    observations: Mapping[str, Observation]
    requests: Mapping[str, int]
    """Requests that were sent, by id of the query."""
    seed: int

    @cached_property
    def answers(self) -> tuple[tuple[Query, Answer], ...]:
        """Everything that was written."""
        found = ((one, self.observations.get(one.id)) for one in self.queries)
        return tuple((query, one) for query, one in found if isinstance(one, Answer))

    @cached_property
    def scored(self) -> tuple[tuple[Query, Scored], ...]:
        """Everything that was scored."""
        found = ((one, self.observations.get(one.id)) for one in self.queries)
        return tuple((query, one) for query, one in found if isinstance(one, Scored))

    @cached_property
    def everything(self) -> tuple[tuple[Query, Answer | Scored], ...]:
        """All that was written or scored."""
        return (*self.answers, *self.scored)

    @cached_property
    def nothing(self) -> tuple[Unanswered, ...]:
        """Everything that gave nothing, but for what the budget kept from being asked."""
        found = (self.observations.get(one.id) for one in self.queries)
        return tuple(one for one in found if isinstance(one, Unanswered) and one.reason != "out of budget")

    def rounds(self, kind: str) -> dict[int, list[Answer | Scored]]:
        """Give the answers to a kind of probe, by its place, in the order of the rounds."""
        found: dict[int, list[Answer | Scored]] = {}
        for query, one in self.everything:
            if query.test == PROBE and query.id.split("/")[-3].removesuffix("-raw") == kind:
                found.setdefault(int(query.id.split("/")[-2]), []).append(one)
        return found


def judge(heard: Heard) -> tuple[Conduct, ...]:
    """Judge one party.

    Args:
        heard: what it gave.

    Returns:
        What it did wrong, or what is worth knowing; empty for an endpoint that answers as it says.
    """
    return tuple(found for check in CHECKS for found in check(heard))


def _wrong(heard: Heard, name: str, seen: str, *spoils: Ability, claim: Claim | None = None) -> Conduct:
    return Conduct(party=heard.party, name=name, seen=seen, spoils=spoils, claim=claim)


def _names_another_model(heard: Heard) -> Iterable[Conduct]:
    names = Counter(one.model for _, one in heard.everything if one.model)
    if len(names) > 1:
        seen = f"its answers name {len(names)} models or builds; the most frequent stands in {names.most_common(1)[0][1]} of {names.total()}"
        yield _wrong(heard, "names another model mid-run", seen, *EVERYTHING)


def _drifts(heard: Heard) -> Iterable[Conduct]:
    """Compare early rounds with late ones, for every place of a change."""
    tables = [_differences(row) for kind in ("score", "likeliest") for row in heard.rounds(kind).values()]
    tables = [one for one in tables if one.shape[0] >= 4]
    if not tables:
        return
    seen, log_p = change(tables, heard.seed)
    if log_p > math.log(DRIFT_ALPHA):
        return
    claim = Claim(
        name="drift of an endpoint", question=Question.ACCESS,
        statement=f"{heard.party}: answers to the same {len(tables)} probes differ before and after some round more than rounds differ among themselves.",
        null_hypothesis="the answers to a probe are exchangeable from round to round: the endpoint stayed the same",
        statistic_name="largest difference between rounds before and after, less that within them", statistic=seen,
        log_p=log_p, log_e=calibrate_log_p(log_p), n=len(tables), n_unit="probes",
        assumptions=("the endpoint cannot tell the rounds of a probe apart but by time",),
        method="access-drift/v1", seed=heard.seed,
    )  # fmt: skip
    yield _wrong(heard, "drifts mid-run", claim.statement, *EVERYTHING, claim=claim)


def change(tables: Sequence[Floats], seed: int, permutations: int = PERMUTATIONS) -> tuple[float, float]:
    """Test whether rounds are exchangeable against a change at some round.

    Args:
        tables: for each probe, how much each two rounds differ, [rounds, rounds], at least 4 rounds.
        seed: of the permutations.
        permutations: random orders of each probe's rounds.

    Returns:
        (the largest excess of differences across a place of change over those on either side, natural log of the exact p-value).
    """
    rng = np.random.Generator(np.random.PCG64(seed))
    seen = float(_change([one[None] for one in tables])[0])
    if seen <= 0.0:
        return seen, 0.0
    shuffled = [_shuffled(one, rng, permutations) for one in tables]
    more = int((_change(shuffled) >= seen - 1e-12).sum())
    return seen, math.log((1 + more) / (1 + permutations))


def _differences(row: Sequence[Answer | Scored]) -> Floats:
    """Give how much each two rounds of a probe differ: in nats a token, or whether the text is another."""
    if isinstance(row[0], Scored):
        values = np.asarray([one.mean_log_prob for one in row if isinstance(one, Scored)])
        found: Floats = np.abs(values[:, None] - values[None, :])
        return np.where(found < 1e-9, 0.0, found)
    texts = [one.text for one in row if isinstance(one, Answer)]
    return np.asarray([[float(one != other) for other in texts] for one in texts])


def _change(tables: Sequence[Floats]) -> Floats:
    """Give the largest excess, over places of a change, of differences across it over those on either side.

    Args:
        tables: for each probe, differences between rounds, [runs, rounds, rounds].

    Returns:
        [runs].
    """
    least = min(one.shape[1] for one in tables)
    cuts = [np.sum([_excess(one, cut) for one in tables], axis=0) for cut in range(2, least - 1)]
    found: Floats = np.max(cuts, axis=0)
    return found


def _excess(table: Floats, cut: int) -> Floats:
    size = table.shape[1]
    early, late = cut * (cut - 1), (size - cut) * (size - cut - 1)
    within = table[:, :cut, :cut].sum(axis=(1, 2)) + table[:, cut:, cut:].sum(axis=(1, 2))
    found: Floats = table[:, :cut, cut:].mean(axis=(1, 2)) - within / (early + late)
    return found


def _shuffled(table: Floats, rng: np.random.Generator, permutations: int) -> Floats:
    """Give a probe's table with its rounds in many random orders."""
    size = table.shape[0]
    orders = rng.permuted(np.tile(np.arange(size), (permutations, 1)), axis=1)
    found: Floats = table[orders[:, :, None], orders[:, None, :]]
    return found


def _does_not_repeat(heard: Heard) -> Iterable[Conduct]:
    spreads = [
        max(one.mean_log_prob for one in row if isinstance(one, Scored))
        - min(one.mean_log_prob for one in row if isinstance(one, Scored))
        for row in heard.rounds("score").values()
    ]
    if spreads and max(spreads) > TOLERANCE:
        seen = f"the same text was scored up to {max(spreads):.3g} nats a token apart; {TOLERANCE} are allowed"
        yield _wrong(
            heard,
            "scores do not repeat: several models behind one name, or invented",
            seen,
            Ability.SCORE,
            Ability.LOGPROBS,
        )
    likeliest = heard.rounds("likeliest")
    usual = {place: Counter(_text(one) for one in row).most_common(1)[0] for place, row in likeliest.items()}
    strange = _counted_as_another(
        {(kind, place): row for kind in ("likeliest", "sample") for place, row in heard.rounds(kind).items()}
    )
    if strange:
        seen = f"the prompt of {strange} probes is counted now as theirs, now as that of another probe"
        yield _wrong(heard, "mixes up answers", seen, *EVERYTHING)
    rounds = sum(len(row) for row in likeliest.values())
    differ = rounds - sum(count for _, count in usual.values())
    if rounds and differ / rounds > UNSTEADY and not strange:
        seen = f"{differ} of {rounds} answers at temperature 0 are not the usual one for their probe"
        yield _wrong(
            heard,
            "does not repeat itself: several models behind one name, or no temperature 0",
            seen,
            Ability.ANSWER,
            Ability.SAMPLE,
        )


def _counted_as_another(rounds: Mapping[tuple[str, int], Sequence[Answer | Scored]]) -> int:
    """Count probes whose prompt is counted now so, now as another probe's: the same prompt always has as many tokens."""
    counts = {
        place: {one.prompt_tokens for one in row if one.prompt_tokens is not None} for place, row in rounds.items()
    }
    return sum(
        len(mine) > 1 and any(mine & other for (_, other_place), other in counts.items() if other_place != place)
        for (_, place), mine in counts.items()
    )


def _text(one: Answer | Scored) -> str:
    return one.text if isinstance(one, Answer) else ""


def _gives_back_another_text(heard: Heard) -> Iterable[Conduct]:
    wrong = other = 0
    for query, one in heard.scored:
        shown = "".join(token.text for token in one.tokens)
        wanted = query.continuation or ""
        if wanted not in shown:
            same = "".join(shown.split()) and "".join(shown.split()) in "".join((query.prompt + wanted).split())
            wrong, other = wrong + bool(same), other + (not same)
    if wrong:
        seen = f"{wrong} of {len(heard.scored)} texts to be scored came back with other white space, or cut"
        yield _wrong(heard, "changes white space or cuts the text", seen, Ability.SCORE)
    if other:
        seen = f"{other} of {len(heard.scored)} texts that came back scored are not those that were sent"
        yield _wrong(heard, "mixes up answers", seen, *EVERYTHING)
    unlike = sum(
        bool(one.tokens) and "".join(token.text for token in one.tokens) != one.text for _, one in heard.answers
    )
    if unlike:
        seen = f"in {unlike} of {len(heard.answers)} answers the tokens do not spell the text"
        yield _wrong(heard, "changes white space or cuts the text", seen, Ability.LOGPROBS, Ability.ANSWER)


def _truncates(heard: Heard) -> Iterable[Conduct]:
    ended = [(query, one) for query, one in heard.answers if one.text]
    # Only probes are open-ended: an answer to a test may well be one word each time.
    probed = [(query, one) for query, one in ended if query.test == PROBE]
    lengths = [_length(one) for query, one in probed if one.finish != "length" and _length(one) < query.max_tokens]
    early = sum(
        one.finish == "length" and _length(one) < 0.9 * query.max_tokens for query, one in ended if _length(one)
    )
    if early:
        seen = f"{early} of {len(ended)} answers end for length before the length that was allowed"
        yield _wrong(heard, "truncates", seen, Ability.ANSWER, Ability.SAMPLE)
        return
    usual, count = Counter(lengths).most_common(1)[0] if lengths else (0, 0)
    if count >= 10 and count >= 0.5 * len(probed) and usual:
        seen = f"{count} of {len(probed)} answers to open-ended probes end by themselves after exactly {usual} tokens"
        yield _wrong(heard, "truncates", seen, Ability.ANSWER, Ability.SAMPLE)


def _length(one: Answer) -> int:
    return one.completion_tokens or len(one.tokens)


def _refuses(heard: Heard) -> Iterable[Conduct]:
    said = sum(one.finish == "filter" or one.text.strip().lower().startswith(REFUSALS) for _, one in heard.answers)
    said += sum(one.reason in {"refused", "filtered"} for one in heard.nothing)
    asked = len(heard.answers) + len(heard.nothing) + len(heard.scored)
    if asked and said > MOST_REFUSED * asked:
        yield _wrong(heard, "refuses", f"{said} of {asked} answers are refusals", Ability.ANSWER, Ability.SAMPLE)


def _does_not_vary(heard: Heard) -> Iterable[Conduct]:
    samples = heard.rounds("sample")
    counted = [row for row in samples.values() if len(row) >= 4]
    same = sum(len({_text(one) for one in row}) == 1 for row in counted)
    if counted and same == len(counted):
        drawn = sum(len(row) for row in counted)
        seen = f"{drawn} samples at temperature 1 of {same} prompts are the same for each prompt"
        yield _wrong(heard, "caches, or ignores the temperature", seen, Ability.SAMPLE)


def _hides_a_prompt(heard: Heard) -> Iterable[Conduct]:
    over = [
        one.prompt_tokens - len((query.system + query.prompt + (query.continuation or "")).encode())
        for query, one in heard.everything
        if one.prompt_tokens is not None
    ]
    unseen = [one.prompt_tokens - one.shown_tokens for _, one in heard.scored if one.prompt_tokens is not None]
    most = max((*over, max(unseen, default=0) + TEMPLATE_TOKENS - 2), default=0)
    if most > TEMPLATE_TOKENS:
        seen = f"it counts {max(max(over, default=0), max(unseen, default=0))} tokens more in a prompt than the text that was sent can have"
        yield _wrong(
            heard, "adds a system prompt", seen, Ability.ANSWER, Ability.SAMPLE, Ability.LOGPROBS, Ability.SCORE
        )
    elif not over:
        yield _wrong(heard, "tells no token counts", "a prompt that it adds to each of ours would not be seen")


def _gives_nothing(heard: Heard) -> Iterable[Conduct]:
    for reason, name in (
        ("rate limited", "rate-limits"),
        ("unreachable", "breaks off"),
        ("unreadable", "sends what cannot be read"),
    ):
        number = sum(one.reason == reason for one in heard.nothing)
        if number:
            yield _wrong(heard, name, f"{number} of {len(heard.queries)} queries got no answer in all their tries")
    scored = sum(one.reason == "cannot" for one in heard.nothing)
    if scored:
        seen = f"{scored} texts to be scored came back without log-probabilities"
        yield _wrong(heard, "gives no log-probabilities of given text", seen, Ability.SCORE)
    tokens = [query for query, one in heard.answers if query.top_logprobs and one.text and not one.tokens]
    if tokens:
        seen = f"{len(tokens)} answers came without the log-probabilities that were asked for"
        yield _wrong(heard, "gives no log-probabilities", seen, Ability.LOGPROBS)
    again = sum(max(0, number - 1) for number in heard.requests.values())
    if again:
        yield _wrong(heard, "had to be asked again", f"{again} requests were repeated after an error or a limit")


def _contradicts_itself(heard: Heard) -> Iterable[Conduct]:
    """Find log-probabilities that cannot be."""
    tokens = [token for _, one in heard.everything for token in one.tokens]
    above = sum(token.log_prob is not None and token.log_prob > 1e-6 for token in tokens)
    over = sum(sum(math.exp(min(0.0, one.log_prob)) for one in token.alternatives) > 1.01 for token in tokens)
    odd = sum(_told_twice(token) for token in tokens)
    best = sum(
        token.log_prob is not None and any(one.log_prob > token.log_prob + TOLERANCE for one in token.alternatives)
        for query, answer in heard.answers
        if query.temperature <= 0.0
        for token in answer.tokens
    )
    parts = [
        (above, "are above nought"), (over, "leave more than a whole to their alternatives"),
        (odd, "differ from what the same token gets among its alternatives"),
        (best, "are below those of an alternative at temperature 0"),
    ]  # fmt: skip
    seen = "; ".join(f"{number} of {len(tokens)} {what}" for number, what in parts if number)
    if seen:
        yield _wrong(
            heard, "lies about log-probabilities", f"of the log-probabilities, {seen}", Ability.LOGPROBS, Ability.SCORE
        )


def _told_twice(token: Token) -> bool:
    """Tell whether a token's own log-probability is none of those that it has in the list; parts of a letter look alike and are let be."""
    own = token.log_prob
    listed = [one.log_prob for one in token.alternatives if one.token == token.text]
    if own is None or not listed or "\ufffd" in token.text:
        return False
    return all(abs(one - own) > TOLERANCE for one in listed)


def sampled_log_e(answers: Iterable[Answer]) -> tuple[float, float, int]:
    """Bet, at each token of samples at temperature 1, on whether the one that is called likeliest comes up.

    Args:
        answers: with log-probabilities and alternatives.

    Returns:
        (log e of the mean over all bets, log wealth of the best bet, number of tokens).
    """
    paths = np.zeros(len(_BETS))
    number = 0
    for answer in answers:
        for token in answer.tokens:
            if not token.alternatives:
                continue
            top = max(token.alternatives, key=lambda one: one.log_prob)
            chance = math.exp(min(0.0, top.log_prob))
            paths += np.log1p(np.asarray(_BETS) * (float(token.text == top.token) - chance))
            number += 1
    return mean_log_e([float(one) for one in paths]), float(paths.max()), number


def _is_not_calibrated(heard: Heard) -> Iterable[Conduct]:
    log_e, best, number = sampled_log_e(answer for query, answer in heard.answers if query.temperature == 1.0)
    if number < FEWEST_BETS:
        return
    if log_e < math.log(LIE_E):
        return
    claim = Claim(
        name="log-probabilities of samples", question=Question.ACCESS,
        statement=f"{heard.party}: over {number} tokens of samples at temperature 1, the token that is called likeliest comes up more or less often than it is said to.",
        null_hypothesis="each token of a sample is drawn with the probability that is told for it",
        statistic_name="largest log wealth of a bet", statistic=best, log_p=None, log_e=log_e,
        n=number, n_unit="tokens", assumptions=("samples are drawn at temperature 1 without cutting the tail",),
        method="access-calibration/v1",
    )  # fmt: skip
    yield _wrong(heard, "lies about log-probabilities", claim.statement, Ability.LOGPROBS, Ability.SCORE, claim=claim)


def _scores_by_another(heard: Heard) -> Iterable[Conduct]:
    """Hold the first token of an answer against the same place of a scored text: the same prompt stands before both."""
    raw = {
        int(query.id.split("/")[-2]): one.tokens[0]
        for query, one in heard.answers
        if query.test == PROBE and "likeliest-raw" in query.id and one.tokens
    }
    apart = []
    for query, one in heard.scored:
        place = int(query.id.split("/")[-2]) if query.test == PROBE else -1
        if place in raw and one.tokens:
            told = {other.token: other.log_prob for other in one.tokens[0].alternatives}
            apart += [
                abs(told[other.token] - other.log_prob) for other in raw[place].alternatives if other.token in told
            ]
            if told and not set(told) & {other.token for other in raw[place].alternatives}:
                apart.append(math.inf)
    number = sum(one > 4 * TOLERANCE for one in apart)
    if apart and number > 0.2 * len(apart):
        seen = f"{number} of {len(apart)} log-probabilities after the same prompt differ between its answers and its scores"
        yield _wrong(heard, "scores by another model than it answers with", seen, Ability.SCORE, Ability.LOGPROBS)


def _rounds(heard: Heard) -> Iterable[Conduct]:
    values = [token.log_prob for _, one in heard.everything for token in one.tokens if token.log_prob]
    for digits in (0, 1, 2):
        if len(values) >= 50 and all(abs(value - round(value, digits)) < 1e-9 for value in values):
            seen = f"all {len(values)} log-probabilities have at most {digits} decimals: ties, and less power"
            spoils = (Ability.SCORE, Ability.LOGPROBS) if digits == 0 else ()
            yield _wrong(heard, "rounds log-probabilities", seen, *spoils)
            return


Check = Callable[[Heard], Iterable[Conduct]]
CHECKS: tuple[Check, ...] = (
    _names_another_model, _drifts, _does_not_repeat, _gives_back_another_text, _truncates, _refuses, _does_not_vary,
    _hides_a_prompt, _gives_nothing, _contradicts_itself, _is_not_calibrated, _scores_by_another, _rounds,
)  # fmt: skip
"""Each gives what it finds; the order is that of the report."""
