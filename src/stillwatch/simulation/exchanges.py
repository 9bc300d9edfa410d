"""Exchanges: gives events their content, as columns of the generic flat layout.

Takes the world's accounts, streams and a slice of events. Gives an Arrow table with the columns of `COLUMNS`.
Every value is a function of the event's key and its stream, so that the slicing changes nothing. O(1) per exchange and fragment.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from stillwatch.simulation.arrivals import Events
from stillwatch.simulation.calendar import DAY_US, FIRST_DAY_US, Model
from stillwatch.simulation.identity import addresses, agent_table, email_domain, hexadecimal, tls_table
from stillwatch.simulation.population import Hold, Items, Place, Rows
from stillwatch.simulation.randomness import Integers, Keys, Purpose, Reals, below, mix, normal, unit
from stillwatch.simulation.text.grammar import Grammar, load
from stillwatch.simulation.text.mixtures import mixture_table

ENDPOINTS = ("chat", "messages", "responses", "batch", "completion")
"""Endpoint names by number."""
_TIME = pa.timestamp("us", tz="UTC")
_COMMON_TEMPERATURES = np.array([np.nan, 0.0, 0.2, 0.3, 0.7, 1.0])
COLUMNS = pa.schema(
    [
        ("time", _TIME), ("account_id", pa.string()), ("exchange_id", pa.string()), ("organization_id", pa.string()),
        ("api_key_id", pa.string()), ("ip", pa.string()), ("user_agent", pa.string()), ("tls_fingerprint", pa.string()),
        ("country", pa.string()), ("payment_id", pa.string()), ("email_domain", pa.string()), ("account_created_at", _TIME),
        ("model", pa.string()), ("endpoint", pa.string()), ("system_prompt", pa.string()), ("prompt", pa.string()),
        ("response", pa.string()), ("turns", pa.int32()), ("tools", pa.string()), ("session_id", pa.string()),
        ("input_tokens", pa.int32()), ("output_tokens", pa.int32()), ("reasoning_tokens", pa.int32()),
        ("cache_read_tokens", pa.int32()), ("temperature", pa.float64()), ("top_p", pa.float64()), ("max_tokens", pa.int32()),
        ("n", pa.int32()), ("stream", pa.bool_()), ("status", pa.int32()), ("finish_reason", pa.string()),
        ("latency_ms", pa.int32()),
    ]
)  # fmt: skip
"""Layout of the traffic files; `response` is there only when text of answers was asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What the text of a slice gave that the answer depends on."""

    prompt: pa.StringArray
    turns: Integers
    symbol: Integers


class Composer:
    """Turns events of one world into tables."""

    def __init__(self, accounts: Rows, streams: Rows, models: tuple[Model, ...], *, with_text: bool) -> None:
        """Prepare what is said once per account or stream: ids, mail domains and system prompts."""
        self._streams = streams
        self._models = models
        self._with_text = with_text
        self._grammar: Grammar = load()
        self._mixtures = mixture_table()
        self._account_ids = account_ids(accounts)
        self._organizations = nullable_ids(accounts["organization"], "org_")
        self._payments = nullable_ids(accounts["payment"], "pm_")
        self._emails = email_names(accounts)
        self._created = to_time(accounts["created"])
        self._systems, self._system_of = self._system_prompts()
        self._tools, self._tools_of = self._tool_lists()
        self._symbol = {name: self._grammar.number(name) for name in ("break", "gap", "tail.format", "reply")}

    def _system_prompts(self) -> tuple[pa.StringArray, Integers]:
        pairs = np.stack([self._streams["system"].astype(np.int64), self._streams["system_key"].view(np.int64)], axis=1)
        pairs[pairs[:, 0] < 0, 1] = 0
        distinct, where = np.unique(pairs, axis=0, return_inverse=True)
        texts = self._grammar.compose(
            distinct[:, 0].copy(), distinct[:, 1].copy().view(np.uint64), np.ones(len(distinct), dtype=np.int64)
        )
        return pc.if_else(pa.array(distinct[:, 0] >= 0), texts, pa.scalar(None, pa.string())), where.reshape(-1)

    def _tool_lists(self) -> tuple[pa.StringArray, Integers]:
        distinct, where = np.unique(self._streams["tools"], return_inverse=True)
        amounts = 2 + below(mix(distinct, Purpose.COUNT), 6)
        handle = self._grammar.number("handle")
        rows = np.repeat(np.arange(len(distinct)), amounts)
        names = self._grammar.compose(
            np.full(len(rows), handle), mix(distinct[rows], np.arange(len(rows)) - np.repeat(np.cumsum(amounts) - amounts, amounts)),
            np.ones(len(rows), dtype=np.int64),
        ).to_pylist()  # fmt: skip
        ends = np.cumsum(amounts)
        lists = [
            ",".join(sorted(set(names[end - amount : end]))) if key else None
            for key, amount, end in zip(distinct.tolist(), amounts.tolist(), ends.tolist(), strict=True)
        ]
        return pa.array(lists, pa.string()), where.reshape(-1)

    def table(self, events: Events) -> pa.Table:
        """Columns of the events, in the order of `COLUMNS`."""
        streams = self._streams[events.stream]
        asked = self._ask(events, streams)
        owner = pa.array(streams["account"])
        columns: dict[str, pa.Array] = {
            "time": pa.array(events.time_us).cast(_TIME),
            "account_id": self._account_ids.take(owner),
            "exchange_id": hexadecimal(mix(events.key, Purpose.KEY), "req_", 4),
            "organization_id": self._organizations.take(owner),
            "api_key_id": hexadecimal(mix(streams["api_key"], Purpose.KEY), "key_"),
            "payment_id": self._payments.take(owner),
            "email_domain": self._emails.take(owner),
            "account_created_at": self._created.take(owner),
            "endpoint": pa.array(ENDPOINTS).take(pa.array(streams["endpoint"].astype(np.int64))),
            "system_prompt": self._systems.take(pa.array(self._system_of[events.stream])),
            "prompt": asked.prompt,
            "turns": pa.array(asked.turns, pa.int32()),
            "tools": self._tools.take(pa.array(self._tools_of[events.stream])),
            "session_id": _with_nulls(hexadecimal(events.session, "ses_"), streams["session_ids"]),
            "n": pa.array(streams["samples"], pa.int32()),
            "stream": pa.array(unit(mix(events.key, Purpose.STREAMING)) < np.where(streams["streaming"], 0.96, 0.03)),
        }
        columns |= self._connection(events, streams)
        columns |= self._answer(events, streams, asked, columns["system_prompt"])
        schema = pa.schema([field for field in COLUMNS if field.name in columns])
        return pa.table([columns[name] for name in schema.names], schema=schema)

    def _connection(self, events: Events, streams: Rows) -> dict[str, pa.Array]:
        hold = streams["address_hold"]
        day = (events.time_us - FIRST_DAY_US) // DAY_US
        held = np.select(
            [hold == Hold.ALWAYS, hold == Hold.DAY, hold == Hold.SESSION],
            [np.zeros(len(day), dtype=np.uint64), mix(day), events.session],
            mix(events.key, Purpose.ADDRESS),
        )
        slot = below(mix(streams["account"], held, Purpose.ADDRESS), streams["address_pool"])
        address, country = addresses(streams["address_key"], slot, streams["address_kind"].astype(np.int64))
        second = unit(mix(streams["account"], events.session, Purpose.AGENT)) < streams["other_agent_share"]
        agent = pa.array(np.where(second, streams["other_agent"], streams["agent"]).astype(np.int64))
        return {"ip": address, "country": country, "user_agent": agent_table().take(agent), "tls_fingerprint": tls_table().take(agent)}  # fmt: skip

    def _ask(self, events: Events, streams: Rows) -> _Asked:
        """Prompt: body, scaffold around it or a constant text somewhere, joined by line breaks or spaces."""
        free = streams["items"] == Items.FREE
        body_key = np.where(free, mix(events.key, Purpose.CONTENT), mix(streams["pool"], events.item, Purpose.CONTENT))
        body = self._mixtures.choose(streams["mixture"].astype(np.int64), mix(body_key, Purpose.MIXTURE))
        talks = streams["talks"] & (events.position > 0)
        # After the first message of a session most are follow-ups; some open another subject.
        follows = talks & (unit(mix(events.key, Purpose.TURNS)) < 0.82) & (streams["items"] != Items.QUEUE)
        body = np.where(follows, self._mixtures.follow[streams["mixture"]], body)
        deep = np.log(unit(mix(events.key, Purpose.DEPTH)) + 1e-12) / np.log(np.maximum(streams["depth"], 1e-9))
        turns = np.where(follows, np.minimum(events.position, 30) + 1, 1 + np.minimum(deep.astype(np.int64), 12))
        parts, keys = self._parts(events, streams, follows, body, body_key)
        prompt = self._grammar.compose(
            parts.reshape(-1), keys.reshape(-1), np.full(len(body), parts.shape[1], dtype=np.int64)
        )
        return _Asked(prompt=prompt, turns=turns, symbol=body)

    def _parts(
        self, events: Events, streams: Rows, follows: NDArray[np.bool_], body: Integers, body_key: Keys
    ) -> tuple[Integers, Keys]:
        """Symbols and keys of a prompt's parts: scaffold, body, pasted text, scaffold, with what joins them."""
        before, after, scaffold_key, place = self._scaffold(events, streams, follows)
        join = np.where(
            unit(mix(streams["scaffold_key"], Purpose.FORMAT)) < 0.5, self._symbol["gap"], self._symbol["break"]
        )
        pastes = unit(mix(events.key, Purpose.PASTE)) < streams["paste_share"]
        anywhere = place == Place.ANYWHERE
        third = below(mix(events.key, Purpose.PLACE), 3)
        middle = np.where(anywhere & (third == 1), before, -1)
        content = (
            (np.where(anywhere & (third != 0), -1, before), scaffold_key),
            (body, mix(body_key, body)),
            (middle, scaffold_key),
            (np.where(pastes, self._mixtures.paste[streams["mixture"]], -1), mix(events.key, Purpose.PASTE)),
            (np.where(anywhere & (before >= 0), self._symbol["tail.format"], -1), mix(events.key, Purpose.FORMAT)),
            (np.where(anywhere & (third == 2), before, -1), scaffold_key),
            (np.where(anywhere, -1, after), mix(scaffold_key, Purpose.SHIFT)),
        )
        parts = np.full((len(body), 2 * len(content)), -1, dtype=np.int64)
        keys = np.zeros(parts.shape, dtype=np.uint64)
        started = np.zeros(len(body), dtype=np.bool_)
        for place_of, (symbols, part_keys) in enumerate(content):
            there = symbols >= 0
            parts[:, 2 * place_of] = np.where(there & started, join, -1)
            parts[:, 2 * place_of + 1] = symbols
            keys[:, 2 * place_of + 1] = part_keys
            started |= there
        return parts, keys

    def _scaffold(
        self, events: Events, streams: Rows, follows: NDArray[np.bool_]
    ) -> tuple[Integers, Integers, Keys, Integers]:
        day = (events.time_us - FIRST_DAY_US) / DAY_US
        exploring = (streams["explore"] >= 0) & (day < streams["explore_until"])
        wears = ~follows & (unit(mix(events.key, Purpose.SCAFFOLD, 1)) < streams["scaffold_share"])
        before = np.where(exploring, streams["explore"], streams["before"]).astype(np.int64)
        after = np.where(exploring, -1, streams["after"]).astype(np.int64)
        variants = streams["scaffold_variants"].astype(np.int64)
        variant = below(mix(events.key, Purpose.SCAFFOLD), np.maximum(variants, 1))
        # No variants: each exchange has its own paraphrase.
        fresh = (variants <= 0) | exploring
        key = np.where(fresh, mix(events.key, Purpose.SCAFFOLD, 2), mix(streams["scaffold_key"], variant))
        return np.where(wears, before, -1), np.where(wears, after, -1), key, streams["place"].astype(np.int64)

    def _answer(self, events: Events, streams: Rows, asked: _Asked, system: pa.Array) -> dict[str, pa.Array]:
        """Model, parameters, lengths, latency and status."""
        key = events.key
        day = (events.time_us - FIRST_DAY_US) / DAY_US
        # Nobody uses a model before it is out, whatever a class or campaign has planned.
        released = np.array([entry.released for entry in self._models])[streams["next_model"]]
        moved = (day >= np.maximum(streams["switch"], released)) & (
            unit(mix(key, Purpose.MODEL)) < streams["next_share"]
        )
        model = np.where(moved, streams["next_model"], streams["model"]).astype(np.int64)
        temperature = _spread_temperature(key, streams)
        max_tokens = streams["max_tokens"].astype(np.int64)
        own = 0.35 * normal(mix(streams["account"], Purpose.OUTPUT))
        output = np.exp(self._mixtures.answer_log_mean[asked.symbol] + own + 0.75 * normal(mix(key, Purpose.OUTPUT)))
        thinks = np.array([entry.reasons for entry in self._models])[model]
        reasoning = np.where(thinks, np.exp(4.9 + 0.9 * normal(mix(key, Purpose.REASONING))), 0.0).astype(np.int64)
        output = np.minimum(output.astype(np.int64) + 1 + reasoning, 32_000)
        limited = (max_tokens > 0) & (output > max_tokens)
        output = np.where(limited, max_tokens, output)
        status, finish = _outcome(key, limited, streams["tools"] > 0)
        output = np.where(status == 200, output, 0)
        system_tokens = (_lengths(system) / 4.1).astype(np.int64)
        history = ((asked.turns - 1) * (140 + below(mix(events.session, Purpose.TURNS), 260))).astype(np.int64)
        entered = (_lengths(asked.prompt) / 4.1).astype(np.int64) + 4 + system_tokens + history
        warm = unit(mix(key, Purpose.FORMAT, 1)) < 0.7
        cached = np.where(warm, np.where(system_tokens > 250, system_tokens, 0) + history * 9 // 10, 0)
        speed = np.array([entry.tokens_per_second for entry in self._models])[model]
        latency = (250.0 + 1000.0 * output / speed) * np.exp(0.35 * normal(mix(key, Purpose.LATENCY)))
        columns = {
            "model": pa.array([entry.name for entry in self._models]).take(pa.array(model)),
            "temperature": pa.array(temperature, mask=np.isnan(temperature)),
            "top_p": pa.array(streams["top_p"].astype(np.float64).round(3), mask=np.isnan(streams["top_p"])),
            "max_tokens": pa.array(max_tokens, pa.int32(), mask=max_tokens == 0),
            "input_tokens": pa.array(entered, pa.int32()),
            "output_tokens": pa.array(output, pa.int32()),
            "reasoning_tokens": pa.array(np.minimum(reasoning, output), pa.int32()),
            "cache_read_tokens": pa.array(cached, pa.int32()),
            "status": pa.array(status, pa.int32()),
            "finish_reason": finish,
            "latency_ms": pa.array(np.minimum(latency, 3.6e6).astype(np.int64), pa.int32()),
        }
        if self._with_text:
            columns["response"] = self._reply(key, status)
        return columns

    def _reply(self, key: Keys, status: Integers) -> pa.Array:
        rows = len(key)
        text = self._grammar.compose(
            np.full(rows, self._symbol["reply"]), mix(key, Purpose.RESPONSE), np.ones(rows, dtype=np.int64)
        )
        return _with_nulls(text, status == 200)


def _spread_temperature(key: Keys, streams: Rows) -> Reals:
    """The stream's own temperature, or now and then one of the common ones."""
    other = unit(mix(key, Purpose.PARAMETER)) < streams["parameter_spread"]
    common = _COMMON_TEMPERATURES[below(mix(key, Purpose.PARAMETER, 1), len(_COMMON_TEMPERATURES))]
    return np.where(other, common, streams["temperature"].astype(np.float64).round(3))


def _outcome(key: Keys, limited: NDArray[np.bool_], tools: NDArray[np.bool_]) -> tuple[Integers, pa.Array]:
    """HTTP status and finish reason."""
    point = unit(mix(key, Purpose.STATUS))
    status = np.select([point < 0.978, point < 0.99, point < 0.994, point < 0.997], [200, 429, 500, 400], 529)
    again = unit(mix(key, Purpose.STATUS, 1))
    reason = np.where(limited, 1, np.where(tools & (again < 0.55), 2, np.where(again > 0.994, 3, 0)))
    names = pa.array(["stop", "length", "tool_calls", "refusal"])
    return status, _with_nulls(names.take(pa.array(reason)), status == 200)


def account_ids(accounts: Rows) -> pa.StringArray:
    """Account ids; they carry no information."""
    return hexadecimal(mix(accounts["key"], Purpose.KEY), "acct_")


def email_names(accounts: Rows) -> pa.StringArray:
    """Mail domains of the accounts."""
    numbers, where = np.unique(accounts["email"], return_inverse=True)
    return pa.array([email_domain(int(number)) for number in numbers], pa.string()).take(pa.array(where.reshape(-1)))


def to_time(days: Reals) -> pa.TimestampArray:
    """Days from the first day as timestamps, whole seconds; infinite gives null."""
    finite = np.isfinite(days)
    seconds = np.floor(np.where(finite, days, 0.0) * 86_400).astype(np.int64)
    return pa.array(FIRST_DAY_US + seconds * 1_000_000, mask=~finite).cast(_TIME)


def nullable_ids(keys: Keys, prefix: str) -> pa.StringArray:
    """Ids from keys; null for 0."""
    return _with_nulls(hexadecimal(mix(keys, Purpose.KEY), prefix), keys > 0)


def _with_nulls(values: pa.Array, keep: NDArray[np.bool_]) -> pa.Array:
    return pc.if_else(pa.array(keep), values, pa.scalar(None, values.type))


def _lengths(texts: pa.Array) -> Integers:
    return np.asarray(pc.fill_null(pc.binary_length(texts), 0).to_numpy(zero_copy_only=False), dtype=np.int64)
