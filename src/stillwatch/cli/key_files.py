"""Files of mark keys: what `keys export` and `keys reveal` write, and `keys check` reads."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from stillwatch.cli.errors import OptionError, OutputError, ResultFileError

if TYPE_CHECKING:
    from stillwatch.records.key_registry import IssuedKey
    from stillwatch.watermark.keys.derive import KeyLabel, Opening

LEVELS = ("provider", "campaign", "account")
LONGEST_SUBJECT = 200
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_HANDLE = re.compile(r"mk-[0-9a-f]{16}")


def labels_of(
    subjects: Sequence[str], *, level: str, scheme: str, tokenizer_digest: str, bits: int
) -> tuple[KeyLabel, ...]:
    """Make the labels of new keys, one for each subject.

    Raises:
        OptionError: for a level, subject, digest or number of bits that is none.
    """
    from stillwatch.watermark.keys.derive import BITS, KeyLabel, new_handle  # noqa: PLC0415

    if level not in LEVELS:
        raise OptionError(f"--level got {level[:40]!a}, expected {', '.join(LEVELS)}.")
    if bits not in BITS:
        raise OptionError(f"--bits got {bits}, expected {' or '.join(map(str, BITS))}.")
    if not _DIGEST.fullmatch(tokenizer_digest):
        raise OptionError(
            "--tokenizer-digest is no `sha256:` with 64 hex digits; `stillwatch mark detect --json` names that of a tokenizer."
        )
    if not scheme or not scheme.isprintable():
        raise OptionError("--scheme is empty or cannot be printed.")
    for subject in subjects:
        if not 0 < len(subject) <= LONGEST_SUBJECT or not subject.isprintable() or subject != subject.strip():
            raise OptionError(
                f"--subject got {subject[:40]!a}, expected an id of 1 to {LONGEST_SUBJECT} printable characters."
            )
    if len(set(subjects)) < len(subjects):
        raise OptionError("--subject names one twice; a second key for a subject takes a second `keys issue`.")
    return tuple(
        KeyLabel(
            handle=new_handle(), level=level, subject=subject, scheme=scheme, tokenizer_digest=tokenizer_digest, bits=bits
        )
        for subject in subjects
    )  # fmt: skip


def key_lines(keys: Sequence[IssuedKey], openings: Sequence[Opening]) -> bytes:
    """Give raw keys as lines of JSON."""
    lines = [
        {
            "handle": key.handle,
            "level": key.level,
            "subject": key.subject,
            "scheme": key.scheme,
            "key_hex": opening.key_hex,
            "tokenizer_digest": key.tokenizer_digest,
            "valid_from_us": key.valid_from_us,
            "valid_until_us": key.valid_until_us,
            "retired_us": key.retired_us,
            "commitment": key.commitment,
        }
        for key, opening in zip(keys, openings, strict=True)
    ]
    return "".join(json.dumps(line) + "\n" for line in lines).encode()


def write_private(path: Path, content: bytes) -> None:
    """Write a new file that its owner alone can read.

    Raises:
        OutputError: where something is at that path already, or it cannot be written.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except FileExistsError:
        raise OutputError(f"{path} is there already; remove it, or name another file.") from None
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror}). Name a file that you may write.") from error
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def handle_of_opening(document: bytes, path: Path) -> str:
    """Read which key an opening is of, before it is checked.

    Raises:
        ResultFileError: where it is no opening.
    """
    try:
        handle = json.loads(document)["handle"]
    except (ValueError, KeyError, TypeError, RecursionError):
        handle = None
    if not isinstance(handle, str) or not _HANDLE.fullmatch(handle):
        raise ResultFileError(f"{path}: is no opening, expected what `stillwatch keys reveal` writes.")
    return handle
