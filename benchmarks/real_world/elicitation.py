"""Real elicitation templates, filled.

Takes a template, questions and a source of chance. Gives the request that a harvest with that template sends. Slots are
replaced literally: questions are data and may hold braces.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from benchmarks.real_world import wording
from benchmarks.real_world.sources import ElicitationTemplate, JudgeItem

_JUDGE_SLOTS = (
    (("{question}", "{answer_a}", "{answer_b}"), ("{question_1}", "{ref_answer_1}")),
    (("{question}", "{answer}"), ("{question_1}", "{ref_answer_1}")),
    (("{instruction}", "{output_1}", "{output_2}"), ()),
)
"""(slots that must be there, slots that must not)."""
_CHAT_MARKS = ("<|im_start|>system\n", "<|im_start|>user\n", "<|im_end|>", "<|endofprompt|>", "<|prompter|>",
               "<|endoftext|>", "<|assistant|>", "<|im_start|>assistant")  # fmt: skip


def is_judge(template: ElicitationTemplate) -> bool:
    """Tell whether the template compares or grades answers and takes exactly one judge item.

    Files that batch several items or hold a conversation of two questions are left out.
    """
    return template.family in {"llm_judge", "pairwise_judge"} and any(
        all(template.text.count(slot) == 1 for slot in needed) and not any(slot in template.text for slot in refused)
        for needed, refused in _JUDGE_SLOTS
    )


def judge_request(template: ElicitationTemplate, item: JudgeItem) -> str:
    """Return the template with an instruction and the answers to it; chat marks, which a client would not send, cut."""
    text = template.text
    for mark in _CHAT_MARKS:
        text = text.replace(mark, "")
    for slot, value in (
        ("{question}", item.instruction),
        ("{instruction}", item.instruction),
        ("{answer_a}", item.first),
        ("{answer_b}", item.second),
        ("{answer}", item.first),
        ("{output_1}", item.first),
        ("{output_2}", item.second),
    ):
        text = text.replace(slot, value)
    return text.strip()


def question_request(
    template: ElicitationTemplate, question: str, examples: Sequence[str], rng: np.random.Generator
) -> str:
    """Return the template around a question.

    Args:
        template: of a family that is no judge.
        question: the pool's next question.
        examples: a few other questions, for templates that ask for more of their kind.
        rng: source of chance.

    Returns:
        The request text.
    """
    text = template.text.strip()
    if template.family == "evol_instruct":
        text = text.replace("{}", wording.evolution(rng))
        depth = "#Rewritten Prompt#" in text
        name, made = ("#The Given Prompt#", "#Rewritten Prompt#") if depth else ("#Given Prompt#", "#Created Prompt#")
        return f"{text}\n{name}:\n{question}\n{made}:\n"
    if template.family == "few_shot_cot":
        return f"{text}\n\nQ: {question}\nA: Let's think step by step."
    if text.endswith("List of 20 tasks:"):
        lines = "".join(f"###\n{place}. Instruction: {example}\n" for place, example in enumerate(examples, 1))
        return f"{text}\n{lines}###\n{len(examples) + 1}. Instruction:"
    return f"{text}\n\nTask: {question}\n"
