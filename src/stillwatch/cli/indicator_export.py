"""From a run's folder and its logs to shared files: the reading and writing behind `stillwatch indicators export`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from stillwatch.cli.errors import OptionError
from stillwatch.cli.holdings import Holdings, read_holdings
from stillwatch.cli.ledger_options import write_out
from stillwatch.cli.result_files import read_campaigns
from stillwatch.evidence.indicators.keyed import IndicatorKey
from stillwatch.evidence.indicators.make import SharingTerms, make_indicators
from stillwatch.evidence.indicators.misp import misp_event
from stillwatch.evidence.indicators.stix import stix_bundle
from stillwatch.intake.settings import IntakeSettings
from stillwatch.records.campaign import Campaign
from stillwatch.records.indicator import IdentifierKind, IndicatorSet

ExhibitPrompts = dict[tuple[str, int], tuple[str, str]]
"""(file name, offset) to (account id, prompt)."""


def write_indicators(
    folder: Path,
    paths: Sequence[str],
    accounts: Path | None,
    out: Path,
    key: IndicatorKey,
    terms: SharingTerms,
    *,
    only: Sequence[str] | None,
    assume_zone: str | None,
    record: Callable[[IndicatorSet, Mapping[str, bytes]], None] | None = None,
) -> list[dict[str, Any]]:
    """Write the shared files of a run's flagged campaigns.

    Args:
        folder: what `stillwatch detect` wrote.
        paths: the logs that it read.
        accounts: the accounts file that it read.
        out: folder for the files.
        key: the partners' key.
        terms: for whom, and for how long.
        only: ids of the campaigns to share; null for all that were flagged.
        assume_zone: zone of times that name none.
        record: records a share before its files are written; null for no record.

    Returns:
        What was written, a document for each campaign.

    Raises:
        OptionError: for a campaign that was not flagged.
        NotShareableError: for a campaign whose finding forbids it.
    """
    campaigns = _chosen(read_campaigns(folder).campaigns, only, folder)
    wanted = {(Path(exhibit.source_file).name, exhibit.source_offset) for one in campaigns for exhibit in one.exhibits}
    prompts, holdings = read_exhibits(paths, accounts, wanted, assume_zone)
    carriers = {kind: list(holdings.carriers(kind)) for kind in IdentifierKind}
    written = []
    for campaign in campaigns:
        places = [(Path(exhibit.source_file).name, exhibit.source_offset) for exhibit in campaign.exhibits]
        exhibits = [prompts[place] for place in places if place in prompts and prompts[place][0] in campaign.members]
        shared = make_indicators(campaign, carriers, exhibits, key, terms)
        stix, misp = out / f"{shared.id}.stix.json", out / f"{shared.id}.misp.json"
        files = {stix.name: stix_bundle(shared).encode("ascii"), misp.name: misp_event(shared).encode("ascii")}
        if record is not None:
            record(shared, files)
        for name, content in files.items():
            write_out(out / name, content)
        written.append(
            {
                "campaign": campaign.id,
                "set_id": shared.id,
                "identifiers": len(shared.identifiers),
                "templates": len(shared.templates),
                "stix": str(stix),
                "misp": str(misp),
            }
        )
    return written


def read_exhibits(
    paths: Sequence[str], accounts: Path | None, wanted: set[tuple[str, int]], assume_zone: str | None
) -> tuple[ExhibitPrompts, Holdings]:
    """Read the prompts of exhibits, and all identifiers, in one pass.

    Args:
        paths: logs.
        accounts: accounts file.
        wanted: (file name, offset) of each exhibit.
        assume_zone: zone of times that name none.

    Returns:
        (account id and prompt of each exhibit that was found, the holdings).
    """
    offsets = np.array(sorted({offset for _, offset in wanted}), dtype=np.int64)
    prompts: ExhibitPrompts = {}

    def keep_exhibits(batch: pa.RecordBatch, names: Sequence[str]) -> None:
        here = batch.column("source_offset").to_numpy(zero_copy_only=False)
        for row in np.flatnonzero(np.isin(here, offsets)).tolist():
            place = (Path(names[batch.column("source_no")[row].as_py()]).name, int(here[row]))
            text = batch.column("prompt")[row].as_py()
            if place in wanted and text is not None:
                prompts[place] = (batch.column("account_id")[row].as_py(), text)

    holdings = read_holdings(paths, accounts, IntakeSettings(assume_zone=assume_zone), keep_exhibits)
    return prompts, holdings


def _chosen(campaigns: Sequence[Campaign], only: Sequence[str] | None, folder: Path) -> list[Campaign]:
    """Return the flagged campaigns that were asked for."""
    known = {one.id: one for one in campaigns}
    missing = sorted(set(only or ()) - set(known))
    if missing:
        raise OptionError(
            f"--campaign got {missing[0]!r}, which is not a flagged campaign of {folder}; it has {', '.join(known) or 'none'}."
        )
    if not known:
        raise OptionError(f"{folder} has no flagged campaign, so there is nothing to share.")
    return [known[name] for name in (only or known)]
