"""OSCAL: the catalogue and where its controls stand, as NIST's `catalog` and `assessment-results` in JSON (OSCAL 1.2.1).

Takes controls and standings. Gives plain dictionaries. The same input gives the same bytes: every id is a UUID of version 5 over what it names.
OSCAL knows two states of a target. Only what was measured and holds is `satisfied`; everything else is `not-satisfied`, with the reason `fail` where
a check failed and `other` where the control is attested or not covered. The property `state` has our own word.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from stillwatch.governance.posture.control import Attestation, Control, Measurement, Standing, State
from stillwatch.governance.posture.evidence import Evidence
from stillwatch.integrity.canonical import canonical_bytes

OSCAL_VERSION = "1.2.1"
OWN_NAMES = "urn:stillwatch:oscal"
"""Namespace of properties that are ours."""
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, OWN_NAMES)
_DRILLS = frozenset({"campaign_drill", "spread_drill", "marking_drill", "surface_drill", "log_drill", "false_alarms"})
"""Checks that exercise something; the others read records."""


def oscal_catalog(controls: Sequence[Control], version: str) -> dict[str, Any]:
    """Give the catalogue.

    Args:
        controls: in their order; those of a source stand together.
        version: of stillwatch, which the catalogue ships with.
    """
    groups: dict[str, dict[str, Any]] = {}
    for one in controls:
        source = one.source
        group = groups.setdefault(
            source.id,
            {
                "id": f"catalogue-{source.id}",
                "title": source.title,
                "props": [_own("version", source.version), _own("licence", source.licence), _own("grade", source.grade.value)],
                **({"links": [{"href": source.url, "rel": "reference"}]} if source.url else {}),
                "controls": [],
            },
        )  # fmt: skip
        group["controls"].append(_control(one))
    digest = _digest(list(groups.values()))
    metadata = _metadata("Controls that speak of model theft", version, _EPOCH_OF_CATALOGUE)
    return {"catalog": {"uuid": _uuid("catalog", digest), "metadata": metadata, "groups": list(groups.values())}}


_EPOCH_OF_CATALOGUE = int(dt.datetime(2026, 11, 25, tzinfo=dt.UTC).timestamp()) * 1_000_000
"""When the shipped catalogue was last changed; a clock would make each export another document."""


def oscal_results(standings: Sequence[Standing], evidence: Evidence) -> dict[str, Any]:
    """Give the assessment results.

    Args:
        standings: of all controls.
        evidence: that they rest on.
    """
    digests = {one.index: one.digest for found in evidence.entries.values() for one in found}
    times = {one.index: one.time_us for found in evidence.entries.values() for one in found}
    root = _digest([[one.control.id, one.state, one.why] for one in standings] + [evidence.now_us, evidence.version])
    plan = _uuid("plan", "stillwatch posture")
    observations: dict[str, dict[str, Any]] = {}
    findings = []
    for one in standings:
        related = []
        for name, part in one.parts:
            made = _observation(name, part, evidence, digests, times)
            observations[made["uuid"]] = made
            related.append({"observation-uuid": made["uuid"]})
        if one.attestation is not None:
            made = _attested(one.attestation)
            observations[made["uuid"]] = made
            related.append({"observation-uuid": made["uuid"]})
        findings.append(_finding(one, root, related))
    result: dict[str, Any] = {
        "uuid": _uuid("result", root),
        "title": "Posture against model theft",
        "description": "Where each control stands by the entries of the ledger. States are counted and never weighed.",
        "start": _time(evidence.now_us),
        "end": _time(evidence.now_us),
        "props": [_own("ledger-entries", str(evidence.size)), _own("version", evidence.version)],
        "reviewed-controls": {"control-selections": [{"include-controls": [{"control-id": one.control.id} for one in standings]}]},
        "observations": list(observations.values()),
        "findings": findings,
    }  # fmt: skip
    if not observations:
        del result["observations"]
    return {
        "assessment-results": {
            "uuid": _uuid("assessment-results", root),
            "metadata": _metadata("Posture against model theft", evidence.version, evidence.now_us),
            "import-ap": {"href": f"#{plan}"},
            "results": [result],
            "back-matter": {
                "resources": [
                    {
                        "uuid": plan,
                        "title": "Plan of the assessment",
                        "description": "The checks that the catalogue names for each control, run over the ledger by the command `stillwatch posture`.",
                    }
                ]
            },
        }
    }  # fmt: skip


def _control(one: Control) -> dict[str, Any]:
    props: list[dict[str, str]] = [{"name": "label", "value": one.item}]
    props += [_own("level", one.level)] if one.level else []
    props += [_own("check", name) for name in one.checks]
    parts = [{"id": f"{one.id}_smt", "name": "statement", "prose": one.gist}]
    parts += (
        [{"id": f"{one.id}_gdn", "name": "guidance", "prose": f"The checks leave out: {one.leaves_out}"}]
        if one.leaves_out
        else []
    )
    return {"id": one.id, "title": one.title, "props": props, "parts": parts}  # fmt: skip


def _observation(
    name: str, part: Measurement, evidence: Evidence, digests: Mapping[int, str], times: Mapping[int, int]
) -> dict[str, Any]:
    """Give what one check found; the same for every control that names it."""
    made: dict[str, Any] = {
        "uuid": _uuid("observation", name, part.why, str(evidence.now_us)),
        "title": name.replace("_", " "),
        "description": part.why,
        "props": [_own("outcome", part.outcome.value)],
        "methods": ["TEST" if name in _DRILLS else "EXAMINE"],
        "types": ["finding"],
        "collected": _time(max((times[index] for index in part.entries if index in times), default=evidence.now_us)),
    }
    if part.entries:
        made["relevant-evidence"] = [
            {"href": f"urn:sha256:{digests[index].removeprefix('sha256:')}", "description": f"Entry {index} of the ledger, by the digest of its record."}
            for index in part.entries
            if index in digests
        ]  # fmt: skip
    if part.until_us is not None:
        made["expires"] = _time(part.until_us)
    return made


def _attested(said: Attestation) -> dict[str, Any]:
    made: dict[str, Any] = {
        "uuid": _uuid("attestation", said.control, said.by, str(said.on_us), str(said.until_us), said.says),
        "title": f"Attestation by {said.by}",
        "description": said.says,
        "methods": ["INTERVIEW"],
        "types": ["control-objective"],
        "collected": _time(said.on_us),
        "expires": _time(said.until_us),
    }
    if said.evidence:
        made["relevant-evidence"] = [{"description": said.evidence}]
    return made


def _finding(one: Standing, root: str, related: Iterable[Mapping[str, str]]) -> dict[str, Any]:
    reason = {State.MEASURED_PASS: "pass", State.MEASURED_FAIL: "fail"}.get(one.state, "other")
    made: dict[str, Any] = {
        "uuid": _uuid("finding", root, one.control.id),
        "title": f"{one.control.item}: {one.control.title}",
        "description": one.why,
        "props": [_own("state", one.state.value)],
        "target": {
            "type": "statement-id",
            "target-id": f"{one.control.id}_smt",
            "status": {"state": "satisfied" if one.state is State.MEASURED_PASS else "not-satisfied", "reason": reason},
        },
    }
    listed = list(related)
    if listed:
        made["related-observations"] = listed
    if one.control.leaves_out:
        made["remarks"] = f"The checks leave out: {one.control.leaves_out}"
    return made


def _metadata(title: str, version: str, changed_us: int) -> dict[str, Any]:
    return {"title": title, "last-modified": _time(changed_us), "version": version, "oscal-version": OSCAL_VERSION}


def _own(name: str, value: str) -> dict[str, str]:
    return {"name": name, "ns": OWN_NAMES, "value": value}


def _time(time_us: int) -> str:
    return dt.datetime.fromtimestamp(time_us // 1_000_000, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _digest(value: Any) -> str:
    return hashlib.sha256(canonical_bytes(value)).hexdigest()


def _uuid(*names: str) -> str:
    return str(uuid.uuid5(_NAMESPACE, "\n".join(names)))
