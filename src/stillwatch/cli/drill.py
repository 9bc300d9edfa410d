"""The verb `drill`: exercises of detection, marking, output surface and log through a live gateway, with results in the ledger."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stillwatch.cli import ledger_options
from stillwatch.cli.errors import MissingExtraError, OptionError
from stillwatch.cli.exit_codes import ExitCode
from stillwatch.cli.options import DebugOption, JsonOption
from stillwatch.cli.terminal import Terminal, open_terminal
from stillwatch.cli.verb_help import VerbHelp

if TYPE_CHECKING:
    from stillwatch.cli.drill_probes import Send
    from stillwatch.governance.drills import ControlState
    from stillwatch.records.claim import Claim, Inconclusive
    from stillwatch.records.terms import Terms

_RUN = "stillwatch drill run --profile naive"
HELP = VerbHelp(
    name="drill",
    purpose="Exercise detection, marks, output surface and log through a live gateway, and say what came of it.",
    examples=("stillwatch drill marking", "stillwatch drill log"),
    writes="a result into the ledger where one is named; each verb has --help and --json.",
)
RUN_HELP = VerbHelp(
    name="run",
    purpose="Send a simulated campaign with honest traffic through a gateway: what it got before the alert and before the action.",
    examples=(_RUN,),
    writes="worlds, logs and results into a folder that is removed afterwards, unless --keep names one; and a result into the ledger.",
)
MARKING_HELP = VerbHelp(
    name="marking",
    purpose="Check on every route that requests of an account under a mark reach the engine with the campaign's key, and that its text bears it.",
    examples=("stillwatch drill marking", "stillwatch drill marking --engine sglang --keys keys.jsonl"),
    writes="a result into the ledger where one is named.",
)
SURFACE_HELP = VerbHelp(
    name="surface",
    purpose="Ask every route for log-probabilities, alternatives, several samples and reasoning, and say what it shows.",
    examples=("stillwatch drill surface --allow chat:logprobs",),
    writes="a result into the ledger where one is named.",
)
LOG_HELP = VerbHelp(
    name="log",
    purpose="Check that every request is in the log exactly once, with the fields that detection needs.",
    examples=("stillwatch drill log",),
    writes="a result into the ledger where one is named.",
)
LIST_HELP = VerbHelp(
    name="list",
    purpose="List the results of drills in the ledger, and which of them have expired.",
    examples=("stillwatch drill list --ledger ledger.db --actor bob",),
    writes="nothing.",
)
Ledger = Annotated[
    str | None, typer.Option("--ledger", metavar="URL", help="Keep the result in this ledger; needs --actor.")
]
Actor = Annotated[str | None, typer.Option("--actor", metavar="NAME", help="Who runs the drill, for the ledger.")]
FailOnMiss = Annotated[bool, typer.Option("--fail-on-miss", help="End with exit code 12 where the drill did not pass.")]
Samples = Annotated[int, typer.Option("--samples", metavar="N", min=2, max=1_000, help="Requests on each route.")]
Url = Annotated[
    str | None,
    typer.Option("--url", metavar="URL", help="Your own endpoint or gateway; by default one that the drill starts."),
]
HeadersFile = Annotated[
    Path | None,
    typer.Option("--headers-file", metavar="FILE", help="Lines `Name: value` that are sent to --url; holds its key."),
]
ModelName = Annotated[str, typer.Option("--model", metavar="NAME", help="Model to name in the requests.")]
Profile = Annotated[str, typer.Option("--profile", metavar="NAME", help="naive, k-accounts or probe-then-scale.")]
Seeds = Annotated[
    int, typer.Option("--seeds", metavar="N", min=1, max=200, help="Runs; at least 20 for intervals and a claim.")
]
FirstSeed = Annotated[int, typer.Option("--first-seed", metavar="N", min=0, help="Seed of the first run.")]
WorldAccounts = Annotated[int, typer.Option("--accounts", metavar="N", min=100, help="Accounts of the world.")]
CampaignAccounts = Annotated[
    int, typer.Option("--campaign-accounts", metavar="K", min=4, help="Of these, the campaign's.")
]
Requests = Annotated[int, typer.Option("--requests", metavar="N", min=1_000, help="Requests in all.")]
EveryDays = Annotated[
    int, typer.Option("--every-days", metavar="N", min=1, help="Days of the world between detections.")
]
ApprovalHours = Annotated[
    float, typer.Option("--approval-hours", metavar="H", min=0, help="Hours between alert and bundle.")
]
OwnTerms = Annotated[
    Path | None,
    typer.Option("--terms", metavar="FILE", help="Your own terms, accepted by every account; by default a block."),
]
Keep = Annotated[
    Path | None, typer.Option("--keep", metavar="DIR", help="Keep worlds, logs and results of each seed here.")
]


def run(
    *,
    profile: Profile = "naive",
    seeds: Seeds = 1,
    first_seed: FirstSeed = 1,
    accounts: WorldAccounts = 300,
    campaign_accounts: CampaignAccounts = 24,
    requests: Requests = 8_000,
    every_days: EveryDays = 2,
    approval_hours: ApprovalHours = 4.0,
    terms: OwnTerms = None,
    keep: Keep = None,
    ledger: Ledger = None,
    actor: Actor = None,
    fail_on_miss: FailOnMiss = False,
    as_json: JsonOption = False,
    debug: DebugOption = False,  # noqa: ARG001  # read by the entry point
) -> ExitCode:
    """Run the campaign drill."""
    began = _begin(ledger, actor)
    from stillwatch.cli.drill_campaign import PROFILES, CampaignDrill, run_campaign  # noqa: PLC0415
    from stillwatch.cli.progress_display import stage_progress  # noqa: PLC0415
    from stillwatch.governance.drill_campaign import (  # noqa: PLC0415
        campaign_claim,
        campaign_figures,
        campaign_state,
    )

    if profile not in PROFILES:
        raise OptionError(f"--profile got {profile!a}, expected one of {', '.join(PROFILES)}.")
    terminal = open_terminal(as_json=as_json)
    accepted = _terms(terms)
    drill = CampaignDrill(
        profile=profile, accounts=accounts, campaign_accounts=campaign_accounts, requests=requests,
        every_days=every_days, approval_hours=approval_hours,
    )  # fmt: skip
    outcomes = []
    with stage_progress(terminal) as progress:
        for seed in range(first_seed, first_seed + seeds):
            with tempfile.TemporaryDirectory(prefix="stillwatch-drill-") as scratch:
                folder = Path(scratch) if keep is None else keep / f"{profile}-{seed}"
                folder.mkdir(parents=True, exist_ok=True)
                outcomes.append(run_campaign(drill, seed, accepted, folder, progress))
    state, why = campaign_state(outcomes)
    settings = {name: getattr(drill, name) for name in CampaignDrill.__slots__}
    settings |= {"seeds": [one.seed for one in outcomes], "terms_digest": accepted.facts_digest}
    figures = campaign_figures(outcomes)
    figures["runs"] = [{name: getattr(one, name) for name in type(one).__slots__} for one in outcomes]
    _campaign_table(terminal, figures)
    claims = (campaign_claim(outcomes, profile),)
    return _finish(terminal, "campaign", state, why, settings, figures, claims, began, ledger, actor, fail=fail_on_miss)


def marking(
    *,
    samples: Samples = 20,
    engine: Annotated[
        str, typer.Option("--engine", metavar="NAME", help="vllm or sglang: whose interface takes the key.")
    ] = "vllm",
    keys: Annotated[
        Path | None,
        typer.Option("--keys", metavar="FILE", help="As `keys export` writes it: look for the key in text, too."),
    ] = None,
    handle: Annotated[
        str | None,
        typer.Option("--handle", metavar="HANDLE", help="The key that should be on, where --keys holds more."),
    ] = None,
    url: Url = None,
    headers_file: HeadersFile = None,
    model: ModelName = "still-1",
    tokenizer: Annotated[
        Path | None, typer.Option("--tokenizer", metavar="FILE", help="Of the model at --url, as for `mark detect`.")
    ] = None,
    answer_tokens: Annotated[
        int, typer.Option("--answer-tokens", metavar="N", min=16, max=4_096, help="Limit of each answer, in text.")
    ] = 256,
    ledger: Ledger = None,
    actor: Actor = None,
    fail_on_miss: FailOnMiss = False,
    as_json: JsonOption = False,
    debug: DebugOption = False,  # noqa: ARG001  # read by the entry point
) -> ExitCode:
    """Run the drill of marking."""
    began = _begin(ledger, actor)
    if engine not in {"vllm", "sglang"}:
        raise OptionError(f"--engine got {engine!a}, expected vllm or sglang.")
    if keys is None and (url or handle or tokenizer):
        raise OptionError("--url, --handle and --tokenizer are for the check in text; name the keys with --keys.")
    settings: dict[str, Any] = {
        "engine": engine,
        "samples": samples,
        "checked_at": "request body that reaches the engine",
    }
    claims: tuple[Claim | Inconclusive, ...] = ()
    with tempfile.TemporaryDirectory(prefix="stillwatch-drill-") as scratch:
        if keys is None:
            state, why, figures = _marked_bodies(Path(scratch), engine, samples)
        else:
            from stillwatch.cli import drill_text  # noqa: PLC0415

            key = drill_text.key_of(keys, handle)
            probe = drill_text.TextProbe(key=key, samples=samples, tokens=answer_tokens, model=model)
            settings |= {"key": key.handle, "answer_tokens": answer_tokens, "url": url or "own", "checked_in": "text"}
            state, why, figures, claims = (
                drill_text.own_gateway(probe, engine, Path(scratch))
                if url is None
                else drill_text.endpoint(probe, _sender(url), _headers(headers_file), tokenizer)
            )
    terminal = open_terminal(as_json=as_json)
    _route_table(terminal, figures.get("routes", {}))
    _route_table(terminal, figures.get("text", {}))
    return _finish(terminal, "marking", state, why, settings, figures, claims, began, ledger, actor, fail=fail_on_miss)


def _marked_bodies(folder: Path, engine: str, samples: int) -> tuple[ControlState, str, dict[str, Any]]:
    """Look at the bodies alone, with a handle and a key of the drill's own."""
    from stillwatch.cli.drill_gateway import open_gateway  # noqa: PLC0415
    from stillwatch.cli.drill_probes import probe_marking  # noqa: PLC0415
    from stillwatch.gateway.marking import Engine, Marks  # noqa: PLC0415
    from stillwatch.governance.drill_checks import marking_outcome  # noqa: PLC0415

    handle, key = "drill-handle", "0011223344556677"
    marks = Marks(engine=Engine(engine), keys={handle: {"key": key}})
    with open_gateway(folder, seed=0, marks=marks) as gateway:
        seen = probe_marking(gateway, gateway.send, handle, samples)
    return marking_outcome(seen, handle if engine == "vllm" else key)


def surface(
    *,
    allow: Annotated[
        list[str] | None,
        typer.Option("--allow", metavar="ROUTE:WHAT", help="What a route may show, such as chat:logprobs; repeatable."),
    ] = None,
    url: Url = None,
    headers_file: HeadersFile = None,
    model: ModelName = "still-1",
    ledger: Ledger = None,
    actor: Actor = None,
    fail_on_miss: FailOnMiss = False,
    as_json: JsonOption = False,
    debug: DebugOption = False,  # noqa: ARG001  # read by the entry point
) -> ExitCode:
    """Run the drill of the output surface."""
    began = _begin(ledger, actor)
    from stillwatch.cli.drill_gateway import open_gateway  # noqa: PLC0415
    from stillwatch.cli.drill_probes import ROUTES, probe_surface  # noqa: PLC0415
    from stillwatch.governance.drill_checks import EXPOSURES, surface_outcome  # noqa: PLC0415
    from stillwatch.simulation.drill_traffic import ACCOUNT_HEADER  # noqa: PLC0415

    allowed = frozenset((one.partition(":")[0], one.partition(":")[2]) for one in allow or ())
    unknown = [one for one in allowed if one[0] not in ROUTES or one[1] not in EXPOSURES]
    if unknown:
        raise OptionError(
            f"--allow got {':'.join(unknown[0])!a}, expected one of {', '.join(ROUTES)}, a colon, and one of {', '.join(EXPOSURES)}."
        )
    if url is None:
        with (
            tempfile.TemporaryDirectory(prefix="stillwatch-drill-") as scratch,
            open_gateway(Path(scratch), seed=0) as gateway,
        ):
            seen = probe_surface(gateway.send, {ACCOUNT_HEADER: "drill-surface"}, model)
    else:
        seen = probe_surface(_sender(url), _headers(headers_file), model)
    state, why, figures = surface_outcome(seen, allowed)
    settings = {"allowed": sorted(f"{route}:{asked}" for route, asked in allowed), "url": url or "own", "model": model}
    terminal = open_terminal(as_json=as_json)
    for route, asked in figures["routes"].items():
        words = [f"{name} {'shown' if one['shown'] else 'not shown'} ({one['status']})" for name, one in asked.items()]
        terminal.say(f"{route:12}{', '.join(words)}")
    return _finish(terminal, "surface", state, why, settings, figures, (), began, ledger, actor, fail=fail_on_miss)


def log(
    *,
    samples: Samples = 25,
    ledger: Ledger = None,
    actor: Actor = None,
    fail_on_miss: FailOnMiss = False,
    as_json: JsonOption = False,
    debug: DebugOption = False,  # noqa: ARG001  # read by the entry point
) -> ExitCode:
    """Run the drill of the log."""
    began = _begin(ledger, actor)
    from stillwatch.cli.drill_gateway import open_gateway  # noqa: PLC0415
    from stillwatch.cli.drill_probes import probe_log  # noqa: PLC0415
    from stillwatch.governance.drill_checks import log_outcome  # noqa: PLC0415

    with (
        tempfile.TemporaryDirectory(prefix="stillwatch-drill-") as scratch,
        open_gateway(Path(scratch), seed=0) as gateway,
    ):
        probes = probe_log(gateway, samples)
    state, why, figures = log_outcome(probes)
    terminal = open_terminal(as_json=as_json)
    _route_table(
        terminal, {route: {"logged": one["logged"], **one["filled"]} for route, one in figures["routes"].items()}
    )
    settings = {"samples": samples}
    return _finish(terminal, "log", state, why, settings, figures, (), began, ledger, actor, fail=fail_on_miss)


def list_results(
    *,
    ledger: ledger_options.Store,
    actor: ledger_options.Actor,
    as_json: JsonOption = False,
    debug: DebugOption = False,  # noqa: ARG001  # read by the entry point
) -> ExitCode:
    """List results."""
    from stillwatch.evidence.incident_report.campaigns_file import iso_time  # noqa: PLC0415
    from stillwatch.governance.drills import DRILL_RESULT, read_drill_record  # noqa: PLC0415

    terminal = open_terminal(as_json=as_json)
    now = ledger_options.now_us()
    listed: list[dict[str, Any]] = []
    with ledger_options.open_for(ledger, actor, "READ") as (book, _):
        for entry in book.entries(DRILL_RESULT):
            said = read_drill_record(entry.record)
            expired = now >= said["expires_us"]
            listed.append({"entry": entry.index, "expired": expired, **said})
            terminal.say(
                f"{entry.index:6}  {iso_time(said['ended_us'])}  {said['drill']:9} {said['state']}"
                f"{' (expired)' if expired else ''}: {said['why']}"
            )
    if not listed:
        terminal.say("There is no result of a drill; run one with `stillwatch drill run --ledger`.")
    terminal.document({"verb": "drill list", "results": listed})
    return ExitCode.DONE


def _begin(ledger: str | None, actor: str | None) -> int:
    """Refuse, before anything is run, what could not be kept or loaded; give the time."""
    if (ledger is None) != (actor is None):
        raise OptionError("--ledger and --actor were not both given; expected both, to keep the result, or neither.")
    if ledger is not None and actor is not None:
        with ledger_options.open_for(ledger, actor, "APPEND"):
            pass
    try:
        import aiohttp  # noqa: F401, PLC0415
    except ImportError as error:
        raise MissingExtraError("drills need the gateway: install `stillwatch[gateway]`.") from error
    return ledger_options.now_us()


def _finish(
    terminal: Terminal,
    drill: str,
    state: ControlState,
    why: str,
    settings: Mapping[str, Any],
    figures: Mapping[str, Any],
    claims: Sequence[Claim | Inconclusive],
    began_us: int,
    ledger: str | None,
    actor: str | None,
    *,
    fail: bool,
) -> ExitCode:
    """Make the result, keep it where a ledger was named, and tell it."""
    from stillwatch import __version__  # noqa: PLC0415
    from stillwatch.governance.drills import (  # noqa: PLC0415
        CONTROLS,
        VALID_US,
        ControlState,
        DrillResult,
        drill_record,
    )

    ended = ledger_options.now_us()
    result = DrillResult(
        drill=drill,
        state=state,
        why=why,
        controls=CONTROLS[drill],
        version=__version__,
        began_us=began_us,
        ended_us=ended,
        expires_us=ended + VALID_US,
        settings=settings,
        figures=figures,
        claims=tuple(claims),
    )
    record = drill_record(result)
    entry = None if ledger is None or actor is None else _keep(ledger, actor, record)
    terminal.say(f"{state.value}: {why}.")
    for one in result.claims:
        _say_claim(terminal, one)
    if entry is not None:
        terminal.say(f"Entry {entry} of the ledger; it speaks for {', '.join(result.controls)} for 30 days.")
    terminal.document({"verb": f"drill {drill}", "entry": entry, **json.loads(record)})
    return ExitCode.DRILL_MISSED if fail and state is not ControlState.MEASURED_PASS else ExitCode.DONE


def _keep(ledger: str, actor: str, record: bytes) -> int:
    from stillwatch.governance.drills import DRILL_RESULT  # noqa: PLC0415
    from stillwatch.records.ledger import NewEntry  # noqa: PLC0415

    with ledger_options.open_for(ledger, actor, "APPEND") as (_, access):
        return access.append(actor, [NewEntry(kind=DRILL_RESULT, actor=actor, record=record)])[0]


def _say_claim(terminal: Terminal, one: Claim | Inconclusive) -> None:
    from stillwatch.records.claim import Inconclusive  # noqa: PLC0415

    if isinstance(one, Inconclusive):
        terminal.say(f"No claim and no interval: {one.reason}; needed: {one.needed}.")
    else:
        terminal.say(f"{one.statement} ln p = {one.log_p:.2f} ({one.method}).")


def _campaign_table(terminal: Terminal, figures: Mapping[str, Any]) -> None:
    from rich.table import Table  # noqa: PLC0415

    table = Table(title=f"{figures['seeds']} runs", title_justify="left")
    for column in ("", "median", "interval (95%)"):
        table.add_column(column)
    for name in (
        "answers_before_alert",
        "answers_before_action",
        "answers_in_all",
        "hours_to_alert",
        "hours_to_action",
    ):
        low, high = figures[name]["interval"]
        table.add_row(
            name.replace("_", " "), _number(figures[name]["median"]), f"{_number(low, '-')} to {_number(high)}"
        )
    for name in ("alarmed", "acted", "control_alarmed"):
        low, high = figures[name]["interval"]
        table.add_row(
            f"runs {name}".replace("_", " ").replace("runs control", "shuffled controls"),
            f"{figures[name]['count']} of {figures[name]['of']}",
            f"{low:.0%} to {high:.0%}",
        )
    terminal.people.print(table)
    terminal.say(
        f"Honest accounts flagged: {figures['honest_accounts_flagged']}; honest requests refused: {figures['honest_requests_refused']}."
    )


def _number(value: float | None, missing: str = "never") -> str:
    return missing if value is None else f"{value:,.0f}"


def _route_table(terminal: Terminal, routes: Mapping[str, Mapping[str, int]]) -> None:
    width = max(map(len, routes), default=0) + 2
    for route, counts in routes.items():
        terminal.say(f"{route:{width}}{', '.join(f'{name} {count}' for name, count in counts.items())}")


def _terms(path: Path | None) -> Terms:
    from stillwatch import governance  # noqa: PLC0415
    from stillwatch.cli.terms_files import read_terms_file  # noqa: PLC0415

    return read_terms_file(Path(governance.__path__[0]) / "drill_terms.yaml" if path is None else path).terms


def _headers(path: Path | None) -> dict[str, str]:
    """Read headers, a line each; their values are never shown."""
    if path is None:
        return {}
    found = {}
    for number, line in enumerate(ledger_options.small_file(path).decode("utf-8", "replace").splitlines(), 1):
        name, colon, value = line.partition(":")
        if line.strip():
            if not colon or not name.strip().isascii():
                raise OptionError(f"{path}:{number}: is no header; expected `Name: value`.")
            found[name.strip()] = value.strip()
    return found


def _sender(url: str) -> Send:
    """Give a function that sends to an endpoint of the user's own."""
    import urllib.error  # noqa: PLC0415
    import urllib.request  # noqa: PLC0415

    from stillwatch.cli.drill_gateway import Answered  # noqa: PLC0415

    if not url.startswith(("http://", "https://")):
        raise OptionError(f"--url got {url[:80]!a}, expected an address such as https://models.example.com.")

    def send(path: str, headers: dict[str, str], body: bytes) -> Answered:
        request = urllib.request.Request(url.rstrip("/") + path, data=body, headers=headers, method="POST")  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=120) as response:  # noqa: S310
                return Answered(status=response.status, body=response.read())
        except urllib.error.HTTPError as error:
            with error:
                return Answered(status=error.code, body=error.read())
        except OSError as error:
            raise OptionError(f"--url {url}: cannot be reached ({type(error).__name__}).") from error

    return send


VERBS: tuple[tuple[VerbHelp, Any], ...] = (
    (RUN_HELP, run),
    (MARKING_HELP, marking),
    (SURFACE_HELP, surface),
    (LOG_HELP, log),
    (LIST_HELP, list_results),
)
"""The verbs below `drill`, in the order of the help."""
