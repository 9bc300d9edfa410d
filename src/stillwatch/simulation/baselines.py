"""Trivial baselines: what a plain rule finds on the same traffic.

Takes the folder of a simulated world. Gives, for each of four rules, the accounts that it flags: a volume threshold, exact
duplicates between accounts, a phrase list, and accounts joined by one card. Each is run twice: at a fixed threshold
that one would choose beforehand, and at the threshold that does best with the truth in hand (largest F1), which nobody has in
practice and which is therefore the kindest reading of the rule. Linear in the exchanges; 16 bytes are kept for each.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pj
import pyarrow.parquet as pq

from stillwatch.simulation.errors import SimulationError

TOP_VOLUME = 0.01
"""Share of accounts, largest volume first, that the volume rule flags."""
DUPLICATE_SHARE = 0.5
PHRASE_SHARE = 0.3
CARD_ACCOUNTS = 3
FEWEST_EXCHANGES = 10
"""An account with fewer has no share to speak of, and neither text rule flags it."""
PHRASES = (
    "step by step",
    "step-by-step",
    "chain of thought",
    "show your reasoning",
    "explain your reasoning",
    "reasoning process",
    "inner monologue",
    "<think",
    "<reasoning",
    "score from 1 to",
    "on a scale of",
    "rubric",
    "grade the following",
    "generate a new task",
    "similar problem",
)
COLUMNS = ("account_id", "prompt", "payment_id")


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """A rule and whom it flags."""

    name: str
    threshold: str
    """The threshold in words, with its number."""
    flags: Mapping[str, str | None]
    """Flagged account to the group that holds it; null where the rule forms no groups."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountCounts:
    """What the rules look at; every array has one entry per account."""

    accounts: tuple[str, ...]
    exchanges: np.ndarray[Any, np.dtype[np.int64]]
    duplicates: np.ndarray[Any, np.dtype[np.int64]]
    """Exchanges whose prompt another account sent too, after folding case and white space."""
    phrases: np.ndarray[Any, np.dtype[np.int64]]
    """Exchanges whose prompt holds one of `PHRASES`."""
    cards: tuple[str | None, ...]
    """Payment method last seen."""


def baselines(world: Path, harvesting: frozenset[str]) -> tuple[Baseline, ...]:
    """Run all rules on a world.

    Args:
        world: folder that `stillwatch simulate` wrote.
        harvesting: accounts that really harvest, for the threshold chosen in hindsight.

    Returns:
        Two baselines for each rule, in a fixed order.

    Raises:
        SimulationError: where the folder holds no traffic that can be read.
    """
    counts = count_accounts(world)
    enough = counts.exchanges >= FEWEST_EXCHANGES
    divisor = np.maximum(counts.exchanges, 1)
    duplicated = np.where(enough, counts.duplicates / divisor, 0.0)
    phrased = np.where(enough, counts.phrases / divisor, 0.0)
    sizes = _card_sizes(counts.cards)
    volume_cut = float(np.quantile(counts.exchanges, 1.0 - TOP_VOLUME, method="higher"))
    rules = (
        ("volume threshold", counts.exchanges.astype(np.float64), volume_cut, "{:.0f} exchanges or more"),
        ("exact duplicates", duplicated, DUPLICATE_SHARE, "{:.1%} of prompts also sent by another account"),
        ("phrase list", phrased, PHRASE_SHARE, "{:.1%} of prompts hold one of " + str(len(PHRASES)) + " phrases"),
        ("shared card", sizes, float(CARD_ACCOUNTS), "{:.0f} accounts or more on one card"),
    )
    right = np.array([account in harvesting for account in counts.accounts])
    found: list[Baseline] = []
    for name, scores, threshold, words in rules:
        for title, cut in ((name, threshold), (f"{name}, best in hindsight", best_threshold(scores, right))):
            grouped = name == "shared card"
            found.append(
                Baseline(
                    name=title,
                    threshold=words.format(cut),
                    flags={
                        account: counts.cards[index] if grouped else None
                        for index, account in enumerate(counts.accounts)
                        if scores[index] >= cut and scores[index] > 0.0
                    },
                )
            )
    return tuple(found)


def best_threshold(scores: np.ndarray[Any, np.dtype[np.float64]], right: np.ndarray[Any, np.dtype[np.bool_]]) -> float:
    """Give the threshold with the largest F1, the truth in hand.

    Args:
        scores: one per account; larger is more suspicious.
        right: whether the account really harvests.

    Returns:
        Flag where score >= threshold; the largest such threshold among equals; infinite where nothing harvests.
    """
    if not right.any():
        return float("inf")
    order = np.argsort(-scores, kind="stable")
    ranked, hits = scores[order], np.cumsum(right[order])
    last_of_value = np.append(ranked[1:] != ranked[:-1], True)
    f1 = np.where(last_of_value, 2.0 * hits / (np.arange(1, len(hits) + 1) + int(right.sum())), -1.0)
    return float(ranked[int(np.argmax(f1))])


def count_accounts(world: Path) -> AccountCounts:
    """Read the traffic once and count.

    Args:
        world: folder that `stillwatch simulate` wrote.

    Returns:
        Counts, accounts in alphabetic order.

    Raises:
        SimulationError: where the folder holds no traffic that can be read.
    """
    numbers: dict[str, int] = {}
    cards: dict[str, str] = {}
    account_parts, prompt_parts, phrase_parts = [], [], []
    for batch in _traffic(world):
        accounts = pc.dictionary_encode(batch.column("account_id"))
        local = np.array([numbers.setdefault(name, len(numbers)) for name in accounts.dictionary.to_pylist()])
        rows = local[accounts.indices.to_numpy(zero_copy_only=False)]
        account_parts.append(rows.astype(np.int64))
        prompts, phrases = _prompts(batch.column("prompt"))
        prompt_parts.append(prompts)
        phrase_parts.append(phrases)
        pairs = pa.table({"account": batch.column("account_id"), "card": batch.column("payment_id")})
        for pair in pairs.group_by(["account", "card"]).aggregate([]).to_pylist():
            if pair["card"] is not None:
                cards[pair["account"]] = max(cards.get(pair["account"], ""), pair["card"])
    cards |= _registered_cards(world)
    rows, prompts = np.concatenate(account_parts), np.concatenate(prompt_parts)
    names = sorted(numbers)
    order = np.array([numbers[name] for name in names])
    shared = _sent_by_several(rows, prompts)
    size = len(numbers)
    return AccountCounts(
        accounts=tuple(names),
        exchanges=np.bincount(rows, minlength=size)[order],
        duplicates=np.bincount(rows[shared], minlength=size)[order],
        phrases=np.bincount(rows[np.concatenate(phrase_parts)], minlength=size)[order],
        cards=tuple(cards.get(name) for name in names),
    )


def _traffic(world: Path) -> Iterator[Any]:
    """Read account, prompt and card, batch by batch."""
    files = sorted((*world.glob("traffic-*.parquet"), *world.glob("traffic-*.jsonl")))
    if not files:
        raise SimulationError(
            f"{world} holds no traffic: expected traffic-*.parquet or traffic-*.jsonl beside the truth. "
            "Baselines are computed from the world's own traffic; name the truth.parquet in its folder."
        )
    for file in files:
        try:
            if file.suffix == ".parquet":
                parquet = pq.ParquetFile(file)
                present = [name for name in COLUMNS if name in parquet.schema_arrow.names]
                batches: Any = parquet.iter_batches(columns=present)
            else:
                schema = pa.schema([(name, pa.string()) for name in COLUMNS])
                only = pj.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore")
                batches = pj.open_json(file, parse_options=only)
            for batch in batches:
                yield _with_columns(batch)
        except (OSError, pa.ArrowException) as error:
            raise SimulationError(
                f"{file} cannot be read: expected traffic as `stillwatch simulate` writes it, got {type(error).__name__}."
            ) from error


def _with_columns(batch: Any) -> Any:
    """Give the three columns, null where the traffic lacks one."""
    nothing = pa.nulls(batch.num_rows, pa.string())
    columns = {
        name: batch.column(name).cast(pa.string()) if name in batch.schema.names else nothing for name in COLUMNS
    }
    return pa.record_batch(columns)


def _prompts(
    prompts: Any,
) -> tuple[np.ndarray[Any, np.dtype[np.int64]], np.ndarray[Any, np.dtype[np.bool_]]]:
    """Hash the folded prompts (0 for none) and look for phrases."""
    folded = pc.utf8_lower(pc.utf8_trim_whitespace(pc.replace_substring_regex(prompts, r"\s+", " ")))
    encoded = pc.dictionary_encode(folded)
    hashes = np.array(
        [
            int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little", signed=True)
            for text in encoded.dictionary.to_pylist()
        ],
        dtype=np.int64,
    )
    hit = np.zeros(len(hashes), dtype=np.bool_)
    for phrase in PHRASES:
        hit |= pc.match_substring(encoded.dictionary, phrase).to_numpy(zero_copy_only=False).astype(np.bool_)
    known = pc.is_valid(folded).to_numpy(zero_copy_only=False).astype(np.bool_)
    rows = pc.fill_null(encoded.indices, 0).to_numpy(zero_copy_only=False)
    if not len(hashes):
        return np.zeros(len(known), dtype=np.int64), known & False
    return np.where(known, hashes[rows], 0), known & hit[rows]


def _sent_by_several(
    accounts: np.ndarray[Any, np.dtype[np.int64]], prompts: np.ndarray[Any, np.dtype[np.int64]]
) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Mark exchanges whose prompt was sent by two accounts or more."""
    order = np.lexsort((accounts, prompts))
    same_prompt = prompts[order][1:] == prompts[order][:-1]
    other_account = accounts[order][1:] != accounts[order][:-1]
    several = np.unique(prompts[order][1:][same_prompt & other_account])
    return np.isin(prompts, several[several != 0])


def _card_sizes(cards: tuple[str | None, ...]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Give for each account how many accounts its card has."""
    sizes: dict[str, int] = {}
    for card in cards:
        if card is not None:
            sizes[card] = sizes.get(card, 0) + 1
    return np.array([0.0 if card is None else float(sizes[card]) for card in cards])


def _registered_cards(world: Path) -> dict[str, str]:
    """Read cards from the accounts file, where the world has one."""
    file = world / "accounts.parquet"
    if not file.exists():
        return {}
    table = pq.read_table(file)
    if not {"account_id", "payment_id"} <= set(table.column_names):
        return {}
    pairs = zip(table.column("account_id").to_pylist(), table.column("payment_id").to_pylist(), strict=True)
    return {account: card for account, card in pairs if card is not None}
