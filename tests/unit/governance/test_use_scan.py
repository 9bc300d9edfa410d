"""The scan: finds what is there, in its own text only, masked; and reads rule files as gitleaks writes them."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from faker import Faker

from stillwatch.governance.errors import RuleFileError
from stillwatch.governance.own_use.findings import mask
from stillwatch.governance.own_use.scan import Scanner
from stillwatch.governance.own_use.secret_rules import compiled, entropy, read_rules, scoped_flags

RULES = read_rules()
SCANNER = Scanner(RULES.rules)
SHARED = Path(__file__).resolve().parents[4] / "shared" / "data"


def scan(*texts: str, scanner: Scanner = SCANNER) -> list[tuple[int, str, str]]:
    """Row, rule and value of every match."""
    array = pa.array(texts, pa.large_string())
    offsets = np.frombuffer(array.buffers()[1], np.int64, len(texts) + 1)
    data = np.frombuffer(array.buffers()[2] or b"\0", np.uint8)
    return [(one.row, one.rule, one.value.decode()) for one in scanner.scan(data, offsets)]


def jwt(fake: Faker) -> str:
    parts = ({"alg": "HS256", "typ": "JWT"}, {"sub": fake.uuid4(), "name": fake.name(), "iat": fake.unix_time()})
    return ".".join(
        [
            *(base64.urlsafe_b64encode(json.dumps(one).encode()).decode().rstrip("=") for one in parts),
            fake.sha256()[:43],
        ]
    )


def pem(kind: str) -> str:
    key = rsa.generate_private_key(65537, 2048) if kind == "rsa" else ec.generate_private_key(ec.SECP256R1())
    form = serialization.PrivateFormat.TraditionalOpenSSL if kind == "rsa" else serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


def test_every_shipped_rule_can_be_used() -> None:
    assert RULES.left_out == ()
    assert len({one.id for one in RULES.rules}) == len(RULES.rules) >= 30


def test_real_keys_and_tokens_are_found_where_they_stand() -> None:
    fake = Faker()
    fake.seed_instance(3)
    token = jwt(fake)
    texts = ["nothing here", f"Authorization: Bearer {token} fails, why?", f"this is my key:\n{pem('rsa')}", pem("ec")]
    found = scan(*texts)
    assert [(row, rule) for row, rule, _ in found] == [(1, "jwt"), (2, "private-key"), (3, "private-key")]
    assert found[0][2] == token


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("key = sk-ant-api03-" + "aB3-" * 23 + "AA", "anthropic-api-key"),
        ("OPENAI: sk-proj-" + "a1B2" * 10 + "T3BlbkFJ" + "c3D4" * 10, "openai-api-key"),
        ("AKIAQ3EGRIZXLW5PT2NM", "aws-access-key-id"),
        ("token ghp_" + "aB1cD2eF3gH4iJ5kL6mN7oP8qR9sT0uV1wX2", "github-token"),
        ("hf_" + "aBcDeFgHiJkLmNoPqRsTuVwXyZaBcDeFgH", "huggingface-token"),
        ("postgres://app:Xy7-kP2q!v@db.internal:5432/x", "password-in-url"),
        ('password = "tR7#kQ92xLm!"', "password-assigned"),
        ("client_secret: 'f8Qz72LmXw0PbR5tVn3K'", "generic-secret"),
    ],
)  # fmt: skip
def test_a_secret_is_found_by_its_rule(text: str, rule: str) -> None:
    assert [one[1] for one in scan(f"please look: {text} thanks")] == [rule]


@pytest.mark.parametrize(
    "text",
    [
        "api_key = os.environ['OPENAI_API_KEY_FOR_PRODUCTION']", 'password = "password"', "api_key=YOUR_API_KEY_GOES_HERE", "sk-ant- is a prefix",
        "secret_key = config.get_secret_key_value", "AKIAIOSFODNN7EXAMPLE", "postgres://user:password@localhost/x", "the token count is 1234567890123456",
        "My order 1234-5678-9012 of 2026-01-07 14:00:00", "call 911", "version 1.2.3.4", "user@example.com", "ISBN 978-3-16-148410-0", "π = 3.14159265358979323846",
        "DE00 0000 0000 0000 0000 00", "ssn of the ship: 123-45-6789012", "@mention and @@ and a@b", "2001:db8::1",
    ],
)  # fmt: skip
def test_what_is_no_secret_is_left_alone(text: str) -> None:
    assert scan(text) == []


def test_a_match_never_reaches_over_the_end_of_its_text() -> None:
    assert scan("card 4111 1111", "1111 1111", "mail someone@", "company-x.co", "AKIAQ3EGRI", "ZXLW5PT2NM") == []
    assert scan("x" * 5000, "card 4111 1111 1111 1111") == [(1, "payment card", "4111 1111 1111 1111")]


def test_two_secrets_near_each_other_are_both_found() -> None:
    keys = ["AKIAQ3EGRIZXLW5PT2NM", "AKIAZ7LQWX5PTR3MNB2V", "AKIAT2PLMK7QWZX4NB5V"]
    assert [one[2] for one in scan("; ".join(keys) + "." * 700 + keys[0])] == [*keys, keys[0]]


def test_nothing_is_found_in_nothing() -> None:
    assert scan() == []
    assert scan("", "") == []


PERSONAL = {
    "payment card": ("en_US", lambda fake: fake.credit_card_number(), "card"), "IBAN": ("de_DE", lambda fake: fake.iban(), "iban"),
    "US social security number": ("en_US", lambda fake: fake.ssn(), "ssn"), "e-mail address": ("en_US", lambda fake: fake.ascii_company_email(), "mail"),
    "Italian fiscal code": ("it_IT", lambda fake: fake.ssn(), "codice"), "Polish citizen number": ("pl_PL", lambda fake: fake.pesel(), "pesel"),
    "Brazilian citizen number": ("pt_BR", lambda fake: fake.cpf(), "cpf"), "Dutch citizen number": ("nl_NL", lambda fake: fake.ssn(), "bsn"),
    "public address": ("en_US", lambda fake: fake.ipv4_public(), "client_ip"),
}  # fmt: skip


@pytest.mark.parametrize("kind", PERSONAL)
def test_recall_on_records_that_faker_writes(kind: str) -> None:
    """The values and the words round them are Faker's; the field's name is the one that a table would have."""
    locale, make, field = PERSONAL[kind]
    fake = Faker(locale)
    fake.seed_instance(11)
    values = [make(fake) for _ in range(200)]
    texts = [
        f"{fake.sentence()}\n{json.dumps({'name': fake.name(), field: value, 'city': fake.city()})}\n{fake.sentence()}"
        for value in values
    ]
    found = {row for row, rule, _ in scan(*texts) if rule == kind}
    assert len(found) / len(values) >= 0.93


def test_false_alarms_on_real_prompts() -> None:
    path = SHARED / "prompts_benign" / "control_dolly_human.parquet"
    if not path.exists():
        pytest.skip("the shared data are not on this machine")
    import pyarrow.parquet as pq  # noqa: PLC0415

    prompts = [one for one in pq.read_table(path).column("prompt").to_pylist() if one]
    found = scan(*prompts)
    assert len(prompts) > 2_000
    assert len(found) <= 3, [(row, rule) for row, rule, _ in found]


GITLEAKS = r"""
title = "as gitleaks writes it"
[allowlist]
paths = ['''(.*?)(jpg|gif)$''']
[[rules]]
id = "adafruit"
description = "d"
regex = '''(?i)[\w.-]{0,50}?(?:adafruit)(?:[ \t\w.-]{0,20})[\s'"]{0,3}(?:=|>|:{1,3}=|\|\||:|=>|\?=|,)[\x60'"\s=]{0,5}([a-z0-9_-]{32})(?:[\x60'"\s;]|\\[nr]|$)'''
keywords = ["adafruit"]
[[rules]]
id = "mid"
regex = '''tok_(?i)[a-f]{4}|alt_[a-f]{4}\z'''
keywords = ["tok_", "alt_"]
[[rules]]
id = "posix"
regex = '''\bpx([[:alnum:]]{8})[[:space:]]'''
keywords = ["px"]
[[rules]]
id = "entropy"
regex = '''ent_([a-z]{8})'''
entropy = 2.0
secretGroup = 1
keywords = ["ent_"]
[[rules.allowlists]]
regexes = ['''^abcd''']
stopwords = ["word"]
[[rules]]
id = "path-only"
path = '''\.p12$'''
[[rules]]
id = "bad"
regex = '''(unclosed'''
keywords = ["x"]
"""


def test_a_rule_file_of_gitleaks_is_read_and_what_cannot_be_used_is_named(tmp_path: Path) -> None:
    path = tmp_path / "gitleaks.toml"
    path.write_text(GITLEAKS, encoding="utf-8")
    rules = read_rules(path)
    assert [one.split(":")[0] for one in rules.left_out] == ["path-only", "bad"]
    scanner = Scanner(rules.rules)
    texts = (
        'adafruit_key = "0123456789abcdef0123456789abcdef"', "tok_ABcd", "TOK_abcd", "see ALT_ABCD", "say alt_ABCD", "pxabcdefgh ", "ent_aaaaaaaa", "ent_qwertyui",
        "ent_abcdwxyz", "ent_xwordxyz",
    )  # fmt: skip
    assert [(row, rule) for row, rule, _ in scan(*texts, scanner=scanner)] == [
        (0, "adafruit"), (1, "mid"), (3, "mid"), (4, "mid"), (5, "posix"), (7, "entropy"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        (b"a(?i)b", b"aB", True), (b"a(?i)b", b"Ab", False), (b"(?i)a(b)", b"AB", True), (b"(a(?i)b)c", b"aBc", True), (b"(a(?i)b)c", b"aBC", False),
        (b"a(?i)b|c", b"C", True), (b"a(?i)b|c", b"Ab", False), (rb"[(](?i)x[)]", b"(X)", True), (rb"\((?i)x", b"(X", True), (b"(?s)a.b", b"a\nb", True),
    ],
)  # fmt: skip
def test_flags_in_the_middle_reach_to_the_end_of_their_group(pattern: bytes, text: bytes, matches: bool) -> None:
    assert (re.fullmatch(scoped_flags(pattern), text) is not None) is matches


@pytest.mark.parametrize("content", ["", "rules = 3", "[[rules]]\nid='a'", "not toml ["])
def test_a_file_that_holds_no_rules_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "rules.toml").write_text(content, encoding="utf-8")
    with pytest.raises(RuleFileError):
        read_rules(tmp_path / "rules.toml")


def test_a_pattern_runs_in_time_linear_in_what_it_is_given() -> None:
    """Windows bound what a pattern sees, so that a text made to be slow is not."""
    text = "key" * 3_000 + "secret" * 3_000 + "://" * 3_000 + "1 " * 3_000 + "a@" * 3_000
    assert scan(text) == []


def test_entropy_is_in_bits_a_byte() -> None:
    assert (entropy(b"aaaa"), entropy(b"abab"), entropy(b"abcd")) == (0.0, 1.0, 2.0)
    assert compiled(r"a\z").search(b"ba")


@pytest.mark.parametrize("value", [b"a", b"abcdefg", b"AKIAQ3EGRIZXLW5PT2NM", "géheim".encode(), b"x" * 500])
def test_a_mask_shows_at_most_a_quarter(value: bytes) -> None:
    text = value.decode()
    shown = mask(value).rstrip("·")
    assert text.startswith(shown)
    assert len(shown) <= min(4, len(text) / 4)
    assert len(mask(value)) <= 24
