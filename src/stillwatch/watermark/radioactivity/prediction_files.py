"""Prediction files: what a suspect predicted, written down by whoever could ask it.

Takes lines of JSON in ids of the mark's tokenizer. Gives readings. One line is one text::

    {"prompt_ids": [5, 9], "token_ids": [17, 4], "top_ids": [[17, 3], [8, 4]], "log_probs": [[-0.2, -1.9], [-0.4, -1.2]]}

`top_ids` has an entry for each of `token_ids`: the predicted ids at that place, the likeliest first, one id alone, or null where nothing is known.
`log_probs`, natural, are those of `top_ids`; without them only the likeliest token is scored. `prompt_ids` is all that the suspect saw before.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from stillwatch.watermark.errors import TokenFileError
from stillwatch.watermark.radioactivity.places import NO_TOKEN, Reading
from stillwatch.watermark.scheme import Tokens


def read_predictions(path: Path) -> Iterator[Reading]:
    """Read a file.

    Raises:
        TokenFileError: where it cannot be read, or a line does not hold what it should; the message names the line and no text.
    """
    try:
        with path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    yield _reading(line, f"{path}:{number}")
    except (OSError, UnicodeDecodeError) as error:
        raise TokenFileError(
            f"{path}: cannot be read ({type(error).__name__}); expected JSON lines in UTF-8"
        ) from error


def _reading(line: str, where: str) -> Reading:
    try:
        row: Any = json.loads(line)
        prompt, text, tops = row.get("prompt_ids") or [], row["token_ids"], row["top_ids"]
        told = row.get("log_probs")
        if len(tops) != len(text) or (told is not None and len(told) != len(text)):
            raise TokenFileError(
                f"{where}: got {len(tops)} top_ids and {'no' if told is None else len(told)} log_probs for {len(text)} token_ids, expected one for each"
            )
        places, ids, chances = [], [], []
        for index, top in enumerate(tops):
            if top is None or top == []:
                continue
            places.append(len(prompt) + index)
            ids.append([top] if isinstance(top, int) else [int(one) for one in top])
            if told is not None:
                given = [told[index]] if isinstance(told[index], (int, float)) else told[index]
                chances.append([math.exp(min(0.0, float(one))) for one in given])
        return Reading(
            tokens=_ids([*prompt, *text]), places=np.array(places, dtype=np.int64),
            alternatives=_filled(ids, NO_TOKEN, np.uint32),
            probabilities=None if told is None else _same(_filled(chances, 0.0, np.float64), ids, chances),
        )  # fmt: skip
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError):
        raise TokenFileError(
            f"{where}: is no prediction; expected token_ids and top_ids, lists of whole numbers, and log_probs of the same form, or none"
        ) from None


def _ids(given: Sequence[int]) -> Tokens:
    """Refuse what are no token ids."""
    tokens = np.array(given, dtype=np.int64)
    if tokens.ndim != 1 or (len(tokens) and not 0 <= int(tokens.min()) <= int(tokens.max()) < NO_TOKEN):
        raise ValueError
    return tokens.astype(np.uint32)


def _filled(rows: Sequence[Sequence[Any]], nothing: float, kind: Any) -> Any:
    filled = np.full((len(rows), max(map(len, rows), default=1)), nothing, dtype=kind)
    for place, row in enumerate(rows):
        filled[place, : len(row)] = row
    return filled


def _same(filled: Any, ids: Sequence[Sequence[int]], chances: Sequence[Sequence[float]]) -> Any:
    """Refuse log-probabilities that are not those of the ids."""
    if [len(one) for one in ids] != [len(one) for one in chances]:
        raise ValueError
    return filled
