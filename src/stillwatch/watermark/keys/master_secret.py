"""Master secrets: where the secret is that all mark keys are derived from.

Takes an address. Gives something that answers HMAC-SHA256 of a message. The address names a place and never holds the secret:

    file:PATH       a file of its owner alone (mode 0600) with at least 64 hex digits
    env:NAME        an environment variable with at least 64 hex digits
    command:PATH    a program that reads a message in hex from standard input and answers with 64 hex digits: the hook for a key
                    management service; the secret never comes here
    pkcs11:...      a key in a token (RFC 7512), such as pkcs11:token=marks;object=master?module-path=/usr/lib/softhsm/libsofthsm2.so&pin-source=file:/etc/pin;
                    the secret never leaves the token. Needs the extra `hsm`

There is no default. A file or variable of fewer than 256 bits is refused, and so is one whose digits repeat.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import shutil
import stat
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import parse_qsl, unquote

from stillwatch.watermark.keys.errors import MasterSecretError, MissingHsmLibraryError

DIGEST_BYTES = 32
SHORTEST_DIGITS = 64
"""256 bits: as long as the digest (RFC 2104, section 3)."""
LONGEST_FILE = 4096
FEWEST_DIFFERENT_BYTES = 12
"""32 random bytes have fewer different values than this less than once in 10^20 draws: a pattern that was typed, not drawn."""
COMMAND_SECONDS = 20.0


class MasterSecret(Protocol):
    """Answers for the master secret, wherever it is."""

    def authenticate(self, message: bytes) -> bytes:
        """Give HMAC-SHA256 of a message, 32 bytes.

        Raises:
            MasterSecretError: where it cannot.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldSecret:
    """A secret in this process's memory."""

    secret: bytes = field(repr=False)
    """At least 32 bytes."""

    def authenticate(self, message: bytes) -> bytes:
        """Give HMAC-SHA256 of a message."""
        return hmac.new(self.secret, message, hashlib.sha256).digest()


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandSecret:
    """A secret that a program answers for; for example one that calls a key management service."""

    program: Path

    def authenticate(self, message: bytes) -> bytes:
        """Run the program: message in hex on its standard input, digest in hex on its standard output."""
        try:
            done = subprocess.run(  # noqa: S603  # the operator's own program, without a shell and without arguments
                [str(self.program)], input=message.hex() + "\n", capture_output=True, text=True, check=False, timeout=COMMAND_SECONDS
            )  # fmt: skip
        except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError) as error:
            raise MasterSecretError(
                f"master secret: {self.program} cannot be run, or did not answer within {COMMAND_SECONDS:.0f} s ({type(error).__name__})"
            ) from None
        answer = done.stdout.strip()
        if done.returncode != 0 or len(answer) != 2 * DIGEST_BYTES or not set(answer) <= set("0123456789abcdef"):
            raise MasterSecretError(
                f"master secret: {self.program} ended with code {done.returncode} and {len(answer)} characters, expected 0 and 64 hex digits"
            )
        return bytes.fromhex(answer)


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenSecret:
    """A secret key in a PKCS#11 token; the HMAC is made there (CKM_SHA256_HMAC)."""

    module: str
    """Path of the token's library."""
    token: str
    """Label of the token."""
    label: str
    """Label of the key (CKA_LABEL), a generic secret that may sign."""
    pin: str = field(repr=False)

    def authenticate(self, message: bytes) -> bytes:
        """Have the token make the HMAC."""
        try:
            import pkcs11  # noqa: PLC0415  # an extra
            from pkcs11.exceptions import PKCS11Error  # noqa: PLC0415
        except ImportError:
            raise MissingHsmLibraryError(
                "master secret: pkcs11: needs the extra `hsm`; install it with pip install 'stillwatch[hsm]'"
            ) from None
        try:
            token = pkcs11.lib(self.module).get_token(token_label=self.token)
            with token.open(user_pin=self.pin) as session:
                key = session.get_key(object_class=pkcs11.ObjectClass.SECRET_KEY, label=self.label)
                signed: Any = key  # the library adds `sign` to keys that may sign
                return bytes(signed.sign(message, mechanism=pkcs11.Mechanism.SHA256_HMAC))
        except (PKCS11Error, RuntimeError, OSError) as error:
            raise MasterSecretError(
                f"master secret: key {self.label!a} in token {self.token!a} cannot be used ({type(error).__name__}); check module-path, "
                "labels, the PIN, and that the key may sign"
            ) from None


def open_master_secret(address: str) -> MasterSecret:
    """Open a master secret.

    Args:
        address: `file:PATH`, `env:NAME`, `command:PATH` or a `pkcs11:` URI.

    Raises:
        MasterSecretError: where the address names none, or what it names is too weak; the message never holds a secret.
    """
    kind, _, place = address.partition(":")
    if kind == "file" and place:
        return _held(_private_file(Path(place)), f"file {place}")
    if kind == "env" and place:
        if place not in os.environ:
            raise MasterSecretError(f"master secret: the environment has no {place!a}; set it, or name another")
        return _held(os.environ[place], f"variable {place}")
    if kind == "command" and place:
        found = shutil.which(place)
        if found is None or not Path(place).is_absolute():
            raise MasterSecretError(f"master secret: {place!a} is no program with an absolute path that may be run")
        return CommandSecret(program=Path(found))
    if kind == "pkcs11" and place:
        return _token(place)
    raise MasterSecretError(
        "master secret: the address names none; expected file:PATH, env:NAME, command:PATH or pkcs11:token=...;object=...?module-path=..."
    )


def _held(text: str, where: str) -> HeldSecret:
    digits = text.strip().lower()
    try:
        secret = bytes.fromhex(digits)
    except ValueError:
        secret = b""
    if len(secret) * 2 < SHORTEST_DIGITS or len(secret) * 2 != len(digits):
        raise MasterSecretError(
            f"master secret: {where} holds {len(digits)} characters, expected at least {SHORTEST_DIGITS} hex digits; make one with "
            "`openssl rand -hex 32`"
        )
    if len(set(secret)) < FEWEST_DIFFERENT_BYTES:
        raise MasterSecretError(
            f"master secret: {where} repeats itself, so it was not drawn at random; make one with `openssl rand -hex 32`"
        )
    return HeldSecret(secret=secret)


def _private_file(path: Path) -> str:
    """Read a file that its owner alone may read."""
    try:
        # Without waiting: a pipe in the place of the file would never open otherwise.
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise MasterSecretError(f"master secret: {path} is no regular file")
            if status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                mode = stat.S_IMODE(status.st_mode)
                raise MasterSecretError(
                    f"master secret: {path}: mode is {mode:04o}, expected 0600: others may read it; chmod 600 it"
                )
            return file.read(LONGEST_FILE).decode("ascii", errors="replace")
    except OSError as error:
        raise MasterSecretError(f"master secret: {path} cannot be read ({error.strerror})") from error


def _token(rest: str) -> TokenSecret:
    """Read a PKCS#11 URI (RFC 7512, section 2.3): attributes by `;`, then after `?` module path and PIN source by `&`."""
    path, _, query = rest.partition("?")
    attributes = {name: unquote(value) for name, _, value in (one.partition("=") for one in path.split(";") if one)}
    options = dict(parse_qsl(query, keep_blank_values=True))
    if "pin-value" in options:
        raise MasterSecretError(
            "master secret: a PIN in the address would stand in process lists; use pin-source=file:PATH"
        )
    unknown = sorted((set(attributes) - {"token", "object"}) | (set(options) - {"module-path", "pin-source"}))
    missing = [name for name in ("token", "object") if not attributes.get(name)]
    missing += [name for name in ("module-path", "pin-source") if not options.get(name)]
    if unknown or missing:
        raise MasterSecretError(
            f"master secret: the PKCS#11 address misses {', '.join(missing) or 'nothing'} and has {', '.join(unknown)[:80] or 'nothing'} "
            "that is not known; expected token, object, module-path and pin-source"
        )
    pin = _private_file(Path(options["pin-source"].removeprefix("file:"))).strip()
    return TokenSecret(module=options["module-path"], token=attributes["token"], label=attributes["object"], pin=pin)
