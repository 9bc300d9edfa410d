"""The verb `guard`: a reverse proxy before a model's server that acts on a bundle and logs what passes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stillwatch.cli import guard_options as options
from stillwatch.cli import ledger_options
from stillwatch.cli.errors import MissingExtraError, OptionError, OutputError
from stillwatch.cli.exit_codes import ExitCode
from stillwatch.cli.options import DebugOption, JsonOption, bytes_of
from stillwatch.cli.terminal import Terminal, open_terminal
from stillwatch.cli.verb_help import VerbHelp

if TYPE_CHECKING:
    from stillwatch.gateway.bundle_source import BundleSource
    from stillwatch.gateway.exchange_log import ExchangeLog
    from stillwatch.gateway.guard import Guard
    from stillwatch.gateway.serving import Places, Serving
    from stillwatch.gateway.shared_rates import RedisRates

HELP = VerbHelp(
    name="guard",
    purpose="Stand before a model's server, act on the bundle, and log what passes.",
    examples=(
        "stillwatch guard --upstream http://localhost:8000 --check",
        "stillwatch guard --upstream http://localhost:8000 --listen 127.0.0.1:8400 --log exchanges.jsonl",
        "stillwatch guard --upstream http://localhost:8000 --sketches sketches --log-content none --log exchanges.jsonl",
    ),
    writes="the lines of --log, the parts of --sketches and the version into --state. It runs until it is told to stop (SIGTERM, SIGINT); needs stillwatch[gateway].",
)


def guard(
    *,
    upstream: options.Upstream,
    listen: options.Listen = "127.0.0.1:8400",
    admin: options.Admin = None,
    bundle: options.Bundle = None,
    public_key: options.Key = None,
    name: options.Name = None,
    state: options.State = None,
    accept_stale: options.AcceptStale = False,
    account_header: options.AccountHeader = None,
    accounts: options.Accounts = None,
    trusted_hops: options.TrustedHops = 0,
    redis: options.Redis = None,
    engine: options.EngineOption = "none",
    mark_keys: options.MarkKeys = None,
    announce_marks: options.AnnounceMarks = False,
    canaries: options.Canaries = None,
    log: options.Log = None,
    log_content: options.LogContent = "full",
    sketches: options.Sketches = None,
    when_failing: options.WhenFailing = "open",
    most_body: options.MostBody = "64MiB",
    silence: options.Silence = 600.0,
    grace: options.Grace = 30.0,
    check: options.Check = False,
    as_json: JsonOption = False,
    debug: DebugOption = False,  # noqa: ARG001  # read by the entry point
) -> ExitCode:
    """Run the guard."""
    _need_extra()
    from stillwatch.gateway.admission import Admission  # noqa: PLC0415
    from stillwatch.gateway.plugins.reverse_proxy import ReverseProxy, UpstreamSettings  # noqa: PLC0415
    from stillwatch.gateway.serving import Serving  # noqa: PLC0415
    from stillwatch.gateway.shared_rates import RedisRates  # noqa: PLC0415

    shared = None if redis is None else RedisRates(redis)
    made = _guard(shared, when_failing)
    marks = options.marks_of(engine, mark_keys)
    door = Admission(
        made,
        identity=options.identity_of(account_header, accounts, trusted_hops),
        marks=marks,
        canaries=options.canaries_of(canaries, engine),
        most_body=bytes_of(most_body, "--most-body"),
        announce_marks=announce_marks,
    )
    kept = None if check else _log(log, sketches, log_content)
    serving = Serving(
        proxy=ReverseProxy(door, UpstreamSettings(url=upstream, silence_s=silence), kept),
        listen=options.address_of(listen, "--listen"),
        admin=None if admin is None else options.address_of(admin, "--admin"),
        source=_source(made, bundle, public_key, name, state, marks.keys, accept_stale=accept_stale),
        shared=shared,
        log=kept,
        grace_s=grace,
    )
    return (_checked if check else _run)(open_terminal(as_json=as_json), serving)


def _guard(shared: RedisRates | None, when_failing: str) -> Guard:
    from stillwatch.gateway.guard import Guard  # noqa: PLC0415
    from stillwatch.records.decision import WhenStale  # noqa: PLC0415

    fails = options.word_of(when_failing, "--when-failing", tuple(WhenStale))
    return Guard(shared=shared, when_failing=WhenStale(fails))


def _source(
    made: Guard,
    bundle: Path | None,
    public_key: Path | None,
    name: str | None,
    state: Path | None,
    keys: Mapping[str, Any],
    *,
    accept_stale: bool,
) -> BundleSource | None:
    """Open the bundle, or say which option is missing."""
    from stillwatch.gateway.bundle_source import BundleSource  # noqa: PLC0415
    from stillwatch.integrity.bundle_state import BundleState  # noqa: PLC0415
    from stillwatch.integrity.enforcement_bundle import BundleTrust  # noqa: PLC0415
    from stillwatch.integrity.signing import parse_verifier_key  # noqa: PLC0415

    if bundle is None:
        return None
    if public_key is None or name is None or state is None:
        raise OptionError("--bundle needs --key, --for and --state as well: without them no bundle can be trusted.")
    key = parse_verifier_key(ledger_options.small_file(public_key).decode("utf-8", "replace"))
    trust = BundleTrust(key=key, name=name, accept_stale=accept_stale)
    source = BundleSource(made, bundle, trust, BundleState(state), keys=keys)
    source.open()
    return source


def _checked(terminal: Terminal, serving: Serving) -> ExitCode:
    bundle = serving.proxy.admission.guard.bundle
    said = "no bundle: nobody is acted on" if bundle is None else f"bundle version {bundle.bundle.version} holds"
    terminal.say(f"Settings and files can be used; {said}.")
    version = None if bundle is None else bundle.bundle.version
    terminal.document({"verb": "guard", "checked": True, "bundle_version": version})
    return ExitCode.DONE


def _log(path: Path | None, sketches: Path | None, content: str) -> ExchangeLog | None:
    from stillwatch.gateway.errors import GatewaySettingError  # noqa: PLC0415
    from stillwatch.gateway.settings import open_log  # noqa: PLC0415

    keeps = options.word_of(content, "--log-content", ("full", "none")) == "full"
    try:
        return open_log(path, sketches, keep_text=keeps)
    except GatewaySettingError as error:
        raise OutputError(f"{error}.") from error


def _run(terminal: Terminal, serving: Serving) -> ExitCode:
    """Serve until a signal comes."""
    import asyncio  # noqa: PLC0415
    import signal  # noqa: PLC0415

    from stillwatch.gateway.serving import serve  # noqa: PLC0415

    def ready(places: Places) -> None:
        where = "{}:{}".format(*places.listen)
        admin = None if places.admin is None else "{}:{}".format(*places.admin)
        terminal.say(f"Guarding at {where}{f'; health and metrics at {admin}' if admin else ''}.")
        terminal.document({"verb": "guard", "listen": where, "admin": admin})

    async def main() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for one in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(one, stop.set)
        await serve(serving, stop, ready)

    try:
        asyncio.run(main())
    except OSError as error:
        raise OptionError(
            f"cannot listen: {error.strerror}; name other addresses with --listen and --admin."
        ) from error
    counts = dict(serving.proxy.admission.guard.verdicts)
    terminal.aside.print(
        f"Stopped. Verdicts: {', '.join(f'{word} {count:,}' for word, count in sorted(counts.items())) or 'none'}."
    )
    if serving.log is not None:
        terminal.aside.print(f"Log: {serving.log.written:,} lines, {serving.log.dropped:,} exchanges dropped.")
        if serving.log.sketches is not None:
            live = serving.log.sketches
            terminal.aside.print(f"Sketches: {live.written:,} exchanges, {live.dropped:,} dropped.")
    return ExitCode.DONE


def _need_extra() -> None:
    """Say which extra is missing, rather than which module.

    Raises:
        MissingExtraError: where it is.
    """
    from importlib.util import find_spec  # noqa: PLC0415

    missing = [one for one in ("aiohttp", "redis") if find_spec(one) is None]
    if missing:
        raise MissingExtraError(
            f"{' and '.join(missing)} not installed; install them: pip install 'stillwatch[gateway]'"
        )
