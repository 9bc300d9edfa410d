"""What a plug-in hands to the guard: one request, in words that are the same for every product and API.

Takes method, path and body. Gives the route, which says in whose shape an error is told and whether an answer can carry a mark.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any


class Route(StrEnum):
    """Which call of an API a request is; the words are those of `EXCHANGE.endpoint`."""

    CHAT = "chat"
    COMPLETION = "completion"
    RESPONSES = "responses"
    MESSAGES = "messages"
    EMBEDDINGS = "embeddings"
    OTHER = "other"
    """Anything else: models, files, batches, an engine's own routes."""


GENERATING = frozenset({Route.CHAT, Route.COMPLETION, Route.RESPONSES, Route.MESSAGES})
"""Routes that answer with text of the model, and whose bodies must be JSON."""
_ENDINGS: tuple[tuple[str, Route], ...] = (
    ("/chat/completions", Route.CHAT),
    ("/completions", Route.COMPLETION),
    ("/responses", Route.RESPONSES),
    ("/messages", Route.MESSAGES),
    ("/embeddings", Route.EMBEDDINGS),
)
_ANTHROPIC = ("/messages", "/messages/count_tokens", "/messages/batches")


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayRequest:
    """One request as a plug-in saw it. Only account and time decide; the rest is for the log and for the mark."""

    account_id: str | None
    """The provider's account; null where the request names none."""
    time_us: int
    """When it came; microseconds UTC."""
    route: Route = Route.OTHER
    path: str = ""
    """Of the URL, without query."""
    model: str | None = None
    body: Mapping[str, Any] | None = None
    """The parsed body; null where there is none, or it is no JSON object."""
    stream: bool = False
    client_address: str | None = None
    user_agent: str | None = None
    api_key_id: str | None = None
    """Hash of the key, never the key."""


@lru_cache(maxsize=1_024)
def route_of(path: str) -> Route:
    """Give the route of a path; a prefix such as `/openai` or `/v1` does not matter, nor do doubled or trailing slashes."""
    folded = "/" + "/".join(part for part in path.split("/") if part)
    return next((route for ending, route in _ENDINGS if folded.endswith(ending)), Route.OTHER)


def speaks_anthropic(path: str) -> bool:
    """Say whether errors on this path have the shape of Anthropic's API rather than OpenAI's."""
    return path.rstrip("/").endswith(_ANTHROPIC) or "/messages/batches/" in path


def request_of(
    *, account_id: str | None, time_us: int, path: str, body: Mapping[str, Any] | None = None, **more: str | None
) -> GatewayRequest:
    """Give a request with what its path and body say filled in.

    Args:
        account_id: the provider's account.
        time_us: microseconds UTC.
        path: of the URL, without query.
        body: parsed.
        more: `client_address`, `user_agent`, `api_key_id`.
    """
    model = None if body is None else body.get("model")
    return GatewayRequest(
        account_id=account_id,
        time_us=time_us,
        route=route_of(path),
        path=path,
        model=model if isinstance(model, str) else None,
        body=body,
        stream=body is not None and body.get("stream") is True,
        **more,
    )
