"""Keyed digests and templates: the same at every partner, nothing without the key."""

from __future__ import annotations

import hashlib
import hmac
import stat
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.evidence.indicators.errors import IndicatorKeyError
from stillwatch.evidence.indicators.keyed import (
    IndicatorKey,
    make_key_file,
    normalise,
    read_key_file,
    templates_of,
)
from stillwatch.records.indicator import IdentifierKind
from stillwatch.sketches.near_duplicate import signatures
from stillwatch.sketches.shingles import shingles

KEY = IndicatorKey(secret=bytes(range(32)))
OTHER = IndicatorKey(secret=bytes(32))
LONG = "Work through the following problem step by step and state every rule that you apply before the answer about {}"


def test_a_digest_is_hmac_sha_256_over_domain_and_value() -> None:
    message = b"stillwatch-indicator/v1\x007\x00payment\x00pm_1"
    assert KEY.identifier(IdentifierKind.PAYMENT, " pm_1 ") == hmac.new(KEY.secret, message, hashlib.sha256).hexdigest()


def test_kinds_and_keys_have_domains_of_their_own() -> None:
    digests = {key.identifier(kind, "192.0.2.7") for kind in IdentifierKind for key in (KEY, OTHER)}
    assert len(digests) == 2 * len(IdentifierKind)


@pytest.mark.parametrize(
    ("kind", "left", "right", "same"),
    [
        (IdentifierKind.EMAIL_DOMAIN, "Mail.Example ", "mail.example", True),
        (IdentifierKind.PAYMENT, "PM_1", "pm_1", False),
        (IdentifierKind.NETWORK, "192.0.2.7", "192.0.2.200:443", True),
        (IdentifierKind.NETWORK, "192.0.2.7", "192.0.3.7", False),
        (IdentifierKind.IP, "::ffff:192.0.2.7", "192.0.2.7", True),
        (IdentifierKind.TLS, "T13D", "t13d", True),
    ],
)
def test_partners_agree_on_the_bytes_of_a_value(kind: IdentifierKind, left: str, right: str, same: bool) -> None:
    assert (KEY.identifier(kind, left) == KEY.identifier(kind, right)) is same


def test_what_is_no_value_has_no_digest() -> None:
    assert KEY.identifier(IdentifierKind.PAYMENT, "  ") is None
    assert KEY.identifier(IdentifierKind.NETWORK, "unknown") is None
    assert normalise(IdentifierKind.IP, "2001:db8::1") == bytes.fromhex("20010db8000000000000000000000001")


@given(st.text(min_size=1))
def test_any_text_has_a_digest_or_none(value: str) -> None:
    digest = KEY.identifier(IdentifierKind.PAYMENT, value)
    assert (digest is None) == (not value.strip())


def test_a_key_is_never_shown() -> None:
    assert KEY.secret.hex() not in repr(KEY)
    assert "secret" not in repr(KEY)
    assert KEY.id != OTHER.id
    assert len(KEY.id) == 16


def test_a_key_file_is_for_its_owner_alone_and_is_not_overwritten(tmp_path: Path) -> None:
    made = make_key_file(tmp_path / "key")
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600
    assert read_key_file(tmp_path / "key") == made
    with pytest.raises(IndicatorKeyError, match="exists already"):
        make_key_file(tmp_path / "key")
    (tmp_path / "key").chmod(0o640)
    with pytest.raises(IndicatorKeyError, match="mode 0640, expected 0600"):
        read_key_file(tmp_path / "key")


@pytest.mark.parametrize("content", [b"", b"secret-value", b"stillwatch-indicator-key/v1 00ff\n", bytes(range(64))])
def test_a_file_that_is_no_key_is_refused_without_showing_it(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "key"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(IndicatorKeyError, match="holds no key") as caught:
        read_key_file(path)
    assert "secret-value" not in str(caught.value)
    with pytest.raises(IndicatorKeyError, match="cannot be read"):
        read_key_file(tmp_path / "missing")


def test_shingles_are_those_of_the_near_duplicate_sketch() -> None:
    texts = pa.array([LONG.format("fish"), None, "two words", LONG.format("birds")])
    found = shingles(texts)
    assert [len(found.of(place)) for place in range(4)] == [len(LONG.split()) - 2, 0, 0, len(LONG.split()) - 2]
    left, right = found.of(0), found.of(3)
    jaccard = len(left & right) / len(left | right)
    rows = signatures(texts)
    assert abs(float((rows[0] == rows[3]).mean()) - jaccard) < 0.3
    assert jaccard == (len(left) - 1) / (len(left) + 1)


def test_a_template_is_what_two_accounts_have_in_common() -> None:
    exhibits = [
        ("a", LONG.format("fish")),
        ("b", LONG.format("birds")),
        ("a", "My name is Ann and I live in a small house here"),
    ]
    (template,) = templates_of(exhibits, KEY)
    common = shingles(pa.array([LONG.format("fish")])).of(0) & shingles(pa.array([LONG.format("birds")])).of(0)
    assert template.shingles == len(common)
    assert template.exhibits == 2
    assert set(template.values) <= {f"{KEY.shingle(value):016x}" for value in common}
    assert list(template.values) == sorted(template.values)
    assert templates_of(exhibits, OTHER)[0].values != template.values


def test_what_one_account_wrote_alone_is_never_a_template() -> None:
    assert templates_of([("a", LONG.format("fish")), ("a", LONG.format("birds"))], KEY) == ()
    assert templates_of([], KEY) == ()
    assert templates_of([("a", "short text only"), ("b", "short text only")], KEY) == ()


def test_without_the_key_a_dictionary_finds_nothing() -> None:
    """Whoever has the prompt itself, but not the key, cannot recognise it: no public hash of it is in the template."""
    exhibits = [("a", LONG.format("fish")), ("b", LONG.format("birds"))]
    (template,) = templates_of(exhibits, KEY)
    public = shingles(pa.array([text for _, text in exhibits]))
    guesses = {f"{value:016x}" for value in public.values.tolist()}
    guesses |= {f"{OTHER.shingle(value):016x}" for value in public.values.tolist()}
    guesses |= {hashlib.sha256(value.to_bytes(8, "big")).hexdigest()[:16] for value in public.values.tolist()}
    assert not guesses & set(template.values)
