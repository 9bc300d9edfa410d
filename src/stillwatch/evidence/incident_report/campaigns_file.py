"""campaigns.json: campaigns as plain dictionaries, and back.

Takes campaigns. Gives a document of the layout `{"version", "fdr", "campaigns", "considered"}` in which a record is an
object with its field names, a tuple is a list, an enum is its word, and each time stands twice: `*_us` as integer
microseconds and `*` as ISO 8601 in UTC. An infinite number, which JSON does not have, is the string `"inf"` or `"-inf"`.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from stillwatch.evidence.errors import CampaignsFileError
from stillwatch.records.campaign import Campaign, Exhibit, Explanation, Finding, Link
from stillwatch.records.claim import Claim, Inconclusive, Question

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignsFile:
    """What campaigns.json holds."""

    version: str
    fdr: float
    campaigns: tuple[Campaign, ...]
    considered: tuple[Campaign, ...]


def campaigns_document(
    *, version: str, fdr: float, campaigns: Sequence[Campaign], considered: Sequence[Campaign]
) -> dict[str, Any]:
    """Give the document of campaigns.json.

    Args:
        version: version of stillwatch.
        fdr: promised false-discovery rate, in (0, 1).
        campaigns: flagged campaigns.
        considered: candidates that were not flagged.

    Returns:
        A document of dictionaries, lists, strings, numbers, booleans and nulls only.
    """
    return {
        "version": version,
        "fdr": fdr,
        "campaigns": [_plain(campaign) for campaign in campaigns],
        "considered": [_plain(campaign) for campaign in considered],
    }


def read_campaigns_document(document: Mapping[str, Any], where: str) -> CampaignsFile:
    """Read the document of campaigns.json.

    Args:
        document: the parsed JSON.
        where: path of the file, for the message.

    Returns:
        The campaigns, equal to those that were written.

    Raises:
        CampaignsFileError: where a field is missing or of another kind.
    """
    try:
        return CampaignsFile(
            version=str(document["version"]),
            fdr=float(document["fdr"]),
            campaigns=tuple(_campaign(fields) for fields in document["campaigns"]),
            considered=tuple(_campaign(fields) for fields in document["considered"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise CampaignsFileError(
            f"{where} is not a campaigns file of this version: expected the layout that `stillwatch detect` writes, "
            f"got {type(error).__name__} at {_field_of(error)}. Run `stillwatch detect` again into a fresh folder."
        ) from error


def iso_time(time_us: int) -> str:
    """Give a time in ISO 8601.

    Args:
        time_us: microseconds since the epoch, UTC.

    Returns:
        For example `2026-05-01T12:00:00Z`; with six decimals where there is a fraction of a second; the bare number
        where the calendar does not reach.
    """
    try:
        time = EPOCH + timedelta(microseconds=time_us)
    except OverflowError:
        return str(time_us)
    return time.isoformat(timespec="microseconds" if time_us % 1_000_000 else "seconds").replace("+00:00", "Z")


def _plain(value: Any) -> Any:
    """Give a record as JSON has it."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        plain: dict[str, Any] = {}
        for field in dataclasses.fields(value):
            plain[field.name] = _plain(getattr(value, field.name))
            if field.name.endswith("_us"):
                plain[field.name.removesuffix("_us")] = iso_time(getattr(value, field.name))
        return plain
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and math.isinf(value):
        return "inf" if value > 0 else "-inf"
    return value


def _campaign(fields: Mapping[str, Any]) -> Campaign:
    """Build a campaign from its object."""
    return Campaign(
        **_known(Campaign, fields)
        | {
            "finding": Finding(fields["finding"]),
            "members": tuple(fields["members"]),
            "log_e": float(fields["log_e"]),
            "claims": tuple(_claim(claim) for claim in fields["claims"]),
            "inconclusive": tuple(
                Inconclusive(**_known(Inconclusive, item) | {"question": Question(item["question"])})
                for item in fields["inconclusive"]
            ),
            "explanations": tuple(
                Explanation(
                    **_known(Explanation, item) | {"log_e": float(item["log_e"]), "against": tuple(item["against"])}
                )
                for item in fields["explanations"]
            ),
            "exhibits": tuple(Exhibit(**_known(Exhibit, item)) for item in fields["exhibits"]),
            "links": tuple(
                Link(**_known(Link, item) | {"carriers": tuple(item["carriers"])}) for item in fields["links"]
            ),
            "timeline": tuple((int(day), int(count)) for day, count in fields["timeline"]),
            "models": tuple((str(model), int(count)) for model, count in fields["models"]),
        }
    )


def _claim(fields: Mapping[str, Any]) -> Claim:
    """Build a claim from its object."""
    return Claim(
        **_known(Claim, fields)
        | {
            "question": Question(fields["question"]),
            "log_p": None if fields["log_p"] is None else float(fields["log_p"]),
            "log_e": float(fields["log_e"]),
            "assumptions": tuple(fields["assumptions"]),
        }
    )


def _known(kind: type[Any], fields: Mapping[str, Any]) -> dict[str, Any]:
    """Keep the record's own fields; the readable times beside the integers are dropped."""
    return {field.name: fields[field.name] for field in dataclasses.fields(kind)}


def _field_of(error: Exception) -> str:
    """Name the field a lookup failed at, never a value."""
    return f"field {error.args[0]!r}" if isinstance(error, KeyError) and error.args else "a field of another kind"
