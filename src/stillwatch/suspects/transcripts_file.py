"""Transcripts: what was served, and unseen re-samples of the same model, as the served-transcript test reads them.

Takes a file of JSON lines, one per served answer. Gives transcripts of which nothing is known that sets the served answer apart from its
unseen ones. What is left out is left out by rules that read served and unseen answers alike, or only what was known when it was served:
a rule that looked at the served answer alone would make its rank mean something else.

    {"exchange_id": "x-1", "account": "a-7", "prompt": "...", "served": "...", "unseen": ["...", ...], "exchangeable": true}

Also read: `system` (text before the prompt), `own_scores` (mean token log-probability that our own model gave to the served answer and then
to each unseen one, when they were drawn). `exchangeable` is what the shadow sample says of itself; there is no default for it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stillwatch.suspects.errors import MaterialError


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcript:
    """A served answer with its unseen re-samples."""

    exchange_id: str
    account: str
    prompt: str
    system: str
    served: str
    unseen: tuple[str, ...]
    own_scores: tuple[float, ...]
    """Mean token log-probabilities by our own model, nats: of the served answer, then of each unseen one; empty where nobody kept them."""

    @property
    def answers(self) -> tuple[str, ...]:
        """The served answer, then the unseen ones."""
        return (self.served, *self.unseen)


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcripts:
    """What a file holds."""

    kept: tuple[Transcript, ...]
    """In the order of their exchange ids."""
    not_exchangeable: int
    """Left out, since their shadow samples say that they were asked otherwise, or by another snapshot."""
    too_few: int
    """Left out for fewer unseen answers than were asked for, or for one that is empty among served and unseen."""
    repeated: int
    """Left out, since another exchange has the same prompt and the same served answer, as from a cache."""


def read_transcripts(path: Path, least_unseen: int) -> Transcripts:
    """Read transcripts.

    Args:
        path: of the file, JSON lines.
        least_unseen: unseen answers that an exchange must have, at least 1.

    Raises:
        MaterialError: where it cannot be read, or a line does not hold what it should; the message gives its number and no text.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise MaterialError(f"{path}: cannot be read ({type(error).__name__}); expected JSON lines in UTF-8") from error
    kept: dict[str, Transcript] = {}
    seen: set[tuple[str, str, str]] = set()
    not_exchangeable = too_few = repeated = 0
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        exchangeable, transcript = _transcript(line, f"{path}:{number}")
        if transcript.exchange_id in kept:
            raise MaterialError(f"{path}:{number}: exchange {transcript.exchange_id!a} stands in the file twice")
        key = (transcript.system, transcript.prompt, transcript.served)
        if not exchangeable:
            not_exchangeable += 1
        elif len(transcript.unseen) < least_unseen or not all(transcript.answers):
            too_few += 1
        elif key in seen:
            repeated += 1
        else:
            seen.add(key)
            kept[transcript.exchange_id] = transcript
    return Transcripts(
        kept=tuple(kept[name] for name in sorted(kept)),
        not_exchangeable=not_exchangeable,
        too_few=too_few,
        repeated=repeated,
    )


def transcript_row(sample: Mapping[str, Any], texts: Mapping[str, Any]) -> dict[str, Any]:
    """Give the line of a shadow sample, as `read_transcripts` reads it.

    A conversation becomes one prompt, turns under the names of their roles, the same for served and unseen answers: how it is written can
    cost power, and changes nothing of the null. An answer without text becomes an empty one, which leaves the exchange out.

    Args:
        sample: the record of a shadow sample, as the ledger has it.
        texts: what it holds encrypted: `served` with `body` and `text`, and one with `text` for each ask that was answered, by number.
    """
    system, prompt = _system_and_prompt(texts["served"]["body"])
    unseen = [texts[place]["text"] or "" for place in sorted((one for one in texts if one != "served"), key=int)]
    return {
        "exchange_id": sample["id"],
        "account": sample["account_id"],
        "prompt": prompt,
        "system": system,
        "served": texts["served"]["text"] or "",
        "unseen": unseen,
        "exchangeable": sample["exchangeable"],
    }


def _system_and_prompt(body: Mapping[str, Any]) -> tuple[str, str]:
    """Read a request's body: completions, chat completions, responses or messages."""
    system = [_text(body[name]) for name in ("system", "instructions") if body.get(name)]
    said = body.get("messages", body.get("input", body.get("prompt", "")))
    if not isinstance(said, list) or not all(isinstance(one, dict) for one in said):
        return "\n".join(system), _text(said)
    turns = [(str(one.get("role", "")), _text(one.get("content", ""))) for one in said]
    system += [text for role, text in turns if role in {"system", "developer"}]
    others = [(role, text) for role, text in turns if role not in {"system", "developer"}]
    if len(others) == 1:
        return "\n".join(system), others[0][1]
    return "\n".join(system), "\n\n".join(f"{role}: {text}" for role, text in others)


def _text(content: Any) -> str:
    """Give the text of a content: a text, or a list of texts and parts that hold one."""
    if isinstance(content, list):
        return "\n".join(_text(one) for one in content)
    if isinstance(content, dict):
        return _text(content.get("text", ""))
    return content if isinstance(content, str) else ""


def _transcript(line: str, where: str) -> tuple[bool, Transcript]:
    try:
        row: Any = json.loads(line)
    except ValueError:
        raise MaterialError(f"{where}: is no JSON; expected one object a line") from None
    if not isinstance(row, dict):
        raise MaterialError(f"{where}: got {type(row).__name__}, expected an object")
    for name, kind in (
        ("exchange_id", str),
        ("account", str),
        ("prompt", str),
        ("served", str),
        ("exchangeable", bool),
    ):
        if not isinstance(row.get(name), kind):
            raise MaterialError(f"{where}: got {name} of kind {type(row.get(name)).__name__}, expected {kind.__name__}")
    unseen, own, system = row.get("unseen"), row.get("own_scores") or [], row.get("system") or ""
    if not isinstance(unseen, list) or not all(isinstance(one, str) for one in unseen) or not isinstance(system, str):
        raise MaterialError(f"{where}: expected unseen to be a list of texts, and system a text")
    if not isinstance(own, list) or not all(isinstance(one, (int, float)) and math.isfinite(one) for one in own):
        raise MaterialError(f"{where}: expected own_scores to be a list of finite numbers")
    if own and len(own) != len(unseen) + 1:
        raise MaterialError(f"{where}: got {len(own)} own_scores for {len(unseen) + 1} answers, expected one for each")
    return row["exchangeable"], Transcript(
        exchange_id=row["exchange_id"],
        account=row["account"],
        prompt=row["prompt"],
        system=system,
        served=row["served"],
        unseen=tuple(unseen),
        own_scores=tuple(float(one) for one in own),
    )
