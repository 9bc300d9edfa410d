"""An ASGI application with a guard in it, served by uvicorn: it asks the same simulated model, so that both can be compared."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.routing import Route

from stillwatch.gateway.admission import Admission
from stillwatch.gateway.exchange_log import ExchangeLog
from stillwatch.gateway.plugins.asgi import StillwatchMiddleware
from stillwatch.simulation.upstream import Upstream, running


def forwarding(url: str) -> Starlette:
    """Make an application that hands every request to a model's server, as a provider's own gateway does."""

    async def forward(request: Request) -> StreamingResponse:
        client = httpx.AsyncClient(timeout=30)
        kept = {
            name: value for name, value in request.headers.items() if name.lower() not in {"host", "transfer-encoding"}
        }
        target = url + request.url.path + (f"?{request.url.query}" if request.url.query else "")
        asked = client.build_request(
            request.method, target, headers={**kept, "accept-encoding": "identity"}, content=await request.body()
        )
        answer = await client.send(asked, stream=True)

        async def parts() -> AsyncIterator[bytes]:
            async for part in answer.aiter_raw():
                yield part
            await client.aclose()

        headers = {name: value for name, value in answer.headers.items() if name in {"content-type", "content-length"}}
        return StreamingResponse(parts(), status_code=answer.status_code, headers=headers)

    methods = ["GET", "POST", "DELETE", "HEAD", "PUT"]
    return Starlette(routes=[Route("/{path:path}", forward, methods=methods)])


@contextmanager
def uvicorn_running(app: Any) -> Iterator[str]:
    """Serve an application in a thread."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        threading.Event().wait(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(20)


@contextmanager
def serving_asgi(model: Upstream, admission: Admission, log: ExchangeLog | None = None) -> Iterator[str]:
    """Serve an application with a guard in it."""
    with running(model) as url:
        app = forwarding(url)
        app.add_middleware(StillwatchMiddleware, admission=admission, log=log)
        with uvicorn_running(app) as guarded:
            yield guarded
