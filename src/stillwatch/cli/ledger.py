"""The verb `ledger`: begin and keep the log of what was found and done, and prove what stands in it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from stillwatch.cli import ledger_options as options
from stillwatch.cli.errors import OptionError
from stillwatch.cli.exit_codes import ExitCode
from stillwatch.cli.ledger_checks import VERIFY_HELP, verify
from stillwatch.cli.ledger_reading import PROVE_HELP, SHOW_HELP, prove, show
from stillwatch.cli.ledger_witness import COSIGN_HELP, cosign
from stillwatch.cli.options import DebugOption, JsonOption
from stillwatch.cli.terminal import open_terminal, printable
from stillwatch.cli.verb_help import VerbHelp

HELP = VerbHelp(
    name="ledger",
    purpose="Keep an append-only, signed log of what was found and done, and prove what stands in it.",
    examples=(
        "stillwatch ledger init --ledger ledger.db --origin example.com/stillwatch --actor alice --key-file ledger.key",
        "stillwatch ledger verify --ledger ledger.db",
    ),
    writes="only into the ledger, and the files that its verbs name; each verb has --help and --json.",
)
INIT_HELP = VerbHelp(
    name="init",
    purpose="Begin a ledger, make its signing key where there is none, and make its first admin.",
    examples=(
        "stillwatch ledger init --ledger ledger.db --origin example.com/stillwatch --actor alice --key-file ledger.key",
    ),
    writes="the store, and the key file (mode 0600) where it is missing.",
)
APPEND_HELP = VerbHelp(
    name="append",
    purpose="Append records, each a line of JSON, in batches that are kept whole or not at all.",
    examples=("stillwatch ledger append --ledger ledger.db --actor alice --kind note notes.jsonl",),
    writes="one entry for each line, as canonical JSON.",
)
CHECKPOINT_HELP = VerbHelp(
    name="checkpoint",
    purpose="Sign the ledger as it is now, so that nothing in it can be changed unnoticed.",
    examples=("stillwatch ledger checkpoint --ledger ledger.db --actor alice --key-file ledger.key",),
    writes="a checkpoint into the ledger; its text to the terminal, or to the file of --out.",
)
STAMP_HELP = VerbHelp(
    name="stamp",
    purpose="Have a checkpoint time-stamped by an authority (RFC 3161), and keep its raw reply.",
    examples=("stillwatch ledger stamp --ledger ledger.db --actor alice --tsa-url TSA_URL --tsa-certificates tsa.pem",),
    writes="the time stamp into the ledger; the raw reply to the file of --out. It connects to TSA_URL and nothing else.",
)
ROLE_HELP = VerbHelp(
    name="role",
    purpose="Say who has which role, assign one, or revoke one; every change is an entry.",
    examples=(
        "stillwatch ledger role --ledger ledger.db --actor alice --assign analyst --to bob",
        "stillwatch ledger role --ledger ledger.db --actor alice",
    ),
    writes="an entry for each change; nothing without --assign or --revoke.",
)
AT_A_TIME = 10_000
"""Lines of one transaction."""


def init(
    *,
    ledger: options.Store,
    actor: options.Actor,
    origin: Annotated[
        str, typer.Option("--origin", metavar="NAME", help="Name of the log, a URL without scheme: example.com/log.")
    ],
    key_file: options.KeyFile = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,  # noqa: ARG001  # read by the entry point
) -> ExitCode:
    """Begin a ledger."""
    from stillwatch.evidence.access import begin_with_admin  # noqa: PLC0415
    from stillwatch.integrity.signing import SignatureType, generate_key, write_key_file  # noqa: PLC0415
    from stillwatch.stores.opening import open_store  # noqa: PLC0415

    terminal = open_terminal(as_json=as_json)
    path = options.needed_key(key_file)
    store = open_store(ledger, create=True)
    try:
        if path.exists() or store.identity() is not None:
            signer = options.read_key(path)
        else:
            signer = generate_key(origin, SignatureType.NOTE)
            write_key_file(path, signer)
        if signer.name != origin:
            raise OptionError(f"--origin got {origin!a}, but the key in {path} is that of {signer.name!a}.")
        begun = begin_with_admin(store, signer, options.now_us, actor)
        size = begun.size()
    finally:
        store.close()
    key = signer.verifier.text()
    terminal.say(f"Ledger {origin} begun; {actor} is its admin.")
    terminal.say(f"Signing key: {path} (keep a copy offline: without it no checkpoint can be signed)")
    terminal.say(f"Public key, for whoever verifies: {key}")
    terminal.document(
        {"verb": "ledger init", "origin": origin, "verifier_key": key, "key_file": str(path), "entries": size}
    )
    return ExitCode.DONE


def append(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Lines of JSON.")],
    *,
    ledger: options.Store,
    actor: options.Actor,
    kind: Annotated[str, typer.Option("--kind", metavar="WORDS", help="What the records are, such as `note`.")],
    as_json: JsonOption = False,
    debug: DebugOption = False,  # noqa: ARG001  # read by the entry point
) -> ExitCode:
    """Append records."""
    from stillwatch.cli.ledger_records import records_of  # noqa: PLC0415
    from stillwatch.records.ledger import NewEntry  # noqa: PLC0415

    terminal = open_terminal(as_json=as_json)
    first: int | None = None
    count = 0
    with options.open_for(ledger, actor, "APPEND") as (_, access):
        for records in records_of(file, AT_A_TIME):
            indices = access.append(actor, [NewEntry(kind=kind, actor=actor, record=record) for record in records])
            first = indices.start if first is None else first
            count += len(indices)
            terminal.say(f"Appended entries {indices.start} to {indices.stop - 1}.")
    if first is None:
        raise OptionError(f"{file}: holds no line to append.")
    terminal.document({"verb": "ledger append", "first": first, "appended": count})
    return ExitCode.DONE


def checkpoint(
    *,
    ledger: options.Store,
    actor: options.Actor,
    key_file: options.KeyFile = None,
    out: options.OutFile = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,  # noqa: ARG001  # read by the entry point
) -> ExitCode:
    """Sign a checkpoint."""
    terminal = open_terminal(as_json=as_json)
    with options.open_for(ledger, actor, "CHECKPOINT", options.needed_key(key_file)) as (log, _):
        made = log.checkpoint()
    if out is None:
        terminal.say(printable(made.note.removesuffix("\n")))
    else:
        options.write_out(out, made.note.encode())
        terminal.say(f"Checkpoint of {made.size:,} entries: {out}")
    terminal.document({"verb": "ledger checkpoint", "size": made.size, "root": made.root.hex(), "note": made.note})
    return ExitCode.DONE


def stamp(
    *,
    ledger: options.Store,
    actor: options.Actor,
    tsa_url: Annotated[str, typer.Option("--tsa-url", metavar="URL", help="Address of the time-stamping authority.")],
    tsa_certificates: options.Certificates = None,
    size: Annotated[
        int | None, typer.Option("--size", metavar="N", min=0, help="Checkpoint of that size; by default the largest.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write the raw reply here too, for openssl ts -verify.")
    ] = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,  # noqa: ARG001  # read by the entry point
) -> ExitCode:
    """Have a checkpoint stamped."""
    from stillwatch.integrity.time_stamp import http_transport  # noqa: PLC0415

    terminal = open_terminal(as_json=as_json)
    authority = options.authority_of(tsa_certificates)
    if authority is None:
        raise OptionError("--tsa-certificates is missing: there is no authority that is trusted without being named.")
    transport = http_transport(tsa_url)
    with options.open_for(ledger, actor, "STAMP") as (log, _):
        stamped = log.stamp(log.kept(size), transport, authority)
    if out is not None:
        options.write_out(out, stamped.reply)
    when = _iso(stamped.stamped_us)
    terminal.say(f"The checkpoint of {stamped.size:,} entries existed at {when}, says {printable(stamped.authority)}.")
    terminal.document(
        {"verb": "ledger stamp", "size": stamped.size, "stamped_at": when, "authority": stamped.authority}
    )
    return ExitCode.DONE


def role(
    *,
    ledger: options.Store,
    actor: options.Actor,
    assign: Annotated[
        str | None,
        typer.Option("--assign", metavar="ROLE", help="viewer, analyst, approver, auditor or admin."),
    ] = None,
    revoke: Annotated[str | None, typer.Option("--revoke", metavar="ROLE", help="Take this role away.")] = None,
    to: Annotated[str | None, typer.Option("--to", metavar="NAME", help="Whose role is changed.")] = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,  # noqa: ARG001  # read by the entry point
) -> ExitCode:
    """Show or change roles."""
    from stillwatch.evidence.access import Role  # noqa: PLC0415

    terminal = open_terminal(as_json=as_json)
    for name in (assign, revoke):
        if name is not None and name not in set(Role):
            raise OptionError(f"got the role {name!a}, expected one of {', '.join(Role)}.")
    if assign is not None and revoke is not None:
        raise OptionError("--assign and --revoke were both given; expected one of them.")
    if (assign or revoke) and to is None:
        raise OptionError("--to is missing: whose role is it?")
    document: dict[str, Any] = {"verb": "ledger role"}
    with options.open_for(ledger, actor, "READ") as (log, access):
        if assign is not None and to is not None:
            document["entry"] = access.assign(Role(assign), to, actor)
        elif revoke is not None and to is not None:
            document["entry"] = access.revoke(Role(revoke), to, actor)
        held = [{"actor": one.actor, "role": one.role, "entry": one.entry_index} for one in log.store.roles()]
    for one in held:
        terminal.say(printable(f"{one['actor']}: {one['role']} (entry {one['entry']})"))
    terminal.document({**document, "roles": held})
    return ExitCode.DONE


def _iso(time_us: int) -> str:
    """Write a time as the reports do."""
    from stillwatch.evidence.incident_report.campaigns_file import iso_time  # noqa: PLC0415

    return iso_time(time_us)


VERBS: tuple[tuple[VerbHelp, Any], ...] = (
    (INIT_HELP, init),
    (APPEND_HELP, append),
    (CHECKPOINT_HELP, checkpoint),
    (STAMP_HELP, stamp),
    (PROVE_HELP, prove),
    (VERIFY_HELP, verify),
    (SHOW_HELP, show),
    (COSIGN_HELP, cosign),
    (ROLE_HELP, role),
)
"""The verbs below `ledger`, in the order of the help."""
