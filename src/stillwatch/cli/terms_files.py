"""Files of terms, read for the command line: the YAML file, and the contract text beside it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from stillwatch.cli.errors import OptionError
from stillwatch.cli.ledger_options import small_file

if TYPE_CHECKING:
    from stillwatch.records.terms import Terms


@dataclass(frozen=True, slots=True, kw_only=True)
class TermsFile:
    """Terms with the bytes that they were read from."""

    terms: Terms
    facts: bytes
    """The YAML file."""
    text: bytes
    """The contract text, UTF-8."""


def read_terms_file(path: Path) -> TermsFile:
    """Read and validate a file of terms.

    Args:
        path: of the YAML file; the text that it names is looked for beside it.

    Raises:
        TermsProblemsError: with every problem.
        ResultFileError: where a file cannot be read.
        OptionError: where the text is named by a path.
    """
    from stillwatch.decisions.terms.reading import text_file_of  # noqa: PLC0415  # help is instant

    facts = small_file(path)
    name = text_file_of(facts, path.name)
    if name is None:
        return terms_of_bytes(facts, None, path.name)
    if name != Path(name).name or name in {"", ".", ".."}:
        raise OptionError(f"{path}: text: got {name[:60]!a}, expected the name of a file beside it, without a folder.")
    return terms_of_bytes(facts, small_file(path.parent / name), path.name)


def terms_of_bytes(facts: bytes, text: bytes | None, file: str) -> TermsFile:
    """Validate terms that were read.

    Args:
        facts: the YAML file.
        text: the contract text; null where the wording is in the YAML file.
        file: name for messages.

    Raises:
        TermsProblemsError: with every problem.
    """
    from stillwatch.decisions.terms.lint import read_terms  # noqa: PLC0415
    from stillwatch.decisions.terms.reading import read_draft  # noqa: PLC0415

    terms = read_terms(facts, text, file)
    return TermsFile(terms=terms, facts=facts, text=read_draft(facts, text, file).text.encode())
