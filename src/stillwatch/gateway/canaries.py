"""Canaries at the gateway: where a request leaves the choice open, the choice that was drawn for this account and committed to before.

Takes the table that `stillwatch canary serve-table` wrote, which holds accounts whose terms disclose canaries and no others, and no key. Gives, for a
request that is word for word one of the committed questions and asks for nothing else, the member by which the serving engine is held to the chosen
answer; the model still gives it, streamed or whole. Every other request goes on as it is: a canary is one of equally good answers to a question
that has no right one, so no answer is made worse, and no honest question gets a wrong one.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stillwatch.gateway.errors import GatewaySettingError
from stillwatch.gateway.marking import Engine
from stillwatch.gateway.request import GatewayRequest, Route

FORMAT = "stillwatch-canary-table/v1"
MOST_BYTES = 1 << 28
_PLAIN = frozenset(
    {
        "model", "messages", "temperature", "top_p", "top_k", "max_tokens", "max_completion_tokens", "stream", "stream_options",
        "seed", "user", "metadata", "safety_identifier", "presence_penalty", "frequency_penalty", "service_tier", "store",
    }
)  # fmt: skip
"""Members that a request may have; any other may narrow the choice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryChoice:
    """What one request is answered with."""

    slot_id: str
    answer: str


class CanaryTable:
    """The committed choices of accounts that were told of them."""

    def __init__(self, choices: Mapping[str, Mapping[str, CanaryChoice]], engine: Engine) -> None:
        """Take choices by account and question.

        Args:
            choices: account to digest of the question to choice.
            engine: by whose interface the model is held to an answer.

        Raises:
            GatewaySettingError: for an engine that cannot be held to one.
        """
        if engine is Engine.NONE:
            raise GatewaySettingError("canaries need an engine that can be held to an answer: --engine vllm or sglang")
        self._choices = choices
        self._engine = engine

    def choice(self, request: GatewayRequest) -> CanaryChoice | None:
        """Give the choice for a request; null for all that is not exactly one of the questions, asked plainly."""
        mine = self._choices.get(request.account_id or "")
        body = request.body
        if mine is None or body is None or request.route not in {Route.CHAT, Route.MESSAGES} or set(body) - _PLAIN:
            return None
        messages = body.get("messages")
        if not isinstance(messages, list) or len(messages) != 1 or not isinstance(messages[0], Mapping):
            return None
        text = messages[0].get("content")
        if messages[0].get("role") != "user" or not isinstance(text, str):
            return None
        return mine.get(question_digest(text))

    def member(self, choice: CanaryChoice) -> tuple[str, Any]:
        """Give the member of the body that holds the engine to an answer: vLLM's `structured_outputs`, SGLang's `regex`."""
        if self._engine is Engine.VLLM:
            return "structured_outputs", {"choice": [choice.answer]}
        return "regex", re.escape(choice.answer)


def question_digest(text: str) -> str:
    """Give the digest by which a question is found: of its words, whatever the space around them."""
    return hashlib.sha256(" ".join(text.split()).encode("utf-8", "surrogatepass")).hexdigest()


def read_canary_table(path: Path, engine: Engine) -> CanaryTable:
    """Read a table.

    Args:
        path: of the file, mode 0600: whoever reads it can recognise canaries.
        engine: that serves the model.

    Raises:
        GatewaySettingError: where it cannot be read, others may read it, or it is none.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
        if path.stat().st_mode & 0o077:
            raise GatewaySettingError(f"{path}: others may read it, and it tells canaries; chmod 600 it")
        said = json.loads(content)
        choices = {
            str(account): {
                str(digest): CanaryChoice(slot_id=str(one["slot"]), answer=str(one["answer"]))
                for digest, one in questions.items()
            }
            for account, questions in said["accounts"].items()
        }
        sound = said["format"] == FORMAT
    except OSError as error:
        raise GatewaySettingError(f"{path}: cannot be read ({error.strerror})") from error
    except (ValueError, KeyError, TypeError, AttributeError):
        sound, choices = False, {}
    if not sound:
        raise GatewaySettingError(f"{path}: is no {FORMAT}; write one with `stillwatch canary serve-table`")
    return CanaryTable(choices, engine)
