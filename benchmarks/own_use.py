"""How fast the audit of own use looks through text, what it finds, and what it finds by mistake, beside other scanners in one run.

The text is real prompts of the shared data. Into a share of them values are put that Faker makes (cards, IBANs, identity numbers, addresses), in
the JSON records that Faker writes, and private keys and tokens that `cryptography` and a JSON Web Token encoder make. Beside it in the same run:
the shipped rules as gitleaks tries them (keyword anywhere, then the pattern over the whole text) in plain `re`, and detect-secrets where it is
installed (in an environment of its own, named with --detect-secrets; it looks for secrets only). Speed is processor time of one core.

    python -m benchmarks.own_use --out build/benchmarks/own_use.json
"""

from __future__ import annotations

import argparse
import base64
import json
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from benchmarks.invocation import machine
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from faker import Faker

from stillwatch import __version__
from stillwatch.governance.own_use.scan import Scanner
from stillwatch.governance.own_use.secret_rules import entropy, read_rules
from stillwatch.statistics.intervals import clopper_pearson

SEED = 20_261_125
PLANTED_EACH = 300
BATCH = 4_000
GOAL_BYTES_PER_SECOND = 20_000_000
DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
PROMPT_FILES = ("prompts_benign", "prompts_extraction")
DETECT_SECRETS = """
import json, sys, time
from detect_secrets.core.scan import scan_line
from detect_secrets.settings import transient_settings
texts = json.load(open(sys.argv[1]))
names = [n for n in ("ArtifactoryDetector AWSKeyDetector AzureStorageKeyDetector BasicAuthDetector CloudantDetector DiscordBotTokenDetector GitHubTokenDetector "
  "GitLabTokenDetector IbmCloudIamDetector IbmCosHmacDetector IPPublicDetector JwtTokenDetector MailchimpDetector NpmDetector OpenAIDetector PrivateKeyDetector "
  "PypiTokenDetector SendGridDetector SlackDetector SoftlayerDetector SquareOAuthDetector StripeDetector TelegramBotTokenDetector TwilioKeyDetector").split()]
with transient_settings({"plugins_used": [{"name": n} for n in names]}):
    started = time.process_time()
    found = [row for row, text in enumerate(texts) if any(True for line in text.splitlines() for _ in scan_line(line))]
    print(json.dumps({"seconds": time.process_time() - started, "rows": found}))
"""


def real_prompts() -> list[str]:
    """Give the prompts of the shared data."""
    found: list[str] = []
    for folder in PROMPT_FILES:
        for path in sorted((DATA / folder).glob("*.parquet")):
            table = pq.read_table(path)
            name = next(
                (one for one in ("prompt", "text", "instruction", "question") if one in table.column_names), None
            )
            if name is not None:
                found += [one for one in table.column(name).to_pylist() if isinstance(one, str) and one]
    return found


def makers() -> dict[str, Callable[[Faker], str]]:
    """Give what makes each kind: a JSON record as Faker writes it, or a token with the sentence round it."""

    def record(field: str, make: Callable[[Faker], Any]) -> Callable[[Faker], str]:
        return lambda fake: json.dumps({"name": fake.name(), field: make(fake), "city": fake.city()})

    def token(fake: Faker) -> str:
        parts = ({"alg": "HS256", "typ": "JWT"}, {"sub": fake.uuid4(), "iat": fake.unix_time()})
        return ".".join(
            [
                *(base64.urlsafe_b64encode(json.dumps(one).encode()).decode().rstrip("=") for one in parts),
                fake.sha256()[:43],
            ]
        )

    def private_key(_: Faker) -> str:
        key = ec.generate_private_key(ec.SECP256R1())
        return key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode()

    return {
        "payment card": record("credit_card", lambda fake: fake.credit_card_number()),
        "IBAN": record("iban", lambda fake: fake["de_DE"].iban()),
        "US social security number": record("ssn", lambda fake: fake["en_US"].ssn()),
        "e-mail address": record("mail", lambda fake: fake["de_DE"].ascii_company_email()),
        "Spanish identity number": record("dni", lambda fake: fake["es_ES"].nif()),
        "Italian fiscal code": record("codice", lambda fake: fake["it_IT"].ssn()),
        "Polish citizen number": record("pesel", lambda fake: fake["pl_PL"].pesel()),
        "Dutch citizen number": record("bsn", lambda fake: fake["nl_NL"].ssn()),
        "Brazilian citizen number": record("cpf", lambda fake: fake["pt_BR"].cpf()),
        "public address": record("client_ip", lambda fake: fake.ipv4_public()),
        "telephone number": record("phone", lambda fake: fake["en_US"].phone_number()),
        "private-key": private_key,
        "jwt": token,
    }  # fmt: skip


def planted(prompts: Sequence[str], random_source: random.Random) -> tuple[list[str], dict[int, str]]:
    """Put values into prompts; give the texts, and row to kind."""
    fake = Faker(["en_US", "de_DE", "es_ES", "it_IT", "pl_PL", "nl_NL", "pt_BR"])
    fake.seed_instance(SEED)
    texts, truth = list(prompts), {}
    rows = iter(random_source.sample(range(len(texts)), PLANTED_EACH * len(makers())))
    for kind, make in makers().items():
        for _ in range(PLANTED_EACH):
            row = next(rows)
            cut = random_source.randrange(len(texts[row]) + 1)
            texts[row] = f"{texts[row][:cut]}\n{make(fake)}\n{texts[row][cut:]}"
            truth[row] = kind
    return texts, truth


def ours(texts: Sequence[str]) -> tuple[float, list[tuple[int, str]]]:
    """Scan; give processor seconds, and row and rule of every match."""
    scanner = Scanner(read_rules().rules)
    array = pa.array(texts, pa.large_string())
    offsets = np.frombuffer(array.buffers()[1], np.int64, len(texts) + 1)
    data = np.frombuffer(array.buffers()[2], np.uint8)
    found: list[tuple[int, str]] = []
    started = time.process_time()
    for first in range(0, len(texts), BATCH):
        part = offsets[first : first + BATCH + 1]
        found += [(first + one.row, one.rule) for one in scanner.scan(data, part)]
    return time.process_time() - started, found


def plain_rules(texts: Sequence[str]) -> tuple[float, list[tuple[int, str]]]:
    """Try the same rules as gitleaks does, in plain `re`: secrets only."""
    rules = read_rules().rules
    found = []
    started = time.process_time()
    for row, text in enumerate(texts):
        content = text.encode()
        lower = content.lower()
        for rule in rules:
            if rule.keywords and not any(word in lower for word in rule.keywords):
                continue
            for one in rule.pattern.finditer(content):
                secret = one[rule.group or one.lastindex or 0]
                if (
                    secret
                    and entropy(secret) >= rule.entropy
                    and not any(allowed.search(secret) for allowed in rule.allowed)
                ):
                    found.append((row, rule.id))
    return time.process_time() - started, found


def detect_secrets(python: str | None, texts: Sequence[str]) -> dict[str, Any] | None:
    """Run detect-secrets' structured plugins in its own environment."""
    if python is None:
        return None
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(texts, file)
        file.flush()
        done = subprocess.run([python, "-c", DETECT_SECRETS, file.name], capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout))


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path)
    parser.add_argument("--detect-secrets", metavar="PYTHON", help="a Python that has detect-secrets")
    chosen = parser.parse_args(arguments)
    prompts = real_prompts()
    if not prompts:
        sys.stderr.write("the shared data are not on this machine\n")
        return 3
    ours(prompts[:2_000])
    size = sum(len(one.encode()) for one in prompts)
    texts, truth = planted(prompts, random.Random(SEED))  # noqa: S311  # places in texts, no secret
    planted_size = sum(len(one.encode()) for one in texts)
    seconds, clean = ours(prompts)
    planted_seconds, found = ours(texts)
    plain_seconds, plain = plain_rules(prompts)
    by_row: dict[int, set[str]] = {}
    for row, rule in found:
        by_row.setdefault(row, set()).add(rule)
    recall = {}
    for kind in makers():
        rows = [row for row, one in truth.items() if one == kind]
        hits = sum(kind in by_row.get(row, set()) for row in rows)
        low, high = clopper_pearson(hits, len(rows), 0.95)
        recall[kind] = {"planted": len(rows), "found": hits, "share": hits / len(rows), "low": low, "high": high}
    others = detect_secrets(chosen.detect_secrets, texts)
    report = {
        "benchmark": "own use", "version": __version__, "seed": SEED, "machine": asdict(machine()),
        "prompts": len(prompts), "bytes": size, "goal_bytes_per_second": GOAL_BYTES_PER_SECOND,
        "bytes_per_second": {"clean": size / seconds, "with planted values": planted_size / planted_seconds, "the same rules for secrets, plain": size / plain_seconds},
        "flagged_clean": {"values": len(clean), "prompts": len({row for row, _ in clean}), "per_10000_prompts": 1e4 * len({row for row, _ in clean}) / len(prompts), "by_rule": dict(Counter(rule for _, rule in clean))},
        "secrets_same_as_plain": Counter(rule for _, rule in clean if rule in {one for _, one in plain}) == Counter(rule for _, rule in plain),
        "recall": recall,
    }  # fmt: skip
    if others is not None:
        kinds = {"private-key", "jwt"}
        rows = {row for row, one in truth.items() if one in kinds}
        report["detect_secrets"] = {
            "bytes_per_second": planted_size / others["seconds"], "recall of keys and tokens": len(rows & set(others["rows"])) / len(rows),
            "prompts flagged without a secret": len(set(others["rows"]) - rows),
        }  # fmt: skip
    text = json.dumps(report, indent=2)
    sys.stdout.write(text + "\n")
    if chosen.out is not None:
        chosen.out.parent.mkdir(parents=True, exist_ok=True)
        chosen.out.write_text(text + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
