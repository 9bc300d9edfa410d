"""Settings from the environment: what is read, what stops the start, and that no key is ever in a message."""

from __future__ import annotations

import json
from pathlib import Path

import products
import pytest

from stillwatch.gateway.errors import GatewaySettingError
from stillwatch.gateway.marking import Engine
from stillwatch.gateway.settings import VARIABLES, settings_of
from stillwatch.records.decision import WhenStale


def test_everything_that_is_set_is_used(tmp_path: Path) -> None:
    products.write_files(tmp_path)
    accounts = tmp_path / "accounts.jsonl"
    accounts.write_text(
        '{"api_key_id": "key-1", "account_id": "a-1"}\n\n{"api_key_id": "key-2", "account_id": "a-1"}\n'
    )
    more = {
        "when_failing": "closed", "account_header": "X-Account-Id", "key_accounts": str(accounts), "trusted_hops": "2",
        "announce_marks": "yes", "rates": "redis://127.0.0.1:1/0", "log": str(tmp_path / "log"), "log_text": "no",
        "sketches": str(tmp_path / "sketches"),
    }  # fmt: skip
    given = products.settings_in(tmp_path, **more)
    assert given.keys() == VARIABLES.keys()
    found = settings_of({**given, "STILLWATCH_UNKNOWN": "x"})
    assert (found.bundle, found.bundle_for, found.bundle_key.name) == (
        tmp_path / "gateway.bundle", products.NAME, products.KEY.name,
    )  # fmt: skip
    assert (found.poll_s, found.when_failing, found.announce_marks, found.log_text) == (
        0.1,
        WhenStale.CLOSED,
        True,
        False,
    )
    assert found.sketches == tmp_path / "sketches"
    assert (found.identity.account_header, found.identity.trusted_hops) == ("x-account-id", 2)
    assert found.identity.key_accounts == {"key-1": "a-1", "key-2": "a-1"}
    assert (found.marks.engine, found.marks.keys) == (Engine.SGLANG, {products.HANDLE: products.MARK_FIELD})


@pytest.mark.parametrize("name", ["BUNDLE", "BUNDLE_KEY", "BUNDLE_FOR", "BUNDLE_STATE"])
def test_what_is_needed_is_asked_for_by_name(tmp_path: Path, name: str) -> None:
    products.write_files(tmp_path)
    given = products.settings_in(tmp_path)
    del given[f"STILLWATCH_{name}"]
    with pytest.raises(GatewaySettingError, match=f"STILLWATCH_{name} is not set; expected the "):
        settings_of(given)


@pytest.mark.parametrize(
    ("content", "mode", "said"),
    [
        ([("c", "00112233445566778899")], 0o600, "has 10 bytes, expected 8, or 16 of a dual key"),
        ([("c", "secretsecret")], 0o600, "key_hex of hex digits"),
        ([], 0o600, "holds no key"),
        ([("c", "0011" * 4), ("c", "0022" * 4)], 0o600, "handle c comes twice"),
        ([("c", "0011" * 4)], 0o644, "chmod 600"),
    ],
)
def test_keys_of_marks_are_checked_and_never_repeated(
    tmp_path: Path, content: list[tuple[str, str]], mode: int, said: str
) -> None:
    products.write_files(tmp_path)
    keys = tmp_path / "marks.jsonl"
    keys.write_text("".join(f"{json.dumps(products.key_line(*one))}\n" for one in content))
    keys.chmod(mode)
    with pytest.raises(GatewaySettingError, match=said) as raised:
        settings_of(products.settings_in(tmp_path))
    assert "secret" not in str(raised.value)
    assert "0011" not in str(raised.value)


def test_keys_of_other_engines_are_passed_over_and_a_dual_key_gives_key_a(tmp_path: Path) -> None:
    products.write_files(tmp_path)
    lines = (
        products.key_line("g", "0011" * 4, scheme="green-bernoulli@v1"),
        products.key_line("d", "0022" * 8, scheme="sglang-dual@murmur3-v1", parameters={"context_width": 2}),
        products.key_line("old", "0033" * 4, retired="2026-11-02T00:00:00+00:00"),
    )
    keys = tmp_path / "marks.jsonl"
    keys.write_text("".join(f"{json.dumps(one)}\n" for one in lines))
    found = settings_of(products.settings_in(tmp_path)).marks
    assert dict(found.keys) == {"d": {"key": "0022" * 4, "context_window": 2}}
    assert "0022" not in repr(found)
    keys.write_text(f"{json.dumps(lines[0])}\n")
    with pytest.raises(GatewaySettingError, match="no key in use of SGLang's schemes"):
        settings_of(products.settings_in(tmp_path))
    # vLLM's workers read the same variable; its gateway hands handles on and needs no key.
    assert not settings_of(products.settings_in(tmp_path, engine="vllm")).marks.keys


@pytest.mark.parametrize("key", ["bundle_key", "key_accounts"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, key: str) -> None:
    products.write_files(tmp_path)
    with pytest.raises(GatewaySettingError, match=f"STILLWATCH_{key.upper()}: .*missing cannot be read"):
        settings_of(products.settings_in(tmp_path, **{key: str(tmp_path / "missing")}))
