"""Derived keys: known answers, commitments that open in one way, and master secrets wherever they are."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from stillwatch.integrity.canonical import canonical_bytes
from stillwatch.watermark.keys.derive import KeyLabel, check_opening, derive, new_handle
from stillwatch.watermark.keys.errors import KeyDerivationError, MasterSecretError, OpeningError
from stillwatch.watermark.keys.master_secret import HeldSecret, open_master_secret

SECRET = hashlib.sha256(b"the master secret of these tests").digest()
LABEL = KeyLabel(
    handle="mk-0011223344556677", level="campaign", subject="c-1", scheme="green-bernoulli@v1",
    parameters=(("context_width", 2), ("gamma", 0.25)), tokenizer_digest="sha256:" + "00" * 32, words=1,
)  # fmt: skip
SOURCE = Path(__file__).resolve().parents[3] / "src" / "stillwatch"
SOFTHSM = "/usr/lib/softhsm/libsofthsm2.so"


def test_a_key_is_what_the_construction_says() -> None:
    written = canonical_bytes(
        {
            "format": "stillwatch-mark-key/v1", "handle": LABEL.handle, "level": "campaign", "subject": "c-1", "scheme": LABEL.scheme,
            "parameters": {"context_width": 2, "gamma": 0.25}, "tokenizer_digest": LABEL.tokenizer_digest, "words": 1,
        }
    )  # fmt: skip
    opening = derive(HeldSecret(secret=SECRET), LABEL)
    assert opening.key_hex == hmac.new(SECRET, b"key\0\0\0\0\0" + written, hashlib.sha256).hexdigest()[:16]
    assert opening.salt_hex == hmac.new(SECRET, b"salt\0" + written, hashlib.sha256).hexdigest()
    assert opening.commitment == "sha256:" + hashlib.sha256(opening.document()).hexdigest()
    assert opening.key_hex not in repr(opening)


def test_every_part_of_the_label_changes_the_key_and_more_words_begin_alike_only_by_chance() -> None:
    master = HeldSecret(secret=SECRET)
    others = [
        replace(LABEL, handle="mk-0011223344556678"), replace(LABEL, level="account"), replace(LABEL, subject="c-2"),
        replace(LABEL, scheme="unigram@v1"), replace(LABEL, parameters=()), replace(LABEL, tokenizer_digest="sha256:" + "11" * 32),
        replace(LABEL, words=2), replace(LABEL, words=9),
    ]  # fmt: skip
    found = [derive(master, label) for label in (LABEL, *others)]
    assert len({one.key_hex[:16] for one in found}) == len(found)
    assert len({one.salt_hex for one in found}) == len(found)
    assert [len(one.key_hex) for one in found[-2:]] == [32, 144]
    assert derive(master, LABEL) == found[0]
    assert len({new_handle() for _ in range(100)}) == 100


@pytest.mark.parametrize("label", [replace(LABEL, words=0), replace(LABEL, words=65), replace(LABEL, subject="")])
def test_a_label_that_is_none_is_refused(label: KeyLabel) -> None:
    with pytest.raises(KeyDerivationError):
        derive(HeldSecret(secret=SECRET), label)


def test_an_opening_opens_its_own_commitment_and_no_other() -> None:
    opening = derive(HeldSecret(secret=SECRET), LABEL)
    assert check_opening(opening.document(), opening.commitment) == opening
    document = opening.document()
    for place in range(0, len(document), 7):
        changed = document[:place] + bytes([document[place] ^ 1]) + document[place + 1 :]
        with pytest.raises(OpeningError, match="opens another commitment"):
            check_opening(changed, opening.commitment)
    for wrong in (
        b"[]",
        b"{}",
        json.dumps(json.loads(document)).encode(),
        document.replace(b'"salt":"', b'"salt":"00'),
    ):
        with pytest.raises(OpeningError, match=r"though its digest fits|not hex digits"):
            check_opening(wrong, "sha256:" + hashlib.sha256(wrong).hexdigest())


def secret_file(folder: Path, text: str, mode: int = 0o600) -> str:
    path = folder / "master.secret"
    path.write_text(text)
    path.chmod(mode)
    return f"file:{path}"


def test_a_secret_is_read_from_file_variable_and_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = hmac.new(SECRET, b"message", hashlib.sha256).digest()
    monkeypatch.setenv("MARK_MASTER", SECRET.hex())
    program = tmp_path / "kms"
    program.write_text(
        "#!/usr/bin/env python3\nimport hashlib, hmac, sys\n"
        "secret = hashlib.sha256(b'the master secret of these tests').digest()\n"
        "print(hmac.new(secret, bytes.fromhex(sys.stdin.readline()), hashlib.sha256).hexdigest())\n"
    )
    program.chmod(0o700)
    for address in (secret_file(tmp_path, SECRET.hex()), "env:MARK_MASTER", f"command:{program}"):
        assert open_master_secret(address).authenticate(b"message") == wanted


@pytest.mark.parametrize(
    ("text", "mode", "said"),
    [
        (SECRET.hex(), 0o640, "mode is 0640"),
        (SECRET.hex()[:62], 0o600, "at least 64 hex digits"),
        ("g" * 64, 0o600, "at least 64 hex digits"),
        ("00" * 32, 0o600, "repeats itself"),
        ("0123456789abcdef" * 4, 0o600, "repeats itself"),
    ],
)
def test_a_weak_or_open_secret_is_refused_and_not_repeated(tmp_path: Path, text: str, mode: int, said: str) -> None:
    with pytest.raises(MasterSecretError, match=said) as refused:
        open_master_secret(secret_file(tmp_path, text, mode))
    assert text not in str(refused.value)


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("", "the address names none"), (SECRET.hex(), "the address names none"), ("env:", "the address names none"),
        ("file:/nowhere/at/all", "cannot be read"), ("command:kms", "absolute path"), ("env:NO_SUCH_ONE", "has no"),
        ("pkcs11:token=a;object=b?module-path=/x&pin-value=1", "process lists"), ("pkcs11:token=a?module-path=/x", "misses object, pin-source"),
    ],
)  # fmt: skip
def test_an_address_that_is_none_is_refused_and_not_repeated(address: str, said: str) -> None:
    with pytest.raises(MasterSecretError, match=said) as refused:
        open_master_secret(address)
    assert SECRET.hex() not in str(refused.value)


def test_a_command_that_fails_or_answers_otherwise_is_refused(tmp_path: Path) -> None:
    program = tmp_path / "kms"
    for body in ("exit 3", "echo hello", "echo", "yes 0 | head -c 63"):
        program.write_text(f"#!/bin/sh\n{body}\n")
        program.chmod(0o700)
        with pytest.raises(MasterSecretError, match="expected 0 and 64 hex digits"):
            open_master_secret(f"command:{program}").authenticate(b"message")


@pytest.mark.skipif(
    not Path(SOFTHSM).exists() or shutil.which("softhsm2-util") is None,
    reason="needs SoftHSM: apt-get install softhsm2",
)
def test_a_secret_in_a_token_never_leaves_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pkcs11 = pytest.importorskip("pkcs11", reason="needs the extra `hsm`")
    (tmp_path / "tokens").mkdir()
    (tmp_path / "softhsm2.conf").write_text(
        f"directories.tokendir = {tmp_path / 'tokens'}\nobjectstore.backend = file\n"
    )
    monkeypatch.setenv("SOFTHSM2_CONF", str(tmp_path / "softhsm2.conf"))
    pin = "".join(str(byte % 10) for byte in SECRET[:8])
    subprocess.run(
        ["softhsm2-util", "--init-token", "--free", "--label", "marks", "--so-pin", pin, "--pin", pin], check=True, capture_output=True, env=os.environ
    )  # fmt: skip
    token = pkcs11.lib(SOFTHSM).get_token(token_label="marks")  # noqa: S106  # a name
    with token.open(user_pin=pin, rw=True) as session:
        session.create_object(
            {
                pkcs11.Attribute.CLASS: pkcs11.ObjectClass.SECRET_KEY, pkcs11.Attribute.KEY_TYPE: pkcs11.KeyType.GENERIC_SECRET,
                pkcs11.Attribute.LABEL: "master", pkcs11.Attribute.VALUE: SECRET, pkcs11.Attribute.TOKEN: True, pkcs11.Attribute.SIGN: True,
                pkcs11.Attribute.SENSITIVE: True, pkcs11.Attribute.EXTRACTABLE: False, pkcs11.Attribute.PRIVATE: True,
            }
        )  # fmt: skip
    (tmp_path / "pin").write_text(pin)
    (tmp_path / "pin").chmod(0o600)
    address = f"pkcs11:token=marks;object=master?module-path={SOFTHSM}&pin-source=file:{tmp_path / 'pin'}"
    assert derive(open_master_secret(address), LABEL) == derive(HeldSecret(secret=SECRET), LABEL)
    with pytest.raises(MasterSecretError, match="key 'other' in token 'marks' cannot be used") as refused:
        open_master_secret(address.replace("object=master", "object=other")).authenticate(b"message")
    assert pin not in str(refused.value)


def test_there_is_no_default_key_anywhere() -> None:
    """No parameter of a key has a default, and no literal looks like one: published keys are named by the lint alone."""
    default = re.compile(
        r"\b(?:key|secret|hashing_key|master)\s*:\s*(?:int|str|bytes)\s*=(?! field\(repr=False\)$)|\bkey\s*=\s*(?:\d{2,}|b?['\"][0-9a-f]{8,})"
    )
    long_hex = re.compile(r"['\"](?:0x)?(?!0123456789abcdef['\"])[0-9a-fA-F]{16,}['\"]")
    found = []
    for path in sorted(SOURCE.rglob("*.py")):
        if "watermark" not in path.parts and path.name not in {
            "keys.py",
            "key_register.py",
            "key_files.py",
            "mark.py",
            "key_registry.py",
        }:
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            if default.search(line) or long_hex.search(line):
                found.append(f"{path.relative_to(SOURCE)}:{number}: {line.strip()}")
    assert not found
