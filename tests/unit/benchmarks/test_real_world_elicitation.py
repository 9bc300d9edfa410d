from __future__ import annotations

import numpy as np
import pytest
from benchmarks.real_world.elicitation import is_judge, judge_request, question_request
from benchmarks.real_world.sources import ElicitationTemplate, JudgeItem
from benchmarks.real_world.wording import french_scaffold, injected_text, retype, scaffold

ITEM = JudgeItem(instruction="Add {x} and {y}.", first="answer one {question}", second="answer two")


def _template(family: str, text: str) -> ElicitationTemplate:
    return ElicitationTemplate(family=family, name=f"{family}#0", text=text)


def test_judge_slots_are_filled_literally():
    template = _template("pairwise_judge", "<|im_start|>user\n{instruction} / {output_1} / {output_2}<|im_end|>")
    assert judge_request(template, ITEM) == "Add {x} and {y}. / answer one {question} / answer two"


@pytest.mark.parametrize(
    ("family", "text", "fits"),
    [
        ("llm_judge", "{question} {answer}", True),
        ("llm_judge", "{question_1} {answer_1} {question} {answer}", False),
        ("pairwise_judge", "{instruction} {output_1} {output_2} {instruction}", False),
        ("few_shot_cot", "{question} {answer}", False),
    ],
)
def test_only_templates_for_one_item_are_judges(family, text, fits):
    assert is_judge(_template(family, text)) is fits


def test_question_templates_carry_the_question():
    rng = np.random.default_rng(1)
    depth = question_request(_template("evol_instruct", "Use {} on #Rewritten Prompt#"), "Why {}?", (), rng)
    assert "Why {}?" in depth
    assert "Use {}" not in depth
    chain = question_request(_template("few_shot_cot", "Q: a\nA: b"), "2+2?", (), rng)
    assert chain.endswith("Q: 2+2?\nA: Let's think step by step.")
    bootstrap = question_request(
        _template("self_instruct_bootstrap", "Rules\nList of 20 tasks:"), "x", ("one", "two"), rng
    )
    assert bootstrap.endswith("###\n1. Instruction: one\n###\n2. Instruction: two\n###\n3. Instruction:")


@pytest.mark.parametrize("half", [0, 1])
def test_real_templates_leave_no_slot_open(both, half):
    sources = both[half]
    judges = [template for template in sources.templates if is_judge(template)]
    assert judges
    plain = JudgeItem(instruction="INSTRUCTION", first="FIRST", second="SECOND")
    for template in judges:
        text = judge_request(template, plain)
        assert "INSTRUCTION" in text
        assert "FIRST" in text
        assert not any(slot in text for slot in ("{question}", "{instruction}", "{answer", "{output_"))
        assert "<|im_start|>" not in text


def test_scaffolds_hold_one_question_and_many_wordings():
    rng = np.random.default_rng(2)
    drawn = {scaffold("report", rng) for _ in range(300)}
    assert len(drawn) > 200
    assert all(text.count("{question}") == 1 for text in drawn)
    assert all(french_scaffold("report", rng).count("{question}") == 1 for _ in range(20))
    assert len({injected_text("development", rng) for _ in range(200)}) == 27


def test_retyping_keeps_most_of_the_text():
    rng = np.random.default_rng(3)
    text = "How do I sort a list of tuples by the second element in Python?"
    versions = {retype(text, rng) for _ in range(200)}
    assert len(versions) > 50
    assert all("tuples" in version or abs(len(version) - len(text)) < 40 for version in versions)
