"""Makes sglang_choices.json by running SGLang's own selection on a CPU: which token it draws for logits, contexts, keys and truncation.

Takes the folder of an unpacked wheel of SGLang and the place of msgspec on the path; only `srt/sampling/watermarking` is loaded, without the server.

    python tests/vectors/make_sglang_choices.py UNPACKED_WHEEL > tests/vectors/sglang_choices.json
"""

from __future__ import annotations

import importlib.util
import json
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import torch

ROWS, VOCABULARY, WIDTH, SEED = 48, 64, 4, 20_261_125
CASES = (
    {"temperature": 1.0, "top_k": 0, "top_p": 1.0, "min_p": 0.0},
    {"temperature": 0.7, "top_k": 12, "top_p": 0.9, "min_p": 0.02},
)


def watermarking(wheel: Path) -> Any:
    """Load SGLang's marking code alone."""
    package = "sglang.srt.sampling.watermarking"
    parts = package.split(".")
    for end in range(1, len(parts) + 1):
        module = types.ModuleType(".".join(parts[:end]))
        module.__path__ = []
        sys.modules[module.__name__] = module
    for name in ("config", "detector", "core"):
        path = wheel / "sglang" / "srt" / "sampling" / "watermarking" / f"{name}.py"
        spec = importlib.util.spec_from_file_location(f"{package}.{name}", path)
        assert spec is not None
        assert spec.loader is not None
        loaded = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = loaded
        spec.loader.exec_module(loaded)
    return sys.modules[f"{package}.core"]


def main() -> None:
    core = watermarking(Path(sys.argv[1]))
    rng = np.random.default_rng(SEED)
    logits = rng.integers(-48, 49, (ROWS, VOCABULARY))
    contexts = rng.integers(0, 2**17, (ROWS, WIDTH))
    first, second = (int(word) for word in rng.integers(1, 2**63, 2))
    made = []
    for case in CASES:
        for dual in (False, True):
            out = torch.tensor(logits, dtype=torch.float32) / 16

            def column(value: float, kind: torch.dtype = torch.float32) -> Any:
                return torch.full((ROWS,), value, dtype=kind)

            core.force_watermark_tokens(
                out, core._hash_contexts(torch.tensor(contexts), column(WIDTH, torch.int32)), column(1, torch.bool),
                column(case["temperature"])[:, None], column(case["top_k"] or VOCABULARY, torch.int64), column(case["top_p"]),
                column(case["min_p"]), column(first, torch.int64), column(second, torch.int64) if dual else None,
                column(2**31, torch.int64) if dual else None,
            )  # fmt: skip
            made.append({**case, "dual": dual, "chosen": out.argmax(dim=1).tolist()})
    document = {
        "made_with": "SGLang 0.5.23, srt/sampling/watermarking/core.py, force_watermark_tokens on a CPU", "torch": torch.__version__,
        "date": "2026-11-25", "sixteenths": logits.tolist(), "contexts": contexts.tolist(), "key_a": first, "key_b": second, "cases": made,
    }  # fmt: skip
    print(json.dumps(document))


if __name__ == "__main__":
    main()
