"""The plug-ins for vLLM: rows, slots and drafts are followed, and each request bears the mark of the key that its handle names."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from marked_texts import GREEN, GUMBEL, mark_key

torch = pytest.importorskip("torch", reason="needs the extra `models`")

import vllm_interfaces as interfaces  # noqa: E402

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # vLLM's own, where it is there
    REAL = interfaces.provide()

from stillwatch.records.mark import MarkKey  # noqa: E402
from stillwatch.watermark.key_file import key_lines  # noqa: E402
from stillwatch.watermark.marking import vllm_v1, vllm_v2  # noqa: E402
from stillwatch.watermark.marking.errors import UnknownHandleError, WorkerKeysError  # noqa: E402
from stillwatch.watermark.marking.mark_rows import mark_rows  # noqa: E402
from stillwatch.watermark.marking.row_mark import RowMark, row_mark_of  # noqa: E402
from stillwatch.watermark.marking.worker_keys import WorkerKeys  # noqa: E402

VOCABULARY = 64
SETTINGS: dict[str, Any] = {"temperature": 0.9, "top_k": 20, "top_p": 0.95}


@pytest.fixture
def keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, MarkKey]]:
    """Two green keys and a Gumbel key, in the worker's file."""
    rng = np.random.default_rng(21)
    made = [
        mark_key(rng, "mk-1", GREEN),
        mark_key(rng, "mk-2", GREEN, context_width=3),
        mark_key(rng, "mk-3", GUMBEL, context_width=2),
    ]
    write(tmp_path / "keys.jsonl", made)
    monkeypatch.setenv("STILLWATCH_MARK_KEYS", str(tmp_path / "keys.jsonl"))
    yield {key.handle: key for key in made}
    torch.set_num_threads(1)


def write(path: Path, keys: list[MarkKey]) -> None:
    path.write_text(key_lines(keys))
    path.chmod(0o600)


def asking(handle: str | None) -> Any:
    """A request whose gateway put a handle into it."""
    arguments = {} if handle is None else {"stillwatch_key": handle}
    return interfaces.sampling_params(real=REAL, **SETTINGS, extra_args=arguments)


def expected(keys: dict[str, MarkKey], handle: str | None, tokens: list[int], row: Any) -> Any:
    """What the reference makes of one row."""
    if handle is None:
        return row
    mark: RowMark = row_mark_of(keys[handle], delta=2.0, sampling=SimpleNamespace(**SETTINGS, min_p=0.0))
    return mark_rows(row[None].clone(), torch.tensor([tokens[-mark.width :]]), [mark])[0]


def logits(rows: int) -> Any:
    torch.manual_seed(rows)
    return torch.randn(rows, VOCABULARY)


def test_v1_follows_added_moved_and_removed_rows(keys: dict[str, MarkKey]) -> None:
    from vllm.v1.sample.logits_processor.interface import (  # noqa: PLC0415
        BatchUpdate,
        LogitsProcessor,
        MoveDirectionality,
    )  # fmt: skip

    assert issubclass(vllm_v1.MarkProcessor, LogitsProcessor)
    processor = vllm_v1.MarkProcessor(SimpleNamespace(), torch.device("cpu"), False)
    outputs: list[list[int]] = [[], [], [], []]
    handles = ["mk-1", None, "mk-2", "mk-3"]
    prompts = [[1, 2, 3, 4 + row] for row in range(4)]
    processor.update_state(
        BatchUpdate(
            batch_size=4,
            removed=(),
            moved=(),
            added=[(row, asking(handles[row]), prompts[row], outputs[row]) for row in range(4)],
        )
    )
    batch = [0, 1, 2, 3]
    for step in range(6):
        if step == 2:  # rows 0 and 2 change places, row 3 comes to row 1
            processor.update_state(
                BatchUpdate(batch_size=3, removed=[1], added=(), moved=[(0, 2, MoveDirectionality.SWAP), (3, 1, MoveDirectionality.UNIDIRECTIONAL)])
            )  # fmt: skip
            batch = [2, 3, 0]
        elif step:
            processor.update_state(None)
        given = logits(len(batch))
        out = processor.apply(given.clone())
        for row, request in enumerate(batch):
            wanted = expected(keys, handles[request], prompts[request] + outputs[request], given[row])
            assert torch.equal(out[row], wanted), (step, row)
            outputs[request].append(10 * request + step)
    assert not processor.is_argmax_invariant()


def test_v1_leaves_a_repeated_context_to_the_engine(keys: dict[str, MarkKey]) -> None:
    from vllm.v1.sample.logits_processor.interface import BatchUpdate  # noqa: PLC0415

    processor = vllm_v1.MarkProcessor(SimpleNamespace(), torch.device("cpu"), False)
    output = [5, 6, 7, 5, 6]
    processor.update_state(BatchUpdate(batch_size=1, removed=(), added=[(0, asking("mk-3"), [1, 2], output)], moved=()))
    given = logits(1)
    assert torch.equal(processor.apply(given.clone()), given)
    output.append(8)
    assert not torch.equal(processor.apply(given.clone()), given)


def test_v2_follows_slots_and_drafts(keys: dict[str, MarkKey]) -> None:
    from vllm.v1.worker.gpu.sample.logits_processor.interface import (  # noqa: PLC0415
        LogitsContext,
        LogitsProcessor,
        LogitsProcRequestState,
    )  # fmt: skip

    assert issubclass(vllm_v2.MarkProcessor, LogitsProcessor)
    committed = {0: [1, 2, 3, 9, 8], 2: [4, 5, 6, 7], 3: [7, 7, 1], 5: [2, 2, 2, 2, 3, 1]}
    drafts = {0: [], 2: [11, 12], 3: [], 5: [13]}
    handles = {0: "mk-1", 2: "mk-2", 3: None, 5: "mk-3"}
    tokens = torch.zeros(8, 32, dtype=torch.int32)
    for slot, held in committed.items():
        tokens[slot, : len(held)] = torch.tensor(held, dtype=torch.int32)
    prompt_len = SimpleNamespace(gpu=torch.full((8,), 3, dtype=torch.int32))
    states = LogitsProcRequestState(
        device=torch.device("cpu"), max_num_reqs=8, vocab_size=VOCABULARY, all_token_ids=SimpleNamespace(gpu=tokens), prompt_len=prompt_len,
        prefill_len=None, total_len=None,
    )  # fmt: skip
    processor = vllm_v2.MarkProcessor(SimpleNamespace(), states)
    assert [processor.add_request(slot, asking(handle)) for slot, handle in handles.items()] == [
        True,
        True,
        False,
        True,
    ]
    processor.apply_staged_writes() if REAL else None
    order = [5, 0, 3, 2]  # rows are in another order than slots
    rows = [(slot, place) for slot in order for place in range(len(drafts[slot]) + 1)]
    seen = [committed[slot] + drafts[slot][:place] for slot, place in rows]
    context = LogitsContext(
        expanded_idx_mapping=torch.tensor([slot for slot, _ in rows]), idx_mapping=torch.tensor(order), idx_mapping_np=np.array(order),
        expanded_local_pos=torch.tensor([place for _, place in rows]), input_ids=torch.tensor([one[-1] for one in seen], dtype=torch.int32),
        pos=torch.tensor([len(one) - 1 for one in seen]), seq_lens_upper_bound_np=np.array([len(committed[slot]) + len(drafts[slot]) for slot in order]),
    )  # fmt: skip
    given = logits(len(rows))
    out = processor.apply(given.clone(), context)
    for row, (slot, _) in enumerate(rows):
        assert torch.equal(out[row], expected(keys, handles[slot], seen[row], given[row])), row
    # A slot is used again by a request without a key.
    assert not processor.add_request(0, asking(None))
    again = processor.apply(given.clone(), context)
    row = rows.index((0, 0))
    assert torch.equal(again[row], given[row])


def test_v1_waits_for_tokens_that_vllm_fills_in_later(keys: dict[str, MarkKey]) -> None:
    from vllm.v1.sample.logits_processor.interface import BatchUpdate  # noqa: PLC0415

    processor = vllm_v1.MarkProcessor(SimpleNamespace(), torch.device("cpu"), False)
    output = [5, 6, 7, -1]
    processor.update_state(BatchUpdate(batch_size=1, removed=(), added=[(0, asking("mk-3"), [1, 2], output)], moved=()))
    given = logits(1)
    assert torch.equal(processor.apply(given.clone()), given)  # the context is not known
    output[3:] = [5, 6]
    assert torch.equal(processor.apply(given.clone()), given)  # (5, 6) stood before 7
    output[3:] = [8, 9]
    assert not torch.equal(processor.apply(given.clone()), given)


@pytest.mark.parametrize("drafted", [0, 2], ids=["committed", "drafted"])
def test_v2_leaves_a_repeated_context_to_the_engine(keys: dict[str, MarkKey], drafted: int) -> None:
    from vllm.v1.worker.gpu.sample.logits_processor.interface import (  # noqa: PLC0415
        LogitsContext,
        LogitsProcRequestState,
    )  # fmt: skip

    prompt, answer = [6, 7], [5, 6, 7, 5, 6]
    tokens = torch.zeros(4, 16, dtype=torch.int32)
    every = prompt + answer
    held = len(every) - drafted
    tokens[2, :held] = torch.tensor(every[:held], dtype=torch.int32)
    states = LogitsProcRequestState(
        device=torch.device("cpu"), max_num_reqs=4, vocab_size=VOCABULARY, all_token_ids=SimpleNamespace(gpu=tokens),
        prompt_len=SimpleNamespace(gpu=torch.full((4,), len(prompt), dtype=torch.int32)), prefill_len=None, total_len=None,
    )  # fmt: skip
    processor = vllm_v2.MarkProcessor(SimpleNamespace(), states)
    processor.add_request(2, asking("mk-3"))
    rows = range(drafted + 1)
    step = LogitsContext(
        expanded_idx_mapping=torch.tensor([2 for _ in rows]), idx_mapping=torch.tensor([2]), idx_mapping_np=np.array([2]),
        expanded_local_pos=torch.tensor(list(rows)), input_ids=torch.tensor(every[held - 1 :], dtype=torch.int32),
        pos=torch.tensor([held - 1 + row for row in rows]), seq_lens_upper_bound_np=np.array([len(every)]),
    )  # fmt: skip
    given = logits(len(rows))
    out = processor.apply(given.clone(), step)
    for row in rows:
        seen = every[: held + row]
        again = seen[-2:] in [every[place - 2 : place] for place in range(len(prompt), len(seen))]
        assert torch.equal(out[row], given[row]) == again, row
    assert torch.equal(out[-1], given[-1])  # (5, 6) stood before 7


@pytest.mark.parametrize("plug_in", [vllm_v1, vllm_v2], ids=["v1", "v2"])
def test_a_handle_that_the_worker_has_not_is_refused_at_admission(keys: dict[str, MarkKey], plug_in: Any) -> None:
    plug_in.MarkProcessor.validate_params(asking("mk-1"))
    plug_in.MarkProcessor.validate_params(asking(None))
    with pytest.raises(ValueError, match="the worker has no key 'mk-9'"):
        plug_in.MarkProcessor.validate_params(asking("mk-9"))


def test_a_retired_key_is_gone_with_the_next_file(keys: dict[str, MarkKey]) -> None:
    path = Path(os.environ["STILLWATCH_MARK_KEYS"])
    worker = WorkerKeys(path)
    assert worker.key("mk-1") == keys["mk-1"]
    write(path, [keys["mk-2"]])
    os.utime(path, ns=(1, 1))
    with pytest.raises(UnknownHandleError):
        worker.key("mk-1")
    assert worker.key("mk-2") == keys["mk-2"]


def test_a_file_that_others_may_read_is_refused(keys: dict[str, MarkKey], monkeypatch: pytest.MonkeyPatch) -> None:
    path = Path(os.environ["STILLWATCH_MARK_KEYS"])
    path.chmod(0o644)
    with pytest.raises(WorkerKeysError, match="chmod 600"):
        WorkerKeys(path)
    monkeypatch.delenv("STILLWATCH_MARK_KEYS")
    with pytest.raises(WorkerKeysError, match="is not set"):
        WorkerKeys.of_environment()
