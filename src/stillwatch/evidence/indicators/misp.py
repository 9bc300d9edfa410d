"""MISP: an indicator set as an event, and back (MISP core format, draft-18).

Takes an `IndicatorSet`. Gives an event of objects of our own template `ai-capability-extraction`, which ships beside this file for a
MISP server's `objects` folder. Digests are attributes of the type `anonymised`, the one that MISP keeps for values that were made
unreadable; they correlate between events, and `to_ids` stays off, since no sensor can compute them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid5

from stillwatch.evidence.indicators.documents import checked_set, read_json_document
from stillwatch.evidence.indicators.errors import IndicatorFileError
from stillwatch.evidence.indicators.techniques import NAMESPACE
from stillwatch.records.indicator import IndicatorSet

TEMPLATE_UUID = str(uuid5(NAMESPACE, "misp-object/ai-capability-extraction"))
TEMPLATE_VERSION = "1"
TEMPLATE_NAME = "ai-capability-extraction"
_COUNTS = ("accounts", "exchanges")
_TIMES = ("first_seen_us", "last_seen_us", "made_us", "valid_until_us")
_WORDS = ("id", "key_id", "producer", "finding", "capability", "traffic_light")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DISTRIBUTION = "0"
"""Your organisation only; whoever imports decides anew."""


def misp_event(indicators: IndicatorSet) -> str:
    """Return a set as a MISP event.

    Args:
        indicators: what is shared.

    Returns:
        JSON text with one `Event`; the same set gives the same text.
    """
    event = {
        "uuid": _uuid(indicators.id, str(indicators.made_us)),
        "info": f"AI capability extraction {indicators.id}",
        "date": _date(indicators.made_us),
        "timestamp": str(indicators.made_us // 1_000_000),
        "threat_level_id": "2",
        "analysis": "1",
        "distribution": _DISTRIBUTION,
        "published": False,
        "Orgc": {"name": indicators.producer, "uuid": _uuid("organisation", indicators.producer)},
        "Tag": [
            {"name": f"tlp:{indicators.traffic_light}"},
            *({"name": f'mitre-atlas:technique="{technique}"'} for technique in indicators.techniques),
        ],
        "Object": [_campaign_object(indicators), *_identifier_objects(indicators), *_template_objects(indicators)],
    }
    return json.dumps({"Event": event}, indent=2, ensure_ascii=True)


def read_misp_event(document: Mapping[str, Any], where: str) -> IndicatorSet:
    """Read an event that `misp_event` made, as a file or from a server.

    Args:
        document: JSON with the event, bare or in `Event`.
        where: path of the file, for messages.

    Raises:
        IndicatorFileError: where it holds not exactly one campaign of our template, or a field of another form.
    """
    event = document.get("Event", document)
    objects = event.get("Object", ()) if isinstance(event, Mapping) else ()
    own = [
        _values(one, where)
        for one in (objects if isinstance(objects, list) else ())
        if isinstance(one, Mapping) and one.get("template_uuid") == TEMPLATE_UUID
    ]
    campaigns = [one for one in own if "key_id" in one]
    if len(campaigns) != 1:
        raise IndicatorFileError(
            f"{where} holds {len(campaigns)} campaigns of the MISP object template {TEMPLATE_NAME} ({TEMPLATE_UUID}), expected one"
        )
    campaign = campaigns[0]
    return checked_set(
        {
            **{name: _one(campaign, name, where) for name in _WORDS},
            **{name: _number(campaign, name, where) for name in (*_COUNTS, *_TIMES)},
            "techniques": campaign.get("technique", []),
            "identifiers": [
                {
                    "kind": _one(one, "kind", where),
                    "digest": _one(one, "digest", where),
                    "carriers": _number(one, "carriers", where),
                }
                for one in own
                if "digest" in one
            ],
            "templates": [
                {
                    "values": _one(one, "values", where).split(" "),
                    "shingles": _number(one, "shingles", where),
                    "exhibits": _number(one, "exhibits", where),
                }
                for one in own
                if "values" in one
            ],
        },
        where,
    )


def object_template() -> dict[str, Any]:
    """Return the MISP object template, as it lies beside this file."""
    from importlib.resources import files  # noqa: PLC0415

    content = files("stillwatch.evidence.indicators").joinpath("misp_object_template.json").read_bytes()
    return read_json_document(content, "misp_object_template.json")


def _campaign_object(indicators: IndicatorSet) -> dict[str, Any]:
    return _object(
        indicators,
        "campaign",
        "What is shared of the campaign.",
        [
            *(_attribute(indicators, name, "text", getattr(indicators, name)) for name in _WORDS),
            *(_attribute(indicators, name, "counter", str(getattr(indicators, name))) for name in _COUNTS),
            *(_attribute(indicators, name, "counter", str(getattr(indicators, name))) for name in _TIMES),
            *(_attribute(indicators, "technique", "text", technique) for technique in indicators.techniques),
        ],
    )


def _identifier_objects(indicators: IndicatorSet) -> list[dict[str, Any]]:
    return [
        _object(
            indicators,
            one.digest,
            "An identifier that members share, as HMAC-SHA-256 under the partners' key.",
            [
                _attribute(indicators, "kind", "text", one.kind.value, one.digest),
                _attribute(indicators, "digest", "anonymised", one.digest, one.digest, correlate=True),
                _attribute(indicators, "carriers", "counter", str(one.carriers), one.digest),
            ],
        )
        for one in indicators.identifiers
    ]


def _template_objects(indicators: IndicatorSet) -> list[dict[str, Any]]:
    return [
        _object(
            indicators,
            one.values[0],
            "A prompt template, as the smallest keyed hashes of its word 3-shingles.",
            [
                _attribute(indicators, "values", "anonymised", " ".join(one.values), one.values[0]),
                _attribute(indicators, "shingles", "counter", str(one.shingles), one.values[0]),
                _attribute(indicators, "exhibits", "counter", str(one.exhibits), one.values[0]),
            ],
        )
        for one in indicators.templates
    ]


def _object(indicators: IndicatorSet, part: str, about: str, attributes: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "uuid": _uuid(indicators.id, "object", part),
        "name": TEMPLATE_NAME,
        "meta-category": "misc",
        "description": about,
        "template_uuid": TEMPLATE_UUID,
        "template_version": TEMPLATE_VERSION,
        "distribution": "5",
        "timestamp": str(indicators.made_us // 1_000_000),
        "Attribute": attributes,
    }


def _attribute(
    indicators: IndicatorSet, relation: str, kind: str, value: str, part: str = "campaign", *, correlate: bool = False
) -> dict[str, Any]:
    return {
        "uuid": _uuid(indicators.id, "attribute", part, relation, value),
        "object_relation": relation,
        "type": kind,
        "category": "Other",
        "value": value,
        "to_ids": False,
        "disable_correlation": not correlate,
        "distribution": "5",
        "timestamp": str(indicators.made_us // 1_000_000),
    }


def _values(one: Mapping[str, Any], where: str) -> dict[str, list[str]]:
    """Return the values of an object by their relation."""
    found: dict[str, list[str]] = {}
    attributes = one.get("Attribute", ())
    for attribute in attributes if isinstance(attributes, list) else ():
        relation = attribute.get("object_relation") if isinstance(attribute, Mapping) else None
        value = attribute.get("value") if isinstance(attribute, Mapping) else None
        if not isinstance(relation, str) or not isinstance(value, str):
            raise IndicatorFileError(f"{where}: an attribute has no text for `object_relation` or `value`")
        found.setdefault(relation, []).append(value)
    return found


def _one(values: Mapping[str, list[str]], name: str, where: str) -> str:
    if len(values.get(name, ())) != 1:
        raise IndicatorFileError(
            f"{where}: attribute {name!r} stands {len(values.get(name, ()))} times in an object, expected once"
        )
    return values[name][0]


def _number(values: Mapping[str, list[str]], name: str, where: str) -> int:
    text = _one(values, name, where)
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise IndicatorFileError(f"{where}: attribute {name!r} is of another form, expected a whole number")
    return int(text)


def _uuid(*parts: str) -> str:
    return str(uuid5(NAMESPACE, json.dumps(["misp", *parts])))


def _date(time_us: int) -> str:
    return (_EPOCH + timedelta(microseconds=time_us)).date().isoformat()
