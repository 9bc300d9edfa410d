"""Which served answers get shadow samples: chosen by account and time, and never by what was answered.

Takes the guard's log, kept with text. Gives a candidate for each exchange of a flagged account that can be asked again in the same way, within a
budget for each account and day; and counts, by reason, what was left out. Choosing by anything in the served answer would set it apart from its
re-samples, and the served-transcript test would not be valid; that an answer came to its end is asked of the re-samples alike.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

from stillwatch.gateway.errors import ShadowLogError
from stillwatch.gateway.marking import Marks, forwarded
from stillwatch.gateway.model_answer import ModelAnswer, read_answer
from stillwatch.gateway.request import GENERATING, route_of
from stillwatch.integrity.canonical import canonical_bytes
from stillwatch.records.decision import Action
from stillwatch.records.verdict import ReasonCode, Verdict

DAY_US = 86_400 * 1_000_000
LONGEST_LINE = 64 << 20
DECODING = frozenset(
    {
        "best_of", "frequency_penalty", "ignore_eos", "length_penalty", "logit_bias", "logprobs", "max_completion_tokens",
        "max_output_tokens", "max_tokens", "min_p", "min_tokens", "modalities", "n", "parallel_tool_calls", "presence_penalty",
        "reasoning", "reasoning_effort", "repetition_penalty", "seed", "service_tier", "stream", "temperature", "thinking",
        "top_k", "top_logprobs", "top_p", "truncation", "use_beam_search", "verbosity",
    }
)  # fmt: skip
"""Members of a body that say how to decode; they are in the record. All others are encrypted, and named."""
_STATEFUL = ("previous_response_id", "conversation", "background", "container")
_OWN_TOOLS = frozenset({None, "function", "custom"})
"""Kinds of tools that the client runs; others run at the server, whose answers change with the world."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowBudget:
    """How much is asked."""

    samples: int = 4
    """Re-samples of each served answer (k); the served-transcript test wants at least 4."""
    per_account_day: int = 20
    """Served answers of one account and day."""
    per_day: int = 1_000
    """Served answers of a day."""
    tokens_per_day: int = 2_000_000
    """Tokens in and out that a day's asks may cost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A served answer that can be asked again."""

    name: str
    """`shadow-` and 16 hex digits: of the exchange."""
    account_id: str
    exchange_id: str
    path: str
    served_us: int
    body: Mapping[str, Any]
    """As the client sent it, without what was taken out."""
    asked_model: str
    answer: ModelAnswer
    answer_body: object
    """As the log has it."""
    mark_key_id: str | None

    @property
    def decoding(self) -> str:
        """Canonical JSON of how the answer was decoded, with the names of all other members."""
        known = {name: value for name, value in self.body.items() if name in DECODING}
        return canonical_bytes({**known, "other_members": sorted(set(self.body) - DECODING)}).decode()


def read_guard_log(paths: Iterable[Path]) -> Iterator[Mapping[str, Any]]:
    """Give the exchanges of a guard's log; a last line that is still being written is left for the next time.

    Raises:
        ShadowLogError: naming file and line that is none of a guard's log, or a file that cannot be read.
    """
    for path in paths:
        try:
            with path.open("rb") as file:
                for number, line in enumerate(iter(lambda file=file: file.readline(LONGEST_LINE), b""), 1):  # type: ignore[misc]
                    if line.endswith(b"\n"):
                        yield _row(line, f"{path}:{number}")
        except OSError as error:
            raise ShadowLogError(f"{path}: cannot be read ({error.strerror}); name the log of a guard") from error


def _row(line: bytes, place: str) -> Mapping[str, Any]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        row = None
    if not isinstance(row, dict) or "stillwatch_guard" not in row:
        raise ShadowLogError(f"{place}: is no line of a guard's log; expected JSON with `stillwatch_guard`")
    return row


def candidates(
    rows: Iterable[Mapping[str, Any]],
    *,
    budget: ShadowBudget,
    pinned: frozenset[str],
    marks: Marks,
    known: Mapping[str, tuple[str, int]],
    left_out: Counter[str],
) -> Iterator[Candidate]:
    """Choose what is asked again, in the order of the log.

    Args:
        rows: of the guard's log.
        budget: for each account and day.
        pinned: snapshots of which samples are taken; empty for whatever snapshot answered.
        marks: how marks reach the engine, so that marked answers are asked for under the same mark.
        known: name of each sample that is queued or sealed to its account and time, microseconds; they count, and are not chosen again.
        left_out: gets the number of flagged exchanges left out, by reason.
    """
    of_day = Counter(served_us // DAY_US for _, served_us in known.values())
    of_account = Counter((account, served_us // DAY_US) for account, served_us in known.values())
    chosen = set(known)
    for row in rows:
        verdict = row.get("verdict")
        if not isinstance(verdict, Mapping) or verdict.get("decision_id") is None or row.get("refused") is not None:
            continue
        candidate = _candidate(row)
        if candidate.name in chosen:
            continue
        day = candidate.served_us // DAY_US
        reason = why_not(row, candidate, pinned, marks)
        if reason is None and of_day[day] >= budget.per_day:
            reason = "the day's budget is spent"
        if reason is None and of_account[candidate.account_id, day] >= budget.per_account_day:
            reason = "the account's budget of the day is spent"
        if reason is not None:
            left_out[reason] += 1
            continue
        chosen.add(candidate.name)
        of_day[day] += 1
        of_account[candidate.account_id, day] += 1
        yield candidate


def why_not(row: Mapping[str, Any], candidate: Candidate, pinned: frozenset[str], marks: Marks) -> str | None:
    """Say why a served answer cannot have exchangeable re-samples; null where nothing speaks against it."""
    body, answer = candidate.body, candidate.answer
    tools = body.get("tools")
    kinds = {tool.get("type") for tool in tools if isinstance(tool, Mapping)} if isinstance(tools, list) else set()
    several = any(isinstance(body.get(name), int) and body[name] > 1 for name in ("n", "best_of"))
    checks = (
        (
            not body or not isinstance(row.get("response"), (Mapping, str)),
            "the log holds no text; start the guard with it",
        ),
        (route_of(candidate.path) not in GENERATING, "the route does not answer with text"),
        (row.get("status") != 200 or not row.get("response_complete"), "the answer did not come to its end"),
        (answer.finish_reason is None, "the answer says no finish reason"),
        (answer.snapshot is None, "the answer reports no snapshot"),
        (bool(pinned) and answer.snapshot not in pinned, "another snapshot answered than those pinned"),
        (body.get("temperature") == 0 or body.get("top_k") == 1, "decoding is greedy: all samples would be one"),
        (isinstance(body.get("seed"), int), "the client fixed the seed: all samples would be one"),
        (several or bool(body.get("use_beam_search")), "several samples in one answer"),
        (any(body.get(name) for name in _STATEFUL), "the answer rests on state at the server"),
        (not kinds <= _OWN_TOOLS, "the answer rests on a tool that the server runs"),
        (bool(row.get("marked")) and remarked(candidate, marks) is None, "its mark cannot be handed on from here"),
    )
    return next((reason for holds, reason in checks if holds), None)


def remarked(candidate: Candidate, marks: Marks) -> Mapping[str, Any] | None:
    """Give the body as it went to the model, with the mark's member; null where the mark cannot be made again."""
    if candidate.mark_key_id is None:
        return candidate.body
    verdict = Verdict(action=Action.MARK, reason=ReasonCode.MARKED, key_id=candidate.mark_key_id)
    raw = json.dumps(candidate.body).encode()
    sent = forwarded(raw, candidate.body, route_of(candidate.path), verdict, marks)
    body: Mapping[str, Any] = json.loads(sent.sent)
    return body if sent.marked else None


def _candidate(row: Mapping[str, Any]) -> Candidate:
    body, verdict = row.get("request"), row["verdict"]
    account, exchange = str(row.get("account_id")), str(row.get("exchange_id"))
    named = blake2b(canonical_bytes([account, exchange]), digest_size=8).hexdigest()
    return Candidate(
        name=f"shadow-{named}",
        account_id=account,
        exchange_id=exchange,
        path=str(row.get("path")),
        served_us=int(row["time_us"]),
        body=body if isinstance(body, dict) else {},
        asked_model=str(row.get("model")),
        answer=read_answer(row.get("response")),
        answer_body=row.get("response"),
        mark_key_id=str(verdict["key_id"]) if row.get("marked") and verdict.get("key_id") else None,
    )
