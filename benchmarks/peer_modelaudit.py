"""Run `knowlyr-modelaudit` with its own functions and thresholds on given answers, in an environment of its own.

Takes a JSON document on standard input: `answers` (model -> list of texts, all to the same prompts), `pairs` (list of two models) and `modes`. Gives on
standard output, for each mode, a list of [similarity, derived] in the order of the pairs. It imports nothing of stillwatch; its own network
queries are left out, since the answers are there.

    PEER/bin/python benchmarks/peer_modelaudit.py < comparisons.json
"""

from __future__ import annotations

import json
import sys

from modelaudit.methods import dli, llmmap
from modelaudit.models import Fingerprint


def fingerprints(answers: dict[str, list[str]]) -> dict[str, dict[str, Fingerprint]]:
    """Give for each mode the fingerprint of each model, made as `get_fingerprint` makes it after its queries."""
    made: dict[str, dict[str, Fingerprint]] = {"llmmap": {}, "dli": {}}
    for model, texts in answers.items():
        vector = llmmap._compute_fingerprint_vector([llmmap._extract_response_features(text) for text in texts])  # noqa: SLF001
        signature = dli._extract_behavior_signature(texts)  # noqa: SLF001
        for mode, data in (("llmmap", {"vector": vector}), ("dli", {"signature": signature})):
            made[mode][model] = Fingerprint(model_id=model, method=mode, fingerprint_type="blackbox", data=data)
    return made


def main() -> int:
    """Compare every pair in both modes."""
    asked = json.load(sys.stdin)
    made = fingerprints(asked["answers"])
    modes = {"llmmap": llmmap.LLMmapFingerprinter(), "dli": dli.DLIFingerprinter()}
    found: dict[str, list[tuple[float, bool]]] = {mode: [] for mode in asked["modes"]}
    for mode in asked["modes"]:
        for first, second in asked["pairs"]:
            result = modes[mode].compare(made[mode][first], made[mode][second])
            found[mode].append((float(result.similarity), bool(result.is_derived)))
    json.dump(found, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
