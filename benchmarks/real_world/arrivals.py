"""Arrival times of accounts, out of two real traces.

Takes the shared data folder. Gives event times in seconds from the world's start, within its days:

- `automation`: a real API client of ServeGen (314 clients of three models, 14 days in 600 s windows; Apache-2.0). Its
  windows keep their share of the client's volume, so the diurnal and weekly shape and the spikes stay; within a window
  the gaps have the client's own coefficient of variation. The volume is the client's real one times `SERVEGEN_SCALE`:
  the heavy tail over clients stays, up to a cap that keeps the world at laptop size.
- `person`: one or a few real accounts of GenTD26 (2,125 user groups of an image service, event level), moved by whole
  days and a time zone: sessions, gaps and the long tail stay.
- `operator`: the hours of a campaign: one flow of work over all its accounts, by staff hours (a ServeGen client's
  weekly shape) or round the clock, dispatched from a queue, in batches or by each account alone.

What it does not show: image-service accounts stand in for chat users; ServeGen's long tail of small clients is missing.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import duckdb
import numpy as np
from benchmarks.real_world.sources import shared_file
from numpy.typing import NDArray

DAYS = 14
"""Length of a world: that of the ServeGen trace."""
DAY = 86_400
WINDOW = 600
"""Seconds of a ServeGen window."""
WINDOWS = DAYS * DAY // WINDOW
SERVEGEN_SCALE = 1 / 4_000
"""Median client 133 exchanges in 14 days instead of 530,140."""

Times = NDArray[np.float64]
"""Seconds from the world's start, ascending, in [0, DAYS * DAY)."""

Dispatch = Literal["queue", "batches", "alone"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """One ServeGen API client."""

    name: str
    model: str
    total: float
    """Requests in 14 days."""
    weights: NDArray[np.float64]
    """Share of the volume per window, float64 [2016]; sums to 1."""
    variation: NDArray[np.float64]
    """Coefficient of variation of the gaps per window, float64 [2016]."""
    output_tokens: NDArray[np.float64]
    """Percentiles 0 to 100 of the answer length, float64 [101]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrivals:
    """Both traces, read."""

    clients: tuple[Client, ...]
    persons: tuple[Times, ...]
    """Event times of each GenTD26 account, seconds from midnight of the trace's first day."""
    chat_output_tokens: NDArray[np.int64]
    """Answer lengths of the Azure conversation trace."""


def _clients(shared: Path) -> tuple[Client, ...]:
    rates_file = str(shared_file(shared, "traces/servegen_language_client_rates.parquet"))
    lengths_file = str(shared_file(shared, "traces/servegen_language_client_lengths.parquet"))
    with duckdb.connect() as connection:
        table = connection.execute(
            "select model, client, (t_s // 600)::int as place, rate_rps, cv from read_parquet(?) "
            "order by model, client, place",
            [rates_file],
        ).fetchnumpy()
        lengths = connection.execute(
            "select model, client, q0_q100 from read_parquet(?) where field = 'output_tokens' and length(q0_q100) = 101 "
            "order by model, client, t_s",
            [lengths_file],
        ).fetchall()
    blocks: dict[tuple[str, int], list[list[float]]] = {}
    for model, client, values in lengths:
        blocks.setdefault((model, int(client)), []).append(values)
    # Percentiles of a client's median six-hour block: single blocks may hold one request.
    quantiles = {key: np.median(np.asarray(values, dtype=np.float64), axis=0) for key, values in blocks.items()}
    usual = np.median(np.stack(list(quantiles.values())), axis=0)
    models, numbers = np.asarray(table["model"], dtype=object), np.asarray(table["client"])
    borders = np.flatnonzero((models[1:] != models[:-1]) | (numbers[1:] != numbers[:-1])) + 1
    clients = []
    for start, end in zip(np.r_[0, borders], np.r_[borders, len(models)], strict=True):
        rates, variation = np.zeros(WINDOWS), np.ones(WINDOWS)
        places = np.asarray(table["place"])[start:end]
        rates[places] = np.asarray(table["rate_rps"])[start:end]
        variation[places] = np.asarray(table["cv"])[start:end]
        if rates.sum() <= 0:
            continue
        key = (str(models[start]), int(numbers[start]))
        clients.append(
            Client(
                name=f"{key[0]}/{key[1]}",
                model=key[0],
                total=float(rates.sum() * WINDOW),
                weights=rates / rates.sum(),
                variation=variation,
                output_tokens=quantiles.get(key, usual),
            )
        )
    return tuple(clients)


def load(shared: Path) -> Arrivals:
    """Read the traces.

    Args:
        shared: the folder that holds `data/`.

    Returns:
        Arrivals; the same files give the same order.

    Raises:
        SourceAbsentError: when a trace is not there.
    """
    people_file = str(shared_file(shared, "traces/gentd26_account_requests_half_a.parquet"))
    azure_file = str(shared_file(shared, "traces/azure2023_conv.parquet"))
    with duckdb.connect() as connection:
        people = connection.execute(
            "select account, list(epoch(ts) - epoch(timestamp '2024-11-15') order by ts) from read_parquet(?) "
            "group by account order by account",
            [people_file],
        ).fetchall()
        answers = connection.execute(
            "select generated_tokens from read_parquet(?) order by t_s, generated_tokens", [azure_file]
        ).fetchnumpy()["generated_tokens"]
    return Arrivals(
        clients=_clients(shared),
        persons=tuple(np.asarray(times, dtype=np.float64) for _, times in people),
        chat_output_tokens=np.asarray(answers, dtype=np.int64),
    )


def within_world(times: Times) -> Times:
    """Return the times that fall into the world, ascending."""
    return np.sort(times[(times >= 0) & (times < DAYS * DAY)])


def automation(client: Client, rng: np.random.Generator, cap: int, scale: float = SERVEGEN_SCALE) -> Times:
    """Return the times of an account that behaves as that client.

    Args:
        client: a ServeGen client.
        rng: source of chance.
        cap: most events, at least 1.
        scale: events per real request.

    Returns:
        Seconds, float64 [n], 1 <= n <= cap.
    """
    count = int(np.clip(rng.poisson(client.total * scale), 1, cap))
    # A time zone of its own, so that accounts that stand on one client do not move together.
    per_window = np.roll(rng.multinomial(count, client.weights), int(rng.integers(-9, 10)) * 6)
    pieces = []
    for place in np.flatnonzero(per_window):
        events = int(per_window[place])
        variation = max(float(client.variation[place]), 0.05)
        shape = 1.0 / variation**2
        gaps = rng.gamma(shape, 1.0, events + 1)
        total = gaps.sum()
        inside = np.cumsum(gaps)[:-1] / total if total > 0 else rng.random(events)
        pieces.append(place * WINDOW + WINDOW * np.clip(inside, 0.0, 0.999_999))
    return within_world(np.concatenate(pieces))


def person(arrivals: Arrivals, rng: np.random.Generator) -> Times:
    """Return the times of an account of one human being.

    Args:
        arrivals: the traces.
        rng: source of chance.

    Returns:
        Seconds, float64 [n], n at least 1.
    """
    # Most people are one real account; one in twelve works with the model all day, which the image service does not show.
    heavy = rng.random() < 0.08
    parts = int(rng.integers(10, 45)) if heavy else int(rng.choice([1, 2, 3, 5], p=[0.7, 0.2, 0.07, 0.03]))
    pieces = []
    for _ in range(parts):
        real = arrivals.persons[int(rng.integers(len(arrivals.persons)))]
        first_day = int(real[0] // DAY)
        shift = (int(rng.integers(DAYS)) - first_day) * DAY + int(rng.integers(-9, 10)) * 3600
        # Minutes of jitter: the same real account may stand for several.
        pieces.append(np.mod(real + shift + rng.uniform(-300, 300), DAYS * DAY))
    return np.sort(np.concatenate(pieces))


def sessions_of(times: Times, gap: float = 1_800.0) -> NDArray[np.int64]:
    """Return the session number of each event: a new one after `gap` seconds of silence; int64 [n]."""
    if not len(times):
        return np.zeros(0, dtype=np.int64)
    return np.cumsum(np.r_[0, np.diff(times) > gap]).astype(np.int64)


def _flow(profile: NDArray[np.float64], first: float, last: float, count: int, rng: np.random.Generator) -> Times:
    """Times of `count` events within [first, last) days by a weekly profile over windows."""
    windows = np.arange(WINDOWS)
    weights = profile * ((windows >= first * DAY / WINDOW) & (windows < last * DAY / WINDOW))
    if weights.sum() <= 0:
        weights = ((windows >= first * DAY / WINDOW) & (windows < last * DAY / WINDOW)).astype(np.float64)
    places = rng.choice(WINDOWS, size=count, p=weights / weights.sum())
    return np.sort(places * WINDOW + rng.random(count) * WINDOW)


def operator(
    arrivals: Arrivals,
    rng: np.random.Generator,
    *,
    accounts: int,
    per_day: float,
    first_day: float,
    last_day: float,
    round_the_clock: bool,
    dispatch: Dispatch,
) -> list[Times]:
    """Return the times of a campaign's accounts.

    Args:
        arrivals: the traces.
        rng: source of chance.
        accounts: accounts of the campaign.
        per_day: mean exchanges per account and day.
        first_day: start, days from the world's start.
        last_day: end, days; at most `DAYS`.
        round_the_clock: a flat profile instead of a client's weekly shape.
        dispatch: `queue` hands each piece of work to the next account or to any; `batches` run all accounts in the same
            windows; `alone` lets each account follow the profile by itself.

    Returns:
        One ascending array of seconds per account.
    """
    busy = [client for client in arrivals.clients if np.count_nonzero(client.weights) > WINDOWS // 2]
    profile = np.ones(WINDOWS) if round_the_clock else busy[int(rng.integers(len(busy)))].weights
    # A spike of one window would make a batch of every campaign; staff hours are the shape, not the spikes.
    profile = np.minimum(profile, 4 * np.mean(profile))
    total = max(accounts, int(rng.poisson(per_day * accounts * (last_day - first_day))))
    if dispatch == "alone":
        shares = np.maximum(rng.multinomial(total, np.full(accounts, 1 / accounts)), 1)
        return [_flow(profile, first_day, last_day, int(count), rng) for count in shares]
    if dispatch == "batches":
        starts = _flow(profile, first_day, last_day, max(2, int((last_day - first_day) * rng.integers(1, 4))), rng)
        length = float(rng.uniform(1_200, 5_400))
        times = np.sort(starts[rng.integers(len(starts), size=total)] + rng.random(total) * length)
        times = np.minimum(times, DAYS * DAY - 1e-3)
    else:
        times = _flow(profile, first_day, last_day, total, rng)
    strict_turns = rng.random() < 0.5
    owner = np.arange(total) % accounts if strict_turns else rng.integers(accounts, size=total)
    return [times[owner == number] for number in range(accounts)]
