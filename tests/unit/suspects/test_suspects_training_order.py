"""Training order and tracking: a model that was trained in a known order, an endpoint that changes, and the planned tests."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from observing import concluded, prompt_file, refused, said, scored_token, setting_of
from scipy import stats

from stillwatch.records.claim import Claim, Inconclusive
from stillwatch.records.suspect import Alternative, ControlRole, Observation, Query, Scored, Token
from stillwatch.statistics.conformal import sequential_ranks
from stillwatch.statistics.errors import TooLittleDataError
from stillwatch.suspects.endpoint_tracking import EndpointTracking
from stillwatch.suspects.errors import MaterialError
from stillwatch.suspects.logprob_tracking import restarted_log_e_path, track
from stillwatch.suspects.order_memory import OrderMemory
from stillwatch.suspects.training_order import order_kept


def losses(slope: float, number: int = 200, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(2.0, 0.3, number) - slope * np.arange(number) / number


def test_the_correlation_is_spearmans() -> None:
    values = losses(0.2)
    found = order_kept(values, np.zeros(200), permutations=99, rng=np.random.default_rng(0))
    assert found.correlation == pytest.approx(stats.spearmanr(np.arange(200), values).statistic)


def test_an_order_that_is_remembered_is_found_and_the_wrong_way_is_not() -> None:
    for slope, found in ((0.6, True), (0.0, False), (-0.6, False)):
        kept = order_kept(losses(slope), np.zeros(200), permutations=999, rng=np.random.default_rng(0))
        assert (kept.log_p == pytest.approx(math.log(1 / 1000))) is found
        assert bool(kept.log_e_path[-1] > math.log(20)) is found


def test_a_reference_takes_noise_away() -> None:
    noise = np.random.default_rng(1).normal(0.0, 2.0, 200)
    alone = order_kept(losses(0.6) + noise, np.zeros(200), permutations=999, rng=np.random.default_rng(0))
    beside = order_kept(losses(0.6) + noise, noise, permutations=999, rng=np.random.default_rng(0))
    assert beside.log_p < alone.log_p


def test_ties_all_equal_say_nothing() -> None:
    kept = order_kept(np.ones(50), np.zeros(50), permutations=99, rng=np.random.default_rng(0))
    assert kept.log_p == 0.0
    assert kept.correlation == 0.0


def test_lists_of_other_length_and_too_few_are_refused() -> None:
    with pytest.raises(MaterialError, match="got 40 reference losses for 50 examples"):
        order_kept(np.ones(50), np.ones(40), permutations=99, rng=np.random.default_rng(0))
    with pytest.raises(TooLittleDataError):
        order_kept(np.ones(10), np.ones(10), permutations=99, rng=np.random.default_rng(0))


def test_sequential_ranks_are_ranks_among_those_before() -> None:
    values = [3.0, 1.0, 2.0, 2.0]
    ranks = sequential_ranks(values, np.random.default_rng(0))
    for place, rank in enumerate(ranks):
        before = values[:place]
        below = sum(one < values[place] for one in before)
        equal = sum(one == values[place] for one in before) + 1
        assert below / (place + 1) < rank <= (below + equal) / (place + 1)


def test_a_restart_holds_its_share_back() -> None:
    """While nothing is staked the capital is 1, and a late run of small ranks counts from where it begins."""
    assert restarted_log_e_path([0.5])[0] == pytest.approx(
        math.log(0.5 * np.mean([e * 0.5 ** (e - 1) for e in np.arange(1, 20) / 20]) + 0.5)
    )
    quiet, late = np.full(100, 0.9), np.full(15, 0.01)
    path = restarted_log_e_path([*quiet, *late])
    assert path[99] < 0.1
    assert path[-1] > math.log(1_000)


def test_a_change_of_an_endpoint_is_found_soon_and_noise_is_not() -> None:
    rng = np.random.default_rng(3)
    rounds = rng.normal(-2.0, 0.02, size=(60, 12))
    quiet = track(rounds, np.random.default_rng(0))
    rounds[40:] += 0.1
    changed = track(rounds, np.random.default_rng(0))
    assert quiet.log_e_path.max() < math.log(20)
    assert changed.log_e_path[35 + 15 - 1] > math.log(20)
    assert len(quiet.strangeness) == 55


def test_too_few_rounds_are_refused() -> None:
    with pytest.raises(TooLittleDataError, match="got 19 rounds"):
        track(np.zeros((19, 3)), np.random.default_rng(0))


class TestOrderPlanned:
    """The palimpsest as a plan runs it."""

    def run(self, folder: Path, slope: float, *, dead: bool = False):
        own = {"suspect": losses(slope), "base": losses(0.0, seed=1)}

        def reply(query: Query) -> Observation:
            if dead:
                return refused(query)
            loss = own[query.party][int(query.id.rsplit("/", 1)[1])]
            tokens = (scored_token("a", None), scored_token("b", -loss), scored_token("c", -loss))
            return Scored(query_id=query.id, tokens=tokens, prompt_tokens=3, shown_tokens=3, model="m", answered_us=0)

        materials = {"examples": prompt_file(folder, [f"text {number}" for number in range(200)], "examples.jsonl")}
        setting = setting_of(
            OrderMemory(),
            parameters={"permutations": 999},
            materials=materials,
            controls={"base": ControlRole.NEGATIVE},
        )
        return concluded(OrderMemory(), setting, reply)

    def test_a_copy_of_our_run(self, tmp_path: Path) -> None:
        found = self.run(tmp_path, 1.0)
        claim = found.stated[0].claim
        assert isinstance(claim, Claim)
        assert claim.log_p == pytest.approx(math.log(1 / 1000))
        assert claim.log_e > math.log(20)
        assert found.stated[0].effect.high < -0.3
        assert found.controls[0].as_expected

    def test_an_independent_model(self, tmp_path: Path) -> None:
        assert self.run(tmp_path, 0.0).stated[0].claim.log_p > math.log(0.05)

    def test_without_scores(self, tmp_path: Path) -> None:
        assert isinstance(self.run(tmp_path, 1.0, dead=True).stated[0].claim, Inconclusive)


class TestTrackingPlanned:
    """The tracking as a plan runs it."""

    def run(self, folder: Path, *, changes: bool, tokens: bool = True, **parameters: object):
        rng = np.random.default_rng(5)

        def reply(query: Query) -> Observation:
            number = int(query.id.split("/")[2])
            moved = 0.4 if changes and query.party == "suspect" and number >= 30 else 0.0
            value = -0.5 - moved + float(rng.normal(0.0, 0.01))
            other = tuple(Alternative(token=token, log_prob=of) for token, of in (("x", -0.4), ("y", value)))
            said_tokens = (Token(text="x" if moved else "y", log_prob=-0.4 if moved else value, alternatives=other),)
            return said(query, "y", tokens=said_tokens if tokens else ())

        materials = {"prompts": prompt_file(folder, [f"prompt {number}" for number in range(8)])}
        setting = setting_of(
            EndpointTracking(), parameters=parameters, materials=materials, controls={"own host": ControlRole.OWN}
        )
        return concluded(EndpointTracking(), setting, reply)

    @pytest.mark.parametrize("changes", [True, False])
    def test_a_change_speaks_against_serving_our_model(self, tmp_path: Path, *, changes: bool) -> None:
        found = self.run(tmp_path, changes=changes)
        assert isinstance(found.stated[0].claim, Claim)
        assert found.stated[0].against
        assert (found.stated[0].claim.log_p < math.log(0.01)) is changes
        assert found.controls[0].as_expected

    def test_without_log_probabilities(self, tmp_path: Path) -> None:
        assert isinstance(self.run(tmp_path, changes=False, tokens=False).stated[0].claim, Inconclusive)
