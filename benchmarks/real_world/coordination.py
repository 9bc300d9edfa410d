"""Labelled and unlabelled coordination data of other trades, as attribute tables for the linking half.

Takes the shared data folder. Gives tables (account, kind, value, count) and labels where there are any:

- Hop: 43,052 wallet accounts of a bridge and the operator's sybil verdicts; a value is a transfer counterparty (another
  account or an outside address), the kind is the chain and transfer type.
- CooRTweet: German election posts of 2021; a value is a shared link, hashtag, domain or image within one hour. Unlabelled.

Also the connected-component baseline that the data's notes give (precision 0.80, recall 0.59), so that figures of the
linking code stand beside something. What it does not show: the Hop verdict was itself derived mostly from transfer
clustering, so every graph method looks better on it than it is.

    python -m benchmarks.real_world.coordination
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
from benchmarks.real_world.compose import shared_folder
from benchmarks.real_world.sources import shared_file
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from stillwatch.detection.links.attributes import attribute_table
from stillwatch.detection.links.groups import Seeded, seed_groups
from stillwatch.detection.links.kinds import Kind

HOP_ACCOUNTS = 43_052
"""Ids from here on are outside addresses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CoordinationSet:
    """Accounts, what they share, and who is known to act together."""

    name: str
    attributes: pa.Table
    """account (string), kind (string), value (string), count (int64); sorted, one row per triple."""
    coordinated: dict[str, bool] | None
    """Verdict per account; null where the set has none."""
    groups: dict[str, int] | None
    """Smallest confirmed group per account, where there is one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkingFigures:
    """How a set of flagged accounts compares with the verdicts."""

    accounts: int
    coordinated: int
    flagged: int
    true_positives: int

    @property
    def precision(self) -> float:
        """Share of the flagged accounts that the operator eliminated; 0 where none is flagged."""
        return self.true_positives / self.flagged if self.flagged else 0.0

    @property
    def recall(self) -> float:
        """Share of the eliminated accounts that are flagged."""
        return self.true_positives / self.coordinated if self.coordinated else 0.0


def hop(shared: Path) -> CoordinationSet:
    """Return the Hop sybil set; each transfer gives both of its accounts the other side as counterparty.

    Raises:
        SourceAbsentError: when the files are not there.
    """
    accounts = str(shared_file(shared, "coordination/hop_sybil_accounts.parquet"))
    edges = str(shared_file(shared, "coordination/hop_sybil_edges.parquet"))
    groups = str(shared_file(shared, "coordination/hop_sybil_groups.parquet"))
    with duckdb.connect() as connection:
        attributes = connection.sql(
            "select account::varchar as account, kind, value::varchar as value, sum(n)::bigint as count from ("
            "select src as account, dst as value, kind, n from read_parquet($edges) where src < $limit union all "
            "select dst, src, kind, n from read_parquet($edges) where dst < $limit) group by all order by all",
            params={"edges": edges, "limit": HOP_ACCOUNTS},
        ).to_arrow_table()
        verdicts = connection.execute(
            "select node::varchar, sybil from read_parquet(?) order by node", [accounts]
        ).fetchall()
        members = connection.execute(
            "select node::varchar, min(g) from (select node, unnest(groups) as g from read_parquet(?)) "
            "join read_parquet(?) on g = group_id where confirmed group by node order by node",
            [accounts, groups],
        ).fetchall()
    return CoordinationSet(
        name="hop",
        attributes=attributes,
        coordinated=dict(verdicts),
        groups={node: int(group) for node, group in members},
    )


def coortweet(shared: Path) -> CoordinationSet:
    """Return the German election posts: what each account shared, by hour, so that common action needs common time.

    Raises:
        SourceAbsentError: when the file is not there.
    """
    posts = str(shared_file(shared, "coordination/coortweet_german_elections.parquet"))
    with duckdb.connect() as connection:
        attributes = connection.sql(
            "with shared as (select account_id as account, (timestamp // 3600)::bigint as hour, "
            "unnest([{'kind': 'link', 'object': url_id}, {'kind': 'hashtag', 'object': hashtag_id}, "
            "{'kind': 'domain', 'object': domain_id}, {'kind': 'image', 'object': phash_id}]) as item from read_parquet(?)) "
            "select account, item.kind as kind, item.object || '@' || hour as value, count(*)::bigint as count from shared "
            "where item.object is not null and account is not null group by all order by all",
            params=[posts],
        ).to_arrow_table()
    return CoordinationSet(name="coortweet", attributes=attributes, coordinated=None, groups=None)


def compare(coordination: CoordinationSet, flagged: set[str]) -> LinkingFigures:
    """Compare flagged accounts with the verdicts.

    Args:
        coordination: a set with verdicts.
        flagged: accounts called coordinated.

    Returns:
        The figures.

    Raises:
        ValueError: when the set has no verdicts.
    """
    if coordination.coordinated is None:
        raise ValueError(f"coordination set {coordination.name!r}: got no verdicts, expected a labelled set")
    verdicts = coordination.coordinated
    return LinkingFigures(
        accounts=len(verdicts),
        coordinated=sum(verdicts.values()),
        flagged=sum(account in verdicts for account in flagged),
        true_positives=sum(verdicts.get(account, False) for account in flagged),
    )


def component_baseline(shared: Path, *, most_neighbours: int = 20, fewest: int = 5, most: int = 3_000) -> set[str]:
    """Return the accounts that plain connected components flag on the Hop transfers.

    Args:
        shared: the folder that holds `data/`.
        most_neighbours: nodes on more rows of the transfer table are dropped as hubs.
        fewest: accounts in a flagged component, at least.
        most: accounts in a flagged component, at most.

    Returns:
        Account ids.

    Raises:
        SourceAbsentError: when the file is not there.
    """
    edges = str(shared_file(shared, "coordination/hop_sybil_edges.parquet"))
    with duckdb.connect() as connection:
        columns = connection.execute(
            "select src as a, dst as b from read_parquet(?) order by all",
            [edges],
        ).fetchnumpy()
    first, second = np.asarray(columns["a"], dtype=np.int64), np.asarray(columns["b"], dtype=np.int64)
    nodes = int(max(first.max(), second.max(), HOP_ACCOUNTS - 1)) + 1
    degree = np.bincount(np.r_[first, second], minlength=nodes)
    kept = (degree[first] <= most_neighbours) & (degree[second] <= most_neighbours)
    graph = coo_matrix((np.ones(int(kept.sum())), (first[kept], second[kept])), shape=(nodes, nodes))
    _, component = connected_components(graph, directed=False)
    accounts: NDArray[np.int64] = np.bincount(component[:HOP_ACCOUNTS], minlength=int(component.max()) + 1)
    flagged = (accounts[component[:HOP_ACCOUNTS]] >= fewest) & (accounts[component[:HOP_ACCOUNTS]] <= most)
    return {str(node) for node in np.flatnonzero(flagged)}


def candidate_groups(coordination: CoordinationSet, seed: str = "infrastructure") -> Seeded:
    """Return the candidate groups that stillwatch's linking forms when what accounts share stands where cards stand.

    Linking is only where detection looks: there are no prompts, clocks or answers here that could be tested.
    """
    ids, accounts = np.unique(np.array(coordination.attributes["account"].to_pylist()), return_inverse=True)
    pairs = zip(coordination.attributes["kind"].to_pylist(), coordination.attributes["value"].to_pylist(), strict=True)
    numbers = {pair: place for place, pair in enumerate(sorted(set(pairs)))}
    pairs = zip(coordination.attributes["kind"].to_pylist(), coordination.attributes["value"].to_pylist(), strict=True)
    values = np.array([numbers[pair] for pair in pairs], dtype=np.int64)
    order = np.lexsort((accounts, values))
    kind = Kind.PAYMENT if seed == "infrastructure" else Kind.SPAN
    rows = pa.table(
        {
            "kind": np.full(len(order), int(kind), dtype=np.int64),
            "value": values[order],
            "account": accounts[order].astype(np.int64),
            "exchanges": coordination.attributes["count"].to_numpy()[order],
        }
    )
    table = attribute_table(rows, np.arange(len(ids), dtype=np.int64), np.full(len(ids), 1, dtype=np.int64))
    return seed_groups(table, np.ones(len(ids), dtype=bool))


def linked(coordination: CoordinationSet, seeded: Seeded, *, fewest: int = 5, most: int = 3_000) -> set[str]:
    """Return the accounts that are in a candidate group of a size between `fewest` and `most`."""
    ids = np.unique(np.array(coordination.attributes["account"].to_pylist()))
    groups = [group.members for group in seeded.groups if fewest <= len(group.members) <= most]
    return {str(ids[number]) for number in np.unique(np.concatenate(groups))} if groups else set()


def study(shared: Path) -> dict[str, object]:
    """Return sizes of both sets, the baseline's figures and those of our linking, as JSON values."""
    sybils, posts = hop(shared), coortweet(shared)
    figures = compare(sybils, component_baseline(shared))
    seeded, talked = candidate_groups(sybils), candidate_groups(posts, "text")
    ours = compare(sybils, linked(sybils, seeded))
    return {
        "candidate groups of stillwatch": asdict(ours)
        | {
            "precision": ours.precision,
            "recall": ours.recall,
            "tested": len(seeded.groups),
            "formed": seeded.considered,
        },
        "coortweet_groups": {
            "tested": len(talked.groups),
            "formed": talked.considered,
            "largest": max(len(group.members) for group in talked.groups),
            "accounts": len(linked(posts, talked)),
        },
        "hop": {"attributes": sybils.attributes.num_rows, "groups": len(set((sybils.groups or {}).values()))},
        "coortweet": {"attributes": posts.attributes.num_rows},
        "component_baseline": asdict(figures) | {"precision": figures.precision, "recall": figures.recall},
    }


def main() -> None:
    """Print the figures as JSON."""
    parser = argparse.ArgumentParser(description="Sizes of the coordination sets and the component baseline.")
    parser.add_argument("--shared", type=Path, default=shared_folder())
    print(json.dumps(study(parser.parse_args().shared), indent=2))


if __name__ == "__main__":
    main()
