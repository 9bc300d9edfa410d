"""Migrations: numbered SQL files, each applied once, in order, and recorded with its digest.

Takes the name of a dialect, and what a store says was applied. Gives what is still to apply. A file that was changed after it was
applied, or a number that this program does not know, is refused: the tables would not be what the code thinks.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources

from stillwatch.stores.errors import MigrationError

TABLE_SQL = (
    "CREATE TABLE IF NOT EXISTS migration (number INTEGER PRIMARY KEY, name TEXT NOT NULL, digest TEXT NOT NULL)"
)
APPLIED_SQL = "SELECT number, digest FROM migration"
RECORD_SQL = "INSERT INTO migration (number, name, digest) VALUES (?, ?, ?)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """One numbered step."""

    number: int
    """From 1, without a gap."""
    name: str
    """File name, such as `0001_ledger.sql`."""
    sql: str

    @property
    def digest(self) -> str:
        """`sha256:` and 64 hex digits, over the file's text."""
        return f"sha256:{hashlib.sha256(self.sql.encode()).hexdigest()}"


def migrations(dialect: str) -> tuple[Migration, ...]:
    """Read the migrations of a dialect, `sqlite` or `postgres`, in order."""
    folder = resources.files("stillwatch.stores").joinpath("migrations", dialect)
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".sql")), key=lambda file: file.name)
    return tuple(
        Migration(number=int(file.name[:4]), name=file.name, sql=file.read_text(encoding="utf-8")) for file in files
    )


def still_to_apply(known: tuple[Migration, ...], applied: Mapping[int, str]) -> tuple[Migration, ...]:
    """Give the migrations that a store lacks.

    Args:
        known: all of the dialect.
        applied: number to digest, as the store has recorded them.

    Raises:
        MigrationError: where the store was made by a newer or changed program.
    """
    digests = {migration.number: migration.digest for migration in known}
    for number, digest in sorted(applied.items()):
        if number not in digests:
            raise MigrationError(
                f"the store has migration {number}, this program knows {len(known)}: a newer stillwatch made it; use that"
            )
        if digests[number] != digest:
            raise MigrationError(
                f"migration {number}: the store has digest {digest}, expected {digests[number]}; its tables are not "
                "those that this program works with"
            )
    return tuple(migration for migration in known if migration.number not in applied)
