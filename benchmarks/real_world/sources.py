"""Real text, read where it lies and split so that reported worlds hold nothing that was tuned on.

Takes the shared data folder and a split. Gives extraction pools, elicitation templates and honest text.

The split, by data set and template family (disjoint; a set with one source only is halved by a digest of the prompt):

==================  ==============================================  ==============================================
material            development                                     report
==================  ==============================================  ==============================================
extraction pools    alpaca, seed tasks, bbh, bbh_cot, glaive        gsm8k, code alpaca, apibench, prometheus
template families   self_instruct_bootstrap, llm_judge              evol_instruct, few_shot_cot, pairwise_judge
chat                arena-hard, lima, koala, instructwild           wizardlm, self-instruct users, oasst eval
chat, halved        arena conversations, awesome prompts, dolly, red-team dialogues, oasst_fr (quartered)
programming         odex                                            infibench, devgpt, realhumaneval
product utterances  clinc150                                        banking77, tau airline
pasted documents    oasst model outputs                             alpaca_eval model outputs
==================  ==============================================  ==============================================

What it does not show: no public set has text, accounts, times and labels together, so the world joins them. Equal honest
prompts on several accounts are more common than in life, because the honest sets hold some ten thousand prompts only.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import duckdb
from benchmarks.real_world.errors import SourceAbsentError, WorldSettingsError

Split = Literal["development", "report"]
Conversation = tuple[str, ...]
"""User turns in order."""

LONGEST_PROMPT = 12_000
"""Characters; the few longer ones (up to 144,260) would decide a world's size alone."""

FAMOUS = 40
"""Characters; shorter turns ("thanks", "go on") are everybody's and may be in both splits."""

EXTRACTION_SETS: dict[Split, tuple[tuple[str, str, str], ...]] = {
    "development": (
        ("alpaca_en", "alpaca", "general"),
        ("bbh_questions", "bbh", "reasoning"),
        ("bbh_cot_code_davinci", "bbh_cot", "reasoning"),
        ("glaive_toolcall_en", "glaive_toolcall_en_demo", "tool use"),
        ("seed_tasks_en", "seed_self_instruct", "task synthesis"),
    ),
    "report": (
        ("gsm8k_train", "gsm8k", "reasoning"),
        ("code_alpaca_en", "codealpaca_new", "coding"),
        ("code_alpaca_en", "codealpaca_2k", "coding"),
        ("apibench_tool_use", "apibench", "tool use"),
        ("rubric_grading_prometheus", "prom_vicuna", "rubric grading"),
        ("rubric_grading_prometheus", "prom_hhh", "rubric grading"),
    ),
}
"""(file, data set, capability) of each pool."""

TEMPLATE_FAMILIES: dict[Split, tuple[str, ...]] = {
    "development": ("self_instruct_bootstrap", "llm_judge"),
    "report": ("evol_instruct", "few_shot_cot", "pairwise_judge"),
}

CHAT_SETS: dict[Split, tuple[tuple[str, str], ...]] = {
    "development": (
        ("arena_hard_v01", "arena_hard_v01"),
        ("eval_user_prompts_en", "lima_test"),
        ("eval_user_prompts_en", "koala"),
        ("instructwild_en", "instructwild"),
        ("instructwild_en", "instructwild_u2"),
        ("instructwild_en", "instructwild_u3"),
    ),
    "report": (
        ("eval_user_prompts_en", "wizardlm_test"),
        ("eval_user_prompts_en", "self_instruct_user"),
    ),
}

PROGRAMMING_SETS: dict[Split, tuple[tuple[str, str], ...]] = {
    "development": (("stackoverflow_en", "odex_en"),),
    "report": (("stackoverflow_en", "infibench"), ("devgpt_sample", "devgpt")),
}

UTTERANCE_SETS: dict[Split, str] = {"development": "clinc150", "report": "banking77"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractionPool:
    """The questions of one data set that a harvest can draw from."""

    name: str
    capability: str
    questions: tuple[str, ...]
    answer_characters: tuple[int, ...]
    """Length of the answer that the set really holds, one per question; 0 where it holds none."""
    tools: tuple[str | None, ...]
    """Tool definitions sent with the question, one per question."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ElicitationTemplate:
    """One real template that data-set harvests were made with."""

    family: str
    name: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeItem:
    """An instruction and two models' answers to it."""

    instruction: str
    first: str
    second: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HonestText:
    """Text of honest use."""

    chat: tuple[Conversation, ...]
    french: tuple[Conversation, ...]
    programming: tuple[Conversation, ...]
    programmers: tuple[tuple[tuple[float, str, int], ...], ...]
    """(seconds in session, prompt, turns) per real account; empty where the split has none."""
    personas: tuple[str, ...]
    utterances: tuple[str, ...]
    instructions: tuple[str, ...]
    red_team: tuple[Conversation, ...]
    jailbreaks: tuple[str, ...]
    documents: tuple[str, ...]
    support_policy: str | None
    """System prompt of the airline agent."""
    support_dialogues: tuple[Conversation, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """All text of one split."""

    split: Split
    pools: tuple[ExtractionPool, ...]
    french_pool: ExtractionPool
    templates: tuple[ElicitationTemplate, ...]
    judge_items: tuple[JudgeItem, ...]
    honest: HonestText

    def pool(self, capability: str) -> tuple[ExtractionPool, ...]:
        """Return the pools of that capability, perhaps none."""
        return tuple(pool for pool in self.pools if pool.capability == capability)


def shared_file(shared: Path, relative: str) -> Path:
    """Return the path of a file of the third-party data.

    Args:
        shared: the folder that holds `data/`.
        relative: path below `data/`.

    Raises:
        SourceAbsentError: when the file is not there.
    """
    path = shared / "data" / relative
    if not path.is_file():
        raise SourceAbsentError(
            f"real data: got no file {path}, expected the third-party data set; "
            "point STILLWATCH_SHARED at the folder that holds data/"
        )
    return path


def part_of(identity: str, parts: int) -> int:
    """Return the part, 0 to parts - 1, into which a text falls: a digest, so that no order or clock decides."""
    return int.from_bytes(hashlib.blake2b(identity.encode(), digest_size=8).digest(), "big") % parts


def _rows(shared: Path, folder: str, file: str, dataset: str | None = None) -> list[dict[str, Any]]:
    """Rows of a prompt file in id order, of one data set where given, over-long prompts left out."""
    path = shared_file(shared, f"{folder}/{file}.parquet")
    with duckdb.connect() as connection:
        result = connection.execute(
            "select id, dataset, system, prompt, messages, response, account, ts, n_turns from read_parquet(?) "
            "where length(prompt) between 1 and ? and (? is null or dataset = ?) order by id",
            [str(path), LONGEST_PROMPT, dataset, dataset],
        )
        names = [column[0] for column in result.description]
        return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def _turns(row: dict[str, Any]) -> Conversation:
    if row["messages"] is None:
        return (row["prompt"],)
    try:
        messages = json.loads(row["messages"])
    except json.JSONDecodeError:
        # The masking of addresses and keys left a few dialogues that are no JSON any more; their prompt column is whole.
        return (row["prompt"],)
    turns = tuple(
        str(message["content"])[:LONGEST_PROMPT]
        for message in messages
        if message["role"] == "user" and message.get("content")
    )
    return turns or (row["prompt"],)


def _half(split: Split) -> int:
    return get_args(Split).index(split)


def _pools(shared: Path, split: Split) -> tuple[ExtractionPool, ...]:
    pools = []
    # Two sets may hold one question; what development has seen is not reported on.
    seen = (
        {question for pool in _pools(shared, "development") for question in pool.questions} if _half(split) else set()
    )
    for file, dataset, capability in EXTRACTION_SETS[split]:
        distinct = {row["prompt"]: row for row in reversed(_rows(shared, "prompts_extraction", file, dataset))}
        rows = sorted((row for text, row in distinct.items() if text not in seen), key=lambda row: str(row["id"]))
        pools.append(
            ExtractionPool(
                name=dataset,
                capability=capability,
                questions=tuple(row["prompt"] for row in rows),
                answer_characters=tuple(len(row["response"] or "") for row in rows),
                tools=tuple(row["system"] for row in rows),
            )
        )
    return tuple(pools)


def _templates(shared: Path, split: Split) -> tuple[ElicitationTemplate, ...]:
    path = shared_file(shared, "prompts_extraction/elicitation_templates.jsonl")
    templates = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines()):
        row = json.loads(line)
        if row["family"] not in TEMPLATE_FAMILIES[split]:
            continue
        # The head above the rule is a notice to readers of the repository; harnesses cut it off before sending.
        text = row["text"].split("\n-----\n", 1)[-1]
        templates.append(ElicitationTemplate(family=row["family"], name=f"{row['family']}#{number}", text=text))
    return tuple(templates)


def _model_outputs(shared: Path, split: Split) -> tuple[list[tuple[int, str]], dict[int, str]]:
    """(prompt number, output) rows in a fixed order and the prompts, of the split's answer set."""
    file, prompts, column = (
        ("oasst_eval_outputs_sampling", "oasst_eval_prompts", "prompt")
        if split == "development"
        else ("alpaca_eval_outputs", "alpaca_eval_prompts", "instruction")
    )
    outputs = str(shared_file(shared, f"teacher_student/{file}.parquet"))
    with duckdb.connect() as connection:
        # Every second output is plenty of distinct documents; the choice is by position, the same in every run.
        rows = connection.execute(
            "select prompt_idx, output from (select prompt_idx, output, row_number() over (order by model, prompt_idx, "
            "output) as place from read_parquet(?) where length(output) between 80 and 4000) where place % 2 = 0 "
            "order by place",
            [outputs],
        ).fetchall()
        texts = connection.execute(
            f"select prompt_idx, {column} from read_parquet(?)",
            [str(shared_file(shared, f"teacher_student/{prompts}.parquet"))],
        ).fetchall()
    return [(int(number), str(text)) for number, text in rows], {int(number): str(text) for number, text in texts}


def _judge_items(outputs: list[tuple[int, str]], prompts: dict[int, str]) -> tuple[JudgeItem, ...]:
    by_prompt: dict[int, list[str]] = {}
    for number, text in outputs:
        by_prompt.setdefault(number, []).append(text)
    items = [
        JudgeItem(instruction=prompts[number], first=answers[place], second=answers[place + 1])
        for number, answers in sorted(by_prompt.items())
        if len(prompts[number]) < 1500
        for place in range(0, min(len(answers) - 1, 16), 2)
    ]
    return tuple(items)


def _programmers(shared: Path, split: Split) -> tuple[tuple[tuple[float, str, int], ...], ...]:
    if split == "development":
        return ()
    accounts: dict[str, list[tuple[float, str, int]]] = {}
    for row in _rows(shared, "prompts_benign", "realhumaneval_half_a"):
        accounts.setdefault(row["account"], []).append((float(row["ts"]), row["prompt"], int(row["n_turns"])))
    return tuple(tuple(sorted(events)) for _, events in sorted(accounts.items()))


def _benign(shared: Path, file: str, dataset: str | None = None, parts: int = 1, part: int = 0) -> list[dict[str, Any]]:
    """Rows of a benign set that fall into one part of several."""
    rows = _rows(shared, "prompts_benign", file, dataset)
    # By the prompt and not the row: the same famous question asked twice falls into one half.
    return [row for row in rows if part_of(row["prompt"], parts) == part]


def _chat(shared: Path, split: Split) -> list[Conversation]:
    """English conversations of a split; the report's hold no turn that development has seen."""
    chat = [_turns(row) for row in _benign(shared, "arena_conversations_en", None, 2, _half(split))]
    chat += [_turns(row) for file, dataset in CHAT_SETS[split] for row in _benign(shared, file, dataset)]
    if split == "development":
        return chat
    oasst = str(shared_file(shared, "teacher_student/oasst_eval_prompts.parquet"))
    with duckdb.connect() as connection:
        prompts = connection.execute("select prompt from read_parquet(?) order by prompt_idx", [oasst]).fetchall()
    chat += [(str(prompt),) for (prompt,) in prompts]
    seen = {turn for conversation in _chat(shared, "development") for turn in conversation if len(turn) > FAMOUS}
    return [conversation for conversation in chat if seen.isdisjoint(conversation)]


def _honest(shared: Path, split: Split, documents: tuple[str, ...]) -> HonestText:
    def benign(file: str, dataset: str | None = None, parts: int = 1, part: int = 0) -> list[dict[str, Any]]:
        return _benign(shared, file, dataset, parts, part)

    half = _half(split)
    programming: dict[str, list[str]] = {}
    for file, dataset in PROGRAMMING_SETS[split]:
        for row in benign(file, dataset):
            programming.setdefault(row["account"] or str(row["id"]), []).append(row["prompt"])
    agents = benign("support_agent_tau_airline") if split == "report" else []
    return HonestText(
        chat=tuple(_chat(shared, split)),
        french=tuple(_turns(row) for row in benign("oasst_fr", None, 4, half)),
        programming=tuple(tuple(turns) for turns in programming.values()),
        programmers=_programmers(shared, split),
        personas=tuple(row["prompt"] for row in benign("awesome_prompts", None, 2, half) if len(row["prompt"]) > 120),
        utterances=tuple(row["prompt"] for row in benign("support_and_assistant_queries", UTTERANCE_SETS[split])),
        instructions=tuple(row["prompt"] for row in benign("control_dolly_human", None, 2, half)),
        red_team=tuple(
            _turns(row) for row in benign("control_abuse_not_extraction", "hh_harmless", 2, half) if row["messages"]
        ),
        jailbreaks=tuple(row["prompt"] for row in benign("control_abuse_not_extraction", "jailbreaks", 2, half)),
        documents=documents,
        support_policy=agents[0]["system"] if agents else None,
        support_dialogues=tuple(_turns(row) for row in agents),
    )


def load(shared: Path, split: Split) -> Sources:
    """Read all text of a split.

    Args:
        shared: the folder that holds `data/`.
        split: `development` or `report`.

    Returns:
        Sources; the same files give the same order.

    Raises:
        SourceAbsentError: when a file is not there.
        WorldSettingsError: for an unknown split.
    """
    if split not in get_args(Split):
        raise WorldSettingsError(f"split: got {split!r}, expected one of {', '.join(get_args(Split))}")
    outputs, eval_prompts = _model_outputs(shared, split)
    french = [
        _turns(row)
        for row in _rows(shared, "prompts_benign", "oasst_fr")
        if part_of(row["prompt"], 4) == 2 + _half(split)
    ]
    questions = tuple(dict.fromkeys(turn for turns in french for turn in turns if len(turn) > 25))
    return Sources(
        split=split,
        pools=_pools(shared, split),
        french_pool=ExtractionPool(
            name="oasst_fr",
            capability="general, French",
            questions=questions,
            answer_characters=(0,) * len(questions),
            tools=(None,) * len(questions),
        ),
        templates=_templates(shared, split),
        judge_items=_judge_items(outputs, eval_prompts),
        honest=_honest(shared, split, tuple(text for _, text in outputs)),
    )
