"""The plug-in for vLLM's V2 model runner, the default since 0.33: a key for each request.

Load it with `--logits-processors stillwatch.watermark.marking.vllm_v2:MarkProcessor`, and name the workers' keys by STILLWATCH_MARK_KEYS. The
gateway puts the handle into `vllm_xargs`. A row is not a request: rows are reordered every step, and under speculative decoding a
request owns a row for each draft token, whose context is committed tokens and then the drafts before it. This runs before temperature, top-k and top-p.

Do not register it under vLLM's shared entry-point group: a server that runs the other model runner refuses to start then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vllm.v1.worker.gpu.sample.logits_processor.interface import LogitsProcessor

from stillwatch.watermark.marking.mark_rows import MarkedBatch, repeated_before
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
        self._batch = MarkedBatch([])

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
        drafting = len(ctx.expanded_idx_mapping) != len(ctx.idx_mapping_np)
        slots = ctx.expanded_idx_mapping.tolist() if drafting else ctx.idx_mapping_np.tolist()
        marks = [self._marks.get(slot) for slot in slots]
        if self._batch.marks != tuple(marks):
            self._batch = MarkedBatch(marks)
        widest = max(mark.width for mark in marks if mark is not None)
        gumbel = {mark.width for mark in marks if mark is not None and mark.draw is Draw.GUMBEL}
        if not gumbel:
            return self._batch.mark(logits, self._tokens(ctx, widest, last=True))
        longest = max(int(ctx.seq_lens_upper_bound_np.max()), widest)
        tokens, ends = self._tokens(ctx, longest, last=False), ctx.pos.long() + 1
        before = ends[:, None] + _torch().arange(-widest, 0, device=ends.device)[None, :]
        contexts = tokens.gather(1, before.clamp(0, longest - 1)).masked_fill(before < 0, -1)
        firsts, repeated = self._states.prompt_len.gpu[ctx.expanded_idx_mapping.long()], None
        for width in gumbel:
            of_width = repeated_before(tokens, firsts, ends, contexts[:, widest - width :])
            if len(gumbel) > 1:
                of_width &= of_width.new_tensor([mark is not None and mark.width == width for mark in marks])
            repeated = of_width if repeated is None else repeated | of_width
        return self._batch.mark(logits, contexts, repeated)

    def _tokens(self, ctx: LogitsContext, count: int, *, last: bool) -> Any:
        """Give tokens of each row's sequence, up to the one that the row draws: committed ones, then this request's drafts.

        Args:
            ctx: the step.
            count: of tokens.
            last: whether the last ones are given, ending before the drawn token, or the first ones.

        Returns:
            int64 [rows, count]; -1 where there is none before the first, and anything past the last.
        """
        torch = _torch()
        held, device = self._states.all_token_ids.gpu, ctx.pos.device
        ends, offsets = ctx.pos[:, None] + 1, ctx.expanded_local_pos[:, None]
        places = torch.arange(count, device=device)[None, :]
        if last:
            places = ends - count + places
        tokens = held[ctx.expanded_idx_mapping.long()[:, None], places.clamp(0, held.shape[1] - 1)].long()
        if len(ctx.expanded_idx_mapping) == len(ctx.idx_mapping_np):
            fed = places == ends - 1
            return tokens.where(~fed, ctx.input_ids.long()[:, None]).masked_fill(places < 0, -1)
        first = ends - 1 - offsets  # the token that the request's first row feeds, from which on the drafts are read
        rows = torch.arange(len(ends), device=device)[:, None]
        drafts = (rows - offsets + places - first).clamp(0, len(ctx.input_ids) - 1)
        return ctx.input_ids.long()[drafts].where(places >= first, tokens).masked_fill(places < 0, -1)


def _torch() -> Any:
    import torch  # noqa: PLC0415  # vLLM's frontend loads this module without it

    return torch
