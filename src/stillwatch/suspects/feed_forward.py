"""Feed-forward weights: takes a folder of safetensors as `save_pretrained` writes it, gives the neurons of each layer as rows.

Known are blocks with gate, up and down projections (Llama, Mistral, Qwen, Gemma), with gate and up in one matrix (Phi-3), and blocks without a gate
(GPT-NeoX, GPT-2, Phi); in the last the transposed down projection stands in for the gate, since an owner who shuffles neurons shuffles its columns
too. Nothing of the folder is run. Needs the extra `models`.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from stillwatch.suspects.errors import MaterialError
from stillwatch.suspects.weight_matching import FeedForward

_LAYER: Final = re.compile(r"(?:^|\.)(?:layers|h)\.(\d+)\.(mlp\.[a-z0-9_]+|mlp\.[a-z_]+\.[a-z_]+)\.weight$")
_UP: Final = ("mlp.up_proj", "mlp.dense_h_to_4h", "mlp.fc1", "mlp.c_fc")
_DOWN: Final = ("mlp.down_proj", "mlp.dense_4h_to_h", "mlp.fc2", "mlp.c_proj")
_GATE: Final = "mlp.gate_proj"
_FUSED: Final = "mlp.gate_up_proj"
_TURNED: Final = frozenset({"mlp.c_fc", "mlp.c_proj"})
"""GPT-2 keeps these the other way round."""

Matrix = npt.NDArray[np.float32]


def read_feed_forward(folder: Path) -> tuple[FeedForward, ...]:
    """Read the feed-forward blocks of a model.

    Args:
        folder: with `model.safetensors`, or its parts.

    Returns:
        Blocks in the order of the layers.

    Raises:
        MaterialError: where there are none that are known, or the extra is missing.
    """
    try:
        from safetensors import SafetensorError, safe_open  # noqa: PLC0415  # an extra, loaded where weights are read
    except ImportError:
        raise MaterialError(
            f"{folder}: reading weights needs torch and safetensors; install stillwatch[models]"
        ) from None
    parts: dict[int, dict[str, Matrix]] = {}
    for path in sorted(folder.glob("*.safetensors")):
        try:
            with safe_open(str(path), framework="pt") as opened:
                for name in opened.keys():  # noqa: SIM118  # an open file, and no mapping
                    found = _LAYER.search(name)
                    if found and found.group(2) in {*_UP, *_DOWN, _GATE, _FUSED}:
                        parts.setdefault(int(found.group(1)), {})[found.group(2)] = _matrix(opened.get_tensor(name))
        except (OSError, SafetensorError) as error:
            raise MaterialError(f"{path}: cannot be read as safetensors ({type(error).__name__})") from None
    if not parts:
        raise MaterialError(
            f"{folder}: got no feed-forward weights in safetensors, expected the folder of a causal language model"
        )
    return tuple(_block(parts[layer], folder, layer) for layer in sorted(parts))


def _matrix(tensor: Any) -> Matrix:
    matrix: Matrix = tensor.float().numpy()
    return matrix


def _block(named: dict[str, Matrix], folder: Path, layer: int) -> FeedForward:
    """Put the projections of a layer together, a row for each neuron."""
    if _FUSED in named:
        gate, up = np.split(named[_FUSED], 2)
        return FeedForward(up=up, gate=gate)
    up_name = next((name for name in _UP if name in named), None)
    down_name = next((name for name in _DOWN if name in named), None)
    if up_name is None or (_GATE not in named and down_name is None):
        raise MaterialError(f"{folder}: layer {layer} has no up projection with a gate or down projection")
    up = named[up_name].T if up_name in _TURNED else named[up_name]
    if _GATE in named:
        return FeedForward(up=up, gate=named[_GATE])
    down = named[str(down_name)]
    return FeedForward(up=up, gate=down if down_name in _TURNED else down.T)
