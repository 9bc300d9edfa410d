"""SGLang's own marks: the request field that carries a campaign's key, fed by the gateway's key id.

Takes a key by its handle. Gives the request field `watermark` of SGLang 0.5.23 (`--enable-watermark`), where a key of up to 64 bits in hex takes
the place of the server's key A for this request. The server's key B, where its configuration has one, stays: with `mixing_probability` the
contexts are dealt out between the two, so that the provider's public detector still finds B in answers that bear a campaign's A.

The field holds a raw key: it exists between gateway and engine only, and no log may keep it.
"""

from __future__ import annotations

from typing import Any

from stillwatch.records.mark import MarkKey
from stillwatch.watermark.marking.errors import MarkingError

KEY_BYTES = 8
MOST_CONTEXT = 64


def watermark_field(key: MarkKey) -> dict[str, Any]:
    """Give the request field.

    Args:
        key: of one of SGLang's schemes; of a dual key the first 64 bits, key A.

    Returns:
        The value of `watermark`: key in hex and width of the context.

    Raises:
        MarkingError: for a key of another scheme.
    """
    parameters = dict(key.parameters)
    width = parameters.get("context_width")
    if not key.scheme.startswith("sglang-") or not isinstance(width, int) or not 1 <= width <= MOST_CONTEXT:
        raise MarkingError(
            f"key {key.handle} is for {key.scheme}, expected one of SGLang's schemes with a context_width of 1 to 64"
        )
    return {"key": key.key[:KEY_BYTES].hex(), "context_window": width}


def gateway_keys(keys: tuple[MarkKey, ...]) -> dict[str, str]:
    """Give the gateway's table from handle to key in hex, of the keys in use that SGLang can mark with."""
    return {
        key.handle: key.key[:KEY_BYTES].hex()
        for key in keys
        if key.scheme.startswith("sglang-") and key.retired_us is None
    }
