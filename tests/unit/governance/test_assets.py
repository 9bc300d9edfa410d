"""The register of assets, its gaps, and what logs show."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from stillwatch.governance.assets import seen as seen_assets
from stillwatch.governance.assets.gaps import GapKind, KnownNames, find_gaps
from stillwatch.governance.assets.register import read_assets
from stillwatch.governance.assets.seen import SeenAssets, route_documents
from stillwatch.governance.errors import AssetsFileError
from stillwatch.intake.columns import arrow_schema
from stillwatch.records.exchange import EXCHANGE

WHOLE = """\
retention_days: 180
attribution_floor: 0.98
assets:
  - {kind: model, name: still-1, owner: inference, terms: [api], marks: [mk-1], shows: [reasoning], accepted: support plan 4}
  - {kind: endpoint, name: chat, owner: platform, terms: [api], marks: [mk-1]}
  - {kind: data set, name: tickets, owner: research, terms: [internal], marks: [spring]}
  - {kind: prompt, name: support prompt, owner: support}
"""
DAY_US = 86_400 * 1_000_000


def register(tmp_path: Path, text: str = WHOLE) -> Any:
    path = tmp_path / "assets.yaml"
    path.write_text(text, encoding="utf-8")
    return read_assets(path)


def batch(*rows: dict[str, object]) -> Any:
    plain = {
        "time_us": DAY_US,
        "account_id": "a",
        "source_no": 0,
        "source_offset": 0,
        "source_length": 1,
        "model": "still-1",
        "endpoint": "chat",
    }
    return pa.Table.from_pylist([plain | row for row in rows], schema=arrow_schema(EXCHANGE)).to_batches()[0]


def kinds(gaps: Any) -> set[tuple[str, str]]:
    return {(one.gap.value, one.name) for one in gaps}


def test_a_whole_register_has_no_gap(tmp_path: Path) -> None:
    read = register(tmp_path)
    assert (read.retention_days, read.attribution_floor, len(read.assets)) == (180, 0.98, 4)
    assert find_gaps(read) == ()


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    found = find_gaps(
        register(
            tmp_path, "assets:\n  - {kind: model, name: m, shows: [logprobs]}\n  - {kind: prompt, name: p, owner: x}\n"
        )
    )
    assert kinds(found) == {("no owner", "m"), ("no terms", "m"), ("not marked", "m"), ("shows more than text", "m")}


def test_logs_and_drills_are_held_against_the_register(tmp_path: Path) -> None:
    seen = SeenAssets()
    seen.take(batch({"reasoning": "so"}, {"n": 4}, {"model": "other-2", "endpoint": "batch", "n": 1}))
    shown = {"chat": {"logprobs": {"shown": True, "allowed": False}, "samples": {"shown": False}}}
    found = find_gaps(register(tmp_path), route_documents(seen.routes()), shown)
    assert kinds(found) == {
        (GapKind.NOT_REGISTERED, "other-2"), (GapKind.NOT_REGISTERED, "batch"), (GapKind.SHOWS_UNREGISTERED, "still-1"), (GapKind.SHOWS_UNREGISTERED, "chat"),
    }  # fmt: skip
    said = [one.what for one in found if one.gap is GapKind.SHOWS_UNREGISTERED]
    assert said == ["the drill of the output surface was shown logprobs", "1 exchanges of still-1 on chat have samples"]
    assert (GapKind.NEVER_SEEN, "chat") in kinds(find_gaps(register(tmp_path), ()))


def test_names_are_held_against_the_ledger(tmp_path: Path) -> None:
    read = register(tmp_path)
    assert (
        kinds(find_gaps(read, known=KnownNames(terms=frozenset({"api", "internal"}), keys=frozenset({"mk-1"}))))
        == set()
    )
    found = find_gaps(read, known=KnownNames(terms=frozenset({"api"}), keys=frozenset()))
    assert kinds(found) == {
        (GapKind.UNKNOWN_TERMS, "tickets"), (GapKind.KEY_NOT_IN_USE, "still-1"), (GapKind.KEY_NOT_IN_USE, "chat")
    }  # fmt: skip


def test_counts_by_model_and_endpoint() -> None:
    seen = SeenAssets()
    seen.take(
        batch(
            {"input_tokens": 10, "output_tokens": 5, "session_id": "s"},
            {"input_tokens": 7, "status": 429},
            {"model": None, "n": 2, "response": "x"},
        )
    )
    seen.take(batch({"time_us": 4 * DAY_US, "input_tokens": 1, "api_key_id": "k", "response": "x", "status": 200}))
    named, unnamed = seen.routes()
    assert (named.exchanges, named.tokens, named.attributed_tokens, named.last_us) == (3, 23, 16, 4 * DAY_US)
    assert (named.filled["response"], named.filled["prompt"], named.filled["output_tokens"]) == (
        2,
        0,
        2,
    )  # a refusal has no answer to log
    assert (unnamed.model, unnamed.with_samples, unnamed.filled["model"]) == ("", 1, 0)
    assert seen.missing_days() == ("1970-01-03", "1970-01-04")


def test_batches_of_any_cut_give_the_same() -> None:
    rows = [
        {"model": f"m{number % 3}", "input_tokens": number, "session_id": "s" if number % 2 else None}
        for number in range(30)
    ]
    whole, cut = SeenAssets(), SeenAssets()
    whole.take(batch(*rows))
    for number in range(0, 30, 7):
        cut.take(batch(*rows[number : number + 7]))
    assert [dataclasses.asdict(one) for one in whole.routes()] == [dataclasses.asdict(one) for one in cut.routes()]


def test_invented_names_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seen_assets, "MOST_ROUTES", 5)
    seen = SeenAssets()
    seen.take(batch(*({"model": f"m{number}"} for number in range(40))))
    assert len(seen.routes()) == 6
    assert seen.routes()[0].model == "other"
    assert sum(one.exchanges for one in seen.routes()) == 40


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("assets: 3\n", "expected a list of `assets`"),
        ("assets:\n  - {kind: modell, name: m}\n", "kind got 'modell'"),
        ("assets:\n  - {kind: model}\n", "asset 1: expected kind, name"),
        ("assets:\n  - {kind: model, name: m, shows: [secrets]}\n", "shows got 'secrets'"),
        ("assets:\n  - {kind: model, name: m, terms: api}\n", "terms expected a list of texts"),
        ("assets:\n  - {kind: model, name: m, price: 3}\n", "unknown ['price']"),
        ("assets:\n  - {kind: model, name: m}\n  - {kind: model, name: m}\n", "'m' stands twice"),
        ("retention_days: soon\nassets: []\n", "retention_days got 'soon'"),
        ("attribution_floor: 1.2\nassets: []\n", "attribution_floor got '1.2'"),
        ("assets: [a\n", "no YAML"),
    ],
)
def test_a_register_that_cannot_be_used_says_why(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(AssetsFileError) as caught:
        register(tmp_path, text)
    assert says in str(caught.value)
