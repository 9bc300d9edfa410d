"""A logits processor for transformers: a mark for each row of the batch, keys and schemes mixed as they come.

Takes the marks of the rows. Gives a processor for `generate(logits_processor=LogitsProcessorList([...]))`. transformers runs it before temperature,
top-k and top-p, so a Gumbel row is truncated here by its own `RowMark`, and what the library draws afterwards can only be the chosen token;
call `generate` with `do_sample=True`. Reference for the engines' plug-ins: simple, without state between steps, the same after a reordering.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stillwatch.watermark.marking.errors import MarkingError
from stillwatch.watermark.marking.mark_rows import MarkedBatch, repeated_contexts
from stillwatch.watermark.marking.row_mark import Draw, RowMark


class MarkLogitsProcessor:
    """Marks each row of a batch; an instance serves one call of `generate`."""

    def __init__(self, marks: Sequence[RowMark | None], prompt_length: int, padding: int | None = None) -> None:
        """Take the marks.

        Args:
            marks: of each row, in the order of the batch; null for rows that are left alone.
            prompt_length: tokens of the (padded) prompt: `input_ids.shape[1]`.
            padding: id that fills short prompts on the left; a context that reaches into it is not marked.
        """
        self._batch = MarkedBatch(marks)
        self._prompt_length = prompt_length
        self._padding = padding
        widths = [mark.width for mark in marks if mark is not None]
        self._widest = max(widths, default=1)
        gumbel = [mark.width if mark is not None and mark.draw is Draw.GUMBEL else 0 for mark in marks]
        self._gumbel_rows = {width: [own == width for own in gumbel] for width in sorted({*gumbel} - {0})}

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        """Mark the next token of each row.

        Args:
            input_ids: int64 tensor [rows, length]: prompt and answer so far.
            scores: float tensor [rows, vocabulary].

        Returns:
            The scores, changed where a row is marked.

        Raises:
            MarkingError: where the batch has another number of rows than marks were given for, as with beams.
        """
        rows, length = input_ids.shape
        if rows != len(self._batch.marks):
            raise MarkingError(
                f"got a batch of {rows} rows, expected {len(self._batch.marks)}: a mark for each; beams and several answers a prompt take a mark each"
            )
        start = max(length - self._widest, 0)
        contexts = input_ids[:, start:]
        if contexts.shape[1] < self._widest:
            contexts = _padded(contexts, self._widest)
        if self._padding is not None and start < self._prompt_length:
            in_prompt = contexts.new_ones(contexts.shape, dtype=bool)
            in_prompt[:, max(self._prompt_length - start, 0) :] = False
            contexts = contexts.masked_fill(in_prompt & (contexts == self._padding), -1)
        repeated = None
        for width, of_width in self._gumbel_rows.items():
            found = repeated_contexts(input_ids, self._prompt_length, width)
            if len(self._gumbel_rows) > 1:
                found &= found.new_tensor(of_width)
            repeated = found if repeated is None else repeated | found
        return self._batch.mark(scores.clone(), contexts, repeated)


def _padded(contexts: Any, width: int) -> Any:
    """Fill contexts on the left with -1, which is no token."""
    filled = contexts.new_full((contexts.shape[0], width), -1)
    if contexts.shape[1]:
        filled[:, -contexts.shape[1] :] = contexts
    return filled
