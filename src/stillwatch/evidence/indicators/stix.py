"""STIX 2.1: an indicator set as a bundle, and back (OASIS Standard, 10 June 2021).

Takes an `IndicatorSet`. Gives a bundle of identity, marking, techniques, campaign, indicators and relationships, made and validated
by the library `stix2`. What STIX has no field for stands in one property extension (section 7.3), defined in the bundle itself.
Identifiers are patterns on properties of ours (`x_...`); a template is an indicator of pattern type
`stillwatch-keyed-minhash`, which section 4.7 leaves open.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid5

from stillwatch.evidence.errors import MissingLibraryError
from stillwatch.evidence.indicators.documents import checked_set
from stillwatch.evidence.indicators.errors import IndicatorFileError
from stillwatch.evidence.indicators.techniques import NAMESPACE, TECHNIQUES, technique_stix_id, technique_url
from stillwatch.integrity.canonical import canonical_bytes
from stillwatch.records.indicator import IdentifierIndicator, IdentifierKind, IndicatorSet, TemplateIndicator

EXTENSION_ID = f"extension-definition--{uuid5(NAMESPACE, 'extension/v1')}"
TEMPLATE_PATTERN = "stillwatch-keyed-minhash"
_STIX_OBJECTS = {
    IdentifierKind.PAYMENT: "user-account:x_payment_hmac_sha256",
    IdentifierKind.ORGANIZATION: "user-account:x_organization_hmac_sha256",
    IdentifierKind.EMAIL_DOMAIN: "user-account:x_email_domain_hmac_sha256",
    IdentifierKind.TLS: "network-traffic:x_tls_hmac_sha256",
    IdentifierKind.USER_AGENT: "network-traffic:x_user_agent_hmac_sha256",
    IdentifierKind.NETWORK: "network-traffic:x_network_hmac_sha256",
    IdentifierKind.IP: "network-traffic:x_address_hmac_sha256",
}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CAMPAIGN_FIELDS = (
    "finding",
    "techniques",
    "capability",
    "accounts",
    "exchanges",
    "traffic_light",
    "key_id",
    "producer",
)
_TIMES = ("first_seen_us", "last_seen_us", "made_us", "valid_until_us")


def stix_bundle(indicators: IndicatorSet) -> str:
    """Return a set as a STIX 2.1 bundle.

    Args:
        indicators: what is shared.

    Returns:
        JSON text; the same set gives the same text.

    Raises:
        MissingLibraryError: where `stix2` is not installed.
    """
    stix2 = _library()
    made = _time(indicators.made_us)
    identity = stix2.Identity(
        id=_id("identity", indicators.producer),
        created=made,
        modified=made,
        name=indicators.producer,
        identity_class="organization",
    )
    marking = {
        "red": stix2.TLP_RED,
        "amber": stix2.TLP_AMBER,
        "green": stix2.TLP_GREEN,
        "white": stix2.TLP_WHITE,
    }[indicators.traffic_light]
    shared = {"created": made, "modified": made, "created_by_ref": identity.id, "object_marking_refs": [marking.id]}
    techniques = [_technique(stix2, one, made) for one in indicators.techniques]
    campaign = _campaign(stix2, indicators, shared)
    signs = [_identifier(stix2, indicators, one, shared) for one in indicators.identifiers]
    signs += [_template(stix2, indicators, one, shared) for one in indicators.templates]
    relations = [_relation(stix2, campaign.id, "uses", technique.id, shared) for technique in techniques] + [
        _relation(stix2, sign.id, "indicates", campaign.id, shared) for sign in signs
    ]
    extension = stix2.ExtensionDefinition(
        id=EXTENSION_ID,
        created_by_ref=identity.id,
        created=made,
        modified=made,
        name="AI capability extraction, keyed",
        description="Counts of a campaign, and keyed digests (HMAC-SHA-256) that partners with the same key can compare.",
        schema="tag:stillwatch,2026:indicators/v1",
        version="1.0.0",
        extension_types=["property-extension"],
        object_marking_refs=[marking.id],
    )
    objects = [identity, marking, extension, *techniques, campaign, *signs, *relations]
    bundle = stix2.Bundle(id=_id("bundle", indicators.id, str(indicators.made_us)), objects=objects, allow_custom=False)
    return str(bundle.serialize(indent=2, ensure_ascii=True))


def read_stix_bundle(document: Mapping[str, Any], where: str) -> IndicatorSet:
    """Read a bundle that `stix_bundle` made, at whatever partner.

    Args:
        document: the bundle's JSON.
        where: path of the file, for messages.

    Raises:
        IndicatorFileError: where it is not valid STIX 2.1, or holds not exactly one campaign with our extension.
        MissingLibraryError: where `stix2` is not installed.
    """
    stix2 = _library()
    try:
        parsed = stix2.parse(json.loads(json.dumps(document)), allow_custom=False, version="2.1")
    except (stix2.exceptions.STIXError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise IndicatorFileError(f"{where} is not valid STIX 2.1: got {type(error).__name__}") from None
    objects = json.loads(parsed.serialize()).get("objects", ())
    carried = [one for one in objects if EXTENSION_ID in one.get("extensions", {})]
    campaigns = [one for one in carried if one["type"] == "campaign"]
    if len(campaigns) != 1:
        raise IndicatorFileError(
            f"{where} holds {len(campaigns)} campaigns with the extension {EXTENSION_ID}, expected one; other STIX cannot be matched"
        )
    own = {name: value for name, value in campaigns[0]["extensions"][EXTENSION_ID].items() if name != "extension_type"}
    signs = [one for one in carried if one["type"] == "indicator"]
    for sign in signs:
        _check_pattern(sign, where)
    fields = [{**one["extensions"][EXTENSION_ID]} for one in signs]
    return checked_set(
        {
            **own,
            "id": campaigns[0]["name"],
            "identifiers": [one for one in fields if "digest" in one],
            "templates": [one for one in fields if "values" in one],
        },
        where,
    )


def _campaign(stix2: Any, indicators: IndicatorSet, shared: Mapping[str, Any]) -> Any:
    """Make the campaign object with our extension."""
    own = {name: getattr(indicators, name) for name in (*_CAMPAIGN_FIELDS, *_TIMES)}
    return stix2.Campaign(
        id=_id("campaign", indicators.id),
        name=indicators.id,
        description=f"Coordinated extraction of a model's capability: {indicators.capability}",
        first_seen=_time(indicators.first_seen_us),
        last_seen=_time(max(indicators.last_seen_us, indicators.first_seen_us)),
        extensions={
            EXTENSION_ID: {"extension_type": "property-extension", **own, "techniques": list(indicators.techniques)}
        },
        **shared,
    )


def _technique(stix2: Any, technique: str, made: str) -> Any:
    """Make the object of a technique: by id; the name is for people."""
    return stix2.AttackPattern(
        id=technique_stix_id(technique),
        created=made,
        modified=made,
        name=TECHNIQUES.get(technique, technique),
        external_references=[{"source_name": "mitre-atlas", "external_id": technique, "url": technique_url(technique)}],
    )


def _identifier(stix2: Any, indicators: IndicatorSet, one: IdentifierIndicator, shared: Mapping[str, Any]) -> Any:
    """Make the indicator of an identifier."""
    return stix2.Indicator(
        id=_id("indicator", indicators.id, one.kind.value, one.digest),
        name=f"{one.kind.value}, keyed digest",
        description=f"HMAC-SHA-256 under key {indicators.key_id} of a value that {one.carriers} accounts of the campaign carry.",
        indicator_types=["attribution"],
        pattern=_pattern(one.kind, one.digest),
        pattern_type="stix",
        pattern_version="2.1",
        valid_from=_time(indicators.made_us),
        valid_until=_time(indicators.valid_until_us),
        extensions={
            EXTENSION_ID: {
                "extension_type": "property-extension",
                "kind": one.kind.value,
                "digest": one.digest,
                "carriers": one.carriers,
            }
        },
        **shared,
    )


def _template(stix2: Any, indicators: IndicatorSet, one: TemplateIndicator, shared: Mapping[str, Any]) -> Any:
    """Make the indicator of a template."""
    return stix2.Indicator(
        id=_id("indicator", indicators.id, *one.values),
        name="prompt template, keyed MinHash",
        description=f"Smallest hashes, under key {indicators.key_id}, of the word 3-shingles that {one.exhibits} prompts share.",
        indicator_types=["malicious-activity"],
        pattern=canonical_bytes(list(one.values)).decode(),
        pattern_type=TEMPLATE_PATTERN,
        pattern_version="1",
        valid_from=_time(indicators.made_us),
        valid_until=_time(indicators.valid_until_us),
        extensions={
            EXTENSION_ID: {
                "extension_type": "property-extension",
                "values": list(one.values),
                "shingles": one.shingles,
                "exhibits": one.exhibits,
            }
        },
        **shared,
    )


def _relation(stix2: Any, source: str, kind: str, target: str, shared: Mapping[str, Any]) -> Any:
    """Make a relationship object."""
    return stix2.Relationship(
        id=_id("relationship", source, kind, target),
        source_ref=source,
        relationship_type=kind,
        target_ref=target,
        **shared,
    )


def _check_pattern(sign: Mapping[str, Any], where: str) -> None:
    """Refuse an indicator whose pattern and extension say different things: other tools read the pattern, we the extension."""
    own = sign["extensions"][EXTENSION_ID]
    try:
        expected = (
            _pattern(IdentifierKind(own["kind"]), str(own["digest"]))
            if "digest" in own
            else canonical_bytes(own["values"]).decode()
        )
    except (KeyError, ValueError) as error:
        raise IndicatorFileError(
            f"{where}: an indicator's extension lacks a field: got {type(error).__name__}"
        ) from None
    if sign["pattern"] != expected:
        raise IndicatorFileError(f"{where}: the pattern of {sign['id']} and its extension say different things")


def _pattern(kind: IdentifierKind, digest: str) -> str:
    """Return the STIX pattern of an identifier."""
    return f"[{_STIX_OBJECTS[kind]} = '{digest}']"


def _id(kind: str, *parts: str) -> str:
    """Return the id that follows from the content."""
    return f"{kind}--{uuid5(NAMESPACE, json.dumps([kind, *parts]))}"


def _time(time_us: int) -> str:
    """Return a time with milliseconds, as STIX wants `created` and `modified`."""
    try:
        time = _EPOCH + timedelta(milliseconds=time_us // 1000)
    except OverflowError:
        raise IndicatorFileError(f"got time {time_us}, expected microseconds that a calendar reaches") from None
    return time.strftime("%Y-%m-%dT%H:%M:%S.") + f"{time.microsecond // 1000:03d}Z"


def _library() -> Any:
    """Load `stix2`, which few installations need."""
    try:
        import stix2  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise MissingLibraryError("STIX needs the library stix2: pip install 'stillwatch[sharing]'") from error
    return stix2
