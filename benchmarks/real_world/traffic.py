"""The world under construction: accounts and their exchanges, and the files at the end.

Takes accounts and batches of exchanges. Gives `traffic-00000.parquet` in the generic flat columns (sorted by time),
`accounts.parquet` and `truth.parquet`. Promises that ids carry no information: they are drawn from the world's seed, and
exchange ids are given after sorting.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from benchmarks.real_world.arrivals import Times
from benchmarks.real_world.infrastructure import Client
from numpy.typing import NDArray

START_US = 1_788_739_200_000_000
"""2026-09-07T00:00:00Z, a Monday."""
CHARACTERS_PER_TOKEN = 3.8
TIMESTAMP = pa.timestamp("us", tz="UTC")


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """An account with its facts and its truth."""

    number: int
    account_id: str
    organization_id: str
    api_key_id: str
    payment_id: str | None
    email_domain: str
    created_us: int
    licence: str | None
    campaign: str | None
    """Campaign id; null for honest accounts."""
    family: str
    """Campaign family or look-alike class."""
    operator_role: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """How a client calls the model: the same for all exchanges of a batch."""

    model: str
    client: Client
    endpoint: str = "chat"
    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    samples: int | None = None
    stream: bool = False
    tools: str | None = None
    reasoning_share: float = 0.0
    """Part of the answer that is reasoning, 0 to 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Exchanges of one account, in the order of their times."""

    times: Times
    prompts: Sequence[str]
    addresses: Sequence[str]
    output_tokens: NDArray[np.int64]
    system_prompts: Sequence[str | None] | None = None
    turns: Sequence[int] | None = None
    sessions: NDArray[np.int64] | None = None
    tools: Sequence[str | None] | None = None
    harvest: Sequence[bool] | None = None


COLUMNS: tuple[tuple[str, pa.DataType], ...] = (
    ("time", TIMESTAMP),
    ("account_id", pa.string()),
    ("organization_id", pa.string()),
    ("api_key_id", pa.string()),
    ("ip", pa.string()),
    ("user_agent", pa.string()),
    ("tls_fingerprint", pa.string()),
    ("payment_id", pa.string()),
    ("email_domain", pa.string()),
    ("account_created_at", TIMESTAMP),
    ("model", pa.string()),
    ("endpoint", pa.string()),
    ("system_prompt", pa.string()),
    ("prompt", pa.string()),
    ("turns", pa.int32()),
    ("tools", pa.string()),
    ("session_id", pa.string()),
    ("input_tokens", pa.int32()),
    ("output_tokens", pa.int32()),
    ("reasoning_tokens", pa.int32()),
    ("temperature", pa.float64()),
    ("top_p", pa.float64()),
    ("max_tokens", pa.int32()),
    ("n", pa.int32()),
    ("stream", pa.bool_()),
    ("status", pa.int32()),
    ("finish_reason", pa.string()),
    ("latency_ms", pa.int32()),
)
"""Columns as accumulated; `exchange_id` is added after sorting."""


@dataclass(slots=True, kw_only=True)
class Traffic:
    """What has been composed so far."""

    rng: np.random.Generator
    """Source of ids, failures and latencies."""
    accounts: list[Account] = field(default_factory=list)
    columns: dict[str, list[object]] = field(default_factory=lambda: {name: [] for name, _ in COLUMNS})
    counts: dict[int, list[int]] = field(default_factory=dict)
    """Account number to [exchanges, harvest exchanges]."""

    def open_account(
        self,
        *,
        family: str,
        email_domain: str,
        created_us: int,
        payment_id: str | None,
        organization_id: str | None = None,
        campaign: str | None = None,
        operator_role: str | None = None,
        licence: str | None = None,
    ) -> Account:
        """Open an account; its ids are drawn, so that they say nothing."""
        identity = int(self.rng.integers(1 << 62))
        account = Account(
            number=len(self.accounts),
            account_id=f"acct_{identity:016x}",
            organization_id=organization_id or f"org_{int(self.rng.integers(1 << 62)):016x}",
            api_key_id=f"key_{int(self.rng.integers(1 << 62)):016x}",
            payment_id=payment_id,
            email_domain=email_domain,
            created_us=created_us,
            licence=licence,
            campaign=campaign,
            family=family,
            operator_role=operator_role,
        )
        self.accounts.append(account)
        self.counts[account.number] = [0, 0]
        return account

    def add(self, account: Account, call: Call, batch: Batch) -> None:
        """Add exchanges of an account.

        Args:
            account: an account opened here.
            call: how its client calls.
            batch: the exchanges; all sequences have one entry per time.
        """
        count = len(batch.times)
        if not count:
            return
        rng, columns = self.rng, self.columns
        turns = list(batch.turns) if batch.turns is not None else [1] * count
        systems = list(batch.system_prompts) if batch.system_prompts is not None else [None] * count
        failed = rng.random(count) < 0.008
        output = np.clip(batch.output_tokens, 1, call.max_tokens or 16_384).astype(np.int64)
        cut = output == (call.max_tokens or -1)
        output[failed] = 0
        latency = (250 + 60 * rng.gamma(2.0, 1.0, count) + output * rng.lognormal(2.2, 0.25, count)).astype(np.int64)
        text = np.array([len(p) + len(s or "") for p, s in zip(batch.prompts, systems, strict=True)])
        # Earlier turns travel with the request: a few hundred tokens each, as in the Azure conversation trace.
        history = (np.asarray(turns) - 1) * rng.integers(150, 500, size=count)
        prefix = f"{int(rng.integers(1 << 62)):016x}"
        sessions = [None] * count if batch.sessions is None else [f"{prefix}-{number}" for number in batch.sessions]
        columns["time"] += (START_US + np.round(batch.times * 1e6).astype(np.int64)).tolist()
        columns["ip"] += list(batch.addresses)
        columns["system_prompt"] += systems
        columns["prompt"] += list(batch.prompts)
        columns["turns"] += turns
        columns["tools"] += list(batch.tools) if batch.tools is not None else [call.tools] * count
        columns["session_id"] += sessions
        columns["input_tokens"] += (np.ceil(text / CHARACTERS_PER_TOKEN).astype(np.int64) + history + 4).tolist()
        columns["output_tokens"] += output.tolist()
        reasoning = (output * call.reasoning_share).astype(np.int64).tolist()
        columns["reasoning_tokens"] += reasoning if call.reasoning_share > 0 else [None] * count
        columns["status"] += [(429 if rng.random() < 0.6 else 500) if bad else 200 for bad in failed]
        reasons = np.where(failed, "", np.where(cut, "length", "tool_calls" if call.tools else "stop"))
        columns["finish_reason"] += [str(reason) or None for reason in reasons]
        columns["latency_ms"] += np.minimum(latency, 600_000).tolist()
        for name, value in _constants(account, call):
            columns[name] += [value] * count
        tally = self.counts[account.number]
        tally[0] += count
        tally[1] += int(sum(batch.harvest)) if batch.harvest is not None else 0

    def write(self, out: Path) -> int:
        """Write the three tables.

        Args:
            out: an existing folder.

        Returns:
            Number of exchanges.
        """
        table = pa.table({name: pa.array(self.columns[name], type=kind) for name, kind in COLUMNS})
        table = table.sort_by([("time", "ascending"), ("account_id", "ascending"), ("latency_ms", "ascending")])
        order = np.random.default_rng(int(self.rng.integers(1 << 62))).permutation(table.num_rows)
        ids = pa.array([f"req_{value:08x}" for value in order.tolist()], type=pa.string())
        table = table.add_column(2, "exchange_id", ids)
        pq.write_table(table, out / "traffic-00000.parquet", compression="zstd", row_group_size=65_536)
        used = [account for account in self.accounts if self.counts[account.number][0]]
        used.sort(key=lambda account: account.account_id)
        _write_accounts(used, out / "accounts.parquet")
        _write_truth(used, self.counts, out / "truth.parquet")
        return int(table.num_rows)


def _constants(account: Account, call: Call) -> tuple[tuple[str, object], ...]:
    return (
        ("account_id", account.account_id),
        ("organization_id", account.organization_id),
        ("api_key_id", account.api_key_id),
        ("user_agent", call.client.user_agent),
        ("tls_fingerprint", call.client.tls),
        ("payment_id", account.payment_id),
        ("email_domain", account.email_domain),
        ("account_created_at", account.created_us),
        ("model", call.model),
        ("endpoint", call.endpoint),
        ("temperature", call.temperature),
        ("top_p", call.top_p),
        ("max_tokens", call.max_tokens),
        ("n", call.samples),
        ("stream", call.stream),
    )


def _write_accounts(accounts: Sequence[Account], path: Path) -> None:
    table = pa.table(
        {
            "account_id": pa.array([account.account_id for account in accounts], type=pa.string()),
            "organization_id": pa.array([account.organization_id for account in accounts], type=pa.string()),
            "payment_id": pa.array([account.payment_id for account in accounts], type=pa.string()),
            "email_domain": pa.array([account.email_domain for account in accounts], type=pa.string()),
            "account_created_at": pa.array([account.created_us for account in accounts], type=TIMESTAMP),
            "licence": pa.array([account.licence for account in accounts], type=pa.string()),
            "closed_at": pa.array([None] * len(accounts), type=TIMESTAMP),
        }
    )
    pq.write_table(table, path, compression="zstd")


def _write_truth(accounts: Sequence[Account], counts: dict[int, list[int]], path: Path) -> None:
    shares = [counts[account.number][1] / counts[account.number][0] for account in accounts]
    table = pa.table(
        {
            "account_id": pa.array([account.account_id for account in accounts], type=pa.string()),
            "label": pa.array(
                ["campaign" if account.campaign else "honest" for account in accounts], type=pa.string()
            ),
            "family": pa.array([account.family for account in accounts], type=pa.string()),
            "campaign_id": pa.array([account.campaign for account in accounts], type=pa.string()),
            "operator_role": pa.array([account.operator_role for account in accounts], type=pa.string()),
            "harvest_share": pa.array(
                [share if account.campaign or account.licence else None
                 for account, share in zip(accounts, shares, strict=True)],
                type=pa.float64(),
            ),
        }
    )  # fmt: skip
    pq.write_table(table, path, compression="zstd")
