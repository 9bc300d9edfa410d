"""Settings from the environment: what is read, what stops the start, and that no key is ever in a message."""

from __future__ import annotations

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
    assert (found.identity.account_header, found.identity.trusted_hops) == ("x-account-id", 2)
    assert found.identity.key_accounts == {"key-1": "a-1", "key-2": "a-1"}
    assert (found.marks.engine, found.marks.keys) == (Engine.SGLANG, {products.HANDLE: products.MARK})


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
        ('{"handle": "c", "key_hex": "00112233445566778899"}', 0o600, "1 to 16 hexadecimal digits"),
        ('{"handle": "c", "key_hex": "secretsecret"}', 0o600, "1 to 16 hexadecimal digits"),
        ('{"handle": "c"}', 0o600, "expected a JSON object with handle and key_hex"),
        ('{"handle": "c", "key_hex": "01"}\n{"handle": "c", "key_hex": "02"}', 0o600, "each handle once"),
        ('{"handle": "c", "key_hex": "01"}', 0o644, "chmod 600"),
    ],
)
def test_keys_of_marks_are_checked_and_never_repeated(tmp_path: Path, content: str, mode: int, said: str) -> None:
    products.write_files(tmp_path)
    keys = tmp_path / "marks.jsonl"
    keys.write_text(content)
    keys.chmod(mode)
    with pytest.raises(GatewaySettingError, match=said) as raised:
        settings_of(products.settings_in(tmp_path))
    assert "secret" not in str(raised.value)
    assert "0011" not in str(raised.value)


@pytest.mark.parametrize("key", ["bundle_key", "key_accounts"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, key: str) -> None:
    products.write_files(tmp_path)
    with pytest.raises(GatewaySettingError, match=f"STILLWATCH_{key.upper()}: .*missing cannot be read"):
        settings_of(products.settings_in(tmp_path, **{key: str(tmp_path / "missing")}))
