"""The served-transcript test: what it asks, what it states, and when it states nothing."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from stillwatch.records.claim import Claim, Inconclusive, Question
from stillwatch.records.suspect import ControlRole, Observation, Party, PlannedTest, Scored, Token, Unanswered
from stillwatch.statistics.intervals import binomial_acceptance
from stillwatch.suspects.errors import MaterialError, PlanError
from stillwatch.suspects.served_transcript import ServedTranscript
from stillwatch.suspects.test import Setting

TEST = ServedTranscript()
UNSEEN = 4
BASE = Party(name="base", kind="weights", settings={}, role=ControlRole.NEGATIVE, included_because="its base model")
TAUGHT = Party(name="taught", kind="weights", settings={}, role=ControlRole.POSITIVE, included_because="we trained it")


def rows(accounts: Mapping[str, int], seed: int = 1, **changes: object) -> list[dict[str, object]]:
    """Exchanges with texts of random lengths, served and unseen alike, and scores of our own model."""
    rng = np.random.default_rng(seed)
    return [
        {
            "exchange_id": f"{account}-{number:03d}",
            "account": account,
            "prompt": f"prompt {account} {number}",
            "served": "s" * int(rng.integers(5, 60)),
            "unseen": ["u" * int(rng.integers(5, 60)) for _ in range(UNSEEN)],
            "exchangeable": True,
            "own_scores": rng.normal(-2, 0.5, UNSEEN + 1).tolist(),
            **changes,
        }
        for account, count in accounts.items()
        for number in range(count)
    ]


def setting_of(
    folder: Path, lines: list[dict[str, object]], *controls: Party, seed: int = 7, **parameters: object
) -> Setting:
    path = folder / "transcripts.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    planned = PlannedTest(id="t4", method=TEST.method, parameters=parameters, materials=("transcripts",))
    return Setting(planned=planned, materials={"transcripts": path}, controls=controls, alpha=0.05, seed=seed)


def observe(setting: Setting, lifts: Mapping[tuple[str, str], float], seed: int = 3) -> dict[str, Observation]:
    """Score every query: an answer is as likely as it is, and a served one likelier by the lift of (party, account)."""
    rng = np.random.default_rng(seed)
    easy: dict[tuple[str, str], float] = {}
    observed: dict[str, Observation] = {}
    for query in TEST.prepare(setting):
        _, party, exchange, place = query.id.split("/")
        text = easy.setdefault((exchange, place), float(rng.normal(-2, 0.3)))
        lift = lifts.get((party, exchange.split("-")[0]), 0.0) if place == "0" else 0.0
        value = text + float(rng.normal(0, 0.1)) + lift
        observed[query.id] = Scored(
            query_id=query.id, tokens=tuple(Token(text="x", log_prob=value) for _ in range(5)), prompt_tokens=9,
            shown_tokens=9, model="m", answered_us=1,
        )  # fmt: skip
    return observed


def claims(result, question: Question) -> list[Claim]:
    return [one.claim for one in result.stated if isinstance(one.claim, Claim) and one.claim.question is question]


def only_inconclusive(result) -> Inconclusive:
    assert result.stated
    assert all(isinstance(one.claim, Inconclusive) for one in result.stated)
    return result.stated[0].claim


def test_queries_are_the_same_each_time_and_ask_for_every_answer_in_random_order(tmp_path: Path):
    setting = setting_of(tmp_path, rows({"a": 30, "b": 10}), BASE, control_accounts=["b"])
    queries = list(TEST.prepare(setting))
    assert queries == list(TEST.prepare(setting))
    assert len({query.id for query in queries}) == len(queries) == (30 * 2 + 10) * (UNSEEN + 1)
    firsts = [query.id for query in queries if query.party == "suspect"][:: UNSEEN + 1]
    assert len({name.rsplit("/", 1)[1] for name in firsts}) == UNSEEN + 1  # the served answer has no place of its own
    exchanges = [name.split("/")[2] for name in firsts]
    assert exchanges != sorted(exchanges)
    assert next(iter(TEST.prepare(setting_of(tmp_path, rows({"a": 30, "b": 10}), BASE, seed=8)))) != queries[0]
    assert all(query.continuation and query.prompt not in query.id for query in queries)


def test_a_suspect_that_knows_one_accounts_answers_is_found_for_that_account(tmp_path: Path):
    setting = setting_of(tmp_path, rows({"a": 60, "b": 60, "c": 60}), BASE)
    result = TEST.conclude(setting, observe(setting, {("suspect", "b"): 0.4}))
    (pooled,) = claims(result, Question.TRAINED_ON_OUTPUTS)
    assert pooled.log_p < math.log(1e-3)
    by_account = {one.account: one.claim for one in result.stated if one.account}
    assert by_account["b"].log_p < math.log(1e-9)
    assert by_account["b"].log_e > math.log(1_000)
    assert "selected at 0.05 by Holm and e-BH" in by_account["b"].statement
    for other in ("a", "c"):
        assert "is not selected at 0.05" in by_account[other].statement
    effect = next(one.effect for one in result.stated if one.account == "b")
    assert 0 < effect.low < effect.value < effect.high <= 0.5
    assert all(control.as_expected for control in result.controls)
    assert result.power is not None
    assert "the most there can be" in result.power.statement


def test_nothing_is_found_as_often_as_the_level_says(tmp_path: Path):
    runs, alpha = 60, 0.05
    lines = rows({"a": 25})
    found = evidence = 0
    for seed in range(runs):
        setting = setting_of(tmp_path, lines, seed=seed, gate_level=1e-6)
        (claim,) = claims(TEST.conclude(setting, observe(setting, {}, seed)), Question.TRAINED_ON_OUTPUTS)
        found += claim.log_p <= math.log(alpha)
        evidence += claim.log_e >= -math.log(alpha)
    low, high = binomial_acceptance(runs, alpha, 1e-6)
    assert low <= found <= high
    assert evidence <= high


def test_our_own_models_scores_make_small_lifts_visible(tmp_path: Path):
    lines = rows({"a": 80})
    setting = setting_of(tmp_path, lines)
    observed = observe(setting, {("suspect", "a"): 0.1})
    own: dict[tuple[str, str], float] = {}
    for name, one in observed.items():
        _, _, exchange, place = name.split("/")
        own[exchange, place] = one.mean_log_prob - (0.1 if place == "0" else 0.0)
    rng = np.random.default_rng(9)
    for line in lines:
        line["own_scores"] = [own[line["exchange_id"], str(place)] + rng.normal(0, 0.1) for place in range(UNSEEN + 1)]
    alone = TEST.conclude(setting_of(tmp_path, lines), observed)
    referred = TEST.conclude(setting_of(tmp_path, lines, reference="own scores"), observed)
    (without,), (with_,) = (claims(one, Question.TRAINED_ON_OUTPUTS) for one in (alone, referred))
    assert with_.log_p < without.log_p - 3
    assert "without a reference" in {one.change for one in referred.sensitivity}


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ("served answers are longer", "lengths of served answers"),
        ("served answers were likelier to us", "own scores of served answers"),
        ("a control knows the served answers", "base"),
        ("unseen answers are unlike each other", "unseen answers taken for served ones"),
    ],
)
def test_nothing_is_stated_where_served_and_unseen_answers_may_differ(tmp_path: Path, change: str, named: str):
    lines, lifts = rows({"a": 60}), {("suspect", "a"): 0.5}
    if change == "served answers are longer":
        for line in lines:
            line["served"] += "s" * 30
    if change == "served answers were likelier to us":
        for line in lines:
            line["own_scores"][0] += 0.8
    if change == "a control knows the served answers":
        lifts["base", "a"] = 0.5
    setting = setting_of(tmp_path, lines, BASE)
    observed = observe(setting, lifts)
    if change == "unseen answers are unlike each other":
        for name in [name for name in observed if name.startswith("t4/suspect/") and name.endswith("/1")]:
            observed[name] = Scored(
                query_id=name,
                tokens=(Token(text="x", log_prob=-0.5),),
                prompt_tokens=1,
                shown_tokens=1,
                model="m",
                answered_us=1,
            )
    result = TEST.conclude(setting, observed)
    missing = only_inconclusive(result)
    assert named in missing.reason
    assert "same snapshot, system prompt, decoding and filters" in missing.needed
    assert {one.name for one in result.controls if not one.as_expected} >= {
        one.name for one in result.controls if named in one.name
    }


def test_a_run_may_stop_as_soon_as_the_evidence_is_there(tmp_path: Path):
    setting = setting_of(tmp_path, rows({"a": 200}), stop_at=1_000)
    observed = observe(setting, {("suspect", "a"): 0.4})
    so_far: dict[str, Observation] = {}
    for query in TEST.prepare(setting):
        so_far[query.id] = observed[query.id]
        if len(so_far) % (10 * (UNSEEN + 1)) == 0 and TEST.enough(setting, so_far):
            break
    assert len(so_far) < len(observed) / 2
    (claim,) = claims(TEST.conclude(setting, so_far), Question.TRAINED_ON_OUTPUTS)
    assert claim.n == len(so_far) / (UNSEEN + 1)
    assert claim.log_p <= -math.log(1_000)
    assert (
        claim.log_p >= -claim.log_e - 20
    )  # by Ville, from the evidence itself: the count's law does not allow stopping
    assert not TEST.enough(setting_of(tmp_path, rows({"a": 200})), observed)


def test_exchanges_that_lack_scores_make_it_inconclusive(tmp_path: Path):
    setting = setting_of(tmp_path, rows({"a": 60}))
    observed = observe(setting, {("suspect", "a"): 0.5})
    for name in [name for name in observed if name.endswith("/0")][:6]:
        observed[name] = Unanswered(query_id=name, reason="filtered", detail="", answered_us=1)
    assert "6 lack a score" in only_inconclusive(TEST.conclude(setting, observed)).reason
    few = {name: one for name, one in observed.items() if name.split("/")[2] < "a-010"}
    assert "exchanges were scored" in only_inconclusive(TEST.conclude(setting, few)).reason


def test_an_account_with_few_exchanges_is_inconclusive_while_all_together_are_not(tmp_path: Path):
    setting = setting_of(tmp_path, rows({"a": 60, "b": 8}))
    result = TEST.conclude(setting, observe(setting, {}))
    by_account = {one.account: one.claim for one in result.stated}
    assert isinstance(by_account["b"], Inconclusive)
    assert isinstance(by_account["a"], Claim)
    assert isinstance(by_account[None], Claim)


def test_answers_of_unsuspected_accounts_that_it_knows_are_the_first_innocent_explanation(tmp_path: Path):
    setting = setting_of(tmp_path, rows({"a": 60, "b": 60}), control_accounts=["b"])
    clean = TEST.conclude(setting, observe(setting, {("suspect", "a"): 0.5}))
    leaked = TEST.conclude(setting, observe(setting, {("suspect", "a"): 0.5, ("suspect", "b"): 0.5}))
    assert "published" in clean.innocent[0]
    assert "leaked together" in leaked.innocent[0]
    assert [one.as_expected for one in leaked.controls if "served to b" in one.name] == [False]
    assert {one.account for one in leaked.stated} == {None, "a"}


def test_a_positive_control_is_to_be_found_and_gives_the_power(tmp_path: Path):
    setting = setting_of(tmp_path, rows({"a": 60}), TAUGHT)
    found = TEST.conclude(setting, observe(setting, {("taught", "a"): 0.4}))
    missed = TEST.conclude(setting, observe(setting, {}))
    assert [one.as_expected for one in found.controls if one.name == "taught"] == [True]
    assert [one.as_expected for one in missed.controls if one.name == "taught"] == [False]
    assert "as well as the positive control does" in found.power.statement
    chances = [chance for _, chance in found.power.curve]
    assert chances[-1] > 0.95
    assert chances[0] < 0.3


def test_what_may_not_be_compared_is_left_out_and_counted(tmp_path: Path):
    lines = rows({"a": 60})
    lines[0]["exchangeable"] = False
    lines[1]["unseen"] = lines[1]["unseen"][:3]
    lines[1]["own_scores"] = lines[1]["own_scores"][:4]
    lines[2]["unseen"] = ["", *lines[2]["unseen"][1:]]
    lines[4] |= {"prompt": lines[3]["prompt"], "served": lines[3]["served"]}
    setting = setting_of(tmp_path, lines)
    result = TEST.conclude(setting, observe(setting, {}))
    (claim,) = claims(result, Question.TRAINED_ON_OUTPUTS)
    assert claim.n == 56
    assert (
        "Left out: 1 were not drawn like their unseen answers; 2 have too few unseen answers or an empty one; "
        "1 repeat a prompt with its answer." in claim.statement
    )


def test_ranks_do_not_depend_on_what_came_back_first(tmp_path: Path):
    setting = setting_of(tmp_path, rows({"a": 40}))
    observed = observe(setting, {})
    backwards = dict(reversed(observed.items()))
    assert TEST.conclude(setting, observed) == TEST.conclude(setting, backwards)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "is no JSON"),
        ("[]", "got list, expected an object"),
        ({"exchangeable": None}, "got exchangeable of kind NoneType, expected bool"),
        ({"unseen": "text"}, "expected unseen to be a list of texts"),
        ({"own_scores": [1.0]}, "got 1 own_scores for 5 answers"),
        ({"own_scores": ["x"] * 5}, "list of finite numbers"),
        ({"exchange_id": "a-000"}, "stands in the file twice"),
    ],
)
def test_lines_that_hold_something_else_are_refused_without_their_text(tmp_path: Path, line, message: str):
    lines = rows({"a": 2})
    text = json.dumps(lines[0]) + "\n" + (line if isinstance(line, str) else json.dumps(lines[1] | line)) + "\n"
    setting = setting_of(tmp_path, lines)
    setting.materials["transcripts"].write_text(text, encoding="utf-8")
    with pytest.raises(MaterialError, match=message) as refused:
        list(TEST.prepare(setting))
    assert "jsonl:2" in str(refused.value)
    assert "uuu" not in str(refused.value)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"stop": 20}, "got the parameter 'stop', expected one of accounts"),
        ({"least_unseen": 1}, "expected a whole number from 2 to 1000"),
        ({"gate_level": 2}, "expected a number from 1e-06 to 0.1"),
        ({"accounts": "a"}, "expected a list of texts"),
        ({"reference": "gpt"}, "got reference 'gpt', expected 'own scores' or a control"),
        ({"accounts": ["a"], "control_accounts": ["a"]}, "1 accounts are suspected and controls"),
        ({"material": "other"}, "got no material 'other'"),
    ],
)
def test_parameters_that_cannot_be_used_are_refused(tmp_path: Path, parameters: dict[str, object], message: str):
    with pytest.raises(PlanError, match=message):
        list(TEST.prepare(setting_of(tmp_path, rows({"a": 3}), **parameters)))


def test_a_reference_that_is_not_there_is_refused(tmp_path: Path):
    with pytest.raises(MaterialError, match="some exchanges have no own_scores"):
        list(TEST.prepare(setting_of(tmp_path, rows({"a": 3}, own_scores=[]), reference="own scores")))
