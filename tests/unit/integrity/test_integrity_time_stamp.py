"""RFC 3161 time stamps by a real authority: accepted by two independent programs, and every forgery refused."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import time_stamping_authority
from cryptography.hazmat.primitives.serialization import Encoding
from time_stamping_authority import Authority

from stillwatch.integrity.errors import TimeStampError
from stillwatch.integrity.time_stamp import (
    TrustedAuthority,
    http_transport,
    read_certificates,
    stamp_request,
    trusted_authority,
    verify_stamp,
)

DATA = b"example.com/log\n7\ncnJycnJycnJycnJycnJycnJycnJycnJycnJycnJycnI=\n\n"
pytestmark = pytest.mark.skipif(
    time_stamping_authority.missing() is not None, reason=str(time_stamping_authority.missing())
)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Make one authority for the module."""
    return Authority(tmp_path_factory.mktemp("tsa"))


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Make another authority, with names like the first one's."""
    return Authority(tmp_path_factory.mktemp("other-tsa"))


def trusted(authority: Authority, *others: Path) -> TrustedAuthority:
    return TrustedAuthority(
        roots=read_certificates(authority.root.read_bytes()),
        others=tuple(one for path in others for one in read_certificates(path.read_bytes())),
    )


def test_a_stamp_is_accepted_here_and_by_openssl(authority: Authority) -> None:
    request = stamp_request(DATA)
    before = datetime.now(UTC).timestamp()
    reply = authority.reply(request)
    after = datetime.now(UTC).timestamp()
    verified = verify_stamp(reply, DATA, request, trusted(authority))
    assert before - 2 <= verified.stamped_us / 1e6 <= after + 2
    assert verified.authority == "CN=Test tsa"
    assert authority.openssl_verifies(reply, DATA)
    assert verify_stamp(authority.reply(request), DATA, request, trusted(authority)).serial == verified.serial + 1


def test_what_was_changed_is_refused_here_and_by_openssl(authority: Authority) -> None:
    request = stamp_request(DATA)
    reply = authority.reply(request)
    with pytest.raises(TimeStampError, match="does not verify: Mismatch between messages"):
        verify_stamp(reply, DATA + b"x", request, trusted(authority))
    assert not authority.openssl_verifies(reply, DATA + b"x")
    changed = 0
    for place in range(len(reply) // 2, len(reply), 37):
        forged = reply[:place] + bytes([reply[place] ^ 1]) + reply[place + 1 :]
        try:
            verify_stamp(forged, DATA, request, trusted(authority))
        except TimeStampError:
            changed += 1
        else:
            pytest.fail(f"a reply with byte {place} changed was accepted")
    assert changed > 20


def test_an_old_reply_is_not_passed_off_as_the_answer(authority: Authority) -> None:
    reply = authority.reply(stamp_request(DATA))
    with pytest.raises(TimeStampError, match="Nonce mismatch"):
        verify_stamp(reply, DATA, stamp_request(DATA), trusted(authority))


def test_another_authority_of_the_same_name_is_refused(authority: Authority, other: Authority) -> None:
    request = stamp_request(DATA)
    with pytest.raises(TimeStampError, match="does not verify"):
        verify_stamp(other.reply(request), DATA, request, trusted(authority))


def test_a_certificate_for_something_else_is_refused(authority: Authority) -> None:
    authority.certificate("web", "serving")
    request = stamp_request(DATA)
    with pytest.raises(AssertionError, match=r"signer certificate|purpose"):
        authority.reply(request, "web")
    with pytest.raises(TimeStampError, match="certificates: none of 1 is its own issuer"):
        trusted_authority(authority.signer.read_bytes())
    both = trusted_authority(authority.root.read_bytes() + authority.signer.read_bytes())
    assert (len(both.roots), len(both.others)) == (1, 1)


def test_a_refusal_of_the_authority_is_told(authority: Authority) -> None:
    request = stamp_request(DATA)
    reply = authority.reply(b"\x30\x03\x02\x01\x01")
    with pytest.raises(TimeStampError, match=r"refused by the authority: status 2|no strict DER"):
        verify_stamp(reply, DATA, request, trusted(authority))


def test_a_chain_in_the_reply_is_taken_only_in_strict_der(authority: Authority, tmp_path: Path) -> None:
    """OpenSSL writes certificates in the order in which it got them; DER wants a set sorted by its encodings (X.690, 11.6)."""
    request = stamp_request(DATA)
    chain = tmp_path / "chain.pem"
    chain.write_bytes(authority.root.read_bytes())
    reply = authority.reply(request, "tsa", "-chain", chain)
    assert authority.openssl_verifies(reply, DATA)
    root, signer = (
        read_certificates(path.read_bytes())[0].public_bytes(Encoding.DER)
        for path in (authority.root, authority.signer)
    )
    if (reply.index(root) < reply.index(signer)) == (root < signer):
        assert verify_stamp(reply, DATA, request, trusted(authority)).authority == "CN=Test tsa"
    else:
        with pytest.raises(TimeStampError, match="no strict DER"):
            verify_stamp(reply, DATA, request, trusted(authority))


@pytest.mark.parametrize("reply", [b"", b"\x30", b"no DER", b"\x30\x82" + bytes(600), b"x" * (2**18 + 1)])
def test_what_is_no_reply_is_refused(authority: Authority, reply: bytes) -> None:
    with pytest.raises(TimeStampError):
        verify_stamp(reply, DATA, stamp_request(DATA), trusted(authority))


def test_what_is_no_request_or_certificate_is_refused(authority: Authority) -> None:
    request = stamp_request(DATA)
    reply = authority.reply(request)
    with pytest.raises(TimeStampError, match="the request that was kept is none"):
        verify_stamp(reply, DATA, b"no DER", trusted(authority))
    with pytest.raises(TimeStampError, match="got no bytes"):
        stamp_request(b"")
    with pytest.raises(TimeStampError, match="expected PEM"):
        read_certificates(b"no PEM")
    with pytest.raises(TimeStampError, match="cannot be verified"):
        verify_stamp(reply, DATA, request, TrustedAuthority(roots=()))


@pytest.fixture
def address(authority: Authority) -> Iterator[str]:
    with authority.serving() as url:
        yield url


def test_a_request_goes_over_http_and_comes_back(authority: Authority, address: str) -> None:
    request = stamp_request(DATA)
    reply = http_transport(address)(request)
    assert verify_stamp(reply, DATA, request, trusted(authority)).authority == "CN=Test tsa"


def test_a_redirect_or_an_error_is_no_answer(authority: Authority) -> None:
    for status in (302, 500, 404):
        with authority.serving(status) as url, pytest.raises(TimeStampError, match=f"answered {status}"):
            http_transport(url)(stamp_request(DATA))
    with pytest.raises(TimeStampError, match="no answer"):
        http_transport("http://127.0.0.1:9/", timeout_seconds=2)(stamp_request(DATA))


@pytest.mark.parametrize(
    "answer",
    [b"", b"garbage\r\n\r\n", b"HTTP/1.1 999999 X\r\n\r\n"],
)
def test_an_answer_that_is_no_http_is_told(answer: bytes) -> None:
    def serve(listening: socket.socket) -> None:
        connection, _ = listening.accept()
        with connection:
            connection.recv(65_536)
            connection.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve, args=(listening,))
        thread.start()
        with pytest.raises(TimeStampError, match=r"time-stamping authority 127\.0\.0\.1: "):
            http_transport(f"http://127.0.0.1:{listening.getsockname()[1]}/", timeout_seconds=10)(stamp_request(DATA))
        thread.join()


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://example.com", "example.com", "http://", "data:,x"])
def test_only_http_addresses_are_taken(url: str) -> None:
    with pytest.raises(TimeStampError, match="expected an http or https address"):
        http_transport(url)


def test_a_password_in_the_address_is_refused_and_not_repeated() -> None:
    with pytest.raises(TimeStampError, match="holds a password") as raised:
        http_transport("http://user:hunter2@example.com/")
    assert "hunter2" not in str(raised.value)
