"""vLLM and SGLang: the middleware with its settings from the environment, under a name that an engine's server can load.

Takes the application alone, since vLLM's `--middleware stillwatch.gateway.plugins.engines.EngineMiddleware` gives nothing else. Gives an
application. SGLang has no such option: its server is started by a program of three lines that adds this class to its application.
"""

from __future__ import annotations

import os

from stillwatch.gateway.plugins.asgi import Application, Receive, Scope, Send, StillwatchMiddleware
from stillwatch.gateway.settings import RunningGuard, settings_of


class EngineMiddleware(StillwatchMiddleware):
    """`StillwatchMiddleware` for an application that somebody else puts together."""

    def __init__(self, app: Application) -> None:
        """Stand before an application, as the variables of `stillwatch.gateway.settings.VARIABLES` say.

        Raises:
            GatewaySettingError: naming the variable that is missing or cannot be used; the server does not start then.
            IntegrityError: where the bundle does not pass; likewise.
        """
        self.running = RunningGuard(settings_of(os.environ))
        super().__init__(app, admission=self.running.admission, log=self.running.log)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one connection; the first one, which is the application's start, begins to watch the bundle."""
        self.running.watch()
        await super().__call__(scope, receive, send)
