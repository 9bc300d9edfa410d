"""Enforcement bundles: what is written is found, and every attack on the file is refused by its own error."""

from __future__ import annotations

import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.integrity.bundle_state import BundleState
from stillwatch.integrity.enforcement_bundle import (
    BundleTrust,
    LoadedBundle,
    account_hash,
    open_bundle,
    read_bundle,
    write_bundle,
)
from stillwatch.integrity.errors import (
    BundleExpiredError,
    BundleFormatError,
    BundleNameError,
    BundleRollbackError,
    BundleStateError,
    EnforcementBundleError,
    SignatureError,
)
from stillwatch.integrity.signing import SignatureType, SignerKey
from stillwatch.records.decision import Action, BundleEntry, EnforcementBundle, WhenStale

KEY = SignerKey(name="example.com/bundles", type=SignatureType.NOTE, seed=bytes(range(32)))
OTHER_KEY = SignerKey(name="example.com/bundles", type=SignatureType.NOTE, seed=bytes(range(1, 33)))
NAME = "example.com/gateway"
NOW = 1_780_000_000_000_000
HOUR = 3_600 * 1_000_000


def entry(
    action: Action = Action.BLOCK, when_stale: WhenStale = WhenStale.CLOSED, until: int = NOW + 100 * HOUR
) -> BundleEntry:
    return BundleEntry(
        action=action, decision_id="d-0123456789ab", clauses=("no-pooling",), until_us=until, appeal="appeals@example.com", when_stale=when_stale,
        requests_per_minute=10 if action is Action.THROTTLE else None, key_id="c-1" if action is Action.MARK else None,
    )  # fmt: skip


def bundle(version: int = 1, **more: object) -> EnforcementBundle:
    made = EnforcementBundle(
        name=NAME, version=version, issued_us=NOW, expires_us=NOW + HOUR, salt=b"", accounts=0,
        entries=(entry(), entry(Action.THROTTLE, WhenStale.OPEN)),
    )  # fmt: skip
    return replace(made, **more)  # type: ignore[arg-type]


def content(version: int = 1, accounts: dict[str, int] | None = None, key: SignerKey = KEY, **more: object) -> bytes:
    return write_bundle(bundle(version, **more), {"a-1": 0, "a-2": 1} if accounts is None else accounts, key)


@pytest.fixture
def opened(tmp_path: Path) -> Callable[..., LoadedBundle]:
    """Open bytes as a gateway does, whose state is kept between calls."""

    def call(
        data: bytes, now: int = NOW, *, key: SignerKey = KEY, accept_stale: bool = False, name: str = NAME
    ) -> LoadedBundle:
        file = tmp_path / "bundle"
        file.write_bytes(data)
        return open_bundle(
            file,
            BundleTrust(key=key.verifier, name=name, accept_stale=accept_stale),
            BundleState(tmp_path / "state"),
            now,
        )

    return call


def test_what_is_written_is_found(opened: Callable[..., LoadedBundle]) -> None:
    loaded = opened(content())
    assert (loaded.action("a-1", NOW), loaded.action("a-2", NOW), loaded.action("a-3", NOW)) == (
        Action.BLOCK,
        Action.THROTTLE,
        Action.ALLOW,
    )
    found = loaded.find("a-1", NOW)
    assert found == entry()
    assert loaded.bundle == replace(bundle(), salt=loaded.bundle.salt, accounts=2)


@settings(max_examples=60, deadline=None)
@given(
    accounts=st.dictionaries(st.text(max_size=30), st.integers(0, 1), max_size=200),
    others=st.lists(st.text(max_size=30), max_size=50),
)
def test_every_account_is_found_and_no_other(accounts: dict[str, int], others: list[str]) -> None:
    loaded = read_bundle(content(accounts=accounts), KEY.verifier)
    for account, row in accounts.items():
        assert loaded.find(account, NOW) == loaded.bundle.entries[row]
    assert all(loaded.find(one, NOW) is None for one in others if one not in accounts)


def test_the_ends_of_the_hash_range_are_found_and_their_neighbours_are_not() -> None:
    import numpy as np  # noqa: PLC0415

    ends = np.array([0, 5, 2**63, 2**64 - 1], dtype=np.uint64)
    loaded = LoadedBundle(replace(bundle(), salt=bytes(16), accounts=4), ends, np.zeros(4, dtype=np.uint32), "")
    assert list(loaded._hashes)[-2:] == [2**64 - 1, 2**64 - 1]
    for account in (f"a-{number}" for number in range(500)):
        assert account_hash(account, bytes(16)) not in {0, 5, 2**63, 2**64 - 1}
        assert loaded.find(account, NOW) is None


def test_the_same_input_gives_the_same_bytes_in_whatever_order() -> None:
    assert content(accounts={"a": 0, "b": 1}) == content(accounts={"b": 1, "a": 0})
    salts = [read_bundle(content(version), KEY.verifier).bundle.salt for version in (1, 2)]
    assert salts[0] != salts[1]


def test_every_changed_byte_is_refused() -> None:
    data = content()
    for place in range(len(data)):
        changed = bytearray(data)
        changed[place] ^= 1 << (place % 8)
        with pytest.raises((SignatureError, BundleFormatError)):
            read_bundle(bytes(changed), KEY.verifier)


@settings(max_examples=60, deadline=None)
@given(cut=st.integers(0, 10_000), more=st.binary(min_size=1, max_size=80))
def test_every_cut_and_every_addition_is_refused(cut: int, more: bytes) -> None:
    data = content()
    for changed in (data[: cut % len(data)], data + more, more + data):
        with pytest.raises((SignatureError, BundleFormatError)):
            read_bundle(changed, KEY.verifier)


def test_another_key_is_refused() -> None:
    with pytest.raises(SignatureError):
        read_bundle(content(key=OTHER_KEY), KEY.verifier)


def test_a_signature_over_anything_else_is_none() -> None:
    data = content()
    with pytest.raises(SignatureError):
        read_bundle(data[:-64] + KEY.sign(data[:-64]), KEY.verifier)


def test_rollback_is_refused_and_the_same_file_is_not(opened: Callable[..., LoadedBundle]) -> None:
    opened(content(1))
    newer = content(3)
    opened(newer)
    opened(newer)
    with pytest.raises(BundleRollbackError, match=r"got version 2 of example\.com/gateway, but version 3 was seen"):
        opened(content(2))
    assert opened(content(4)).bundle.version == 4


def test_another_file_of_the_same_version_is_refused(opened: Callable[..., LoadedBundle]) -> None:
    opened(content(3))
    with pytest.raises(BundleRollbackError, match="another version 3"):
        opened(content(3, accounts={"a-9": 0}))


def test_freeze_is_refused_to_the_microsecond(opened: Callable[..., LoadedBundle]) -> None:
    data = content()
    assert opened(data, NOW + HOUR - 1).bundle.version == 1
    with pytest.raises(BundleExpiredError, match="version 1 expired 0 s ago"):
        opened(data, NOW + HOUR)


def test_an_expired_bundle_leaves_no_trace(opened: Callable[..., LoadedBundle], tmp_path: Path) -> None:
    with pytest.raises(BundleExpiredError):
        opened(content(9), NOW + HOUR)
    assert BundleState(tmp_path / "state").seen is None
    assert opened(content(2)).bundle.version == 2


def test_a_bundle_from_the_future_is_refused(opened: Callable[..., LoadedBundle]) -> None:
    with pytest.raises(BundleExpiredError, match="in the future"):
        opened(content(), NOW - 301 * 1_000_000)
    assert opened(content(), NOW - 299 * 1_000_000).bundle.version == 1


def test_a_bundle_for_somebody_else_is_refused(opened: Callable[..., LoadedBundle]) -> None:
    with pytest.raises(BundleNameError, match=r"'example.com/gateway', expected one for 'example.com/other'"):
        opened(content(), name="example.com/other")


def test_a_new_key_begins_anew_so_that_a_stolen_one_locks_nobody_out(opened: Callable[..., LoadedBundle]) -> None:
    opened(content(2**53))
    assert opened(content(1, key=OTHER_KEY), key=OTHER_KEY).bundle.version == 1


def test_when_stale_each_row_does_what_it_declares(opened: Callable[..., LoadedBundle]) -> None:
    loaded = opened(content())
    late = NOW + 2 * HOUR
    assert (loaded.is_stale(NOW), loaded.is_stale(late)) == (False, True)
    assert (loaded.action("a-1", late), loaded.action("a-2", late)) == (Action.BLOCK, Action.ALLOW)
    again = opened(content(), late, accept_stale=True)
    assert (again.action("a-1", late), again.action("a-2", late)) == (Action.BLOCK, Action.ALLOW)
    assert again.action("a-1", NOW + 101 * HOUR) is Action.ALLOW  # its own end counts always


def test_a_stale_bundle_is_no_way_round_rollback(opened: Callable[..., LoadedBundle]) -> None:
    opened(content(2))
    with pytest.raises(BundleRollbackError):
        opened(content(1), NOW + 2 * HOUR, accept_stale=True)


def test_the_state_is_private_and_a_damaged_one_opens_nothing(
    opened: Callable[..., LoadedBundle], tmp_path: Path
) -> None:
    opened(content())
    state = tmp_path / "state"
    assert stat.S_IMODE(state.stat().st_mode) == 0o600
    for damaged in (b"", b"{}", b"[1]", state.read_bytes().replace(b'"version":1', b'"version":"1"')):
        state.write_bytes(damaged)
        with pytest.raises(BundleStateError, match="what was seen is not known"):
            opened(content(5))


def test_a_state_that_cannot_be_kept_opens_nothing(tmp_path: Path) -> None:
    (tmp_path / "bundle").write_bytes(content())
    with pytest.raises(BundleStateError, match="the bundle was not opened"):
        open_bundle(
            tmp_path / "bundle", BundleTrust(key=KEY.verifier, name=NAME), BundleState(tmp_path / "no" / "state"), NOW
        )


@pytest.mark.parametrize(
    ("more", "accounts"),
    [
        ({"version": 0}, {}),
        ({"version": 2**53 + 1}, {}),
        ({"expires_us": NOW}, {}),
        ({"name": ""}, {}),
        ({}, {"a": 2}),
        ({}, {"a": -1}),
        ({"entries": (replace(entry(), clauses=()),)}, {"a": 0}),
        ({"entries": (replace(entry(), requests_per_minute=10),)}, {"a": 0}),
        ({"entries": (replace(entry(), key_id="c-1"),)}, {"a": 0}),
        ({"entries": (replace(entry(Action.THROTTLE), requests_per_minute=None),)}, {"a": 0}),
        ({"entries": (replace(entry(Action.THROTTLE), requests_per_minute=0),)}, {"a": 0}),
        ({"entries": (replace(entry(Action.MARK), key_id=""),)}, {"a": 0}),
        ({"entries": (replace(entry(Action.MARK), key_id=None),)}, {"a": 0}),
    ],
)
def test_what_cannot_be_a_bundle_is_not_written(more: dict[str, object], accounts: dict[str, int]) -> None:
    with pytest.raises(BundleFormatError):
        write_bundle(replace(bundle(), **more), accounts, KEY)  # type: ignore[arg-type]


def signed(body: bytes) -> bytes:
    """Sign any bytes as a bundle is signed: a hostile issuer."""
    import hashlib  # noqa: PLC0415

    return body + KEY.sign(b"stillwatch-enforcement-bundle/v2\0" + hashlib.sha256(body).digest())


@pytest.mark.parametrize(
    "change",
    [
        lambda body: body.replace(b'"block"', b'"weaken"'),
        lambda body: body.replace(b'"accounts":2', b'"accounts":3'),
        lambda body: body.replace(b'"accounts":2', b'"accounts":9999999999999999'),
        lambda body: body.replace(b'"version":1', b'"version": 1'),
        lambda body: body.replace(b'"version":1', b'"version":true'),
        lambda body: body[:8] + b"\xff\xff\xff\x7f" + body[12:],
        lambda body: body[:12] + b"\1\0\0\0" + body[16:],
        lambda body: body[:-4] + b"\x09\0\0\0",
        lambda body: body[:-24] + bytes(16) + body[-8:],
    ],
)
def test_what_is_signed_is_still_checked(change: Callable[[bytes], bytes]) -> None:
    body = content()[:-64]
    with pytest.raises(EnforcementBundleError):
        read_bundle(signed(change(body)), KEY.verifier)


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    trust = BundleTrust(key=KEY.verifier, name=NAME)
    with pytest.raises(BundleFormatError, match="cannot be read"):
        open_bundle(tmp_path / "missing", trust, BundleState(None), NOW)
    with pytest.raises(BundleFormatError):
        open_bundle(tmp_path, trust, BundleState(None), NOW)


def test_a_file_of_the_first_format_is_refused_by_name() -> None:
    with pytest.raises(
        BundleFormatError, match=r"got a bundle of stillwatch-enforcement-bundle/v1, expected .*/v2; build it again"
    ):
        read_bundle(b"SWBUNDL1" + content()[8:], KEY.verifier)


def test_rates_and_key_handles_are_read_as_written() -> None:
    rows = (entry(Action.THROTTLE), entry(Action.MARK))
    assert read_bundle(content(entries=rows), KEY.verifier).bundle.entries == rows


def test_actions_that_lower_quality_do_not_exist() -> None:
    assert {one.value for one in Action} == {"allow", "throttle", "challenge", "mark", "block"}
