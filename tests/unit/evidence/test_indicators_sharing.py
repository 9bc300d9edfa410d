"""From a campaign to shared files and back, and the match at the other provider."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import example_incident as example
import pyarrow as pa
import pymisp
import pytest
import stix2
import two_providers as two

from stillwatch.evidence.indicators.documents import read_json_document, read_set_document, set_document
from stillwatch.evidence.indicators.errors import (
    IndicatorError,
    IndicatorFileError,
    IndicatorKeyError,
    NotShareableError,
)
from stillwatch.evidence.indicators.keyed import IndicatorKey
from stillwatch.evidence.indicators.make import MICROSECONDS_PER_DAY, SharingTerms, make_indicators
from stillwatch.evidence.indicators.match import Matcher
from stillwatch.evidence.indicators.misp import TEMPLATE_UUID, misp_event, object_template, read_misp_event
from stillwatch.evidence.indicators.stix import EXTENSION_ID, read_stix_bundle, stix_bundle
from stillwatch.records.campaign import Finding
from stillwatch.records.indicator import IdentifierKind, IndicatorSet

KEY = IndicatorKey(secret=bytes(range(32)))
NOW = 1_780_000_000_000_000
TERMS = SharingTerms(producer="Example provider", traffic_light="amber", made_us=NOW, valid_days=90)
COLUMNS = {
    IdentifierKind.PAYMENT: "payment_id",
    IdentifierKind.TLS: "tls_fingerprint",
    IdentifierKind.NETWORK: "ip",
    IdentifierKind.USER_AGENT: "user_agent",
    IdentifierKind.EMAIL_DOMAIN: "email_domain",
}
WRITERS: tuple[tuple[Callable[[IndicatorSet], str], Callable[..., IndicatorSet]], ...] = (
    (stix_bundle, read_stix_bundle),
    (misp_event, read_misp_event),
    (lambda one: set_document(one).decode(), read_set_document),
)


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return two.write_provider(tmp_path_factory.mktemp("north"), "north", operators=6, seed=11)


@pytest.fixture(scope="module")
def shared(provider: Path) -> IndicatorSet:
    campaign = two.campaign_of(provider, "north")
    carriers = {kind: two.values_of(provider, column) for kind, column in COLUMNS.items()}
    return make_indicators(campaign, carriers, two.prompts_of(provider), KEY, TERMS)


def matcher_over(log: Path, *sets: IndicatorSet, key: IndicatorKey = KEY, now_us: int = NOW) -> Matcher:
    matcher = Matcher(sets, key, now_us)
    prompts = two.prompts_of(log)
    matcher.look_at_prompts([account for account, _ in prompts], pa.array([text for _, text in prompts]))
    for kind, column in COLUMNS.items():
        matcher.look_at_identifiers(kind, two.values_of(log, column))
    return matcher


def test_only_what_members_share_and_hardly_anybody_else_has_is_shared(shared: IndicatorSet) -> None:
    assert [(one.kind.value, one.carriers) for one in shared.identifiers] == [
        ("network", 6), ("payment", 3), ("payment", 3), ("tls", 6),
    ]  # fmt: skip
    assert len(shared.templates) == 1
    assert shared.techniques == ("AML.T0021", "AML.T0024.002", "AML.T0040", "AML.T0065")


@pytest.mark.parametrize("finding", [one for one in Finding if one not in {Finding.OPERATOR, Finding.RESELLER}])
def test_who_was_not_flagged_is_not_shared(finding: Finding) -> None:
    with pytest.raises(NotShareableError, match=finding.value):
        make_indicators(replace(example.pool(), finding=finding), {}, (), KEY, TERMS)


def test_a_reseller_is_an_ai_service_proxy() -> None:
    assert "AML.T0008.005" in make_indicators(example.reseller(), {}, (), KEY, TERMS).techniques


@pytest.mark.parametrize("write", [write for write, _ in WRITERS])
def test_nothing_of_a_prompt_a_person_or_an_identifier_leaves(
    provider: Path, shared: IndicatorSet, write: Callable[[IndicatorSet], str]
) -> None:
    text = write(shared).lower()
    rows = [json.loads(line) for line in provider.read_text(encoding="utf-8").splitlines()]
    private = {row[name] for row in rows for name in row if name not in {"time", "prompt"}}
    private |= {two.campaign_of(provider, "north").id, *(str(link.value) for link in example.pool().links)}
    assert not [value for value in private if value.lower() in text]
    words = [word for row in rows for word in re.findall(r"[a-z]{4,}", row["prompt"].lower())]
    pairs = {" ".join(pair) for pair in itertools.pairwise(words)}
    assert not [pair for pair in pairs if pair in text]


@pytest.mark.parametrize(("write", "read"), WRITERS)
def test_what_is_read_is_what_was_written(
    shared: IndicatorSet, write: Callable[[IndicatorSet], str], read: Callable[..., IndicatorSet]
) -> None:
    text = write(shared)
    assert write(shared) == text
    assert read(read_json_document(text.encode(), "file"), "file") == shared


def test_the_bundle_is_valid_stix(shared: IndicatorSet) -> None:
    bundle = stix2.parse(stix_bundle(shared), allow_custom=False, version="2.1")
    kinds = [one["type"] for one in bundle.objects]
    assert kinds.count("indicator") == len(shared.identifiers) + len(shared.templates)
    assert kinds.count("relationship") == kinds.count("indicator") + len(shared.techniques)
    references = {one["id"] for one in bundle.objects} | {stix2.TLP_AMBER.id}
    for one in bundle.objects:
        for name in ("source_ref", "target_ref", "created_by_ref"):
            assert name not in one or one[name] in references
    techniques = {
        one.external_references[0].external_id: one.id for one in bundle.objects if one["type"] == "attack-pattern"
    }
    assert techniques["AML.T0024.002"] == "attack-pattern--3f567912-629a-5e0b-ab0c-0102977c2d6c"


def test_the_event_is_read_by_misp_and_its_template_is_valid(shared: IndicatorSet) -> None:
    event = pymisp.MISPEvent()
    event.load(json.loads(misp_event(shared)))
    assert [one.name for one in event.objects].count("ai-capability-extraction") == len(event.objects)
    digests = {
        one.get_attributes_by_relation("digest")[0].value
        for one in event.objects
        if one.get_attributes_by_relation("digest")
    }
    assert digests == {one.digest for one in shared.identifiers}
    template = object_template()
    assert template["uuid"] == TEMPLATE_UUID
    types = event.describe_types["types"]
    used = {one.object_relation: one.type for each in event.objects for one in each.attributes}
    assert set(used.values()) <= set(types)
    assert all(template["attributes"][relation]["misp-attribute"] == kind for relation, kind in used.items())
    assert read_misp_event(json.loads(event.to_json()), "from a server") == shared


def test_the_shared_operator_is_found_at_the_other_provider_and_nobody_else(
    shared: IndicatorSet, tmp_path: Path
) -> None:
    south = two.write_provider(tmp_path, "south", operators=4, seed=12)
    matches = matcher_over(south, shared).matches()
    assert [one.account_id for one in matches] == [f"south-op-{number}" for number in range(4)]
    assert all(dict(one.identifiers) == {"network": 1, "payment": 1, "tls": 1} for one in matches)
    assert all(one.templates == 1 and one.prompts == 6 and one.containment == 1.0 for one in matches)


def test_a_provider_without_the_operator_finds_nobody(shared: IndicatorSet, tmp_path: Path) -> None:
    assert matcher_over(two.write_provider(tmp_path, "west", operators=0, seed=13), shared).matches() == ()


def test_prompts_alone_find_the_template(shared: IndicatorSet, tmp_path: Path) -> None:
    south = two.write_provider(tmp_path, "south", operators=2, seed=14)
    only = replace(shared, identifiers=())
    assert [(one.account_id, one.identifiers) for one in matcher_over(south, only).matches()] == [
        ("south-op-0", ()), ("south-op-1", ()),
    ]  # fmt: skip


def test_another_key_an_expired_set_and_one_given_twice_are_refused(shared: IndicatorSet) -> None:
    with pytest.raises(IndicatorKeyError, match="nothing could match"):
        Matcher([shared], IndicatorKey(secret=bytes(32)), NOW)
    with pytest.raises(IndicatorError, match="have expired"):
        Matcher([shared], KEY, NOW + 91 * MICROSECONDS_PER_DAY)
    with pytest.raises(IndicatorError, match="2 times"):
        Matcher([shared, shared], KEY, NOW)


def _without(path: str) -> Callable[[dict[str, object]], None]:
    def change(fields: dict[str, object]) -> None:
        del fields[path]

    return change


def _with(path: str, value: object) -> Callable[[dict[str, object]], None]:
    def change(fields: dict[str, object]) -> None:
        fields[path] = value

    return change


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (_without("key_id"), "'key_id' is missing"),
        (_with("id", "i-../../etc/passwd"), "'id' is of another form"),
        (_with("producer", "evil\x1b[2J"), "'producer' is of another form"),
        (_with("producer", "x" * 300), "'producer' is of another form"),
        (_with("finding", "victim"), "'finding' is of another form"),
        (_with("accounts", -1), "'accounts' is of another form"),
        (_with("accounts", True), "'accounts' is of another form"),
        (_with("techniques", ["AML.T1'; drop"]), "'technique' is of another form"),
        (_with("identifiers", [{"kind": "payment", "digest": "pm_1", "carriers": 2}]), "'digest' is of another form"),
        (_with("identifiers", ["x"]), "expected an object"),
        (_with("templates", [{"values": ["00" * 8] * 9, "shingles": 9, "exhibits": 2}]), "ascending, each once"),
    ],
)
def test_a_hostile_field_is_named_and_refused(
    shared: IndicatorSet, change: Callable[[dict[str, object]], None], says: str
) -> None:
    document = json.loads(set_document(shared))
    change(document["indicators"])
    with pytest.raises(IndicatorFileError, match=says):
        read_set_document(document, "file")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"\xff",
        b'{"a":NaN}',
        b'{"a":1,"a":2}',
        b'{"a":' * 3000 + b"1" + b"}" * 3000,
        b'{"type":"bundle"}',
        b'{"Event":[]}',
    ],
)
def test_hostile_bytes_are_refused(content: bytes) -> None:
    def read() -> IndicatorSet:
        document = read_json_document(content, "file")
        return (read_stix_bundle if "type" in document else read_misp_event)(document, "file")

    with pytest.raises(IndicatorFileError):
        read()


def test_depth_is_bounded_even_where_the_reader_is_not() -> None:
    with pytest.raises(IndicatorFileError, match="nested deeper than 32"):
        read_json_document(b'{"a":' + b"[" * 40 + b"]" * 40 + b"}", "file")


def test_a_pattern_that_says_something_else_than_the_extension_is_refused(shared: IndicatorSet) -> None:
    document = json.loads(stix_bundle(shared))
    sign = next(one for one in document["objects"] if one["type"] == "indicator" and one["pattern_type"] == "stix")
    sign["pattern"] = sign["pattern"].replace(sign["extensions"][EXTENSION_ID]["digest"], "0" * 64)
    with pytest.raises(IndicatorFileError, match="say different things"):
        read_stix_bundle(document, "file")


def test_stix_of_others_is_refused_in_words() -> None:
    identity = stix2.Identity(name="x", identity_class="organization")
    with pytest.raises(IndicatorFileError, match="0 campaigns with the extension"):
        read_stix_bundle(json.loads(stix2.Bundle(identity).serialize()), "file")
