"""Truth: account facts as a provider has them, and the labels that only a simulator has.

Takes the world. Gives the tables of `accounts.parquet` and `truth.parquet`, sorted by account id.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from stillwatch.simulation.exchanges import account_ids, email_names, nullable_ids, to_time
from stillwatch.simulation.population import Cohort, Rows

_LICENCES = pa.array([None, "data partnership agreement", "security testing agreement"], pa.string())
_ROLES = pa.array([None, "operator", "reseller", "victim", "licensed"], pa.string())


def accounts_table(accounts: Rows, days: int) -> pa.Table:
    """Account facts: ids, card, mail domain, registration, licence, closing."""
    closed = np.where(accounts["closed"] < days, accounts["closed"], np.inf)
    table = pa.table(
        {
            "account_id": account_ids(accounts),
            "organization_id": nullable_ids(accounts["organization"], "org_"),
            "payment_id": nullable_ids(accounts["payment"], "pm_"),
            "email_domain": email_names(accounts),
            "account_created_at": to_time(accounts["created"]),
            "licence": _LICENCES.take(pa.array(accounts["licence"].astype(np.int64))),
            "closed_at": to_time(closed),
        }
    )
    return table.sort_by("account_id")


def truth_table(cohort: Cohort, names: list[str]) -> pa.Table:
    """Labels per account.

    Args:
        cohort: the world with whole volumes.
        names: family or class name by `family`.
    """
    accounts, streams = cohort.accounts, cohort.streams
    sent = np.bincount(streams["account"], streams["exchanges"], minlength=len(accounts))
    harvested = np.bincount(streams["account"], streams["exchanges"] * streams["harvest"], minlength=len(accounts))
    planted = accounts["campaign"] >= 0
    campaign = np.array([f"campaign-{number:04d}" for number in range(int(accounts["campaign"].max(initial=0)) + 1)])
    table = pa.table(
        {
            "account_id": account_ids(accounts),
            "label": pa.array(np.where(planted, "campaign", "honest")),
            "family": pa.array(names).take(pa.array(accounts["family"].astype(np.int64))),
            "campaign_id": pa.array(campaign[np.maximum(accounts["campaign"], 0)], mask=~planted),
            "operator_role": _ROLES.take(pa.array(accounts["role"].astype(np.int64))),
            "harvest_share": pa.array(np.round(harvested / np.maximum(sent, 1), 6)),
        }
    )
    return table.sort_by("account_id")
