"""What the verbs of `assets` do: logs through intake, gaps beside the ledger, and records for it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from stillwatch.cli import ledger_options
from stillwatch.governance.assets.gaps import AssetGap, KnownNames, find_gaps
from stillwatch.governance.assets.register import AssetKind, AssetRegister
from stillwatch.governance.assets.seen import SeenAssets, SeenRoute
from stillwatch.governance.posture.checks.mark_keys import keys_in_use
from stillwatch.governance.posture.checks.surface_drill import is_real
from stillwatch.governance.posture.evidence import EntryKind, Evidence, RecordedEntry
from stillwatch.intake.plan import plan
from stillwatch.intake.read import read_split
from stillwatch.intake.settings import IntakeSettings
from stillwatch.intake.sources import expand_paths
from stillwatch.integrity.canonical import canonical_bytes
from stillwatch.records.ledger import NewEntry

if TYPE_CHECKING:
    from stillwatch.records.progress import Progress

COVERAGE_FORMAT = "stillwatch-log-coverage/v1"
REGISTER_FORMAT = "stillwatch-assets/v1"


def read_logs(paths: Sequence[str], log_format: str, progress: Progress) -> SeenAssets:
    """Read every line once.

    Raises:
        IntakeError: for logs that cannot be read.
    """
    planned = plan(expand_paths(list(paths)), log_format, IntakeSettings(now_us=None))
    seen = SeenAssets()
    progress.begin("reading logs", len(planned.splits))
    for split in planned.splits:
        for output in read_split(split, planned.settings):
            seen.quarantined += len(output.quarantined)
            if output.batch is not None and output.batch.num_rows:
                seen.take(output.batch)
        progress.advance(1)
    progress.end()
    return seen


def draft_register(routes: Sequence[SeenRoute]) -> str:
    """Give a register to begin with: what was seen, with what is to be filled in left empty."""
    lines = [
        "# Fill in who answers for each, which terms cover it, and by which key or canaries a copy can be told.",
        "assets:",
    ]
    for kind, names in (
        (AssetKind.MODEL, sorted({one.model for one in routes if one.model})),
        (AssetKind.ENDPOINT, sorted({one.endpoint for one in routes if one.endpoint})),
    ):
        for name in names:
            of = [one for one in routes if name == (one.model if kind is AssetKind.MODEL else one.endpoint)]
            shows = [
                word
                for word, there in (
                    ("samples", any(one.with_samples for one in of)),
                    ("reasoning", any(one.with_reasoning for one in of)),
                )
                if there
            ]
            lines += [
                f"  - kind: {kind.value}",
                f"    name: {json.dumps(name)}",  # a JSON text is a YAML text, whatever a client put into its name
                '    owner: ""',
                "    terms: []",
                "    marks: []",
                f"    shows: [{', '.join(shows)}]",
            ]  # fmt: skip
    return "\n".join(lines) + "\n"


_NEEDED_OF_ROUTES = {"model", "endpoint", "exchanges", "with_reasoning", "with_samples"}


def _shown(surface: RecordedEntry) -> dict[str, Any]:
    """Give what a drill was shown, by route; what is of another form is left out."""
    routes = surface.part("figures").get("routes")
    return {route: said for route, said in routes.items() if isinstance(said, dict)} if isinstance(routes, dict) else {}


def gaps_of(register: AssetRegister, evidence: Evidence | None) -> tuple[AssetGap, ...]:
    """List the gaps, beside the newest measurement of logs and the newest drill of a real endpoint's surface."""
    if evidence is None:
        return find_gaps(register)
    coverage = evidence.newest(EntryKind.LOG_COVERAGE)
    surface = next((one for one in evidence.of_drill("surface") if is_real(one)), None)
    return find_gaps(
        register,
        None if coverage is None else [one for one in coverage.rows("routes") if set(one) >= _NEEDED_OF_ROUTES],
        None if surface is None else _shown(surface),
        KnownNames(
            terms=frozenset(str(one.record.get("terms")) for one in evidence.of(EntryKind.TERMS_ADDED)),
            keys=frozenset(str(one.record.get("handle")) for one in keys_in_use(evidence)),
        ),
    )


def register_record(register: AssetRegister, gaps: Sequence[AssetGap]) -> dict[str, Any]:
    """Give the ledger's record of a register."""
    return {
        "format": REGISTER_FORMAT,
        "assets": [asdict(one) for one in register.assets],
        "routes": sorted([one.kind.value, one.name] for one in register.assets if one.kind in {AssetKind.MODEL, AssetKind.ENDPOINT}),
        "retention_days": register.retention_days,
        "attribution_floor": register.attribution_floor,
        "gaps": [asdict(one) for one in gaps],
    }  # fmt: skip


def append(ledger: str, actor: str, kind: str, record: dict[str, Any]) -> int:
    """Keep a record in the ledger.

    Args:
        ledger: its URL.
        actor: who answers for it.
        kind: name of an `EntryKind`.
        record: what to keep.

    Raises:
        AccessError: where no role of the actor allows it.
    """
    with ledger_options.open_for(ledger, actor, "APPEND") as (_, access):
        entry = NewEntry(kind=EntryKind[kind].value, actor=actor, record=canonical_bytes(record))
        return access.append(actor, [entry])[0]
