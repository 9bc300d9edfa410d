"""Weights reading: what open weights predict at each place of texts that we served.

Takes a folder with a causal language model of `transformers`, and documents in the ids of the mark's tokenizer. Gives readings. Where the model has
the mark's tokenizer, ids are fed as they are; else the text is cut by the model's own tokenizer and laid over the mark's (`alignment`). Nothing is
fetched, no code of the folder is run, one thread, float32. Cost: one pass over each text, alone, so that no padding changes its numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from stillwatch.suspects.errors import AccessSettingError, MaterialError
from stillwatch.watermark.radioactivity.alignment import SaidToken, aligned
from stillwatch.watermark.radioactivity.places import Reading
from stillwatch.watermark.scheme import Tokens
from stillwatch.watermark.token_files import Document
from stillwatch.watermark.token_pieces import TokenPieces, open_pieces
from stillwatch.watermark.tokenizers import open_tokenizer, tokenizer_digest

ALTERNATIVES = 64
"""Predictions that are kept of each place; the others have little probability."""


class WeightsReader:
    """A model whose parameters lie in a folder."""

    def __init__(self, folder: Path, *, tokenizer: Path | None, alternatives: int = ALTERNATIVES) -> None:
        """Load it.

        Args:
            folder: as `save_pretrained` writes it.
            tokenizer: the mark's; null where the model's ids are the mark's.
            alternatives: predictions kept of each place, 1 or more.

        Raises:
            AccessSettingError: where the folder holds no such model, or the extra `models` is missing.
            TokenizerError: for a tokenizer that cannot be read.
        """
        try:
            import torch  # noqa: PLC0415  # an extra, loaded where weights are read
            from transformers import AutoModelForCausalLM  # noqa: PLC0415
            from transformers.utils import logging as quiet  # noqa: PLC0415
        except ImportError:
            raise AccessSettingError(
                f"{folder}: weights need torch and transformers; install stillwatch[models]"
            ) from None
        torch.set_num_threads(1)
        quiet.disable_progress_bar()
        try:
            self._model: Any = AutoModelForCausalLM.from_pretrained(
                str(folder), local_files_only=True, trust_remote_code=False, use_safetensors=True, dtype=torch.float32
            ).eval()
        except (OSError, ValueError, KeyError) as error:
            raise AccessSettingError(
                f"{folder}: holds no model that can be read ({type(error).__name__}); expected config.json and model.safetensors, as `save_pretrained` writes them"
            ) from None
        self._torch: Any = torch
        self._most = alternatives
        own = folder / "tokenizer.json"
        self._pieces: TokenPieces | None = None
        self._own: TokenPieces | None = None
        if tokenizer is not None and own.is_file() and tokenizer_digest(own) != tokenizer_digest(tokenizer):
            self._pieces, self._own = open_pieces(tokenizer), open_pieces(own)
            self._encode = open_tokenizer(own).encode
        self._longest = int(getattr(self._model.config, "max_position_embeddings", 0) or 0)
        self._begin = getattr(self._model.config, "bos_token_id", None)

    @property
    def is_aligned(self) -> bool:
        """Whether the model has another tokenizer than the mark, so that texts are laid over each other."""
        return self._own is not None

    def read(self, documents: Iterable[Document]) -> Iterator[Reading]:
        """Read documents.

        One that is longer than the model's context is read as far as that reaches; with another tokenizer it is left out.

        Raises:
            MaterialError: for ids that the model has not.
        """
        for document in documents:
            if not len(document.tokens):
                continue
            reading = self._by_text(document) if self._own is not None else self._by_ids(document)
            if reading is not None:
                yield reading

    def _by_ids(self, document: Document) -> Reading | None:
        prompt = np.empty(0, dtype=np.uint32) if document.prompt is None else document.prompt
        tokens = np.concatenate([prompt, document.tokens]).astype(np.uint32)
        tokens = tokens[: self._longest or None]
        if int(tokens.max()) >= self._model.config.vocab_size:
            raise MaterialError(
                f"got token id {int(tokens.max())}, the model has {self._model.config.vocab_size}; name the mark's tokenizer, so that texts are compared"
            )
        first = max(1, len(prompt))
        if len(tokens) <= first:
            return None
        chances, ids = self._predicted(tokens, first)
        return Reading(
            tokens=tokens, places=np.arange(first, len(tokens)), alternatives=ids.astype(np.uint32),
            probabilities=chances,
        )  # fmt: skip

    def _by_text(self, document: Document) -> Reading | None:
        assert self._pieces is not None and self._own is not None  # noqa: PT018, S101  # only called where both are known
        prompt = np.empty(0, dtype=np.uint32) if document.prompt is None else document.prompt
        before, text = (b"".join(self._pieces.bytes_of(part.tolist())).decode(errors="replace") for part in (prompt, document.tokens))  # fmt: skip
        seen, own = self._encode([before, text])
        start = [] if self._begin is None else [int(self._begin)]
        tokens = np.concatenate([np.array(start, dtype=np.uint32), seen, own]).astype(np.uint32)
        first = len(tokens) - len(own)
        if first == 0:  # nothing stands before the first token, so nothing predicts it
            first = 1
        if len(tokens) <= first or (self._longest and len(tokens) > self._longest):
            return None
        chances, ids = self._predicted(tokens, first)
        told: list[tuple[tuple[bytes, float], ...]] = [()] * (len(own) - (len(tokens) - first))
        for row_chances, row_ids in zip(np.log(np.maximum(chances, 1e-300)).tolist(), ids.tolist(), strict=True):
            told.append(tuple(zip(self._own.bytes_of(row_ids), row_chances, strict=True)))
        said = [
            SaidToken(piece=piece, alternatives=others)
            for piece, others in zip(self._own.bytes_of(own.tolist()), told, strict=True)
        ]
        return aligned(prompt, document.tokens, said, self._pieces)

    def _predicted(self, tokens: Tokens, first: int) -> tuple[Any, Any]:
        """Give probabilities and ids of what is predicted from place `first` on, `[n - first, alternatives]`."""
        torch = self._torch
        with torch.inference_mode():
            rows = torch.from_numpy(tokens.astype(np.int64))[None]
            logits = self._model(input_ids=rows, use_cache=False).logits[0, first - 1 : -1]
            chances, ids = torch.softmax(logits.double(), dim=-1).topk(min(self._most, logits.shape[-1]), dim=-1)
        return chances.numpy(), ids.numpy()
