"""The verb `ledger verify`: compute everything again, or check a proof without the ledger."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stillwatch.cli import ledger_options as options
from stillwatch.cli.errors import OptionError, ResultFileError
from stillwatch.cli.exit_codes import ExitCode
from stillwatch.cli.options import DebugOption, JsonOption
from stillwatch.cli.terminal import Terminal, open_terminal
from stillwatch.cli.verb_help import VerbHelp

if TYPE_CHECKING:
    from stillwatch.integrity.signing import VerifierKey

VERIFY_HELP = VerbHelp(
    name="verify",
    purpose="Check a whole ledger against its signatures, or one proof without the ledger.",
    examples=(
        "stillwatch ledger verify --ledger ledger.db",
        "stillwatch ledger verify --proof entry.tlog-proof --verifier-key VERIFIER_KEY",
    ),
    writes="nothing. It ends with exit code 11 where something does not hold.",
)


def verify(
    *,
    ledger: Annotated[
        str | None, typer.Option("--ledger", metavar="URL", help="The ledger to check; or --proof.")
    ] = None,
    proof: Annotated[
        Path | None, typer.Option("--proof", metavar="FILE", help="A proof that `ledger prove` wrote, to check alone.")
    ] = None,
    verifier_key: options.LogKey = None,
    tsa_certificates: options.Certificates = None,
    earlier: Annotated[
        Path | None,
        typer.Option(
            "--earlier", metavar="FILE", help="The earlier checkpoint, for a proof that `prove --since` wrote."
        ),
    ] = None,
    witness: Annotated[
        list[str] | None,
        typer.Option("--witness", metavar="KEY", help="Public key of a witness whose cosignatures count; repeatable."),
    ] = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,  # noqa: ARG001  # read by the entry point
) -> ExitCode:
    """Verify a ledger or a proof."""
    from stillwatch.integrity.signing import parse_verifier_key  # noqa: PLC0415

    terminal = open_terminal(as_json=as_json)
    if (ledger is None) == (proof is None):
        raise OptionError("expected one of --ledger URL and --proof FILE.")
    if earlier is not None and proof is None:
        raise OptionError("--earlier is for --proof, which was not given.")
    if proof is not None and verifier_key is None:
        raise OptionError("--verifier-key is missing: a proof is worth as much as the key by which it is checked.")
    if proof is not None and verifier_key is not None:
        key = parse_verifier_key(verifier_key)
        if earlier is None:
            _verify_proof(proof, key, terminal)
        else:
            _verify_consistency(proof, earlier, key, terminal)
    elif ledger is not None:
        _verify_ledger(ledger, verifier_key, tsa_certificates, witness or [], terminal)
    return ExitCode.DONE


def _verify_proof(path: Path, key: VerifierKey, terminal: Terminal) -> None:
    from stillwatch.integrity.signed_note import verify_proof_text  # noqa: PLC0415

    shown, checkpoint = verify_proof_text(options.small_file(path), key)
    leaf = json.loads(shown.leaf)
    terminal.say(f"Entry {shown.index} stands in the log {checkpoint.origin} of {checkpoint.size:,} entries:")
    terminal.say(json.dumps(leaf, indent=2, ensure_ascii=True))
    terminal.document(
        {
            "verb": "ledger verify",
            "origin": checkpoint.origin,
            "size": checkpoint.size,
            "index": shown.index,
            "leaf": leaf,
        }
    )


def _verify_consistency(path: Path, earlier: Path, key: VerifierKey, terminal: Terminal) -> None:
    """Check that the log of a proof continues an earlier checkpoint of it, both signed by its key."""
    from stillwatch.integrity.merkle import verify_consistency  # noqa: PLC0415
    from stillwatch.integrity.signed_note import verify_checkpoint  # noqa: PLC0415

    old = verify_checkpoint(options.small_file(earlier), key)
    try:
        said = json.loads(options.small_file(path))
        note, hashes = str(said["note"]), [base64.b64decode(str(one), validate=True) for one in said["hashes"]]
    except (ValueError, TypeError, KeyError, RecursionError):
        raise ResultFileError(f"{path}: is not what `ledger prove --since` writes.") from None
    new = verify_checkpoint(note, key)
    verify_consistency(old.size, new.size, old.root, new.root, hashes)
    terminal.say(f"The log {new.origin} of {new.size:,} entries continues what it was with {old.size:,}.")
    terminal.document({"verb": "ledger verify", "origin": new.origin, "old": old.size, "new": new.size})


def _verify_ledger(
    url: str, verifier_key: str | None, certificates: Path | None, witnesses: list[str], terminal: Terminal
) -> None:
    from stillwatch.evidence.ledger_audit import audit  # noqa: PLC0415
    from stillwatch.integrity.signing import parse_verifier_key  # noqa: PLC0415

    keys = [parse_verifier_key(text) for text in witnesses]
    authority = options.authority_of(certificates)
    with options.open_ledger(url) as log:
        done = audit(log, options.log_key(log, verifier_key), authority, keys)
        unchecked = len(log.store.time_stamps()) if authority is None else 0
        unwitnessed = len(log.store.cosignatures()) - done.cosignatures
    remarks = list(done.remarks)
    if verifier_key is None:
        remarks.append("the public key was taken from the ledger itself; name it with --verifier-key")
    if unchecked:
        remarks.append(f"{unchecked} time stamps were not checked; name their authority with --tsa-certificates")
    if unwitnessed:
        remarks.append(f"{unwitnessed} cosignatures were not checked; name their witness with --witness")
    terminal.say(
        f"{done.entries:,} entries, {done.checkpoints} checkpoints, {done.time_stamps} time stamps and "
        f"{done.cosignatures} cosignatures hold."
    )
    for remark in remarks:
        terminal.say(f"! {remark}")
    terminal.document(
        {
            "verb": "ledger verify",
            "entries": done.entries,
            "checkpoints": done.checkpoints,
            "time_stamps": done.time_stamps,
            "cosignatures": done.cosignatures,
            "remarks": remarks,
        }
    )
