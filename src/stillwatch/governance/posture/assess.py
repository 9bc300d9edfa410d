"""Assessment: each control's checks and attestations become one of four words.

Takes controls, evidence and attestations. Gives where each control stands. The rule, in order: a check that fails makes the control fail, whatever
anybody says; all checks hold, and it passes; somebody answers for it today, and it is attested; otherwise it is not covered. The words are
counted and never weighed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from stillwatch.governance.posture.checking import CHECKS
from stillwatch.governance.posture.control import Attestation, Control, Measurement, Outcome, Standing, State
from stillwatch.governance.posture.evidence import Evidence, day_of

FORMAT = "stillwatch-posture/v1"


def assess(
    controls: Sequence[Control], evidence: Evidence, attestations: Sequence[Attestation] = ()
) -> tuple[Standing, ...]:
    """Say where each control stands.

    Args:
        controls: in the order of the answer.
        evidence: of one moment.
        attestations: of which those that are in force at that moment count.
    """
    needed = dict.fromkeys(name for one in controls for name in one.checks)
    measured = {name: _measure(name, evidence) for name in needed}
    return tuple(_stand(one, measured, evidence, attestations) for one in controls)


def _measure(name: str, evidence: Evidence) -> Measurement:
    """Run a check; a record that is not what its kind says covers nothing."""
    try:
        return CHECKS[name](evidence)
    # Whoever may append can append any record under any kind, and one such record must not hide where all other controls stand.
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        return Measurement(
            outcome=Outcome.NOT_COVERED,
            why=f"an entry that it reads holds a record of another form ({type(error).__name__}); look for who appended it",
        )


def _stand(
    control: Control, measured: Mapping[str, Measurement], evidence: Evidence, attestations: Sequence[Attestation]
) -> Standing:
    parts = tuple((name, measured[name]) for name in control.checks)
    said = [one for one in attestations if one.control == control.id and one.on_us <= evidence.now_us]
    now = max((one for one in said if evidence.now_us < one.until_us), key=lambda one: one.until_us, default=None)
    outcomes = [one.outcome for _, one in parts]
    if Outcome.FAILS in outcomes:
        why = "; ".join(one.why for _, one in parts if one.outcome is Outcome.FAILS)
        return Standing(control=control, state=State.MEASURED_FAIL, why=why, parts=parts, attestation=now)
    if parts and set(outcomes) == {Outcome.HOLDS}:
        why = "; ".join(one.why for _, one in parts)
        return Standing(control=control, state=State.MEASURED_PASS, why=why, parts=parts, attestation=now)
    if now is not None:
        why = f"{now.by} answers for it until {day_of(now.until_us)}: {now.says}"
        return Standing(control=control, state=State.ATTESTED, why=why, parts=parts, attestation=now)
    why = (
        "; ".join(one.why for _, one in parts if one.outcome is Outcome.NOT_COVERED)
        or "nothing here measures it, and nobody answers for it"
    )
    if said:
        last = max(said, key=lambda one: one.until_us)
        why += f"; the attestation by {last.by} ended on {day_of(last.until_us)}"
    return Standing(control=control, state=State.NOT_COVERED, why=why, parts=parts, attestation=None)


def counts(standings: Sequence[Standing]) -> dict[str, int]:
    """Count controls by state; all four words are there."""
    return {state.value: sum(one.state is state for one in standings) for state in State}


def posture_document(standings: Sequence[Standing], evidence: Evidence) -> dict[str, Any]:
    """Give the JSON document of a posture: what is sealed, printed and compared."""
    return {
        "format": FORMAT,
        "at_us": evidence.now_us,
        "version": evidence.version,
        "ledger_entries": evidence.size,
        "counts": counts(standings),
        "controls": [_standing_document(one) for one in standings],
    }


def _standing_document(one: Standing) -> dict[str, Any]:
    said = one.attestation
    return {
        "id": one.control.id,
        "item": one.control.item,
        "catalogue": f"{one.control.source.title}, {one.control.source.version}",
        "title": one.control.title,
        "state": one.state.value,
        "why": one.why,
        "until_us": one.until_us,
        "leaves_out": one.control.leaves_out,
        "checks": [
            {"check": name, "outcome": part.outcome.value, "why": part.why, "entries": list(part.entries), "until_us": part.until_us}
            for name, part in one.parts
        ],
        "attestation": None
        if said is None
        else {"by": said.by, "on_us": said.on_us, "until_us": said.until_us, "says": said.says, "evidence": said.evidence},
    }  # fmt: skip
