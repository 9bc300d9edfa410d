"""The options of `case`'s verbs, each with its help, and the opening of cases for an actor."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stillwatch.cli.errors import OptionError
from stillwatch.cli.ledger_options import now_us

if TYPE_CHECKING:
    from stillwatch.evidence.access import Access
    from stillwatch.evidence.cases.casework import CaseWork
    from stillwatch.evidence.ledger import Ledger

KEYS_VARIABLE = "STILLWATCH_CASE_KEYS"
Keys = Annotated[
    Path | None,
    typer.Option(
        "--keys", metavar="DIR", envvar=KEYS_VARIABLE, help="Folder of the cases' keys, a file each, for you alone."
    ),
]
CaseId = Annotated[str, typer.Argument(metavar="CASE", help="Id of the case, as `case open` and `case list` say it.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedCases:
    """Cases of a ledger, opened for an actor."""

    work: CaseWork
    ledger: Ledger
    access: Access


@contextmanager
def open_cases(url: str, actor: str, permission: str, keys: Path | None) -> Iterator[OpenedCases]:
    """Open the cases of a ledger for an actor who needs a permission.

    Args:
        url: of the ledger's store.
        actor: who asks.
        permission: name of a `Permission`, such as `READ`.
        keys: folder of the cases' keys.

    Raises:
        AccessError: where no role of the actor allows it.
        OptionError: where no folder of keys was named.
        StoreError: where the store cannot be opened.
    """
    # Drivers and cryptography are loaded only where a store is opened, so that help is instant.
    from stillwatch.evidence.access import Access, Permission  # noqa: PLC0415
    from stillwatch.evidence.cases.casework import CaseWork  # noqa: PLC0415
    from stillwatch.evidence.cases.shredding import CaseKeys  # noqa: PLC0415
    from stillwatch.evidence.ledger import Ledger  # noqa: PLC0415
    from stillwatch.stores.case_opening import open_case_store  # noqa: PLC0415

    if keys is None:
        raise OptionError(
            f"no folder of case keys was named; expected --keys DIR, or {KEYS_VARIABLE} in the environment."
        )
    store = open_case_store(url)
    try:
        ledger = Ledger(store, None, now_us)
        access = Access(ledger)
        access.require(actor, Permission[permission])
        yield OpenedCases(work=CaseWork(ledger, store, CaseKeys(keys)), ledger=ledger, access=access)
    finally:
        store.close()
