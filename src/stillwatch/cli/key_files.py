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
    from stillwatch.watermark.keys.derive import KeyLabel

OF_TWO_KEYS = frozenset({"sglang-dual@murmur3-v1"})
"""Schemes whose key is a campaign's key A and then the provider's key B."""
LONGEST_SUBJECT = 200
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_HANDLE = re.compile(r"mk-[0-9a-f]{16}")


def labels_of(
    subjects: Sequence[str], *, level: str, scheme: str, parameters: Sequence[str], tokenizer_digest: str, paired: bool
) -> tuple[KeyLabel, ...]:
    """Make the labels of new keys, one for each subject.

    Args:
        subjects: ids.
        level: `provider`, `campaign` or `account`.
        scheme: `name@version`.
        parameters: `name=value` of the scheme; what is left out takes the scheme's default.
        tokenizer_digest: of the tokenizer.
        paired: whether a provider's key follows each key's own words.

    Raises:
        OptionError: for a level, subject, parameter or digest that is none.
        SchemeError: for a scheme that is not known, or a parameter that it does not take.
    """
    from stillwatch.records.mark import MarkLevel  # noqa: PLC0415
    from stillwatch.watermark.keys.derive import KeyLabel, new_handle  # noqa: PLC0415
    from stillwatch.watermark.schemes import open_scheme  # noqa: PLC0415

    if level not in set(MarkLevel):
        raise OptionError(f"--level got {level[:40]!a}, expected {', '.join(MarkLevel)}.")
    if not _DIGEST.fullmatch(tokenizer_digest):
        raise OptionError("--tokenizer-digest is no `sha256:` with 64 hex digits.")
    for subject in subjects:
        if not 0 < len(subject) <= LONGEST_SUBJECT or not subject.isprintable() or subject != subject.strip():
            raise OptionError(
                f"--subject got {subject[:40]!a}, expected an id of 1 to {LONGEST_SUBJECT} printable characters."
            )
    if len(set(subjects)) < len(subjects):
        raise OptionError("--subject names one twice; a second key for a subject takes a second `keys issue`.")
    opened = open_scheme(scheme, dict(map(_parameter, parameters)))
    if paired != (opened.name in OF_TWO_KEYS):
        raise OptionError(
            f"{opened.name} takes {'a' if not paired else 'no'} provider's key beside each key: "
            f"{'name it with' if not paired else 'leave out'} --paired-with."
        )
    return tuple(
        KeyLabel(
            handle=new_handle(), level=level, subject=subject, scheme=opened.name, parameters=tuple(sorted(opened.parameters.items())),
            tokenizer_digest=tokenizer_digest, words=opened.key_words - paired,
        )
        for subject in subjects
    )  # fmt: skip


def _parameter(text: str) -> tuple[str, int | float | str]:
    """Read `name=value`."""
    name, sign, value = text.partition("=")
    if not sign or not name or not value:
        raise OptionError(f"--parameter got {text[:40]!a}, expected NAME=VALUE, such as context_width=4.")
    for kind in (int, float):
        try:
            return name, kind(value)
        except ValueError:
            continue
    return name, value


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
