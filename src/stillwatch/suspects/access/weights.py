"""Open weights: a party that runs here, read by `transformers` from a folder.

Takes a folder with a causal language model and its tokenizer. Gives samples and exact log-probabilities. Nothing is fetched, no code of the
folder is run, and one thread is used, so that the same weights give the same numbers. Cost: one pass for each text that is scored, one for each
token that is written; the longest text of a batch decides for the batch.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

from stillwatch.records.suspect import (
    Ability,
    Alternative,
    Answer,
    Observation,
    Party,
    Query,
    Scored,
    Token,
    Unanswered,
)
from stillwatch.suspects.access.endpoint import Clock
from stillwatch.suspects.access.protocol import Collector
from stillwatch.suspects.access.settings import check_names, needed, setting
from stillwatch.suspects.errors import AccessSettingError


class OpenWeights:
    """A model whose parameters lie in a folder."""

    def __init__(self, party: Party, path: Path, collector: Collector, clock: Clock) -> None:
        """Load the model.

        Args:
            party: whose weights they are.
            path: the folder.
            collector: keeps what is asked and answered.
            clock: gives the time.

        Raises:
            AccessSettingError: where the folder holds no such model, or the extra `models` is missing.
        """
        check_names(party, frozenset({"folder", "batch"}))
        needed(party, "folder")
        self._batch = max(1, setting(party, "batch", 16))
        self._collector = collector
        self._clock = clock
        try:
            import torch  # noqa: PLC0415  # an extra, loaded where weights are read
            from transformers import AutoModelForCausalLM, AutoTokenizer  # noqa: PLC0415
            from transformers.utils import logging as quiet  # noqa: PLC0415
        except ImportError:
            raise AccessSettingError(
                f"party {party.name!a}: weights need torch and transformers; install stillwatch[models]"
            ) from None
        torch.set_num_threads(1)
        quiet.disable_progress_bar()
        try:
            given = {"local_files_only": True, "trust_remote_code": False}
            self._tokenizer: Any = AutoTokenizer.from_pretrained(str(path), **given)
            self._model: Any = AutoModelForCausalLM.from_pretrained(str(path), use_safetensors=True, **given).eval()
        except (OSError, ValueError, KeyError) as error:
            raise AccessSettingError(
                f"party {party.name!a}: {path} holds no model that can be read ({type(error).__name__}); expected "
                "config.json, model.safetensors and a tokenizer, as `save_pretrained` writes them"
            ) from None
        self._torch: Any = torch

    @property
    def abilities(self) -> frozenset[Ability]:
        """All."""
        return frozenset(Ability)

    async def answer(self, queries: Sequence[Query]) -> AsyncIterator[Observation]:
        """Have text written; see `Access.answer`."""
        for query in queries:
            if not self._allowed(query):
                yield self._over(query)
                continue
            observation = self._written(query)
            self._collector.received(query.id, {"weights": True}, observation)
            yield observation

    async def score(self, queries: Sequence[Query]) -> AsyncIterator[Observation]:
        """Have text scored; see `Access.score`."""
        for begin in range(0, len(queries), self._batch):
            batch = queries[begin : begin + self._batch]
            allowed = [query for query in batch if self._allowed(query)]
            for query in batch:
                if query not in allowed:
                    yield self._over(query)
            for observation in self._scored(allowed):
                self._collector.received(observation.query_id, {"weights": True}, observation)
                yield observation

    async def close(self) -> None:
        """Let the model go."""
        self._model = None

    def _allowed(self, query: Query) -> bool:
        return self._collector.sent(query.id, {"weights": True, "sent_us": self._clock()})

    def _over(self, query: Query) -> Unanswered:
        return Unanswered(query_id=query.id, reason="out of budget", detail="", answered_us=self._clock())

    def _ids(self, text: str, *, first: bool) -> list[int]:
        """Cut a text into tokens; a text that begins has the tokenizer's mark of the beginning."""
        ids = [int(one) for one in self._tokenizer(text, add_special_tokens=False)["input_ids"]]
        mark = self._tokenizer.bos_token_id
        return [int(mark), *ids] if first and mark is not None else ids

    def _scored(self, queries: Sequence[Query]) -> list[Scored]:
        """Score a batch."""
        if not queries:
            return []
        torch = self._torch
        before = [self._ids(query.system + query.prompt, first=True) for query in queries]
        after = [self._ids(query.continuation or "", first=False) for query in queries]
        longest = max(len(one) + len(other) for one, other in zip(before, after, strict=True))
        rows = [
            [*one, *other, *([0] * (longest - len(one) - len(other)))] for one, other in zip(before, after, strict=True)
        ]
        mask = [
            [1] * (len(one) + len(other)) + [0] * (longest - len(one) - len(other))
            for one, other in zip(before, after, strict=True)
        ]
        with torch.no_grad():
            logits = self._model(input_ids=torch.tensor(rows), attention_mask=torch.tensor(mask)).logits
            table = torch.log_softmax(logits.double(), dim=-1)
        found = []
        for place, query in enumerate(queries):
            tokens = []
            for step, token in enumerate(after[place]):
                where = len(before[place]) + step - 1
                value = None if where < 0 else float(table[place, where, token])
                told = () if where < 0 else self._alternatives(table[place, where], query.top_logprobs)
                tokens.append(Token(text=self._tokenizer.decode([token]), log_prob=value, alternatives=told))
            whole = len(before[place]) + len(after[place])
            found.append(
                Scored(
                    query_id=query.id, tokens=tuple(tokens), prompt_tokens=whole, shown_tokens=whole, model="",
                    answered_us=self._clock(),
                )
            )  # fmt: skip
        return found

    def _written(self, query: Query) -> Answer:
        """Write an answer, one token at a time; the seed comes from the query's id, so that it can be written again."""
        torch = self._torch
        ids = self._ids(query.system + query.prompt, first=True)
        seed = int.from_bytes(hashlib.sha256(query.id.encode()).digest()[:7], "big")
        generator = torch.Generator().manual_seed(seed)
        tokens: list[Token] = []
        written: list[int] = []
        rows, kept, finish = torch.tensor([ids]), None, "length"
        with torch.no_grad():
            for _ in range(query.max_tokens):
                out = self._model(input_ids=rows, cache=kept, use_cache=True)
                kept = out.cache
                table = torch.log_softmax(out.logits[0, -1].double(), dim=-1)
                if query.temperature > 0.0:
                    weights = torch.softmax(out.logits[0, -1].double() / query.temperature, dim=-1)
                    token = int(torch.multinomial(weights, 1, generator=generator))
                else:
                    token = int(table.argmax())
                if token == self._tokenizer.eos_token_id:
                    finish = "stop"
                    break
                told = self._alternatives(table, query.top_logprobs)
                tokens.append(
                    Token(text=self._tokenizer.decode([token]), log_prob=float(table[token]), alternatives=told)
                )
                written.append(token)
                rows = torch.tensor([[token]])
        return Answer(
            query_id=query.id, text=self._tokenizer.decode(written), finish=finish, prompt_tokens=len(ids),
            completion_tokens=len(written), tokens=tuple(tokens), model="", answered_us=self._clock(),
        )  # fmt: skip

    def _alternatives(self, row: Any, top: int) -> tuple[Alternative, ...]:
        """Give the likeliest tokens of a place."""
        if top < 1:
            return ()
        values, places = row.topk(min(top, row.shape[-1]))
        return tuple(
            Alternative(token=self._tokenizer.decode([int(token)]), log_prob=float(value))
            for value, token in zip(values, places, strict=True)
        )
