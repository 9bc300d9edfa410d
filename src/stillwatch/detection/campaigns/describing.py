"""What a reader needs beside the claims: links, exhibits, capability, volume and days of a candidate.

Takes a tested candidate. Gives the descriptive fields of `Campaign`. Nothing here decides anything.
"""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt

from stillwatch.detection.campaigns.candidate import Candidate
from stillwatch.detection.links.kinds import Kind
from stillwatch.records.campaign import Exhibit, Link
from stillwatch.records.sketch import EXTRACTION_SIGNS, Intent

MOST_LINKS = 24
MOST_CARRIERS = 60
MOST_EXHIBITS = 12

CAPABILITIES = (
    (Intent.REASONING_TRACE | Intent.THINKING_LANGUAGE, "reasoning traces"),
    (Intent.CLEANING, "cleaned traces and answers"),
    (Intent.GRADING, "grading and reward judgements"),
    (Intent.TOOL_TRAJECTORY, "tool use and agent trajectories"),
    (Intent.TASK_SYNTHESIS, "task and data synthesis"),
    (Intent.PROBING, "probing of safeguards"),
    (Intent.CODE, "coding"),
    (Intent.MATHEMATICS, "mathematics"),
    (Intent.REASONING | Intent.EXEMPLARS, "worked reasoning"),
)


def capability(candidate: Candidate) -> str:
    """Name the capabilities that at least a third of the harvest asks for, most frequent first."""
    intent = candidate.study.column("intent").values[candidate.rows[candidate.harvest]]
    if not len(intent):
        return "not known (no prompt text)"
    rates = [(float(((intent & int(signs)) != 0).mean()), title) for signs, title in CAPABILITIES]
    named = [f"{title} ({rate:.0%})" for rate, title in sorted(rates, key=lambda pair: -pair[0]) if rate >= 1.0 / 3.0]
    return ", ".join(named[:3]) or "broad instruction following"


def links(candidate: Candidate) -> tuple[Link, ...]:
    """Return the rare values that members share, heaviest first: at most four of a kind."""
    table = candidate.table
    places, shared = np.unique(table.held_by(candidate.members)[1], return_counts=True)
    degrees, rarity = table.degrees[places], table.rarity[places]
    enough = shared >= 2
    places, shared, degrees, rarity = places[enough], shared[enough], degrees[enough], rarity[enough]
    # Spans and bands of one text are many values; the widest stand for it.
    weight = rarity * np.log1p(shared) * (shared / degrees)
    order = np.lexsort((table.values[places], table.kinds[places], -weight))
    chosen: list[Link] = []
    per_kind: dict[int, int] = {}
    seen: set[tuple[int, bytes]] = set()
    for position in order:
        place = int(places[position])
        kind = int(table.kinds[place])
        carriers = np.intersect1d(table.carriers_of(place), candidate.members, assume_unique=True)
        same = (kind, carriers.tobytes())
        if per_kind.get(kind, 0) >= 4 or same in seen:
            continue
        seen.add(same)
        per_kind[kind] = per_kind.get(kind, 0) + 1
        chosen.append(
            Link(
                kind=Kind(kind).title,
                value=f"{int(table.values[place]) & 0xFFFFFFFFFFFFFFFF:016x}"[:12],
                members=int(shared[position]),
                accounts=int(degrees[position]),
                rarity=round(float(rarity[position]), 6),
                carriers=tuple(sorted(candidate.accounts.ids[number] for number in carriers))[:MOST_CARRIERS],
            )
        )
        if len(chosen) == MOST_LINKS:
            break
    return tuple(chosen)


def exhibits(candidate: Candidate, files: tuple[str, ...]) -> tuple[Exhibit, ...]:
    """Choose exchanges that show the harvest: with signs first, one per member, by delivery hash."""
    study, rows = candidate.study, candidate.rows[candidate.harvest]
    if not len(rows):
        return ()
    signs = _signs(candidate, rows)
    delivery = study.column("delivery").values[rows]
    order = np.lexsort((delivery, -signs))
    shown: list[int] = []
    seen: set[int] = set()
    for position in order:
        owner = int(study.numbers[rows[position]])
        if owner in seen and len(seen) < min(MOST_EXHIBITS, len(candidate.members)):
            continue
        seen.add(owner)
        shown.append(int(rows[position]))
        if len(shown) == MOST_EXHIBITS:
            break
    chosen = np.array(shown)
    ids = study.text("exchange_id", chosen)
    claim = "elicitation" if signs.any() else "sharding without replacement"
    return tuple(
        Exhibit(
            claim=claim,
            account_id=candidate.accounts.ids[int(study.numbers[row])],
            exchange_id=exchange_id,
            time_us=int(study.column("time_us").values[row]),
            source_file=files[int(study.column("source_no").values[row])],
            source_offset=int(study.column("source_offset").values[row]),
            source_length=int(study.column("source_length").values[row]),
        )
        for row, exchange_id in zip(shown, ids, strict=True)
    )


def campaign_id(member_ids: tuple[str, ...]) -> str:
    """Return `c-` and 12 hex digits: the digest of the sorted members."""
    return "c-" + hashlib.blake2b("\n".join(member_ids).encode(), digest_size=6).hexdigest()


def _signs(candidate: Candidate, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    found: npt.NDArray[np.int64] = (
        (candidate.study.column("intent").values[rows] & int(EXTRACTION_SIGNS)) != 0
    ).astype(np.int64)
    return found
