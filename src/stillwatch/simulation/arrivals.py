"""Arrivals: when each stream sends its exchanges.

Takes streams with totals. Gives the events of one day after the other, sorted by time, with ordinals and session positions.

A stream's total is spread over its days by a sequential multinomial, over the hours of a day by its profile, and over sessions.
Fitted shapes: gaps within sessions are log-normal with log mean 4.38 and log spread 0.98 seconds and sessions have mean 4.2
and median 2 exchanges (GenTD26); the coefficient of variation of API gaps has median 1.2 and reaches 8.9 at the 95th
percentile (ServeGen), hence sessions for scripts too. O(streams) per day and O(log n) per event.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stillwatch.simulation.calendar import DAY_US, FIRST_DAY_US, hour_weights, is_weekend
from stillwatch.simulation.population import Items, Rows
from stillwatch.simulation.randomness import Integers, Keys, Purpose, Reals, below, mix, normal, unit

_DAY_SECONDS = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Events:
    """Exchanges before they have content, sorted by time; one row each."""

    stream: Integers
    time_us: Integers
    """Microseconds UTC."""
    ordinal: Integers
    """How many exchanges of the stream came before."""
    key: Keys
    """Hash that every free choice of the exchange is derived from."""
    session: Keys
    position: Integers
    """Place in the session, from 0."""
    item: Integers
    """Number in the pool for pooled streams."""

    def cut(self, start: int, stop: int) -> Events:
        """Rows from `start` to `stop`."""
        return Events(
            stream=self.stream[start:stop],
            time_us=self.time_us[start:stop],
            ordinal=self.ordinal[start:stop],
            key=self.key[start:stop],
            session=self.session[start:stop],
            position=self.position[start:stop],
            item=self.item[start:stop],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sessions:
    """Sessions of one day, by stream."""

    owner: Integers
    """Stream."""
    local: Integers
    """Number within stream and day."""
    size: Integers
    """Events; sessions without any are possible."""


class Schedule:
    """Walks over the days of a world and keeps what each stream still has to send."""

    def __init__(self, streams: Rows, days: int, seed: int) -> None:
        """Prepare the walk; `exchanges` of the streams must be whole numbers."""
        self._streams = streams
        self._days = days
        self._seed = seed
        self._left = streams["exchanges"].astype(np.int64)
        self._sent = np.zeros(len(streams), dtype=np.int64)
        self._profiles = hour_weights()
        self._weight_left = np.zeros(len(streams))
        for day in range(days):
            self._weight_left += self._weights(day)
        queued = streams["items"] == Items.QUEUE
        pools, self._queue = np.unique(np.where(queued, streams["pool"], 0), return_inverse=True)
        self._queue_sent = np.zeros(len(pools), dtype=np.int64)

    def _weights(self, day: int) -> Reals:
        streams = self._streams
        overlap = (np.minimum(streams["end"], day + 1.0) - np.maximum(streams["start"], float(day))).clip(0.0, 1.0)
        present = np.flatnonzero(overlap > 0.0)
        part = streams[present]
        length = np.maximum(part["end"] - part["start"], 1e-6)
        level = part["ramp"] * ((day - part["start"]) / length).clip(0.0, 1.0)
        level = level + part["noise"] * normal(mix(self._seed, present, day, Purpose.ACTIVITY))
        shared = normal(mix(part["rhythm"], day, Purpose.RHYTHM))
        level = level + np.where(part["rhythm"] > 0, 0.5 * part["rhythm_depth"] * shared, 0.0)
        weights = np.zeros(len(streams))
        weights[present] = overlap[present] * np.exp(level) * (part["weekend"] if is_weekend(day) else 1.0)
        resting = unit(mix(self._seed, present, day, Purpose.REST)) < part["rest"]
        weights[present] = np.where(resting, 0.0, weights[present])
        # A stream that rests on weekends but lives on a weekend only still sends what it has to.
        return np.where(overlap > 0.0, np.maximum(weights, 1e-9), 0.0)

    def _counts(self, day: int) -> Integers:
        weights = self._weights(day)
        share = np.divide(weights, self._weight_left, out=np.zeros_like(weights), where=weights > 0.0).clip(0.0, 1.0)
        last = (self._streams["end"] <= day + 1.0) | (day == self._days - 1)
        share[last & (weights > 0.0)] = 1.0
        draw = np.random.Generator(np.random.PCG64([self._seed, day, Purpose.COUNT]))
        counts = draw.binomial(self._left, share)
        self._left -= counts
        self._weight_left -= weights
        return np.asarray(counts, dtype=np.int64)

    def day(self, day: int) -> Events:
        """Events of one day; days must be asked for in order."""
        counts = self._counts(day)
        active = np.flatnonzero(counts)
        stream = np.repeat(active, counts[active])
        place = np.arange(len(stream)) - np.repeat(np.cumsum(counts[active]) - counts[active], counts[active])
        session, sessions = self._sessions(day, stream, place, counts)
        order = np.argsort(session, kind="stable")
        stream, session = stream[order], session[order]
        position = np.arange(len(stream)) - (np.cumsum(sessions.size) - sessions.size)[session]
        seconds = self._event_seconds(day, session, position, sessions)
        time_us = FIRST_DAY_US + day * DAY_US + np.floor(seconds * 1e6).astype(np.int64)
        order = np.lexsort((position, stream, time_us))
        stream, session, position = stream[order], session[order], position[order]
        ordinal = self._sent[stream] + _rank(stream)
        self._sent += counts
        return Events(
            stream=stream,
            time_us=time_us[order],
            ordinal=ordinal,
            key=mix(self._seed, stream, ordinal, Purpose.EXCHANGE),
            session=mix(self._seed, sessions.owner[session], day, sessions.local[session], Purpose.SESSION_ID),
            position=position,
            item=self._items(stream, ordinal),
        )

    def _sessions(self, day: int, stream: Integers, place: Integers, counts: Integers) -> tuple[Integers, _Sessions]:
        """Session of each event, and the sessions of the day that have events."""
        mean = self._streams["session"]
        wanted = counts / np.maximum(mean, 1.0)
        rounded = np.floor(wanted + unit(mix(self._seed, np.arange(len(counts)), day, Purpose.SESSION))).astype(
            np.int64
        )
        number = np.where(counts > 0, np.maximum(rounded, 1), 0)
        single = mean <= 1.0
        number[single] = counts[single]
        first = np.cumsum(number) - number
        chosen = below(mix(self._seed, stream, day, place, Purpose.SESSION), np.maximum(number[stream], 1))
        session = first[stream] + np.where(single[stream], place, chosen)
        owner = np.repeat(np.arange(len(counts)), number)
        local = np.arange(len(owner)) - first[owner]
        size = np.bincount(session, minlength=len(owner))
        return session, _Sessions(owner=owner, local=local, size=size)

    def _window(self, day: int, owner: Integers) -> tuple[Reals, Reals]:
        """Seconds of the day between which the owners' streams are in use."""
        part = self._streams[owner]
        low = np.maximum(part["start"] - day, 0.0) * _DAY_SECONDS
        high = np.minimum(part["end"] - day, 1.0) * _DAY_SECONDS
        return low, np.maximum(high, low + 1.0)

    def _session_starts(self, day: int, sessions: _Sessions) -> Reals:
        """Seconds of the day at which each session would begin."""
        owner, local = sessions.owner, sessions.local
        part = self._streams[owner]
        utc = np.arange(24)
        weights = self._profiles[part["hours"][:, None], (utc + part["zone"][:, None].astype(np.int64)) % 24]
        shared = np.flatnonzero(part["rhythm"] > 0)
        if len(shared):
            swing = normal(mix(part["rhythm"][shared][:, None], day, utc[None, :], Purpose.HOUR))
            weights[shared] *= np.exp(part["rhythm_depth"][shared][:, None] * swing)
        cumulative = np.cumsum(weights, axis=1)
        point = unit(mix(self._seed, owner, day, local, Purpose.HOUR)) * cumulative[:, -1]
        hour = (cumulative <= point[:, None]).sum(axis=1).clip(0, 23)
        inside = unit(mix(self._seed, owner, day, local, Purpose.MINUTE))
        # Timer-driven work starts at its minute; what follows in the hour queues up behind it.
        timed = part["minute"] >= 0
        seconds = hour * 3600.0 + np.where(timed, part["minute"] * 60.0 + inside**3 * 900.0, inside * 3600.0)
        low, high = self._window(day, owner)
        outside = (seconds < low) | (seconds >= high)
        return np.where(outside, low + inside * (high - low), seconds)

    def _event_seconds(self, day: int, session: Integers, position: Integers, sessions: _Sessions) -> Reals:
        """Seconds of the day of each event, ordered by session; a session that would pass midnight moves forward."""
        begin = self._session_starts(day, sessions)
        owner = sessions.owner[session]
        mean, spread = self._streams["gap_mean"][owner], self._streams["gap_spread"][owner]
        noise = normal(mix(self._seed, owner, day, sessions.local[session], position, Purpose.GAP))
        gaps = np.where(position > 0, np.exp(mean + spread * noise), 0.0)
        total = np.cumsum(gaps)
        first = np.cumsum(sessions.size) - sessions.size
        held = sessions.size > 0
        duration = np.zeros(len(begin))
        duration[held] = total[(first + sessions.size - 1)[held]] - total[first[held]]
        since = total - total[first[session]]
        low, high = self._window(day, sessions.owner)
        shrink = np.minimum(1.0, 0.9 * (high - low) / np.maximum(duration, 1e-9))
        latest = high - duration * shrink
        # Drawn, not cut: sessions that end with the day must not end at the same instant.
        slack = np.minimum(latest - low, 1800.0) * unit(
            mix(self._seed, sessions.owner, day, sessions.local, Purpose.SHIFT)
        )
        begin = np.where(begin > latest, latest - slack, begin)
        return np.asarray(np.minimum(begin[session] + since * shrink[session], _DAY_SECONDS - 1e-5))

    def _items(self, stream: Integers, ordinal: Integers) -> Integers:
        """Which item of its pool each event asks for."""
        mode = self._streams["items"][stream]
        size = self._streams["pool_size"][stream]
        item = np.where(mode == Items.FREE, 0, ordinal % size)
        item = np.where(mode == Items.RANDOM, below(mix(self._seed, stream, ordinal, Purpose.ITEM), size), item)
        daily = mode == Items.DAILY
        item[daily] = (_rank(stream) % size)[daily]
        queued = np.flatnonzero(mode == Items.QUEUE)
        if len(queued):
            queue = self._queue[stream[queued]]
            number = self._queue_sent[queue] + _rank(queue)
            self._queue_sent += np.bincount(queue, minlength=len(self._queue_sent))
            # A multiplier without common factor with the pool size walks through the pool in a scattered order.
            item[queued] = _scatter(number, size[queued])
        return np.asarray(item, dtype=np.int64)


def _scatter(number: Integers, size: Integers) -> Integers:
    """A permutation of 0..size-1 applied to `number` modulo `size`."""
    step = np.maximum((size * 0.6180339887).astype(np.int64), 1)
    for _ in range(12):
        step = np.where(np.gcd(step, size) == 1, step, step + 1)
    return (number % size) * step % size


def _rank(groups: NDArray[np.int64]) -> Integers:
    """How many earlier rows have the same group, per row."""
    order = np.argsort(groups, kind="stable")
    ordered = groups[order]
    fresh = np.r_[True, ordered[1:] != ordered[:-1]] if len(ordered) else np.zeros(0, dtype=np.bool_)
    start = np.maximum.accumulate(np.where(fresh, np.arange(len(ordered)), 0))
    rank = np.empty(len(groups), dtype=np.int64)
    rank[order] = np.arange(len(ordered)) - start
    return rank
