"""The verb `ledger cosign`: be a witness of a ledger, or keep what a witness elsewhere answered."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stillwatch.cli import ledger_options as options
from stillwatch.cli.errors import OptionError, ResultFileError
from stillwatch.cli.exit_codes import ExitCode
from stillwatch.cli.options import DebugOption, JsonOption
from stillwatch.cli.terminal import open_terminal
from stillwatch.cli.verb_help import VerbHelp

if TYPE_CHECKING:
    from stillwatch.evidence.ledger import Ledger
    from stillwatch.integrity.signing import VerifierKey
    from stillwatch.records.ledger import Checkpoint, Cosignature

COSIGN_HELP = VerbHelp(
    name="cosign",
    purpose="Be a witness: sign that the ledger continues what you saw of it before; or keep a witness's line.",
    examples=(
        (
            "stillwatch ledger cosign --ledger ledger.db --actor alice --witness-name witness.example/w1 "
            "--witness-key-file witness.key --seen seen.note --verifier-key VERIFIER_KEY"
        ),
    ),
    writes="the cosignature into the ledger; what was seen into the file of --seen; the witness's key where it is missing.",
)


def cosign(
    *,
    ledger: options.Store,
    actor: options.Actor,
    witness_name: Annotated[
        str | None, typer.Option("--witness-name", metavar="NAME", help="Name of the witness's key, where it is new.")
    ] = None,
    witness_key_file: Annotated[
        Path | None, typer.Option("--witness-key-file", metavar="FILE", help="The witness's own key, mode 0600.")
    ] = None,
    seen: Annotated[
        Path | None,
        typer.Option("--seen", metavar="FILE", help="The last checkpoint that this witness saw; kept by the witness."),
    ] = None,
    verifier_key: options.LogKey = None,
    line: Annotated[
        Path | None, typer.Option("--line", metavar="FILE", help="The signature line that a witness elsewhere gave.")
    ] = None,
    witness: Annotated[str | None, typer.Option("--witness", metavar="KEY", help="Public key of that witness.")] = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,  # noqa: ARG001  # read by the entry point
) -> ExitCode:
    """Cosign a checkpoint."""
    from stillwatch.integrity.signing import parse_verifier_key  # noqa: PLC0415

    terminal = open_terminal(as_json=as_json)
    with options.open_for(ledger, actor, "COSIGN") as (log, _):
        if line is not None and witness is not None and witness_key_file is None:
            text = options.small_file(line).decode("utf-8", "replace")
            key = parse_verifier_key(witness)
            kept = log.add_cosignature(log.kept(None).size, text, key)
        elif witness_key_file is not None and seen is not None and line is None:
            if verifier_key is None:
                raise OptionError("--verifier-key is missing: a witness knows the log's key from elsewhere.")
            kept, key = _witness(log, parse_verifier_key(verifier_key), witness_name, witness_key_file, seen)
        else:
            raise OptionError("expected --witness-key-file and --seen, to be a witness, or --line and --witness.")
    terminal.say(f"{kept.witness} cosigned the checkpoint of {kept.size:,} entries.")
    terminal.say(f"Public key of the witness: {key.text()}")
    terminal.document(
        {
            "verb": "ledger cosign",
            "size": kept.size,
            "witness": kept.witness,
            "witness_key": key.text(),
            "line": kept.line,
        }
    )
    return ExitCode.DONE


def _witness(
    log: Ledger, log_key: VerifierKey, name: str | None, key_file: Path, seen: Path
) -> tuple[Cosignature, VerifierKey]:
    """Do what a witness does: check the new checkpoint against the last one seen, remember it, then sign."""
    from stillwatch.evidence.ledger import check_witnessed  # noqa: PLC0415
    from stillwatch.integrity.signed_note import cosign as cosign_note  # noqa: PLC0415
    from stillwatch.integrity.signed_note import parse_note, verify_checkpoint  # noqa: PLC0415
    from stillwatch.integrity.signing import SignatureType, generate_key, write_key_file  # noqa: PLC0415

    if not key_file.exists():
        if name is None:
            raise OptionError(f"{key_file}: there is no key yet; expected --witness-name, to make one.")
        write_key_file(key_file, generate_key(name, SignatureType.COSIGNATURE))
    signer = options.read_key(key_file)
    before: Checkpoint | None = verify_checkpoint(options.small_file(seen), log_key) if seen.exists() else None
    newest = log.kept(None)
    if before is not None and before.size > newest.size:
        raise ResultFileError(
            f"{seen}: saw {before.size} entries, the ledger's last checkpoint has {newest.size}: it was rolled back."
        )
    proof = log.prove_consistency(0 if before is None else before.size, newest.size)
    checked = check_witnessed(before, newest.note, log_key, proof)
    options.write_out(seen, checked.note.encode())  # remembered first: better not to sign than to sign two histories
    line = cosign_note(parse_note(checked.note), signer, options.now_us() // 1_000_000).line()
    return log.add_cosignature(checked.size, line, signer.verifier), signer.verifier
