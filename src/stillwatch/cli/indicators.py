"""The verbs `indicators`: share a campaign with partners without prompts or persons, and look for theirs in own data."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast, get_args

import typer

from stillwatch.cli import ledger_options
from stillwatch.cli.errors import OptionError
from stillwatch.cli.exit_codes import ExitCode
from stillwatch.cli.options import DebugOption, JsonOption, prepare_folder
from stillwatch.cli.private_indicators import INTERSECTION_VERBS
from stillwatch.cli.terminal import open_terminal
from stillwatch.cli.verb_help import VerbHelp
from stillwatch.records.indicator import TrafficLight

if TYPE_CHECKING:
    from stillwatch.evidence.indicators.make import SharingTerms

HELP = VerbHelp(
    name="indicators",
    purpose="Share campaigns with partners without prompts or persons, and look for theirs in your logs.",
    examples=("stillwatch indicators key partners.key",),
    writes="only the files that its verbs name, and nothing to a network; each verb has --help and --json.",
)
KEY_HELP = VerbHelp(
    name="key",
    purpose="Make a key for a group of partners to agree on.",
    examples=("stillwatch indicators key partners.key",),
    writes="one line into FILE, which only you can read; hand it to your partners by a channel that you trust.",
)
EXPORT_HELP = VerbHelp(
    name="export",
    purpose="Write what may be shared of flagged campaigns, without prompts or personal data.",
    examples=(
        (
            "stillwatch indicators export case 'world/traffic-*' --accounts world/accounts.parquet --key-file partners.key "
            "--producer 'Example provider' --out shared"
        ),
    ),
    writes="for each campaign ID.stix.json (STIX 2.1) and ID.misp.json (MISP) into the folder of --out.",
)
IMPORT_HELP = VerbHelp(
    name="import",
    purpose="Check a partner's STIX bundle or MISP event, and keep its indicators.",
    examples=("stillwatch indicators import shared/INDICATORS.stix.json --into partners",),
    writes="ID.indicators.json into the folder of --into.",
)
MATCH_HELP = VerbHelp(
    name="match",
    purpose="Find the accounts in your own logs that carry a partner's indicators.",
    examples=(
        "stillwatch indicators match partners 'world/traffic-*' --accounts world/accounts.parquet --key-file partners.key",
    ),
    writes="nothing, unless --out names a file. Nothing is sent to anybody.",
)
KeyFile = Annotated[
    Path, typer.Option("--key-file", metavar="FILE", help="Key that the partners agreed on, mode 0600.")
]
LogPaths = Annotated[
    list[str], typer.Argument(metavar="PATH", help="Logs, as `stillwatch detect` takes them: files, folders or globs.")
]
AccountsFile = Annotated[
    Path | None, typer.Option("--accounts", metavar="FILE", help="Account facts (Parquet, CSV, JSONL).")
]
AssumeZone = Annotated[
    str | None, typer.Option("--assume-zone", metavar="ZONE", help="Zone of times that name none, such as UTC.")
]


def key(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file that does not exist yet.")],
    *,
    as_json: JsonOption = False,
    debug: DebugOption = False,  # noqa: ARG001  # read by the entry point
) -> ExitCode:
    """Make a key."""
    from stillwatch.evidence.indicators.keyed import make_key_file  # noqa: PLC0415

    terminal = open_terminal(as_json=as_json)
    made = make_key_file(file)
    terminal.say(f"Key {made.id} written to {file}. Whoever has it can test guesses against what is shared under it.")
    terminal.document({"verb": "indicators key", "key_id": made.id, "file": str(file)})
    return ExitCode.DONE


def export(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder that `stillwatch detect` wrote.")],
    paths: LogPaths,
    *,
    key_file: KeyFile,
    producer: Annotated[str, typer.Option("--producer", metavar="NAME", help="Your name, as partners know it.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder; made where missing.")],
    accounts: AccountsFile = None,
    campaign: Annotated[
        list[str] | None, typer.Option("--campaign", metavar="ID", help="Only this campaign; repeatable.")
    ] = None,
    with_addresses: Annotated[
        bool, typer.Option("--with-addresses", help="Share keyed digests of single client addresses too.")
    ] = False,
    traffic_light: Annotated[
        str, typer.Option("--tlp", metavar="COLOUR", help="Traffic Light Protocol: red, amber, green or white.")
    ] = "amber",
    valid_days: Annotated[
        int, typer.Option("--valid-days", metavar="N", min=1, max=3650, help="Days until the indicators expire.")
    ] = 90,
    assume_zone: AssumeZone = None,
    ledger: Annotated[
        str | None, typer.Option("--ledger", metavar="URL", help="Record every share in this ledger; needs --actor.")
    ] = None,
    actor: Annotated[str | None, typer.Option("--actor", metavar="NAME", help="Who shares it.")] = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,  # noqa: ARG001  # read by the entry point
) -> ExitCode:
    """Write what may be shared."""
    if (ledger is None) != (actor is None):
        raise OptionError("--ledger needs --actor; expected both or neither.")
    if traffic_light not in get_args(TrafficLight):
        raise OptionError(f"--tlp got {traffic_light!r}, expected one of {', '.join(get_args(TrafficLight))}.")
    if not re.fullmatch(r"[^\W_][\w .,&()'-]{0,99}", producer):
        raise OptionError(
            "--producer got a name that is empty, too long or has signs; expected letters, digits and blanks."
        )
    terminal = open_terminal(as_json=as_json)
    prepare_folder(out, "--out")
    from stillwatch.cli.indicator_export import write_indicators  # noqa: PLC0415
    from stillwatch.evidence.indicators.keyed import read_key_file  # noqa: PLC0415

    terms = _terms(producer, traffic_light, valid_days, with_addresses=with_addresses)
    with _recording(ledger, actor) as record:
        written = write_indicators(
            folder, paths, accounts, out, read_key_file(key_file), terms, only=campaign, assume_zone=assume_zone, record=record,
        )  # fmt: skip
    for one in written:
        terminal.say(
            f"{one['campaign']} is shared as {one['set_id']}: {one['identifiers']} identifiers, {one['templates']} templates; "
            f"{one['stix']}, {one['misp']}"
        )
    terminal.say("These files hold keyed digests and counts. Read them before you send them.")
    terminal.document({"verb": "indicators export", "sets": written})
    return ExitCode.DONE


def _terms(producer: str, traffic_light: str, valid_days: int, *, with_addresses: bool) -> SharingTerms:
    """Say under which terms is shared."""
    from stillwatch.evidence.indicators.make import DEFAULT_KINDS, SharingTerms  # noqa: PLC0415
    from stillwatch.records.indicator import IdentifierKind  # noqa: PLC0415

    return SharingTerms(
        producer=producer,
        traffic_light=cast("TrafficLight", traffic_light),
        made_us=round(time.time() * 1_000_000),
        valid_days=valid_days,
        kinds=(*DEFAULT_KINDS, IdentifierKind.IP) if with_addresses else DEFAULT_KINDS,
    )


@contextmanager
def _recording(ledger: str | None, actor: str | None) -> Iterator[Callable[[Any, Any], None] | None]:
    """Give what records a share in a ledger; null where none was named."""
    if ledger is None or actor is None:
        yield None
        return
    from stillwatch.cli.ledger_options import open_for  # noqa: PLC0415
    from stillwatch.evidence.indicators.share_record import share_entry  # noqa: PLC0415

    with open_for(ledger, actor, "APPEND") as (_, access):
        yield lambda shared, files: (access.append(actor, [share_entry(shared, files, actor)]), None)[1]


def import_(
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="STIX 2.1 bundles or MISP events.")],
    *,
    into: Annotated[Path, typer.Option("--into", metavar="DIR", help="Folder; made where missing.")],
    as_json: JsonOption = False,
    debug: DebugOption = False,  # noqa: ARG001  # read by the entry point
) -> ExitCode:
    """Keep a partner's indicators."""
    from stillwatch.cli.indicator_files import SET_ENDING, read_indicator_file  # noqa: PLC0415
    from stillwatch.evidence.indicators.documents import set_document  # noqa: PLC0415

    terminal = open_terminal(as_json=as_json)
    prepare_folder(into, "--into")
    read = [read_indicator_file(file) for file in files]
    kept = []
    for one in read:
        path = into / f"{one.id}{SET_ENDING}"
        ledger_options.write_out(path, set_document(one))
        kept.append({"set_id": one.id, "producer": one.producer, "key_id": one.key_id, "file": str(path)})
        terminal.say(f"{one.id} of {one.producer}, made with key {one.key_id}: {path}")
    terminal.document({"verb": "indicators import", "sets": kept})
    return ExitCode.DONE


def match(
    indicators: Annotated[
        Path, typer.Argument(metavar="INDICATORS", help="Folder of `import`, or one file that it takes.")
    ],
    paths: LogPaths,
    *,
    key_file: KeyFile,
    accounts: AccountsFile = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Write the matches as JSON.")] = None,
    assume_zone: AssumeZone = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,  # noqa: ARG001  # read by the entry point
) -> ExitCode:
    """Look for a partner's indicators in own data."""
    from stillwatch.cli.indicator_files import match_indicators  # noqa: PLC0415
    from stillwatch.evidence.indicators.keyed import read_key_file  # noqa: PLC0415
    from stillwatch.integrity.canonical import canonical_bytes  # noqa: PLC0415

    terminal = open_terminal(as_json=as_json)
    result = match_indicators(
        indicators, paths, accounts, read_key_file(key_file), round(time.time() * 1_000_000), assume_zone
    )
    _tell_matches(result["matches"], terminal)
    terminal.say(
        f"{result['exchanges']:,} exchanges read. A match is a lead: a shared card may be a stolen one, a template may be public."
    )
    if out is not None:
        ledger_options.write_out(out, canonical_bytes(result), private=True)
    terminal.document({"verb": "indicators match", **result})
    return ExitCode.DONE


def _tell_matches(matches: Sequence[Any], terminal: Any) -> None:
    """Say each match in a line."""
    for one in matches:
        kinds = ", ".join(f"{count} {kind}" for kind, count in one["identifiers"]) or "no identifier"
        prompts = f"; {one['prompts']:,} prompts hold {one['templates']} of its templates" if one["templates"] else ""
        terminal.say(f"{one['set_id']}  {one['account_id']}: {kinds}{prompts}")
    if not matches:
        terminal.say("No account of ours carries any of these indicators.")


VERBS: tuple[tuple[VerbHelp, Any], ...] = (
    (KEY_HELP, key),
    (EXPORT_HELP, export),
    (IMPORT_HELP, import_),
    (MATCH_HELP, match),
    *INTERSECTION_VERBS,
)
"""The verbs below `indicators`, in the order of the help."""
