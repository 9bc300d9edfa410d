"""The options of `ledger`'s verbs, each with its help, and the opening of a ledger."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stillwatch.cli.errors import OptionError, OutputError, ResultFileError

if TYPE_CHECKING:
    from stillwatch.evidence.access import Access, Permission
    from stillwatch.evidence.ledger import Ledger
    from stillwatch.integrity.signing import SignerKey, VerifierKey
    from stillwatch.integrity.time_stamp import TrustedAuthority

KEY_VARIABLE = "STILLWATCH_LEDGER_KEY_FILE"
LONGEST_FILE = 1 << 20
"""Bytes of a proof, certificate or key that is read."""

Store = Annotated[
    str,
    typer.Option("--ledger", metavar="URL", help="The ledger: sqlite:PATH, a path, or postgresql://HOST/DATABASE."),
]
Actor = Annotated[str, typer.Option("--actor", metavar="NAME", help="Who does this; the entry carries the name.")]
KeyFile = Annotated[
    Path | None,
    typer.Option("--key-file", metavar="FILE", envvar=KEY_VARIABLE, help="The ledger's signing key, mode 0600."),
]
Certificates = Annotated[
    Path | None,
    typer.Option(
        "--tsa-certificates", metavar="FILE", help="Certificates of the time-stamping authority that you trust, PEM."
    ),
]
LogKey = Annotated[
    str | None,
    typer.Option(
        "--verifier-key", metavar="KEY", help="The ledger's public key, got from elsewhere; by default the store's own."
    ),
]
OutFile = Annotated[
    Path | None, typer.Option("--out", metavar="FILE", help="Write it to this file instead of the terminal.")
]


def now_us() -> int:
    """Give the present time: microseconds since the Unix epoch, UTC."""
    return time.time_ns() // 1000


@contextmanager
def open_ledger(url: str, key_file: Path | None = None) -> Iterator[Ledger]:
    """Open a ledger that was begun.

    Args:
        url: of its store.
        key_file: of its key; null where nothing will be signed.

    Raises:
        StoreError: where the store cannot be opened.
        LedgerError: where it holds no ledger, or the key is that of another one.
        KeyFileError: where the key cannot be used.
    """
    # Drivers and cryptography are loaded only where a ledger is opened, so that help is instant.
    from stillwatch.evidence.ledger import Ledger  # noqa: PLC0415
    from stillwatch.stores.opening import open_store  # noqa: PLC0415

    signer = None if key_file is None else read_key(key_file)
    store = open_store(url)
    try:
        yield Ledger(store, signer, now_us)
    finally:
        store.close()


@contextmanager
def open_for(url: str, actor: str, permission: str, key_file: Path | None = None) -> Iterator[tuple[Ledger, Access]]:
    """Open a ledger for an actor who needs a permission.

    Args:
        url: of its store.
        actor: who asks.
        permission: name of a `Permission`, such as `READ`.
        key_file: of its key.

    Raises:
        AccessError: where no role of the actor allows it.
    """
    from stillwatch.evidence.access import Access, Permission  # noqa: PLC0415

    needed: Permission = Permission[permission]
    with open_ledger(url, key_file) as ledger:
        access = Access(ledger)
        access.require(actor, needed)
        yield ledger, access


def read_key(path: Path) -> SignerKey:
    """Read a signer key.

    Raises:
        KeyFileError: where the file cannot be used.
    """
    from stillwatch.integrity.signing import read_key_file  # noqa: PLC0415

    return read_key_file(path)


def needed_key(path: Path | None) -> Path:
    """Give the key file, or say how to name it.

    Raises:
        OptionError: where there is none.
    """
    if path is None:
        raise OptionError(f"no signing key was named; expected --key-file FILE, or {KEY_VARIABLE} in the environment.")
    return path


def log_key(ledger: Ledger, text: str | None) -> VerifierKey:
    """Give the key by which to verify: the one that was given, else the store's own.

    Raises:
        KeyTextError: where the text is no key.
    """
    from stillwatch.integrity.signing import parse_verifier_key  # noqa: PLC0415

    return ledger.verifier if text is None else parse_verifier_key(text)


def authority_of(path: Path | None) -> TrustedAuthority | None:
    """Read the certificates of an authority: self-signed ones are roots, the others help.

    Raises:
        TimeStampError: where the file holds no certificates, or no root.
    """
    from stillwatch.integrity.time_stamp import trusted_authority  # noqa: PLC0415

    return None if path is None else trusted_authority(small_file(path))


def small_file(path: Path) -> bytes:
    """Read a file of at most a megabyte.

    Raises:
        ResultFileError: where it cannot be read, or is larger.
    """
    try:
        with path.open("rb") as file:
            content = file.read(LONGEST_FILE + 1)
    except OSError as error:
        raise ResultFileError(f"{path}: cannot be read ({error.strerror}).") from error
    if len(content) > LONGEST_FILE:
        raise ResultFileError(f"{path}: over {LONGEST_FILE:,} bytes; expected a proof, certificate or signature.")
    return content


def write_out(path: Path, content: bytes, *, private: bool = False) -> None:
    """Write a file, whole or not at all.

    Args:
        path: where.
        content: its bytes.
        private: true for a file that only its owner may read.

    Raises:
        OutputError: where it cannot be written.
    """
    unfinished = path.with_name(path.name + ".unfinished")
    try:
        unfinished.unlink(missing_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        with os.fdopen(os.open(unfinished, flags, 0o600 if private else 0o644), "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        unfinished.replace(path)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror}). Name a file that you may write.") from error
