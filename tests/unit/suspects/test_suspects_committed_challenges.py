"""Committed secret challenges: reading a choice, counting hits, controls, stopping, and what is refused."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from stillwatch.integrity.challenges import commit_slots, commit_targets, material_of
from stillwatch.records.challenge import ChallengeMaterial, ChallengeSlot
from stillwatch.records.claim import Claim, Inconclusive, Question
from stillwatch.records.suspect import Answer, ControlRole, Observation, Party, PlannedTest, Unanswered
from stillwatch.statistics.intervals import binomial_acceptance
from stillwatch.suspects.committed_challenges import CommittedChallenges, choice_of, material_document
from stillwatch.suspects.errors import MaterialError, PlanError
from stillwatch.suspects.test import Setting

TEST = CommittedChallenges()
KEY = bytes(range(32))
NAMES = tuple(f"Name{index}" for index in range(16))
BASE = Party(name="base", kind="weights", settings={}, role=ControlRole.NEGATIVE, included_because="its base model")


def make(count: int = 60, audience: str = "account-7", beacon: str = "", key: bytes = KEY) -> ChallengeMaterial:
    slots = [ChallengeSlot(slot_id=f"s{n:03d}", context=f"Name cat {n}.", answers=NAMES) for n in range(count)]
    commitment = commit_slots("c", slots, key, counter_arms=3)
    return material_of(commitment, commit_targets(commitment, slots, key, audience=audience, beacon=beacon), slots, key)


def setting_of(
    folder: Path, challenges: ChallengeMaterial, *controls: Party, seed: int = 7, **parameters: object
) -> Setting:
    path = folder / "challenges.json"
    path.write_text(json.dumps(material_document(challenges)), encoding="utf-8")
    planned = PlannedTest(id="t3", method=TEST.method, parameters=parameters, materials=("challenges",))
    return Setting(planned=planned, materials={"challenges": path}, controls=controls, alpha=0.05, seed=seed)


def observe(
    setting: Setting, material: ChallengeMaterial, known: dict[tuple[str, int], float], seed: int = 3
) -> dict[str, Observation]:
    """Reply at random, but by the key of an arm where the party knows a slot: a share of them, by (party, arm)."""
    rng = np.random.default_rng(seed)
    places = {slot.slot_id: place for place, slot in enumerate(material.slots)}
    observed: dict[str, Observation] = {}
    for query in TEST.prepare(setting):
        _, party, slot = query.id.split("/")
        choice = int(rng.integers(16))
        for (who, arm), share in known.items():
            if who == party and rng.random() < share:
                choice = material.target(places[slot], arm)
        observed[query.id] = Answer(
            query_id=query.id, text=f"Let us say {NAMES[choice]}.", finish="stop", prompt_tokens=1, completion_tokens=1,
            tokens=(), model="m", answered_us=1,
        )  # fmt: skip
    return observed


def test_a_choice_is_the_first_answer_said_as_whole_words():
    slot = ChallengeSlot(slot_id="s", context="c", answers=("red", "Red Fox", "blue", *(f"n{i}" for i in range(13))))
    assert choice_of("RED, not blue", slot) == 0
    assert choice_of("the red  fox it is", slot) == 1
    assert choice_of("blueish, then blue", slot) == 2
    assert choice_of("reddish", slot) is None
    assert choice_of("", slot) is None


def test_a_suspect_that_knows_a_third_of_the_slots_is_found(tmp_path: Path):
    material = make()
    setting = setting_of(tmp_path, material, BASE)
    result = TEST.conclude(setting, observe(setting, material, {("suspect", 0): 0.35}))
    (stated,) = result.stated
    claim = stated.claim
    assert isinstance(claim, Claim)
    assert claim.question is Question.TRAINED_ON_ACCOUNT
    assert stated.account == "account-7"
    assert claim.log_p < math.log(1e-6)
    assert claim.log_e > math.log(1_000)
    assert stated.effect.low < 0.35 < stated.effect.high
    assert [one.name for one in result.controls] == ["counter-key 1", "counter-key 2", "counter-key 3", "base"]
    assert all(one.as_expected for one in result.controls)
    assert "there is no beacon" in claim.assumptions[-1]
    assert [share for share, _ in result.power.curve] == sorted(share for share, _ in result.power.curve)
    assert result.power.curve[-1][1] == pytest.approx(1.0)


def test_a_suspect_that_knows_nothing_is_found_as_seldom_as_the_level_says(tmp_path: Path):
    material, runs = make(40, beacon="ab"), 80
    found = evidence = 0
    for seed in range(runs):
        setting = setting_of(tmp_path, material, seed=seed)
        (stated,) = TEST.conclude(setting, observe(setting, material, {}, seed)).stated
        assert isinstance(stated.claim, Claim)
        found += stated.claim.log_p <= math.log(0.05)
        evidence += stated.claim.log_e >= math.log(20)
    _, high = binomial_acceptance(runs, 0.05, 1e-6)
    assert found <= high
    assert evidence <= high


def test_targets_that_anybody_hits_make_it_void(tmp_path: Path):
    material = make()
    for known, named in (({("suspect", 0): 0.5, ("base", 0): 0.5}, "base"), ({("suspect", 2): 0.5}, "counter-key 2")):
        setting = setting_of(tmp_path, material, BASE)
        (stated,) = TEST.conclude(setting, observe(setting, material, known)).stated
        assert isinstance(stated.claim, Inconclusive)
        assert stated.claim.reason.startswith(f"{named} was hit more often than chance allows")


def test_a_run_may_stop_when_the_evidence_is_there(tmp_path: Path):
    material = make(200)
    setting = setting_of(tmp_path, material, stop_at=100)
    observed = observe(setting, material, {("suspect", 0): 0.5})
    so_far: dict[str, Observation] = {}
    for query in TEST.prepare(setting):
        so_far[query.id] = observed[query.id]
        if TEST.enough(setting, so_far):
            break
    assert 20 <= len(so_far) < 100
    (stated,) = TEST.conclude(setting, so_far).stated
    assert stated.claim.n == len(so_far)
    assert stated.claim.log_p <= -math.log(100)
    assert not TEST.enough(setting_of(tmp_path, material), observed)


def test_refusals_count_against_it_and_lost_queries_do_not_count(tmp_path: Path):
    material = make(60)
    setting = setting_of(tmp_path, material)
    observed = observe(setting, material, {("suspect", 0): 1.0})
    for number, name in enumerate(sorted(observed)):
        if number < 10:
            observed[name] = Unanswered(query_id=name, reason="refused", detail="", answered_us=1)
        elif number < 15:
            observed[name] = Unanswered(query_id=name, reason="unreachable", detail="503", answered_us=1)
    (stated,) = TEST.conclude(setting, observed).stated
    assert stated.claim.statement == (
        "45 of 55 committed targets were hit, 3.4 expected by chance (10 replies named none of the answers, 5 were lost)."
    )
    few = {name: observed[name] for name in sorted(observed)[20:30]}
    (stated,) = TEST.conclude(setting, few).stated
    assert (stated.claim.reason, stated.claim.needed) == ("10 slots were answered", "at least 20")


def test_only_the_slots_that_were_served_are_asked_and_the_model_itself_may_be_the_audience(tmp_path: Path):
    material = make(30, audience="")
    setting = setting_of(
        tmp_path, material, question="weights derived", slots=["s003", "s009"], instruction="One word.", max_tokens=4
    )
    queries = list(TEST.prepare(setting))
    assert {query.id for query in queries} == {"t3/suspect/s003", "t3/suspect/s009"}
    assert all(query.prompt.endswith("\nOne word.") and query.max_tokens == 4 for query in queries)
    assert queries == list(TEST.prepare(setting))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"slots": ["s999"]}, "got 1 slots that are not in the committed set"),
        ({"question": "is it ours"}, "got no question, expected one of serves our model"),
        ({"material": "nothing"}, "got no material 'nothing'"),
        ({"max_tokens": 0}, "expected a whole number from 1 to 4096"),
        ({"tokens": 1}, "got the parameter 'tokens'"),
    ],
)
def test_plans_that_cannot_be_used_are_refused(tmp_path: Path, parameters: dict[str, object], message: str):
    with pytest.raises(PlanError, match=message):
        list(TEST.prepare(setting_of(tmp_path, make(), **parameters)))
    with pytest.raises(PlanError, match="the targets are of no account"):
        list(TEST.prepare(setting_of(tmp_path, make(audience=""), question="trained on this account's outputs")))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d["slots"][3].update(context="Name dog 3."), "slots with root"),
        (lambda d: d["leaves"][4].update(target=(d["leaves"][4]["target"] + 1) % 16), "targets with root"),
        (lambda d: d["leaves"][4].update(target=16), "a target is no answer of its slot"),
        (lambda d: d["leaves"].pop(), "not one for each slot and arm"),
        (lambda d: d["slot_salts"].pop(), "got 59 slots"),
        (lambda d: d["targets"].update(slots_root="00"), "do not rest on the commitment"),
        (lambda d: d.pop("leaves"), r"holds no challenges \(KeyError\)"),
        (lambda d: d["slots"][0].update(answers=["a"]), r"holds no challenges \(ValueError\)"),
    ],
)
def test_material_that_is_not_what_was_committed_to_is_refused(tmp_path: Path, change, message: str):
    setting = setting_of(tmp_path, make())
    document = json.loads(setting.materials["challenges"].read_text(encoding="utf-8"))
    change(document)
    setting.materials["challenges"].write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(MaterialError, match=message):
        list(TEST.prepare(setting))
