"""Texts under keys of their own: read back, bound to their place, refused under another key, gone once the key is."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from stillwatch.integrity.errors import TextKeyError
from stillwatch.integrity.text_keys import TextKeys, parse_secret, read_secret, write_secret


@pytest.fixture
def keys(tmp_path: Path) -> TextKeys:
    made = TextKeys(tmp_path / "keys", bytes(range(32)))
    made.make("shadow-1")
    made.make("shadow-2")
    return made


def test_a_text_is_read_back_and_its_bytes_tell_nothing(keys: TextKeys, tmp_path: Path) -> None:
    sealed = keys.seal("shadow-1", "served", b"a secret")
    assert b"secret" not in sealed
    assert sealed != keys.seal("shadow-1", "served", b"a secret")
    fresh = TextKeys(tmp_path / "keys", bytes(range(32)))
    assert fresh.unseal("shadow-1", "served", sealed) == b"a secret"
    path = tmp_path / "keys" / "shadow-1.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_text_that_was_moved_or_changed_or_is_under_another_key_is_refused(keys: TextKeys, tmp_path: Path) -> None:
    sealed = keys.seal("shadow-1", "served", b"a secret")
    for name, place, data in (
        ("shadow-1", "1", sealed),
        ("shadow-2", "served", sealed),
        ("shadow-1", "served", sealed[:-1] + bytes([sealed[-1] ^ 1])),
        ("shadow-1", "served", b""),
    ):
        with pytest.raises(TextKeyError, match="cannot be decrypted"):
            keys.unseal(name, place, data)
    with pytest.raises(TextKeyError, match="another master key"):
        TextKeys(tmp_path / "keys", bytes(32)).unseal("shadow-1", "served", sealed)


def test_a_destroyed_key_is_gone_and_the_others_stay(keys: TextKeys) -> None:
    sealed, other = keys.seal("shadow-1", "served", b"one"), keys.seal("shadow-2", "served", b"two")
    keys.destroy("shadow-1")
    assert not keys.has("shadow-1")
    with pytest.raises(TextKeyError, match="was destroyed, or is elsewhere"):
        keys.unseal("shadow-1", "served", sealed)
    assert keys.unseal("shadow-2", "served", other) == b"two"


def test_names_files_and_secrets_are_checked(keys: TextKeys, tmp_path: Path) -> None:
    for name in ("../x", "", "A", "x" * 65):
        with pytest.raises(TextKeyError, match="expected small letters"):
            keys.make(name)
    with pytest.raises(TextKeyError, match="cannot be made"):
        keys.make("shadow-1")
    path = tmp_path / "secret"
    assert write_secret(path, "purpose/v1") == read_secret(path, "purpose/v1")
    with pytest.raises(TextKeyError, match="no secret of the kind other/v1"):
        read_secret(path, "other/v1")
    with pytest.raises(TextKeyError, match="cannot be made"):
        write_secret(path)
    path.chmod(0o640)
    with pytest.raises(TextKeyError, match="chmod 600"):
        read_secret(path, "purpose/v1")
    with pytest.raises(TextKeyError, match="VARIABLE: holds no secret"):
        parse_secret("abc", "VARIABLE")
    with pytest.raises(TextKeyError, match="got a master key of 3 bytes"):
        TextKeys(tmp_path, b"abc")
