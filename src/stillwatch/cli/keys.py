"""The verb `keys`: mark keys that are committed to before use, and handed out only with an entry of the ledger."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stillwatch.cli import ledger_options
from stillwatch.cli.exit_codes import ExitCode
from stillwatch.cli.options import DebugOption, JsonOption
from stillwatch.cli.terminal import open_terminal
from stillwatch.cli.verb_help import VerbHelp

if TYPE_CHECKING:
    from stillwatch.records.key_registry import IssuedKey
    from stillwatch.watermark.keys.master_secret import MasterSecret

MASTER_VARIABLE = "STILLWATCH_MARK_MASTER"
_ISSUE = (
    "stillwatch keys issue --ledger ledger.db --actor bob --master file:marks.secret --level campaign --subject c-0042 "
    "--scheme green-bernoulli@v1 --tokenizer-digest DIGEST --valid-until 2027-06-30T00:00:00Z"
)
_MASTER = "stillwatch keys master --out marks.secret"
HELP = VerbHelp(
    name="keys",
    purpose="Issue mark keys, each committed to in the ledger before its first use.",
    examples=(_MASTER,),
    writes="into the ledger's store, and the files of `export` and `reveal`; each verb has --help and --json.",
)
MASTER_HELP = VerbHelp(
    name="master",
    purpose="Make a master secret in a file, where there is no key management service or token to keep it.",
    examples=(_MASTER,),
    writes="the file of --out (mode 0600): 64 hex digits. Whoever has it has every key; keep its backup apart.",
)
ISSUE_HELP = VerbHelp(
    name="issue",
    purpose="Derive a key for each subject, and commit to it.",
    examples=(_ISSUE,),
    writes="what the key is for into the store, and an entry of the ledger with the commitment. The raw key is nowhere kept.",
)
LIST_HELP = VerbHelp(
    name="list",
    purpose="List the keys that were issued, with window, retirement and reveal.",
    examples=("stillwatch keys list --ledger ledger.db --actor bob",),
    writes="nothing.",
)
RETIRE_HELP = VerbHelp(
    name="retire",
    purpose="Retire a key: it may mark no more, and is still searched for.",
    examples=("stillwatch keys retire HANDLE --ledger ledger.db --actor bob --reason 'campaign closed'",),
    writes="the retirement into the store, and an entry of the ledger.",
)
EXPORT_HELP = VerbHelp(
    name="export",
    purpose="Write raw keys for `mark detect`, `mark scan` or the engines' workers, as lines of JSON.",
    examples=(
        "stillwatch keys export --ledger ledger.db --actor bob --master file:marks.secret --purpose 'scan of set 7' --out keys.jsonl",
    ),
    writes="the file of --out (mode 0600), and before it an entry of the ledger that names handles and purpose.",
)
REVEAL_HELP = VerbHelp(
    name="reveal",
    purpose="Reveal one key with the opening of its commitment, for whoever has to check it.",
    examples=(
        "stillwatch keys reveal HANDLE --ledger ledger.db --actor carol --master file:marks.secret --purpose 'case 7' --out key.opening",
    ),
    writes="the file of --out (mode 0600), and before it an entry of the ledger. Its SHA-256 is the commitment.",
)
CHECK_HELP = VerbHelp(
    name="check",
    purpose="Check that an opening opens the commitment of an entry; needs no secret.",
    examples=("stillwatch keys check key.opening --ledger ledger.db --actor bob",),
    writes="nothing. It ends with exit code 11 where the opening does not fit.",
)
Master = Annotated[
    str,
    typer.Option(
        "--master", metavar="WHERE", envvar=MASTER_VARIABLE,
        help="Where the master secret is: file:PATH, env:NAME, command:PATH or a pkcs11: URI. Never the secret itself.",
    ),
]  # fmt: skip
Handle = Annotated[str, typer.Argument(metavar="HANDLE", help="Of the key, such as mk-0123456789abcdef.")]
Purpose = Annotated[str, typer.Option("--purpose", metavar="TEXT", help="Why; the entry says it.")]
Level = Annotated[str | None, typer.Option("--level", metavar="LEVEL", help="provider, campaign or account.")]
Out = Annotated[Path, typer.Option("--out", metavar="FILE", help="A new file, mode 0600.")]


def master(
    *,
    out: Out,
    as_json: JsonOption = False,
    debug: DebugOption = False,  # noqa: ARG001  # read by the entry point
) -> ExitCode:
    """Make a master secret."""
    from stillwatch.cli.key_files import write_private  # noqa: PLC0415

    terminal = open_terminal(as_json=as_json)
    write_private(out, secrets.token_hex(32).encode() + b"\n")
    terminal.say(f"{out}: the master secret, for --master file:{out}. Keep it secret, and its backup apart.")
    terminal.document({"verb": "keys master", "out": str(out)})
    return ExitCode.DONE


def issue(
    *,
    ledger: ledger_options.Store,
    actor: ledger_options.Actor,
    master: Master,
    level: Annotated[str, typer.Option("--level", metavar="LEVEL", help="provider, campaign or account.")],
    subject: Annotated[
        list[str], typer.Option("--subject", metavar="ID", help="Campaign, account or provider; a key for each.")
    ],
    scheme: Annotated[
        str,
        typer.Option(
            "--scheme", metavar="NAME@VERSION", help="The mark, such as green-bernoulli@v1 or sglang-gumbel@murmur3-v1."
        ),
    ],
    tokenizer_digest: Annotated[
        str, typer.Option("--tokenizer-digest", metavar="DIGEST", help="sha256: of the tokenizer.")
    ],
    valid_until: Annotated[
        str, typer.Option("--valid-until", metavar="TIME", help="End of use, ISO 8601 with a zone.")
    ],
    valid_from: Annotated[
        str | None, typer.Option("--valid-from", metavar="TIME", help="First moment of use; by default at once.")
    ] = None,
    parameter: Annotated[
        list[str] | None,
        typer.Option("--parameter", metavar="NAME=VALUE", help="Of the scheme; its defaults for the rest."),
    ] = None,
    paired_with: Annotated[
        str | None,
        typer.Option("--paired-with", metavar="HANDLE", help="For a scheme of two keys: the provider's key."),
    ] = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,  # noqa: ARG001  # read by the entry point
) -> ExitCode:
    """Issue keys."""
    from stillwatch.cli.key_files import labels_of  # noqa: PLC0415
    from stillwatch.cli.key_register import issue_keys, open_key_register  # noqa: PLC0415
    from stillwatch.cli.terms_register import time_us_of  # noqa: PLC0415

    terminal = open_terminal(as_json=as_json)
    labels = labels_of(
        subject, level=level, scheme=scheme, parameters=parameter or (), tokenizer_digest=tokenizer_digest, paired=paired_with is not None
    )  # fmt: skip
    secret = _secret(master)
    begins = None if valid_from is None else time_us_of(valid_from, "--valid-from")
    with open_key_register(ledger, actor, "APPEND") as register:
        keys = issue_keys(register, secret, labels, (begins, time_us_of(valid_until, "--valid-until")), paired_with)
    for key in keys:
        terminal.say(f"{key.handle}  {key.level} {key.subject}  commitment {key.commitment}, entry {key.entry_index}")
    terminal.document({"verb": "keys issue", "keys": [_row(key) for key in keys]})
    return ExitCode.DONE


def list_keys(
    *,
    ledger: ledger_options.Store,
    actor: ledger_options.Actor,
    level: Level = None,
    subject: Annotated[str | None, typer.Option("--subject", metavar="ID", help="Keys of this subject alone.")] = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,  # noqa: ARG001  # read by the entry point
) -> ExitCode:
    """List keys."""
    from stillwatch.cli.key_register import all_keys, open_key_register  # noqa: PLC0415

    terminal = open_terminal(as_json=as_json)
    now = ledger_options.now_us()
    with open_key_register(ledger, actor, "READ") as register:
        keys = all_keys(register, level, subject)
    for key in keys:
        row = _row(key)
        terminal.say(
            f"{key.handle}  {key.level} {key.subject}  {key.scheme}  {_state(key, now)}, {row['valid_from']} to {row['valid_until']}"
            + (f", revealed by entry {key.revealed_index}" if key.revealed_index is not None else "")
        )
    if not keys:
        terminal.say("The register holds no such key; issue one with `stillwatch keys issue`.")
    terminal.document({"verb": "keys list", "keys": [_row(key) | {"state": _state(key, now)} for key in keys]})
    return ExitCode.DONE


def retire(
    handle: Handle,
    *,
    ledger: ledger_options.Store,
    actor: ledger_options.Actor,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; the entry says it.")],
    as_json: JsonOption = False,
    debug: DebugOption = False,  # noqa: ARG001  # read by the entry point
) -> ExitCode:
    """Retire a key."""
    from stillwatch.cli.key_register import open_key_register, retire_key  # noqa: PLC0415

    terminal = open_terminal(as_json=as_json)
    with open_key_register(ledger, actor, "APPEND") as register:
        entry = retire_key(register, handle, reason)
    terminal.say(
        f"{handle} is retired. Entry {entry} of the ledger. Export the workers' keys again; detection keeps it."
    )
    terminal.document({"verb": "keys retire", "handle": handle, "entry": entry})
    return ExitCode.DONE


def export(
    *,
    ledger: ledger_options.Store,
    actor: ledger_options.Actor,
    master: Master,
    purpose: Purpose,
    out: Out,
    in_use: Annotated[
        bool,
        typer.Option(
            "--in-use", help="Only keys that may mark now, for workers; by default all ever issued, for detection."
        ),
    ] = False,
    level: Level = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,  # noqa: ARG001  # read by the entry point
) -> ExitCode:
    """Export keys."""
    from stillwatch.cli.errors import OptionError  # noqa: PLC0415
    from stillwatch.cli.key_files import write_private  # noqa: PLC0415
    from stillwatch.cli.key_register import all_keys, export_keys, open_key_register  # noqa: PLC0415
    from stillwatch.records.key_registry import is_in_use  # noqa: PLC0415
    from stillwatch.watermark.key_file import key_lines  # noqa: PLC0415

    terminal = open_terminal(as_json=as_json)
    secret = _secret(master)
    now = ledger_options.now_us()
    with open_key_register(ledger, actor, None) as register:
        keys = tuple(key for key in all_keys(register, level) if not in_use or is_in_use(key, now))
        if not keys:
            raise OptionError("the register holds no such key; issue one with `stillwatch keys issue`.")
        raw = export_keys(register, secret, keys, purpose)
    write_private(out, key_lines(raw).encode())
    terminal.say(
        f"{out}: {len(keys):,} keys, {'those in use' if in_use else 'all that were ever issued'}. Keep it secret."
    )
    terminal.document({"verb": "keys export", "out": str(out), "handles": [key.handle for key in keys]})
    return ExitCode.DONE


def reveal(
    handle: Handle,
    *,
    ledger: ledger_options.Store,
    actor: ledger_options.Actor,
    master: Master,
    purpose: Purpose,
    out: Out,
    as_json: JsonOption = False,
    debug: DebugOption = False,  # noqa: ARG001  # read by the entry point
) -> ExitCode:
    """Reveal a key."""
    from stillwatch.cli.key_files import write_private  # noqa: PLC0415
    from stillwatch.cli.key_register import open_key_register, reveal_key  # noqa: PLC0415

    terminal = open_terminal(as_json=as_json)
    secret = _secret(master)
    with open_key_register(ledger, actor, None) as register:
        key, opening = reveal_key(register, secret, handle, purpose)
    write_private(out, opening.document())
    terminal.say(
        f"{out}: the key and its salt. `sha256sum {out}` gives the commitment of entry {key.entry_index}: {key.commitment}"
    )
    terminal.document(
        {
            "verb": "keys reveal",
            "handle": handle,
            "out": str(out),
            "commitment": key.commitment,
            "entry": key.entry_index,
        }
    )
    return ExitCode.DONE


def check(
    file: Annotated[Path, typer.Argument(metavar="OPENING", help="As `keys reveal` writes it.")],
    *,
    ledger: ledger_options.Store,
    actor: ledger_options.Actor,
    as_json: JsonOption = False,
    debug: DebugOption = False,  # noqa: ARG001  # read by the entry point
) -> ExitCode:
    """Check an opening."""
    from stillwatch.cli.key_files import handle_of_opening  # noqa: PLC0415
    from stillwatch.cli.key_register import checked_key, open_key_register  # noqa: PLC0415
    from stillwatch.watermark.keys.derive import check_opening  # noqa: PLC0415

    terminal = open_terminal(as_json=as_json)
    document = ledger_options.small_file(file)
    with open_key_register(ledger, actor, "READ") as register:
        key = checked_key(register, handle_of_opening(document, file))
        issued_us = register.store.entry(key.entry_index).recorded_us
    check_opening(document, key.commitment)
    from stillwatch.evidence.incident_report.campaigns_file import iso_time  # noqa: PLC0415

    terminal.say(
        f"{file} opens the commitment of entry {key.entry_index}, recorded {iso_time(issued_us)}: {key.level} {key.subject}, {key.scheme}."
    )
    terminal.document(
        {"verb": "keys check", "handle": key.handle, "entry": key.entry_index, "issued_at": iso_time(issued_us)}
    )
    return ExitCode.DONE


def _secret(address: str) -> MasterSecret:
    from stillwatch.watermark.keys.master_secret import open_master_secret  # noqa: PLC0415

    return open_master_secret(address)


def _state(key: IssuedKey, now_us: int) -> str:
    """Say in a word or two whether a key may mark."""
    if key.retired_us is not None:
        return "retired"
    if now_us < key.valid_from_us:
        return "not yet in use"
    return "in use" if now_us < key.valid_until_us else "expired"


def _row(key: IssuedKey) -> dict[str, Any]:
    from stillwatch.evidence.incident_report.campaigns_file import iso_time  # noqa: PLC0415

    return {
        "handle": key.handle,
        "level": key.level,
        "subject": key.subject,
        "scheme": key.scheme,
        "parameters": dict(key.parameters),
        "tokenizer_digest": key.tokenizer_digest,
        "words": key.words,
        "paired_with": key.paired_handle,
        "valid_from": iso_time(key.valid_from_us),
        "valid_until": iso_time(key.valid_until_us),
        "commitment": key.commitment,
        "entry": key.entry_index,
        "retired_at": None if key.retired_us is None else iso_time(key.retired_us),
        "revealed_by_entry": key.revealed_index,
    }


VERBS: tuple[tuple[VerbHelp, Any], ...] = (
    (MASTER_HELP, master),
    (ISSUE_HELP, issue),
    (LIST_HELP, list_keys),
    (RETIRE_HELP, retire),
    (EXPORT_HELP, export),
    (REVEAL_HELP, reveal),
    (CHECK_HELP, check),
)
"""The verbs below `keys`, in the order of the help."""
