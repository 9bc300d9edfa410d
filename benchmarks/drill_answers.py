"""What simulated campaigns get before the alert and before the action, over seeds, beside shuffled controls.

Runs `stillwatch drill run` for each profile in this process: a simulated world goes through a live gateway on loopback, with detection, decision,
approval and bundle between the days. Seeds begin at a number that no development run used.

    python -m benchmarks.drill_answers --seeds 20 --out build/benchmarks/drill_answers.json
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.invocation import machine

from stillwatch import __version__, governance
from stillwatch.cli.drill_campaign import PROFILES, CampaignDrill, run_campaign
from stillwatch.cli.terms_files import read_terms_file
from stillwatch.governance.drill_campaign import campaign_claim, campaign_figures, campaign_state
from stillwatch.records.progress import Silent

FIRST_SEED = 1_001


def measure(profile: str, seeds: int, drill: CampaignDrill) -> dict[str, Any]:
    """Run one profile."""
    terms = read_terms_file(Path(governance.__path__[0]) / "drill_terms.yaml").terms
    outcomes = []
    for seed in range(FIRST_SEED, FIRST_SEED + seeds):
        with tempfile.TemporaryDirectory(prefix="drill-answers-") as folder:
            outcomes.append(run_campaign(drill, seed, terms, Path(folder), Silent()))
        print(f"{profile} {outcomes[-1]}", file=sys.stderr, flush=True)
    state, why = campaign_state(outcomes)
    claim = campaign_claim(outcomes, profile)
    return {
        "profile": profile,
        "settings": {name: getattr(drill, name) for name in CampaignDrill.__slots__},
        "first_seed": FIRST_SEED,
        "state": state.value,
        "why": why,
        "claim": {name: getattr(claim, name) for name in type(claim).__slots__},
        **campaign_figures(outcomes),
        "seconds": sum(one.seconds for one in outcomes),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="What simulated campaigns get before they are stopped.")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--profiles", nargs="+", default=list(PROFILES), choices=list(PROFILES))
    parser.add_argument("--requests", type=int, default=CampaignDrill().requests)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args(arguments)
    found: dict[str, Any] = {
        "benchmark": "drill_answers",
        "version": __version__,
        "machine": asdict(machine()),
        "date": datetime.now(UTC).date().isoformat(),
        "seeds": given.seeds,
        "first_seed": FIRST_SEED,
        "profiles": [],
    }
    for profile in given.profiles:
        found["profiles"].append(measure(profile, given.seeds, CampaignDrill(profile=profile, requests=given.requests)))
        if given.out is not None:  # after each profile, so that a long run that is ended has not been for nothing
            given.out.parent.mkdir(parents=True, exist_ok=True)
            given.out.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(found, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
