"""Radioactivity from the draft to the report, and by the verb for files, on a student that was really trained on marked answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="the extra `models` is not installed")

import tokenizers as tokenizers_library
import torch
from planned_run import reported

from stillwatch.cli.main import run
from stillwatch.records.mark import MarkKey, MarkLevel
from stillwatch.simulation.small_models import Shape, TokenExchange, new_model, sample, train
from stillwatch.watermark.key_file import key_lines
from stillwatch.watermark.marking.mark_rows import mark_rows
from stillwatch.watermark.marking.row_mark import Draw, RowMark
from stillwatch.watermark.tokenizers import tokenizer_digest

LETTERS = "".join(map(chr, range(0x30, 0x70)))
"""A character for each token; none of the first three is ever said."""
SHAPE = Shape(vocabulary=len(LETTERS), width=32, layers=1, heads=2, inner=64, context=64)
COUNT, READ, LENGTH = 700, 150, 24
Stillwatch = Any


def text(tokens: tuple[int, ...]) -> str:
    return "".join(LETTERS[token] for token in tokens)


def letters_tokenizer(path: Path) -> Path:
    model = tokenizers_library.models.BPE(vocab={one: place for place, one in enumerate(LETTERS)}, merges=[])
    tokenizers_library.Tokenizer(model).save(str(path))
    return path


def key_of(name: str, level: MarkLevel, digest: str) -> MarkKey:
    return MarkKey(
        handle=name, scheme="green-bernoulli@v1", parameters=(("context_width", 1),), level=level, assigned_to=f"a-{name}",
        key=np.random.default_rng(list(name.encode())).bytes(8), tokenizer_digest=digest, issued_us=0,
    )  # fmt: skip


def rows_of(exchanges: list[TokenExchange]) -> str:
    return "".join(
        json.dumps(
            {
                "exchange_id": f"x{number:04d}", "account": "a-harvester", "prompt": text(one.prompt), "served": text(one.answer),
                "unseen": [], "exchangeable": True, "prompt_ids": one.prompt, "token_ids": one.answer,
            }
        ) + "\n"
        for number, one in enumerate(exchanges)
    )  # fmt: skip


def recorded(model: Any, exchanges: list[TokenExchange]) -> str:
    """What an access would have recorded: predictions of each served answer, and an answer of its own to each prompt."""
    lines = []
    wrote = sample(model, [one.prompt for one in exchanges], most=LENGTH, seed=9)
    for one, own in zip(exchanges, wrote, strict=True):
        with torch.inference_mode():
            logits = model(input_ids=torch.tensor([[*one.prompt, *one.answer]]), use_cache=False).logits[0]
        table = torch.log_softmax(logits[len(one.prompt) - 1 : -1], dim=-1)
        values, places = table.topk(20, dim=-1)
        tokens = [
            [LETTERS[token], float(row[token]), [[LETTERS[other], value] for other, value in zip(others, told, strict=True)]]
            for token, row, others, told in zip(one.answer, table, places.tolist(), values.tolist(), strict=True)
        ]  # fmt: skip
        lines += [
            {"prompt": text(one.prompt), "continuation": text(one.answer), "tokens": tokens},
            {"prompt": text(one.prompt), "answers": [text(own)]},
        ]
    return "".join(json.dumps(line) + "\n" for line in lines)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Served answers with a mark, keys, and two suspects: a student of these answers, and one of unmarked ones."""
    out = tmp_path_factory.mktemp("radioactivity")
    digest = tokenizer_digest(letters_tokenizer(out / "letters.json"))
    keys = [key_of(name, MarkLevel.ACCOUNT, digest) for name in ("harvester", "customer")]
    (out / "keys.jsonl").touch(mode=0o600)
    (out / "keys.jsonl").write_text(key_lines(keys))
    teacher = new_model(SHAPE, 21, spread=1.0)
    with torch.no_grad():
        teacher.model.layers[0].self_attn.o_proj.weight *= 0.1
    rng = np.random.default_rng(3)
    prompts = [tuple(row) for row in rng.integers(3, len(LETTERS), (COUNT, 3)).tolist()]
    mark = RowMark(draw=Draw.GREEN_LIST, key=int.from_bytes(keys[0].key, "big"), width=1, delta=3.0)

    def change(tokens: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
        logits[:, :3] = -torch.inf
        return mark_rows(logits.clone(), tokens[:, -1:], [mark] * len(tokens))

    def unmarked(_: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
        logits[:, :3] = -torch.inf
        return logits

    for name, changed in (("student", change), ("stranger", unmarked)):
        answers = sample(teacher, prompts, most=LENGTH, seed=4, change=changed)
        exchanges = [
            TokenExchange(prompt=prompt, answer=answer) for prompt, answer in zip(prompts, answers, strict=True)
        ]
        if name == "student":
            served = exchanges[:READ]
        model = new_model(SHAPE, 5)
        train(model, exchanges, epochs=6, seed=6, rate=1e-2)
        model.save_pretrained(out / name)
        (out / f"{name}.jsonl").write_text(recorded(model, served))
        if name == "student":
            (out / "served.jsonl").write_text(rows_of(served))
            (out / "all.json").write_text(json.dumps([[one.prompt, one.answer] for one in exchanges]))
    return out


def report_on(folder: Path, suspect: str, place: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    materials = {"transcripts": "served.jsonl", "keys": "keys.jsonl", "tokenizer": "letters.json"}
    draft = {
        "suspect": suspect,
        "purpose": "a test",
        "decided_by": "bob",
        "parties": [
            {"name": "suspect", "kind": "recorded", "settings": {"file": str(folder / f"{suspect}.jsonl")}},
            {
                "name": "stranger",
                "kind": "recorded",
                "settings": {"file": str(folder / "stranger.jsonl")},
                "role": "negative",
                "included_because": "trained on unmarked answers",
            },
        ],
        "materials": {name: str(folder / path) for name, path in materials.items()},
        "tests": [
            {"id": "r1", "method": "radioactivity-reading/v1", "parameters": {}, "materials": [*materials]},
            {"id": "r2", "method": "radioactivity-writing/v1", "parameters": {}, "materials": [*materials]},
        ],
        "alpha": 0.001,
        "budget": {"requests": 2_000, "seconds": 600},
        "seed": 7,
    }
    return reported(draft, place, capsys)


def test_a_student_is_found_for_the_account_whose_key_marked_its_answers(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = report_on(folder, "student", tmp_path / "p", capsys)
    support = {(line["claim"], line.get("account")): line["support"] for line in report["lines"]}
    assert support["C4", "a-harvester"] == "strongly supports"
    assert support["C3", None] == "strongly supports"
    assert support.get(("C4", "a-customer")) in {None, "inconclusive", "no support"}
    for test in report["tests"]:
        harvester = next(one for one in test["stated"] if one["account"] == "a-harvester")
        assert harvester["claim"]["log_p"] < np.log(1e-6)
        assert [one["as_expected"] for one in test["controls"]] == [True]
    shown = json.dumps(report)
    served = json.loads((folder / "served.jsonl").read_text().splitlines()[0])
    assert served["served"] not in shown


def test_a_student_of_unmarked_answers_is_not(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = report_on(folder, "stranger", tmp_path / "p", capsys)
    assert {line["support"] for line in report["lines"]} <= {"inconclusive", "no support"}


def verb(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    capsys.readouterr()
    assert run(["mark", "radioactivity", *arguments, "--no-gate", "--json"]) == 0
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    document["found"] = [one["handle"] for one in document["keys"] if one["found"]]
    return document


def test_weights_read_ids(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = [str(folder / "served.jsonl"), "--keys", str(folder / "keys.jsonl"), "--prompt-field", "prompt_ids", "--field", "token_ids"]  # fmt: skip
    found = verb(capsys, *given, "--model", str(folder / "student"))
    assert found["mode"] == "probability mass"
    assert found["found"] == ["harvester"]
    assert found["keys"][0]["claim"]["question"] == "trained on this account's outputs"
    assert verb(capsys, *given, "--model", str(folder / "stranger"))["found"] == []


def test_predictions_of_another_program_are_read(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = []
    for line in (folder / "student.jsonl").read_text().splitlines():
        row = json.loads(line)
        if "tokens" in row:
            tops = [[LETTERS.index(other) for other, _ in others[:1]] for _, _, others in row["tokens"]]
            ids = [LETTERS.index(one) for one, _, _ in row["tokens"]]
            prompt = [LETTERS.index(one) for one in row["prompt"]]
            lines.append(json.dumps({"prompt_ids": prompt, "token_ids": ids, "top_ids": tops}))
    (tmp_path / "top.jsonl").write_text("\n".join(lines))
    found = verb(
        capsys, str(folder / "served.jsonl"), "--keys", str(folder / "keys.jsonl"), "--field", "token_ids",
        "--predictions", str(tmp_path / "top.jsonl"),
    )  # fmt: skip
    assert found["mode"] == "likeliest token"
    assert found["found"] == ["harvester"]


def test_weights_with_another_tokenizer_are_laid_over_the_marks_tokens(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    exchanges = [
        (text(tuple(prompt)), text(tuple(answer))) for prompt, answer in json.loads((folder / "all.json").read_text())
    ]
    own = tokenizers_library.Tokenizer(tokenizers_library.models.BPE())
    trainer = tokenizers_library.trainers.BpeTrainer(
        vocab_size=len(LETTERS) + 24, initial_alphabet=list(reversed(LETTERS)), show_progress=False
    )
    own.train_from_iterator([answer for _, answer in exchanges], trainer)
    merged = sum(len(one) for one in own.get_vocab()) - own.get_vocab_size()
    assert merged >= 20
    shape = Shape(vocabulary=own.get_vocab_size(), width=32, layers=1, heads=2, inner=64, context=64)
    model = new_model(shape, 8)
    cut = [
        TokenExchange(prompt=tuple(own.encode(prompt).ids), answer=tuple(own.encode(answer).ids))
        for prompt, answer in exchanges
    ]
    train(model, cut, epochs=6, seed=2, rate=1e-2)
    model.config.bos_token_id = None
    model.save_pretrained(tmp_path / "other")
    own.save(str(tmp_path / "other" / "tokenizer.json"))
    found = verb(
        capsys, str(folder / "served.jsonl"), "--keys", str(folder / "keys.jsonl"), "--field", "served", "--prompt-field", "prompt",
        "--tokenizer", str(folder / "letters.json"), "--model", str(tmp_path / "other"),
    )  # fmt: skip
    assert found["found"] == ["harvester"]


def test_what_cannot_be_tested_is_said(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["mark", "radioactivity", str(folder / "served.jsonl"), "--keys", str(folder / "keys.jsonl")]
    assert run(given) == 2
    assert "expected one of --model, --predictions and --written" in " ".join(capsys.readouterr().err.split())
    assert run([*given, "--model", str(tmp_path), "--field", "token_ids"]) == 3
    assert "holds no model" in " ".join(capsys.readouterr().err.split())
    assert run([*given, "--written", str(tmp_path / "absent")]) == 2
