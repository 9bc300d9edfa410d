"""What providers allow: a register of terms by provider, with the names by which their models are known."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from stillwatch.governance.errors import PolicyFileError

SHIPPED_PROVIDERS = Path(__file__).parent / "providers.yaml"
ALLOWED, FORBIDDEN, CONDITIONAL, UNKNOWN = "allowed", "forbidden", "conditional", "unknown"
_FIELDS = {"provider", "training", "terms", "law", "names", "speaks_as", "made_by"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderTerms:
    """What a provider's terms say of training on its outputs."""

    provider: str
    training: str
    """`allowed`, `forbidden` or `conditional`."""
    terms: str
    """Which terms, and where in them."""
    law: str
    """Id of the entry of the legal register; empty where there is none."""
    names: tuple[str, ...]
    """Patterns of model and service names, in lower case."""
    speaks_as: tuple[str, ...]
    """Names by which its models call themselves."""
    made_by: tuple[str, ...]
    """Names by which its models call their maker."""


def read_providers(path: Path = SHIPPED_PROVIDERS) -> tuple[ProviderTerms, ...]:
    """Read the register.

    Raises:
        PolicyFileError: where it cannot be used, with the row.
    """
    try:
        rows = yaml.load(path.read_bytes(), Loader=yaml.BaseLoader)  # noqa: S506  # texts, lists and mappings only
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise PolicyFileError(f"{path}: cannot be read as YAML ({type(error).__name__})") from error
    if not isinstance(rows, list) or not rows:
        raise PolicyFileError(f"{path}: expected a list of providers, each with {', '.join(sorted(_FIELDS))}")
    found = []
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, dict) or set(row) - _FIELDS or not isinstance(row.get("provider"), str):
            raise PolicyFileError(
                f"{path}: row {number}: expected provider, training, terms, names, and no other field than {', '.join(sorted(_FIELDS))}"
            )
        if row.get("training") not in {ALLOWED, FORBIDDEN, CONDITIONAL}:
            raise PolicyFileError(
                f"{path}: row {number}: training got {row.get('training')!a}, expected allowed, forbidden or conditional"
            )
        names, speaks = row.get("names") or [], row.get("speaks_as") or []
        makers = row.get("made_by") or []
        if not all(isinstance(one, str) for one in [*names, *speaks, *makers]):
            raise PolicyFileError(f"{path}: row {number}: names, speaks_as and made_by are lists of texts")
        found.append(
            ProviderTerms(
                provider=row["provider"], training=row["training"], terms=str(row.get("terms", "")), law=str(row.get("law", "")),
                names=tuple(one.lower() for one in names), speaks_as=tuple(speaks),
                made_by=tuple(makers),
            )
        )  # fmt: skip
    return tuple(found)


def provider_named(name: str, providers: Sequence[ProviderTerms]) -> ProviderTerms | None:
    """Give the provider of a model or service by its name in a provenance field; null where nobody's pattern fits."""
    folded = name.strip().lower().rsplit("/", 1)[-1]
    whole = name.strip().lower()
    for one in providers:
        if any(fnmatch.fnmatchcase(folded, pattern) or fnmatch.fnmatchcase(whole, pattern) for pattern in one.names):
            return one
    return None
