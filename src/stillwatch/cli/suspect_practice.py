"""A suspect to practise on: challenges, the recorded answers of a model that learnt some keyed answers, and a draft of a plan.

The keyed answers were drawn after the slots were committed to; the practised suspect knows a share of them and guesses the rest.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from stillwatch.cli.ledger_options import write_out
from stillwatch.integrity.canonical import canonical_bytes
from stillwatch.integrity.challenges import commit_slots, commit_targets, material_of
from stillwatch.records.challenge import ChallengeMaterial, ChallengeSlot

ANSWERS = (
    "amber", "azure", "beige", "black", "bronze", "coral", "crimson", "gold", "green", "grey", "indigo", "ivory",
    "lilac", "olive", "scarlet", "silver",
)  # fmt: skip
THINGS = ("door", "boat", "cup", "kite", "coat", "lamp", "bench", "bicycle", "flag", "book")
PLACES = ("by the harbour", "in the old town", "next to the school", "behind the mill")
DRAFT = """\
# A plan's draft: what a person decides before anybody is asked. `stillwatch suspect plan` fixes it.
suspect: practice suspect
purpose: Practice on recorded answers; nobody is asked.
decided_by: bob
parties:
  - name: suspect
    kind: recorded
    settings: {file: suspect.jsonl}
  - name: stranger
    kind: recorded
    settings: {file: stranger.jsonl}
    role: negative
    included_because: made before the keyed answers were drawn
materials:
  challenges: challenges.json
tests:
  - id: t3
    method: committed-challenges/v1
    parameters: {material: challenges, question: trained on our outputs}
    materials: [challenges]
alpha: 0.05
budget: {requests: 200, seconds: 600}
seed: 7
"""


def write_practice(out: Path, seed: int, known: float) -> tuple[Path, ...]:
    """Write the files.

    Args:
        out: an existing folder.
        seed: of everything that is drawn.
        known: share of the keyed answers that the suspect knows, in [0, 1].

    Returns:
        What was written.

    Raises:
        OutputError: where a file cannot be written.
    """
    rng = np.random.default_rng(seed)
    slots = tuple(
        ChallengeSlot(slot_id=f"s{number:02d}", context=f"Which colour has the {thing} {place}?", answers=ANSWERS)
        for number, (thing, place) in enumerate((thing, place) for place in PLACES for thing in THINGS)
    )
    key = rng.bytes(32)
    commitment = commit_slots("practice", slots, key, counter_arms=3)
    material = material_of(commitment, commit_targets(commitment, slots, key, audience=""), slots, key)
    files = {
        "draft.yaml": DRAFT.encode(),
        "challenges.json": canonical_bytes(material),
        "suspect.jsonl": _answers(material, rng, known),
        "stranger.jsonl": _answers(material, rng, 0.0),
    }
    for name, content in files.items():
        write_out(out / name, content)
    return tuple(out / name for name in files)


def _answers(material: ChallengeMaterial, rng: np.random.Generator, known: float) -> bytes:
    """Write the answers of a model that knows a share of the targets."""
    lines = []
    for place, slot in enumerate(material.slots):
        target = material.target(place, 0)
        chosen = target if rng.random() < known else int(rng.integers(len(slot.answers)))
        lines.append(json.dumps({"prompt": slot.context, "answers": [f"I think that it is {slot.answers[chosen]}."]}))
    return ("\n".join(lines) + "\n").encode()
