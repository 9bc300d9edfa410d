"""RFC 3161 time stamps: a request made offline, and the verification of the reply.

Takes bytes, a reply and the certificates of a time-stamping authority that one trusts. Gives the authority's time, or raises. The reply is
verified by `rfc3161-client`, which is strict in DER: an authority whose reply it refuses cannot be used here, though
`openssl ts -verify` may accept it. The raw reply is what is kept, so that anyone can repeat the verdict with OpenSSL. Only
`http_transport` touches a network, and only the one address that it was given.

A time stamp shows that the bytes existed at that time, as far as the authority is trusted. It does not show who had them.
"""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.message import Message
from typing import IO
from urllib.parse import urlsplit

from cryptography import x509
from rfc3161_client import (
    HashAlgorithm,
    PKIStatus,
    TimestampRequestBuilder,
    TimeStampResponse,
    VerificationError,
    VerifierBuilder,
    decode_timestamp_response,
)
from rfc3161_client._rust import parse_timestamp_request

from stillwatch.integrity.errors import TimeStampError

LONGEST_REPLY = 1 << 18
"""Bytes; a reply with a chain of certificates has under 20,000."""
Transport = Callable[[bytes], bytes]
"""Takes a request, DER. Gives the reply, DER. Raises `TimeStampError` where it gets none."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustedAuthority:
    """The certificates by which one trusts an authority; there are no default ones."""

    roots: tuple[x509.Certificate, ...]
    """At least one."""
    others: tuple[x509.Certificate, ...] = ()
    """Intermediate and signing certificates, where the reply does not carry them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedStamp:
    """What a verified reply says."""

    stamped_us: int
    """The authority's time: microseconds since the Unix epoch, UTC."""
    authority: str
    """Distinguished name of the certificate that signed (RFC 4514)."""
    serial: int
    """Number of the token at the authority."""


def stamp_request(data: bytes) -> bytes:
    """Make a request for a time stamp over the SHA-256 of bytes, with a nonce, asking for the signing certificate (RFC 3161, 2.4.1).

    Raises:
        TimeStampError: for no bytes at all.
    """
    if not data:
        raise TimeStampError("time stamp: got no bytes, expected some")
    request = TimestampRequestBuilder().data(data).hash_algorithm(HashAlgorithm.SHA256).build()
    return request.as_bytes()


def verify_stamp(reply: bytes, data: bytes, request: bytes, authority: TrustedAuthority) -> VerifiedStamp:
    """Check a reply (RFC 3161, 2.4.2).

    1. The reply is strict DER and says that the stamp was granted.
    2. It is signed by a certificate that leads to a trusted root, was valid at the stamp's time, and is for time stamping.
    3. It carries the nonce of the request, so that no old reply is passed off as new.
    4. It is over these bytes.

    Args:
        reply: the raw reply.
        data: what was stamped.
        request: the request that it answers.
        authority: whom one trusts.

    Raises:
        TimeStampError: naming what does not hold.
    """
    if len(reply) > LONGEST_REPLY:
        raise TimeStampError(f"time stamp: got a reply of {len(reply)} bytes, expected at most {LONGEST_REPLY}")
    response = _decoded(reply)
    try:
        asked = parse_timestamp_request(request)
    except (ValueError, TypeError) as error:
        raise TimeStampError("time stamp: the request that was kept is none") from error
    builder = VerifierBuilder(
        roots=list(authority.roots), intermediates=list(authority.others), nonce=asked.nonce, policy_id=asked.policy
    )
    try:
        builder.build().verify_message(response, data)
    except VerificationError as error:
        raise TimeStampError(f"time stamp does not verify: {error}") from error
    except ValueError as error:
        raise TimeStampError(f"time stamp cannot be verified: {error}") from error
    signed = next(iter(response.signed_data.signer_infos))
    return VerifiedStamp(
        stamped_us=(response.tst_info.gen_time - _EPOCH) // timedelta(microseconds=1),
        authority=_signer_name(response, signed.issuer, signed.serial_number, authority),
        serial=response.tst_info.serial_number,
    )


def read_certificates(content: bytes) -> tuple[x509.Certificate, ...]:
    """Read certificates from PEM.

    Raises:
        TimeStampError: where there is none.
    """
    try:
        found = tuple(x509.load_pem_x509_certificates(content))
    except ValueError as error:
        raise TimeStampError(f"certificates: expected PEM ({error})") from error
    if not found:
        raise TimeStampError("certificates: got none, expected PEM")
    return found


def trusted_authority(content: bytes) -> TrustedAuthority:
    """Read the certificates of an authority from PEM: those that are their own issuer are the roots.

    Raises:
        TimeStampError: where there are no certificates, or none of them is a root.
    """
    found = read_certificates(content)
    roots = tuple(one for one in found if one.issuer == one.subject)
    if not roots:
        raise TimeStampError(f"certificates: none of {len(found)} is its own issuer, expected the authority's root too")
    return TrustedAuthority(roots=roots, others=tuple(one for one in found if one.issuer != one.subject))


def http_transport(url: str, timeout_seconds: float = 30.0) -> Transport:
    """Make the transport that posts a request to an authority (RFC 3161, 3.4).

    Args:
        url: of the authority, http or https; replies are signed, so http is enough. Redirects are refused.
        timeout_seconds: to wait for an answer.

    Raises:
        TimeStampError: for another kind of address.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise TimeStampError(f"time-stamping authority: got {url!a}, expected an http or https address")
    if parts.password is not None:
        raise TimeStampError("time-stamping authority: the address holds a password, which other users could see")
    opener = urllib.request.build_opener(_NoRedirect)

    def post(request: bytes) -> bytes:
        headers = {"Content-Type": "application/timestamp-query", "Accept": "application/timestamp-reply"}
        message = urllib.request.Request(url, data=request, headers=headers, method="POST")  # noqa: S310  # checked above
        try:
            with opener.open(message, timeout=timeout_seconds) as answer:
                reply: bytes = answer.read(LONGEST_REPLY + 1)
        except urllib.error.HTTPError as error:
            raise TimeStampError(f"time-stamping authority {parts.hostname}: answered {error.code}") from error
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise TimeStampError(f"time-stamping authority {parts.hostname}: no answer ({error})") from error
        return reply

    return post


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Goes nowhere else than where it was sent."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> urllib.request.Request | None:
        """Refuse, so that the redirect is raised as an error."""
        del req, fp, code, msg, headers, newurl
        return None


def _decoded(reply: bytes) -> TimeStampResponse:
    """Read a reply and make sure that it holds a granted token."""
    try:
        response = decode_timestamp_response(reply)
    except (ValueError, TypeError) as error:
        raise TimeStampError(
            "time stamp: the reply is no strict DER of RFC 3161; ask the authority, or use another"
        ) from error
    if response.status != PKIStatus.GRANTED:
        said = "; ".join(response.status_string)[:200]
        raise TimeStampError(f"time stamp refused by the authority: status {response.status} ({said})")
    return response


def _signer_name(response: TimeStampResponse, issuer: x509.Name, serial: int, authority: TrustedAuthority) -> str:
    """Return the name of the certificate that signed, or of its issuer and serial where nobody gave the certificate."""
    carried = [x509.load_der_x509_certificate(one) for one in response.signed_data.certificates]
    for one in (*carried, *authority.others, *authority.roots):
        if one.issuer == issuer and one.serial_number == serial:
            return one.subject.rfc4514_string()
    return f"serial {serial} of {issuer.rfc4514_string()}"
