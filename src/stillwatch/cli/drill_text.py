"""The drill of marking, in text: answers on every route, tested for the key that they should bear.

Takes a file of keys and either the drill's own gateway, before a small model that really marks, or the address of one's own. Gives what the
drill concludes, with a claim for each route. Answers are kept nowhere.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from stillwatch.cli.drill_gateway import open_gateway
from stillwatch.cli.drill_probes import ROUTES, Send, mark_account, probe_body, probe_marking
from stillwatch.cli.errors import OptionError
from stillwatch.gateway.marking import VLLM_ARGUMENT, Engine, Marks
from stillwatch.gateway.model_answer import read_answer
from stillwatch.governance.drill_checks import MarkedText, marked_text_outcome, marking_outcome
from stillwatch.governance.drills import ControlState
from stillwatch.integrity.canonical import canonical_bytes
from stillwatch.records.claim import Claim, Inconclusive
from stillwatch.records.mark import MarkKey, MarkLevel
from stillwatch.simulation.drill_traffic import ACCOUNT_HEADER
from stillwatch.simulation.upstream import MODEL, Upstream, Words
from stillwatch.watermark.detection import KeyScorer, Plan
from stillwatch.watermark.key_file import read_key_file
from stillwatch.watermark.marking.sglang import gateway_fields
from stillwatch.watermark.marking.word_model import WordModel, word_tokenizer
from stillwatch.watermark.schemes import open_scheme
from stillwatch.watermark.token_files import Document
from stillwatch.watermark.tokenizers import Tokenizer, open_tokenizer

ALPHA = 1e-6
"""Chance that any route is said to bear a key that its text does not know."""
DEFAULT_TOKENS = 256
Outcome = tuple[ControlState, str, dict[str, Any], tuple[Claim | Inconclusive, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class TextProbe:
    """What is asked, and for which key it is looked."""

    key: MarkKey
    samples: int
    """Answers on each route, streamed and whole in turn."""
    tokens: int = DEFAULT_TOKENS
    """Limit of each answer."""
    model: str = MODEL
    seed: int = 1
    """Of the random keys beside the key."""


def key_of(path: Path, handle: str | None) -> MarkKey:
    """Give the key that should be on.

    Args:
        path: as `stillwatch keys export` writes it.
        handle: of the key; null where the file holds one campaign's or account's key alone.

    Raises:
        MarkKeyError: where the file cannot be used.
        OptionError: where it does not say which key is meant.
    """
    keys = {key.handle: key for key in read_key_file(path)}
    chosen = [one for one in keys.values() if one.level is not MarkLevel.PROVIDER] if handle is None else []
    if handle is not None and handle in keys:
        chosen = [keys[handle]]
    if len(chosen) != 1:
        raise OptionError(
            f"--keys {path} holds {len(chosen)} keys that may be meant, expected one; name it with --handle, as `stillwatch keys list` says it."
        )
    return chosen[0]


def own_gateway(probe: TextProbe, engine: str, folder: Path) -> Outcome:
    """Run the drill through a gateway of its own, before a small model that marks as SGLang does.

    Raises:
        OptionError: for a key of another scheme.
    """
    key = probe.key
    if not key.scheme.startswith("sglang-"):
        raise OptionError(
            f"key {key.handle} is of {key.scheme}; the drill's own model draws SGLang's marks alone. Name your own gateway with --url."
        )
    marks = Marks(engine=Engine(engine), keys=gateway_fields([key]))
    upstream = Upstream(seed=probe.seed, words=_marking_words(key, WordModel(probe.seed)))
    with open_gateway(folder, seed=probe.seed, marks=marks, upstream=upstream) as gateway:
        seen = probe_marking(gateway, gateway.send, key.handle, 2)
        gateway.now_us += 1
        account = mark_account(gateway, key.handle)
        texts = answers_by_route(gateway.send, {ACCOUNT_HEADER: account}, probe)
        plain = answers_by_route(gateway.send, {ACCOUNT_HEADER: "drill-without-mark"}, probe)
    state, why, figures = marking_outcome(seen, key.handle if engine == "vllm" else str(marks.keys[key.handle]["key"]))
    text_state, text_why, text_figures, claims = in_texts(texts, plain, probe, word_tokenizer())
    passed = {state, text_state} == {ControlState.MEASURED_PASS}
    return (
        ControlState.MEASURED_PASS if passed else ControlState.MEASURED_FAIL,
        f"{why}; {text_why}",
        {**figures, "text": text_figures},
        claims,
    )


def endpoint(probe: TextProbe, send: Send, headers: Mapping[str, str], tokenizer_file: Path | None) -> Outcome:
    """Run the drill at one's own gateway, as an account that its bundle marks.

    Raises:
        OptionError: without a tokenizer, or under another than the key's.
        TokenizerError: where the tokenizer cannot be opened.
    """
    if tokenizer_file is None:
        raise OptionError("--url needs --tokenizer: the tokenizer of the model that is served there.")
    tokenizer = open_tokenizer(tokenizer_file)
    if probe.key.tokenizer_digest not in {"", tokenizer.digest}:
        raise OptionError(
            f"key {probe.key.handle} is for tokenizer {probe.key.tokenizer_digest}, got {tokenizer.name} with {tokenizer.digest}."
        )
    texts = answers_by_route(send, headers, probe)
    state, why, text_figures, claims = in_texts(texts, {}, probe, tokenizer)
    return state, why, {"text": text_figures}, claims


def answers_by_route(send: Send, headers: Mapping[str, str], probe: TextProbe) -> dict[str, list[str]]:
    """Ask every route, and give the texts of its answers; empty for a route that answers nothing."""
    texts: dict[str, list[str]] = {}
    for route, path in ROUTES.items():
        texts[route] = []
        for number in range(probe.samples):
            question = f"Write freely about a journey of your own choice. This is request {number} of {route}."
            body = probe_body(route, question, stream=number % 2 == 1, model=probe.model, tokens=probe.tokens)
            answer = send(path, {"Content-Type": "application/json", **headers}, json.dumps(body).encode())
            if answer.status == 200:
                texts[route].append(read_answer(_parsed(answer.body)).text)
    return texts


def in_texts(
    texts: Mapping[str, Sequence[str]], plain: Mapping[str, Sequence[str]], probe: TextProbe, tokenizer: Tokenizer
) -> Outcome:
    """Test the answers of each route for the key, at a level that holds over all routes.

    Args:
        texts: answers that should bear the key, by route.
        plain: answers that should not; empty where none were asked for.
        probe: key, and seed of the random keys.
        tokenizer: of the model.
    """
    sets = [(route, listed, True) for route, listed in texts.items()]
    sets += [(f"{route} without a mark", listed, False) for route, listed in plain.items()]
    results = [_tested(route, listed, probe, tokenizer, len(sets), marked=marked) for route, listed, marked in sets]
    state, why, figures = marked_text_outcome(results)
    return state, why, figures, tuple(one.answer for one in results)


def _tested(
    route: str, texts: Sequence[str], probe: TextProbe, tokenizer: Tokenizer, tests: int, *, marked: bool
) -> MarkedText:
    scorer = KeyScorer([probe.key])
    try:
        tokens = scorer.add(Document(tokens=ids, prompt=None) for ids in tokenizer.encode(texts))
        digest = f"sha256:{hashlib.sha256(canonical_bytes(list(texts))).hexdigest()}"
        (result,) = scorer.results(Plan(alpha=ALPHA / tests, seed=probe.seed), digest)
    finally:
        scorer.close()
    answer: Claim | Inconclusive = replace(result.answer, name=f"{result.answer.name} in {route}")
    if isinstance(answer, Claim):
        answer = replace(answer, statement=f"{route}: {answer.statement}")
    return MarkedText(
        route=route, expected=marked, found=result.found, answers=len(texts), tokens=tokens, units=result.count, answer=answer
    )  # fmt: skip


def _parsed(body: bytes) -> object:
    """Give a whole answer as JSON, a streamed one as text."""
    try:
        return json.loads(body)
    except ValueError:
        return body.decode("utf-8", "replace")


def _marking_words(key: MarkKey, model: WordModel) -> Words:
    """Give the writer of a simulated server that takes marks as SGLang and vLLM do, and has this one key."""
    scheme = open_scheme(key.scheme, dict(key.parameters) | ({"part": "both"} if "-dual" in key.scheme else {}))

    def words(prompt: str, body: Mapping[str, Any], length: int, sample: int) -> list[str]:
        sglang, vllm = body.get("watermark"), body.get("vllm_xargs")
        given = sglang.get("key") if isinstance(sglang, dict) else None
        named = vllm.get(VLLM_ARGUMENT) if isinstance(vllm, dict) else None
        is_marked = given == key.key[:8].hex() or named == key.handle
        return model.answer(prompt, length, sample, scheme if is_marked else None, key.key)

    return words
