"""vLLM's two interfaces of logits processors: the real ones where vLLM can be imported, else their shapes.

vLLM needs hundreds of megabytes and brings its own torch, so the tests do not install it. `STILLWATCH_VLLM_PATH` names folders, separated by
`:`, that hold an unpacked wheel and what its Python needs (msgspec, uvloop, openai-harmony); the same tests then run against vLLM's own classes.
The shapes below say the names, fields and order of arguments of vLLM 0.33.0, and nothing else.
"""

from __future__ import annotations

import importlib
import os
import sys
from dataclasses import dataclass
from enum import Enum, auto
from types import ModuleType, SimpleNamespace
from typing import Any

V1 = "vllm.v1.sample.logits_processor.interface"
V2 = "vllm.v1.worker.gpu.sample.logits_processor.interface"


def provide() -> bool:
    """Make both interfaces importable; say whether they are vLLM's own."""
    for folder in reversed(os.environ.get("STILLWATCH_VLLM_PATH", "").split(":")):
        if folder and folder not in sys.path:
            sys.path.insert(0, folder)
    try:
        importlib.import_module(V1)
        importlib.import_module(V2)
    except ImportError:
        for name in [name for name in sys.modules if name.partition(".")[0] == "vllm"]:
            del sys.modules[name]
        for name, content in ((V1, _v1()), (V2, _v2())):
            parts = name.split(".")
            for end in range(1, len(parts)):
                sys.modules.setdefault(".".join(parts[:end]), ModuleType(".".join(parts[:end])))
            module = ModuleType(name)
            vars(module).update(content)
            sys.modules[name] = module
        return False
    return True


def sampling_params(*, real: bool, **settings: Any) -> Any:
    """Make sampling settings with `extra_args`."""
    if real:
        return importlib.import_module("vllm").SamplingParams(**settings)
    return SimpleNamespace(
        **{"temperature": 1.0, "top_k": 0, "top_p": 1.0, "min_p": 0.0, "extra_args": None, **settings}
    )


def _v1() -> dict[str, Any]:
    class MoveDirectionality(Enum):
        UNIDIRECTIONAL = auto()
        SWAP = auto()

    @dataclass(frozen=True)
    class BatchUpdate:
        batch_size: int
        removed: Any
        added: Any
        moved: Any

    class LogitsProcessor:
        pass

    return {"MoveDirectionality": MoveDirectionality, "BatchUpdate": BatchUpdate, "LogitsProcessor": LogitsProcessor}


def _v2() -> dict[str, Any]:
    @dataclass(frozen=True)
    class LogitsProcRequestState:
        device: Any
        max_num_reqs: int
        vocab_size: int
        all_token_ids: Any
        prompt_len: Any
        prefill_len: Any
        total_len: Any

    @dataclass(frozen=True)
    class LogitsContext:
        expanded_idx_mapping: Any
        idx_mapping: Any
        idx_mapping_np: Any
        expanded_local_pos: Any
        input_ids: Any
        pos: Any
        seq_lens_upper_bound_np: Any

    class LogitsProcessor:
        def __init__(self, vllm_config: Any, req_states: Any) -> None:
            pass

    return {
        "LogitsProcRequestState": LogitsProcRequestState,
        "LogitsContext": LogitsContext,
        "LogitsProcessor": LogitsProcessor,
    }
