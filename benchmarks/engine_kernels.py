"""The marking code of vLLM and SGLang as their wheels hold it, without the engines: for vectors, and for timings beside ours.

Takes a folder with the wheels vllm-0.33.0 and sglang-0.5.23 (`pip download --no-deps`), or with what `--unpack` took out of them. Gives the modules of
the pseudorandom functions, of the Triton kernels and of the selection. Nothing of them is changed. Two modules are given in place of the engine's, because
the real ones start the engine: `vllm.triton_utils`, which only passes Triton on, and `vllm.config.watermarking`, of which the derivation of keys is the
wheel's own source.

    python -m benchmarks.engine_kernels --wheels WHEELS --unpack ENGINES
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import importlib
import sys
import types
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

VERSIONS = {"vllm": "0.33.0", "sglang": "0.5.23"}
TAKEN = (
    "vllm/config/watermarking.py",
    "vllm/v1/watermarking/detector.py",
    "vllm/v1/watermarking/gumbel.py",
    "vllm/v1/watermarking/prfs/__init__.py",
    "vllm/v1/watermarking/prfs/base.py",
    "vllm/v1/watermarking/prfs/philox.py",
    "vllm/v1/watermarking/watermarker.py",
    "vllm/v1/worker/gpu/sample/gumbel.py",
    "vllm/v1/worker/gpu/sample/logits_processor/interface.py",
    "vllm/v1/worker/gpu/sample/watermark.py",
    "sglang/kernels/ops/sampling/murmur_hash.py",
    "sglang/kernels/ops/sampling/textseal_selector.py",
    "sglang/srt/sampling/watermarking/config.py",
    "sglang/srt/sampling/watermarking/core.py",
    "sglang/srt/sampling/watermarking/detector.py",
)
"""No `__init__` of a package above these is taken, so Python sees namespace packages and nothing else of the engines is imported."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Take the files out of the wheels."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wheels", type=Path, required=True)
    parser.add_argument("--unpack", type=Path, required=True)
    asked = parser.parse_args(arguments)
    for name, version in VERSIONS.items():
        (wheel,) = asked.wheels.glob(f"{name}-{version}-*.whl")
        with zipfile.ZipFile(wheel) as packed:
            for member in TAKEN:
                if member.startswith(f"{name}/"):
                    packed.extract(member, asked.unpack)
    return 0


def open_engines(folder: Path) -> None:
    """Make the engines' modules importable; `vllm_module` and `sglang_module` give them."""
    import triton  # noqa: PLC0415  # stands where there is a GPU
    import triton.language as tl  # noqa: PLC0415

    source = (folder / "vllm" / "config" / "watermarking.py").read_text(encoding="utf-8")
    tree = ast.parse(source)
    tree.body = [node for node in tree.body if getattr(node, "name", None) == "derive_watermark_key"]
    known: dict[str, Any] = {"hashlib": hashlib}
    exec(compile(tree, "vllm/config/watermarking.py", "exec"), known)  # noqa: S102  # the engine's own source
    given = {
        "vllm.triton_utils": {"HAS_TRITON": True, "tl": tl, "triton": triton},
        "vllm.config.watermarking": {
            "derive_watermark_key": known["derive_watermark_key"], "WatermarkPRFName": str, "WatermarkContextScope": str,
        },
    }  # fmt: skip
    for name, content in given.items():
        module = types.ModuleType(name)
        vars(module).update(content)
        sys.modules[name] = module
    sys.path.insert(0, str(folder))


def vllm_module(name: str) -> Any:
    """Give a module of vLLM by its name below `vllm`."""
    return importlib.import_module(f"vllm.{name}")


def sglang_module(name: str) -> Any:
    """Give a module of SGLang by its name below `sglang`."""
    return importlib.import_module(f"sglang.{name}")


if __name__ == "__main__":
    sys.exit(main())
