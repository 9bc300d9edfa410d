"""Candidate: one group of accounts with all that its tests may look at, and the background that they compare it with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stillwatch.detection.campaigns.study import Study
from stillwatch.detection.links.attributes import AttributeTable
from stillwatch.detection.links.groups import Group
from stillwatch.detection.links.kinds import TEXT_KINDS, Kind
from stillwatch.detection.profiles.accounts import Accounts
from stillwatch.detection.profiles.queries import OUTPUT_EDGES
from stillwatch.statistics.robust import quantile_higher

Numbers = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

REFERENCE_QUANTILE = 0.9
"""A null rate is the rate of the account at this quantile of the reference: nine of ten customers lie below it."""
LEAST_REFERENCE = 20
"""Reference accounts below which nothing can be calibrated."""
LEAST_EXCHANGES = 20
"""Exchanges below which an account has no rate worth ranking."""
RICH_QUANTILE = 0.75


@dataclass(frozen=True, slots=True, kw_only=True)
class Background:
    """What ordinary traffic looks like in this run: measured, never assumed. Null where the column is missing."""

    reference: Numbers
    """Account numbers that may serve as reference and have enough exchanges."""
    elicitation_rate: float | None
    """Rate of exchanges with harvesting signs of the reference account at `REFERENCE_QUANTILE`."""
    rich_bin: int | None
    """First bin of output tokens that three quarters of reference exchanges (one vote per account) stay below."""
    rich_rate: float | None
    """Share of exchanges at or above `rich_bin` of the reference account at `REFERENCE_QUANTILE`."""
    days_first: int
    """First microsecond of the traffic."""
    days_last: int
    """Last microsecond of the traffic."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A group under test."""

    group: Group
    accounts: Accounts
    table: AttributeTable
    study: Study
    background: Background
    rows: Numbers
    """Study rows of the members."""
    harvest: Mask
    """[len(rows)] rows that carry what seeded the group; all rows for groups not seeded by text."""
    outsiders: Numbers
    """Reference accounts that are not members, in ascending order."""
    input_digest: str

    @property
    def members(self) -> Numbers:
        """Account numbers."""
        return self.group.members

    @property
    def harvest_rows(self) -> Numbers:
        """Study rows that carry the trait."""
        return self.rows[self.harvest]


def measure_background(accounts: Accounts) -> Background:
    """Measure the reference accounts once for all candidates."""
    reference = np.flatnonzero(accounts.reference & (accounts.exchanges >= LEAST_EXCHANGES))
    prompted = reference[accounts.prompts[reference] >= LEAST_EXCHANGES]
    elicitation = None
    if len(prompted) >= LEAST_REFERENCE:
        rates = np.sort(accounts.extraction[prompted] / accounts.prompts[prompted])
        elicitation = float(quantile_higher(rates.tolist(), REFERENCE_QUANTILE))
    outputs = accounts.histograms["outputs"]
    answered = reference[outputs[reference].sum(axis=1) >= LEAST_EXCHANGES]
    rich_bin, rich_rate = None, None
    if len(answered) >= LEAST_REFERENCE:
        shares = outputs[answered] / outputs[answered].sum(axis=1, keepdims=True)
        below = np.cumsum(shares.mean(axis=0))
        rich_bin = min(int(np.searchsorted(below, RICH_QUANTILE)) + 1, len(OUTPUT_EDGES))
        rich_rate = float(quantile_higher(np.sort(shares[:, rich_bin:].sum(axis=1)).tolist(), REFERENCE_QUANTILE))
    return Background(
        reference=reference,
        elicitation_rate=elicitation,
        rich_bin=rich_bin,
        rich_rate=rich_rate,
        days_first=int(accounts.first_us.min()),
        days_last=int(accounts.last_us.max()),
    )


def build_candidate(
    group: Group, accounts: Accounts, table: AttributeTable, study: Study, background: Background, input_digest: str
) -> Candidate:
    """Gather the rows of a group and mark those that carry what seeded it."""
    rows = study.rows_of(group.members)
    harvest = np.ones(len(rows), dtype=bool)
    if group.seed == "text":
        harvest[:] = False
        text = [int(kind) for kind in (*TEXT_KINDS, Kind.SYSTEM)]
        for kind in np.intersect1d(table.kinds[group.places], text):
            wanted = np.sort(table.values[group.places[table.kinds[group.places] == kind]])
            harvest |= study.carrying(rows, Kind(int(kind)), wanted)
    return Candidate(
        group=group,
        accounts=accounts,
        table=table,
        study=study,
        background=background,
        rows=rows,
        harvest=harvest,
        outsiders=np.setdiff1d(background.reference, group.members, assume_unique=True),
        input_digest=input_digest,
    )
