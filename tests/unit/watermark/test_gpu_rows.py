"""The Triton kernels do to a batch what the compiled kernels of the CPU do: on a GPU, or in Triton's interpreter where Triton is there without one."""

from __future__ import annotations

import os

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra `models`")
if not torch.cuda.is_available():
    os.environ["TRITON_INTERPRET"] = "1"  # Triton reads it when it is imported
pytest.importorskip("triton", reason="comes with torch where torch has a GPU")

from stillwatch.watermark.marking import gpu_rows, mark_rows  # noqa: E402
from stillwatch.watermark.marking.row_mark import Draw, RowMark  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")  # the interpreter's NumPy, for the logarithm of 0
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
ROWS, VOCABULARY = 24, 5_000


def marks(rng: np.random.Generator, cut: dict[str, float]) -> list[RowMark | None]:
    """Rows of all kinds: none, green lists, one key, two keys; widths 1 to 4."""
    made: list[RowMark | None] = []
    for row in range(ROWS):
        shared = {"key": int(rng.integers(2**63)), "width": 1 + row // 2 % 4}
        two = {"second_key": 77 << 40, "mixing": 0.5} if row % 4 == 3 else {}
        green = RowMark(draw=Draw.GREEN_LIST, **shared, gamma=0.3, delta=1.5)
        made.append((None, green, *2 * (RowMark(draw=Draw.GUMBEL, **shared, **two, **cut),))[row % 4])
    return made


@pytest.mark.parametrize(
    "cut",
    [{}, {"top_k": 50, "top_p": 0.9, "min_p": 0.01, "temperature": 0.7}, {"top_k": 2 * VOCABULARY}],
    ids=["all", "cut", "top-k above V"],
)
def test_a_batch_is_marked_as_on_a_cpu(cut: dict[str, float], monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(31)
    contexts = torch.tensor(rng.integers(0, 2**31, (ROWS, 4)))
    contexts[3, 1] = -1
    repeated = torch.arange(ROWS) % 7 == 6
    batch = mark_rows.MarkedBatch(marks(rng, cut))
    logits = torch.tensor(rng.standard_normal((ROWS, VOCABULARY)) * 3, dtype=torch.float32)
    expected = mark_rows.mark_rows(logits.clone(), contexts, batch.marks, repeated)
    monkeypatch.setattr(mark_rows, "_gpu_rows", lambda _: gpu_rows)
    for _ in range(2):  # the second time with what the first one brought to the device
        given = logits.clone().to(DEVICE)
        out = batch.mark(given, contexts.to(DEVICE), repeated.to(DEVICE))
        assert torch.equal(out.cpu(), expected)
    assert torch.isfinite(expected).sum(dim=1).unique().tolist() == [1, VOCABULARY]


def test_the_surprise_of_a_hash_is_exact_at_both_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """A row of equal probabilities takes the token of the largest hash, also where u is 1 in single precision."""
    rng = np.random.default_rng(32)
    keys = [int(key) for key in rng.integers(0, 2**63, 64)]
    batch = [RowMark(draw=Draw.GUMBEL, key=key, width=1) for key in keys]
    contexts = torch.full((64, 1), 5)
    expected = mark_rows.mark_rows(torch.zeros(64, 60_000), contexts, batch).argmax(dim=1)
    monkeypatch.setattr(mark_rows, "_gpu_rows", lambda _: gpu_rows)
    out = mark_rows.mark_rows(torch.zeros(64, 60_000, device=DEVICE), contexts.to(DEVICE), batch)
    assert torch.equal(out.argmax(dim=1).cpu(), expected)
