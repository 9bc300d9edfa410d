"""The plug-in for vLLM's V1 model runner (`VLLM_USE_V2_MODEL_RUNNER=0`): a key for each request.

Load it with `--logits-processors stillwatch.watermark.marking.vllm_v1:MarkProcessor`; all else is as in `vllm_v2`. Rows are requests here, and vLLM
refuses logits processors together with speculative decoding. Changes of the batch come as removed, added and moved rows, in that order.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from vllm.v1.sample.logits_processor.interface import BatchUpdate, LogitsProcessor, MoveDirectionality

from stillwatch.watermark.marking.mark_rows import MarkedBatch
from stillwatch.watermark.marking.row_mark import Draw, RowMark
from stillwatch.watermark.marking.worker_keys import WorkerKeys

if TYPE_CHECKING:
    from vllm.config import VllmConfig
    from vllm.sampling_params import SamplingParams


@dataclass(slots=True)
class _Request:
    """A marked request."""

    mark: RowMark
    prompt: list[int]
    output: list[int]
    """vLLM's own list, which grows."""
    drawn_from: set[tuple[int, ...]] = field(default_factory=set)
    """Contexts that stood before some token of the answer."""
    read: int = 0
    """Tokens of the answer whose contexts are among them."""

    def before(self, end: int) -> tuple[int, ...]:
        """Give the tokens before a place of prompt and answer, as many as the mark is wide or as there are."""
        start, split = max(end - self.mark.width, 0), len(self.prompt)
        return (*self.prompt[start:end], *self.output[max(start - split, 0) : max(end - split, 0)])

    def is_repeated(self, context: tuple[int, ...]) -> bool:
        """Say whether a context stood before some token of the answer already; each token is looked at once."""
        while self.read < len(self.output):
            earlier = self.before(len(self.prompt) + self.read)
            if self.output[self.read] < 0 or any(token < 0 for token in earlier):
                break  # vLLM has not filled in this token yet
            self.drawn_from.add(earlier)
            self.read += 1
        return context in self.drawn_from


class MarkProcessor(LogitsProcessor):
    """Marks the rows of requests that carry a handle."""

    def __init__(self, vllm_config: VllmConfig, device: Any, is_pin_memory: bool) -> None:  # noqa: ARG002  # vLLM's signature
        """Open the worker's keys."""
        self._keys = WorkerKeys.of_environment()
        self._requests: dict[int, _Request] = {}
        self._batch = MarkedBatch([])

    @classmethod
    def validate_params(cls, sampling_params: SamplingParams) -> None:
        """Refuse a request whose handle the worker has not, before it is admitted."""
        WorkerKeys.of_environment().mark(sampling_params.extra_args, sampling_params)

    def is_argmax_invariant(self) -> bool:
        """Say that greedy requests must come here too: a green list changes what is likeliest."""
        return False

    def update_state(self, batch_update: BatchUpdate | None) -> None:
        """Follow the batch."""
        if batch_update is None:
            return
        for row in batch_update.removed:
            self._requests.pop(row, None)
        for row, sampling, prompt, output in batch_update.added:
            self._requests.pop(row, None)
            mark = self._keys.mark(sampling.extra_args, sampling)
            if mark is not None and mark.draws:
                self._requests[row] = _Request(mark, prompt or [], output)
        for one, other, direction in batch_update.moved:
            first, second = self._requests.pop(one, None), self._requests.pop(other, None)
            if first is not None:
                self._requests[other] = first
            if second is not None and direction is MoveDirectionality.SWAP:
                self._requests[one] = second

    def apply(self, logits: Any) -> Any:
        """Mark the rows of marked requests."""
        if not self._requests:
            return logits
        marks: list[RowMark | None] = [None] * logits.shape[0]
        for row, request in self._requests.items():
            marks[row] = request.mark
        if self._batch.marks != tuple(marks):
            self._batch = MarkedBatch(marks)
        widest = max(request.mark.width for request in self._requests.values())
        contexts = np.full((logits.shape[0], widest), -1, dtype=np.int64)
        repeated = np.zeros(logits.shape[0], dtype=bool)
        for row, request in self._requests.items():
            seen = request.before(len(request.prompt) + len(request.output))
            contexts[row, widest - len(seen) :] = seen
            repeated[row] = request.mark.draw is Draw.GUMBEL and request.is_repeated(seen)
        there = logits.new_tensor(contexts, dtype=_int64())
        return self._batch.mark(logits, there, there.new_tensor(repeated, dtype=bool))


def _int64() -> Any:
    import torch  # noqa: PLC0415  # vLLM's frontend loads this module without it

    return torch.int64
