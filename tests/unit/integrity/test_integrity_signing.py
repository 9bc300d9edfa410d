"""Keys: text forms, files that others cannot read, and messages that never hold a secret."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.integrity.errors import IntegrityError, KeyFileError, KeyTextError, SignatureError
from stillwatch.integrity.signing import (
    SignatureType,
    SignerKey,
    VerifierKey,
    generate_key,
    parse_signer_key,
    parse_verifier_key,
    read_key_file,
    write_key_file,
)

# RFC 8032, section 7.1, test 1
SEED = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
PUBLIC = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
SIGNATURE = bytes.fromhex(
    "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
)
# The signer key of the examples of golang.org/x/mod/sumdb/note.
PETER_SIGNER = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
PETER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"


def key(name: str = "example.com/log") -> SignerKey:
    return SignerKey(name=name, type=SignatureType.NOTE, seed=SEED)


def test_signatures_are_those_of_rfc_8032() -> None:
    assert key().verifier.public_key == PUBLIC
    assert key().sign(b"") == SIGNATURE
    key().verifier.verify(b"", SIGNATURE)
    for message, signature in ((b"x", SIGNATURE), (b"", SIGNATURE[:-1]), (b"", bytes(64)), (b"", b"")):
        with pytest.raises(SignatureError, match=r"example\.com/log \(key \w{8}\) does not verify"):
            key().verifier.verify(message, signature)


def test_key_texts_are_those_of_the_reference_implementation() -> None:
    signer = parse_signer_key(PETER_SIGNER)
    assert signer.verifier.text() == PETER
    assert signer.verifier == parse_verifier_key(PETER + "\n")


@given(st.binary(min_size=32, max_size=32), st.sampled_from(SignatureType), st.text(min_size=1, max_size=20))
def test_keys_read_back(seed: bytes, kind: SignatureType, name: str) -> None:
    try:
        signer = SignerKey(name=name, type=kind, seed=seed)
    except KeyTextError:
        return
    assert parse_verifier_key(signer.verifier.text()) == signer.verifier


@given(st.text(max_size=120))
def test_no_text_makes_the_parsers_fail_in_another_way(text: str) -> None:
    for parse in (parse_verifier_key, parse_signer_key, lambda rest: parse_signer_key("PRIVATE+KEY+" + rest)):
        with pytest.raises(IntegrityError):
            parse(text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("name", "got 1 parts"),
        (PETER.replace("c74f20a3", "c74f20a4"), "got key id c74f20a4, expected c74f20a3"),
        (PETER.replace("c74f20a3", "c74f20"), "8 hex digits"),
        (PETER.replace("c74f20a3", "zzzzzzzz"), "not well encoded"),
        (PETER[:-4], "not well encoded|bytes, expected 32"),
        ("n+00000000+Ag==", "got signature type 0x02"),
        ("n+00000000+", "expected a key id of 8 hex digits and a key"),
        ("n+00000000+AQ==", "got a public key of 0 bytes"),
    ],
)
def test_malformed_keys_are_refused_with_the_reason(text: str, says: str) -> None:
    with pytest.raises(KeyTextError, match=says):
        parse_verifier_key(text)


def test_a_secret_is_in_no_message_and_no_repr() -> None:
    assert SEED.hex() not in repr(key())
    assert repr(SEED) not in repr(key())
    for text in (PETER_SIGNER[12:], PETER_SIGNER.replace("c74f20a3", "00000000"), PETER_SIGNER[:-2] + "??"):
        with pytest.raises(KeyTextError) as raised:
            parse_signer_key(text)
        assert "AYEKFALVFGyN" not in str(raised.value)


def test_a_key_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "key"
    old = os.umask(0)
    try:
        write_key_file(path, key())
    finally:
        os.umask(old)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_key_file(path) == key()
    with pytest.raises(KeyFileError, match="there is one already"):
        write_key_file(path, key())
    for mode in (0o640, 0o604, 0o660, 0o610):
        path.chmod(mode)
        with pytest.raises(KeyFileError, match=f"mode is {mode:04o}, expected 0600"):
            read_key_file(path)


def test_what_is_no_key_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match="cannot be read"):
        read_key_file(tmp_path / "missing")
    with pytest.raises(KeyFileError, match="cannot be written"):
        write_key_file(tmp_path / "missing" / "key", key())
    (tmp_path / "link").symlink_to(tmp_path / "target")
    with pytest.raises(KeyFileError, match="there is one already"):
        write_key_file(tmp_path / "link", key())
    for content, kind in (
        (b"x" * 5000, KeyFileError),
        (b"\xff\xfe", KeyTextError),
        (b"", KeyTextError),
        (PETER.encode(), KeyTextError),
    ):
        path = tmp_path / "bad"
        path.write_bytes(content)
        path.chmod(0o600)
        with pytest.raises(kind):
            read_key_file(path)
    with pytest.raises(KeyFileError, match=r"is no regular file|cannot be read"):
        read_key_file(tmp_path)


def test_two_new_keys_differ() -> None:
    made = [generate_key("example.com/log", SignatureType.NOTE) for _ in range(2)]
    assert made[0].seed != made[1].seed
    assert generate_key("n", SignatureType.NOTE, lambda count: b"s" * count).seed == b"s" * 32


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\nb", "a\x00b", "a\u2003b", "\ud800"])
def test_names_that_no_note_can_carry_are_refused(name: str) -> None:
    with pytest.raises(KeyTextError, match="got the key name"):
        VerifierKey(name=name, type=SignatureType.NOTE, public_key=PUBLIC)


def test_a_pipe_in_the_place_of_a_key_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    with pytest.raises(KeyFileError, match="is no regular file"):
        read_key_file(tmp_path / "pipe")
