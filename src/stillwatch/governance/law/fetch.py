"""Fetching: a source's document over HTTPS, by a list of addresses that a person can read.

Takes the list (YAML: name, address, and where a key is needed, the header and the file that holds it). Gives bytes, bounded in size and time.
Plain HTTP is spoken to this machine only, a redirect to another host is refused, and keys stand in no address, message or state.
"""

from __future__ import annotations

import http.client
import ipaddress
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from stillwatch.governance.errors import SourceError
from stillwatch.governance.law.sources.documents import MOST_BYTES

SHIPPED_SOURCES = Path(__file__).parent / "sources.yaml"
SECONDS = 30
AGENT = "stillwatch-law-watch/1"
_FIELDS = {"name", "address", "kind", "key_header", "key_prefix", "key_file"}


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchedSource:
    """An address that is asked."""

    name: str
    address: str
    kind: str
    """`document`, or `terms` for a git repository of terms."""
    key_header: str | None
    """Header that carries the key, such as `X-Api-Key`; null where none is needed."""
    key_prefix: str
    """What stands before the key, such as `Token `."""
    key_file: Path | None


def read_sources(path: Path) -> tuple[WatchedSource, ...]:
    """Read the list of addresses.

    Raises:
        SourceError: where it cannot be used, with the number of the row.
    """
    try:
        rows = yaml.load(path.read_bytes(), Loader=yaml.BaseLoader)  # noqa: S506  # texts, lists and mappings only
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SourceError(f"{path}: this is no YAML; check indentation, colons and quotes") from error
    if not isinstance(rows, list):
        raise SourceError(f"{path}: expected a list of sources, each with name and address")
    return tuple(_source(row, f"{path}: row {number}") for number, row in enumerate(rows, start=1))


def _source(row: Any, place: str) -> WatchedSource:
    if not isinstance(row, dict) or not row.get("name") or not row.get("address") or set(row) - _FIELDS:
        raise SourceError(f"{place}: expected name and address, and of the rest only {', '.join(sorted(_FIELDS))}")
    kind = row.get("kind", "document")
    if kind not in {"document", "terms"}:
        raise SourceError(f"{place}: kind got {kind!a}, expected document or terms")
    _check_address(row["address"], place)
    header = row.get("key_header")
    return WatchedSource(
        name=row["name"],
        address=row["address"],
        kind=kind,
        key_header=header,
        key_prefix=row.get("key_prefix", ""),
        key_file=Path(row["key_file"]) if row.get("key_file") else None,
    )


def _check_address(address: str, place: str) -> None:
    """Refuse what is neither HTTPS nor this machine, and addresses that carry a secret.

    Raises:
        SourceError: saying which.
    """
    parts = urllib.parse.urlsplit(address)
    if parts.username or parts.password:
        raise SourceError(f"{place}: the address carries a name or password; use key_header and key_file")
    if parts.scheme == "https" and parts.hostname:
        return
    if parts.scheme == "http" and parts.hostname and _is_here(parts.hostname):
        return
    raise SourceError(f"{place}: got {parts.scheme or 'no'} address of {parts.hostname or 'no host'}, expected https")


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class _SameHost(urllib.request.HTTPRedirectHandler):
    """Follows a redirect on the same host only: a key must not be carried elsewhere."""

    def redirect_request(
        self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> Any:
        if urllib.parse.urlsplit(newurl).netloc != urllib.parse.urlsplit(req.full_url).netloc:
            raise urllib.error.URLError("a redirect to another host, which is not followed")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def fetch(source: WatchedSource) -> bytes:
    """Fetch a document.

    Raises:
        SourceError: where it cannot be had, is too large, or its key is missing.
    """
    headers = {
        "User-Agent": AGENT,
        "Accept": "application/json, application/sparql-results+json, application/atom+xml, application/rss+xml, application/xml",
    }
    if source.key_header is not None:
        if source.key_file is None or not source.key_file.is_file():
            raise SourceError(
                f"{source.name}: needs a key; put it into a file and name that as key_file in the list of sources"
            )
        headers[source.key_header] = source.key_prefix + source.key_file.read_text(encoding="utf-8").strip()
    request = urllib.request.Request(source.address, headers=headers)  # noqa: S310  # the scheme was checked
    opener = urllib.request.build_opener(_SameHost())
    try:
        with opener.open(request, timeout=SECONDS) as answer:
            content: bytes = answer.read(MOST_BYTES + 1)
    except urllib.error.HTTPError as error:
        with error:
            code = error.code
        hint = (
            "; its key is wrong or missing" if code in {401, 403} else "; ask again later" if code in {429, 503} else ""
        )
        raise SourceError(f"{source.name}: got HTTP {code}{hint}") from None
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or type(error).__name__
        raise SourceError(
            f"{source.name}: cannot be fetched ({reason}); drop its document into a folder instead"
        ) from None
    if len(content) > MOST_BYTES:
        raise SourceError(f"{source.name}: got more than {MOST_BYTES:,} bytes")
    return content
