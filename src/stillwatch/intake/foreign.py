"""Foreign content: files that people hand to intake by mistake, recognised so that the message can say what they are.

Takes first bytes or one record. Gives a few words naming what it is, or null. Never repeats content.
"""

from __future__ import annotations

from collections.abc import Mapping

_SIGNATURES: tuple[tuple[bytes, str], ...] = (
    (b"PK\x03\x04", "a ZIP archive; unpack it first"),
    (b"SQLite format 3", "an SQLite database; export the log table to JSONL or Parquet"),
    (b"Obj\x01", "an Avro file; convert it to Parquet or JSONL"),
    (b"ORC", "an ORC file; convert it to Parquet"),
    (b"ARROW1", "an Arrow IPC file; write it as Parquet"),
    (b"BZh", "a bzip2 file; compress with gzip or zstd instead"),
    (b"\xfd7zXZ", "an xz file; compress with gzip or zstd instead"),
    (b"\x04\x22\x4d\x18", "an lz4 file; compress with gzip or zstd instead"),
    (b"%PDF", "a PDF document"),
)


def foreign_bytes(head: bytes) -> str | None:
    """Tell what the first bytes of a file belong to when it is no log.

    Returns:
        Words that end a sentence beginning "this looks like", or null when nothing is recognised.
    """
    for signature, words in _SIGNATURES:
        if head.startswith(signature):
            return words
    if head[257:262] == b"ustar":
        return "a tar archive; unpack it first"
    sample = head[:4096]
    if sample[1::2].count(0) > len(sample) // 4 or sample[::2].count(0) > len(sample) // 4:
        order = "utf-16-le" if sample[1::2].count(0) >= sample[::2].count(0) else "utf-16-be"
        if sample.count(0) < len(sample) * 3 // 4:
            return f"UTF-16 text without a byte-order mark; declare it with the setting `encoding` ({order})"
        return "a file of NUL bytes; it was never written or was cut by a crash"
    if sample.lstrip()[:1] == b"<":
        return "HTML or XML; expected JSONL, a JSON array or Parquet"
    first_line = sample.lstrip().split(b"\n", 1)[0]
    separators = max(first_line.count(mark) for mark in (b",", b"\t", b";"))
    if separators >= 2 and b"{" not in first_line and b":" not in first_line:
        return "CSV; convert it to Parquet or JSONL (for example with DuckDB: COPY ... TO 'log.parquet')"
    return None


def foreign_record(record: object) -> str | None:
    """Tell what a JSON object is when it is no log record.

    Returns:
        Words that end a sentence beginning "this is", or null when nothing is recognised.
    """
    if not isinstance(record, Mapping):
        return None
    keys = set(record)
    if record.get("type") == "bundle" and "objects" in keys:
        return "a STIX 2.1 bundle (threat intelligence)"
    if keys >= {"Object", "info"} or (keys == {"Event"}) or keys >= {"Attribute", "info"}:
        return "a MISP event (threat intelligence)"
    if keys >= {"input_type", "litellm_call_id"} and keys & {"texts", "structured_messages"}:
        return "a request of LiteLLM's guardrail API (a live question to a guardrail; it has no time and no answer)"
    if keys >= {"campaigns", "considered"}:
        return "campaigns.json, an output of stillwatch"
    if keys >= {"output_digest", "input_digest"}:
        return "run.json, an output of stillwatch"
    return beside_logs(keys)


def beside_logs(keys: set[str]) -> str | None:
    """Tell what lies in a folder of logs and is none: a quarantine, or a table about accounts, which has accounts, but neither times of requests nor anything asked.

    Args:
        keys: column names.
    """
    if keys == {"file", "offset", "length", "reason"}:
        return "quarantine.jsonl, an output of stillwatch"
    if "account_id" not in keys or keys & {"time", "prompt", "messages", "model"}:
        return None
    if keys >= {"label", "family"}:
        return "truth.parquet, the planted truth of a simulation"
    if keys >= {"flagged", "finding"}:
        return "accounts.parquet, an output of stillwatch"
    if keys & {"payment_id", "email_domain", "account_created_at", "licence", "closed_at"}:
        return "a table of account facts; give it with `--accounts`"
    return None
