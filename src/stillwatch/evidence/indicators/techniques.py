"""Techniques of MITRE ATLAS by their ids. Names are for people; later versions of ATLAS rename techniques and keep the ids."""

from __future__ import annotations

from uuid import NAMESPACE_URL, UUID, uuid5

NAMESPACE: UUID = uuid5(NAMESPACE_URL, "tag:stillwatch,2026:indicators/v1")
"""All our STIX and MISP ids are version 5 UUIDs below it: the same content has the same ids at every export."""

TECHNIQUES = {
    "AML.T0008.005": "AI Service Proxies",
    "AML.T0021": "Establish Accounts",
    "AML.T0024.002": "Extract AI Model",
    "AML.T0040": "AI Model Inference API Access",
    "AML.T0065": "LLM Prompt Crafting",
}
_STIX_IDS = {
    "AML.T0008.005": "attack-pattern--647ac4ac-b2bc-53f7-ab83-81f421a1f0b5",
    "AML.T0024.002": "attack-pattern--3f567912-629a-5e0b-ab0c-0102977c2d6c",
}
"""Ids of ATLAS' own STIX bundle, as far as they are known here."""


def technique_url(technique: str) -> str:
    """Return the page of a technique.

    Args:
        technique: id such as `AML.T0024.002`.
    """
    return f"https://atlas.mitre.org/techniques/{technique}"


def technique_stix_id(technique: str) -> str:
    """Return the STIX id of a technique: that of ATLAS where it is known, else one derived from the technique's id.

    Args:
        technique: id such as `AML.T0024.002`.
    """
    return _STIX_IDS.get(technique, f"attack-pattern--{uuid5(NAMESPACE, technique)}")
