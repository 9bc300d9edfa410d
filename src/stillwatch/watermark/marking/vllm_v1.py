"""The plug-in for vLLM's V1 model runner (`VLLM_USE_V2_MODEL_RUNNER=0`): a key for each request.

Load it with `--logits-processors stillwatch.watermark.marking.vllm_v1:MarkProcessor`; all else is as in `vllm_v2`. Rows are requests here, and vLLM
refuses logits processors together with speculative decoding. Changes of the batch come as removed, added and moved rows, in that order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vllm.v1.sample.logits_processor.interface import BatchUpdate, LogitsProcessor, MoveDirectionality

from stillwatch.watermark.marking.mark_rows import mark_rows
from stillwatch.watermark.marking.row_mark import Draw, RowMark
from stillwatch.watermark.marking.worker_keys import WorkerKeys

if TYPE_CHECKING:
    from vllm.config import VllmConfig
    from vllm.sampling_params import SamplingParams


@dataclass(frozen=True, slots=True)
class _Request:
    """A marked request."""

    mark: RowMark
    prompt: list[int]
    output: list[int]
    """vLLM's own list, which grows."""


class MarkProcessor(LogitsProcessor):
    """Marks the rows of requests that carry a handle."""

    def __init__(self, vllm_config: VllmConfig, device: Any, is_pin_memory: bool) -> None:  # noqa: ARG002  # vLLM's signature
        """Open the worker's keys."""
        self._keys = WorkerKeys.of_environment()
        self._requests: dict[int, _Request] = {}

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
        widest = max(request.mark.width for request in self._requests.values())
        contexts = logits.new_full((logits.shape[0], widest), -1).long()
        repeated = logits.new_zeros(logits.shape[0], dtype=bool)
        marks: list[RowMark | None] = [None] * logits.shape[0]
        for row, request in self._requests.items():
            marks[row] = request.mark
            seen = _before(request, len(request.prompt) + len(request.output), request.mark.width)
            contexts[row, widest - len(seen) :] = contexts.new_tensor(seen)
            if request.mark.draw is Draw.GUMBEL:
                repeated[row] = _is_repeated(request, seen)
        return mark_rows(logits, contexts, marks, repeated)


def _before(request: _Request, end: int, width: int) -> list[int]:
    """Give the tokens before a place, at most `width`."""
    start, split = max(end - width, 0), len(request.prompt)
    return request.prompt[start:end] + request.output[max(start - split, 0) : max(end - split, 0)]


def _is_repeated(request: _Request, context: list[int]) -> bool:
    """Say whether this context stood before some token of the answer already."""
    width, first = request.mark.width, len(request.prompt)
    tokens = request.prompt[max(first - width, 0) :] + request.output
    return any(tokens[place : place + width] == context for place in range(len(tokens) - width))
