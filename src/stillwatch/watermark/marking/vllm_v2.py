"""The plug-in for vLLM's V2 model runner, the default since 0.33: a key for each request.

Load it with `--logits-processors stillwatch.watermark.marking.vllm_v2:MarkProcessor`, and name the workers' keys by STILLWATCH_MARK_KEYS. The
gateway puts the handle into `vllm_xargs`. A row is not a request: rows are reordered every step, and under speculative decoding a
request owns a row for each draft token, whose context is committed tokens and then the drafts before it. This runs before temperature, top-k and top-p.

Do not register it under vLLM's shared entry-point group: a server that runs the other model runner refuses to start then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vllm.v1.worker.gpu.sample.logits_processor.interface import LogitsProcessor

from stillwatch.watermark.marking.mark_rows import mark_rows, repeated_contexts
from stillwatch.watermark.marking.row_mark import Draw, RowMark
from stillwatch.watermark.marking.worker_keys import WorkerKeys

if TYPE_CHECKING:
    from vllm.config import VllmConfig
    from vllm.sampling_params import SamplingParams
    from vllm.v1.worker.gpu.sample.logits_processor.interface import LogitsContext, LogitsProcRequestState


class MarkProcessor(LogitsProcessor):
    """Marks the rows of requests that carry a handle."""

    def __init__(self, vllm_config: VllmConfig, req_states: LogitsProcRequestState) -> None:
        """Open the worker's keys."""
        super().__init__(vllm_config, req_states)
        self._states = req_states
        self._keys = WorkerKeys.of_environment()
        self._marks: dict[int, RowMark] = {}

    @classmethod
    def validate_params(cls, sampling_params: SamplingParams) -> None:
        """Refuse a request whose handle the worker has not, before it is admitted."""
        WorkerKeys.of_environment().mark(sampling_params.extra_args, sampling_params)

    def add_request(self, req_idx: int, sampling_params: SamplingParams) -> bool:
        """Take a request into its slot; what the slot held before is overwritten."""
        self._marks.pop(req_idx, None)
        mark = self._keys.mark(sampling_params.extra_args, sampling_params)
        if mark is None or not mark.draws:
            return False
        self._marks[req_idx] = mark
        return True

    def apply(self, logits: Any, ctx: LogitsContext) -> Any:
        """Mark the rows of marked requests."""
        if not any(int(slot) in self._marks for slot in ctx.idx_mapping_np):
            return logits
        slots = ctx.expanded_idx_mapping.tolist()
        marks = [self._marks.get(slot) for slot in slots]
        offsets, positions = ctx.expanded_local_pos.tolist(), ctx.pos.tolist()
        widest = max(mark.width for mark in marks if mark is not None)
        contexts = logits.new_full((len(marks), widest), -1, dtype=ctx.input_ids.dtype).long()
        repeated = logits.new_zeros(len(marks), dtype=bool)
        for row, mark in enumerate(marks):
            if mark is None:
                continue
            tokens = self._before(row, slots[row], offsets[row], positions[row], ctx)
            seen = tokens[-mark.width :]
            contexts[row, widest - len(seen) :] = seen
            if mark.draw is Draw.GUMBEL:
                prompt = int(self._states.prompt_len.np[slots[row]])
                repeated[row] = repeated_contexts(tokens[None, :], prompt, mark.width)[0]
        return mark_rows(logits, contexts, marks, repeated)

    def _before(self, row: int, slot: int, offset: int, position: int, ctx: LogitsContext) -> Any:
        """Give all tokens before the one that a row draws: committed ones, then this request's drafts up to the row."""
        drafts = ctx.input_ids[row - offset : row + 1].long()
        committed = self._states.all_token_ids.gpu[slot, : position + 1 - len(drafts)].long()
        return _joined(committed, drafts)


def _joined(first: Any, second: Any) -> Any:
    import torch  # noqa: PLC0415  # vLLM's frontend loads this module without it

    return torch.cat((first, second))
