"""Makes sketch_vectors.json: exchanges, the sketch of each, and the digest of all sketches for every version of the sketch functions there has been.

A version that stands in the file keeps its digest: whoever changes what a kernel gives must raise `SKETCH_VERSION` first, and then run

    python tests/vectors/make_sketch_vectors.py
"""

from __future__ import annotations

import hashlib
import json
import random
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa

from stillwatch.engines.arrow_schema import ARROW_TYPES, arrow_schema, conform
from stillwatch.records.exchange import EXCHANGE
from stillwatch.sketches.batch import SKETCH_VERSION, sketch_batch

FILE = Path(__file__).with_name("sketch_vectors.json")
SEED = 20_261_125
WORDS = [
    "explain",
    "step",
    "by",
    "step",
    "the",
    "reasoning",
    "grade",
    "rubric",
    "answer",
    "score",
    "from",
    "1",
    "to",
    "10",
    "still",
    "copper",
    "number",
    "table",
    "river",
    "clean",
    "trace",
    "translate",
    "summarise",
    "write",
    "function",
    "return",
    "tool",
    "call",
    "observation",
    "think",
    "language",
    "final",
    "boxed",
    "proof",
]
TEXTS: tuple[str | None, ...] = (
    None,
    "",
    "   \t\n ",
    "Hello",
    "HELLO  hello\u00a0Hello",
    "Explain step by step why 1234 and 5.678e9 differ, and show the complete chain of reasoning before the final answer.",
    'Translate "the quick brown fox" and \u00abrenard\u00bb and `code(1)` into German, please: keep quotes as they are now, all of them.',
    "```python\ndef f(x):\n    return x + 1\n```\nWhat does this function do? Answer in one sentence, then give three tests for it.",
    '{"instruction": "classify", "labels": ["a", "b"], "text": "data 12 34 56"}\nClassify the text into one of the labels above.',
    "\u8bf7\u4e00\u6b65\u4e00\u6b65\u5730\u601d\u8003\uff0c\u5e76\u5199\u51fa\u5b8c\u6574\u7684\u63a8\u7406\u8fc7\u7a0b\uff0c\u6700\u540e\u7ed9\u51fa\u7b54\u6848\u3002",
    "\u041e\u0446\u0435\u043d\u0438\u0442\u0435 \u044d\u0442\u043e\u0442 \u043e\u0442\u0432\u0435\u0442 \u043f\u043e \u0448\u043a\u0430\u043b\u0435 \u043e\u0442 1 \u0434\u043e 10 \u0438 \u043e\u0431\u044a\u044f\u0441\u043d\u0438\u0442\u0435 \u0441\u0432\u043e\u044e \u043e\u0446\u0435\u043d\u043a\u0443 \u043f\u043e \u0448\u0430\u0433\u0430\u043c.",
    "\u0399\u03c3\u03c4\u03b1\u03bd\u03b2\u03bf\u03cd\u03bb \u0130stanbul \u00dfS\u017f \ufb01ne \u2167 \U0001f600\U0001f468\u200d\U0001f469\u200d\U0001f467 e\u0301 \u00e9",
    "nul\0inside and \ufffd replaced, \ud7ff edge \ue000 of the private area \U0010ffff.",
    "word " * 300,
    "a" * 5_000,
)  # fmt: skip


def exchanges() -> list[dict[str, Any]]:
    """Give exchanges of every kind, the same each time."""
    rng = random.Random(SEED)
    rows: list[dict[str, Any]] = [{"prompt": text} for text in TEXTS]
    rows += [{"prompt": TEXTS[5], "system_prompt": text} for text in TEXTS]
    rows += [{"prompt": TEXTS[5], "response": text} for text in TEXTS]
    rows += [{"prompt": " ".join(rng.choices(WORDS, k=rng.randint(1, 80)))} for _ in range(40)]
    rows += [{"prompt": TEXTS[6], "content_complete": complete} for complete in (True, False)]
    rows += [
        {"ip": ip}
        for ip in ("192.0.2.7", "2001:db8:1:2::7", "::ffff:192.0.2.7", "no address", "", " 192.0.2.7 ", "192.0.2.7:443")
    ]
    for _ in range(40):
        rows.append({name: rng.choice(values) for name, values in _VALUES.items()})
    for number, row in enumerate(rows):
        row |= {"time_us": 1_790_000_000_000_000 + 7_919_000_003 * number, "source_no": number % 3}
        row |= {"source_offset": 1_000 * number, "source_length": 900 + number}
        row.setdefault("account_id", f"account-{number % 11}")
    return rows


_VALUES: dict[str, tuple[Any, ...]] = {
    "account_id": ("a", "\u00e4ccount 2", "account-3"), "exchange_id": (None, "", "x-1", "x-2"), "organization_id": (None, "org-1"),
    "api_key_id": (None, "key-1"), "user_agent": (None, "tests/1"), "tls_fingerprint": (None, "t13d1516h2"), "payment_id": (None, "card-1"),
    "email_domain": (None, "Example.COM"), "account_created_us": (None, 1_700_000_000_000_000), "model": (None, "still-1"),
    "endpoint": (None, "chat", "messages"), "prompt": TEXTS, "response": TEXTS, "turns": (None, 1, 7), "tools": (None, "run,search"),
    "session_id": (None, "s-1"), "input_tokens": (None, 12), "output_tokens": (None, 512), "reasoning_tokens": (None, 99),
    "temperature": (None, 0.0, 0.7), "top_p": (None, 1.0), "max_tokens": (None, 4096), "n": (None, 1), "stream": (None, True, False),
    "status": (None, 200, 429), "country": (None, "XX"), "finish_reason": (None, "stop"), "latency_ms": (None, 250),
}  # fmt: skip


def batch_of(rows: list[dict[str, Any]]) -> pa.RecordBatch:
    """Give exchanges as intake does."""
    columns = {
        column.name: pa.array([row.get(column.name) for row in rows], ARROW_TYPES[column.type])
        for column in EXCHANGE.columns
    }
    return conform(pa.RecordBatch.from_pydict(columns), arrow_schema(EXCHANGE))


def digest_of(sketches: list[dict[str, Any]]) -> str:
    """Give the digest of all values of all sketches."""
    return hashlib.sha256(json.dumps(sketches, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def main() -> int:
    """Write the file, unless a version would change."""
    rows = exchanges()
    sketches = sketch_batch(batch_of(rows)).to_pylist()
    versions = json.loads(FILE.read_text(encoding="utf-8"))["versions"] if FILE.exists() else {}
    if versions.setdefault(SKETCH_VERSION, digest_of(sketches)) != digest_of(sketches):
        print(
            f"the sketches of {SKETCH_VERSION} have changed: raise SKETCH_VERSION in sketches/batch.py first",
            file=sys.stderr,
        )
        return 1
    whole = {"versions": versions, "exchanges": rows, "sketches": sketches}
    FILE.write_text(
        json.dumps(whole, indent=None, separators=(",", ":")).replace('},{"', '},\n{"') + "\n", encoding="utf-8"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
