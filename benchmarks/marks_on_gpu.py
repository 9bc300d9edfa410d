"""Do the engines' own GPU kernels make the marks that our CPU code reads? Bit by bit, on a machine with a CUDA GPU and Triton.

Takes the marking code of vLLM and SGLang (`benchmarks.engine_kernels`), transformers and torch of this machine. Gives, for each thing compared, how many values
were compared with our CPU code and how many differ; with `--vectors`, what the GPU gave, so that tests hold the CPU code to it where no GPU is; with
`--texts`, tokens that marked text consists of, made by each engine's own code from a small untrained model, for `benchmarks.marks_on_gpu_text`. What there is is
written after each phase.

    python -m benchmarks.engine_kernels --wheels WHEELS --unpack ENGINES
    python -m benchmarks.marks_on_gpu --engines ENGINES --vectors gpu_marks.json --texts gpu_texts.npz --out marks_on_gpu.json
"""

# ruff: noqa: SLF001  # the parts of engines and of ours that no caller names are compared one by one

from __future__ import annotations

import argparse
import hashlib
import importlib
import json
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from benchmarks import engine_kernels
from transformers import SynthIDTextWatermarkLogitsProcessor, WatermarkLogitsProcessor

from stillwatch import __version__
from stillwatch.watermark import linear_congruential, murmur, philox, torch_cuda_random, torch_random
from stillwatch.watermark.marking import mark_rows as marking
from stillwatch.watermark.marking.row_mark import Draw, RowMark

SEED = 20_261_126
KEYS = (0x0123456789ABCDEF, 0xFEDCBA9876543210, 42)
VOCABULARIES = (50_257, 128_256)
ROWS = 4
"""Contexts whose whole vocabulary is compared."""
DRAWS = 256
"""Rows in which a token is drawn."""
VLLM_WIDTHS, SGLANG_WIDTHS = (1, 2, 4, 5, 8), (1, 4, 9)
TRUNCATIONS = (
    {"temperature": 1.0, "top_k": 0, "top_p": 1.0, "min_p": 0.0},
    {"temperature": 0.7, "top_k": 100, "top_p": 0.9, "min_p": 0.02},
)
SIZES = (997, 50_257, 128_256, 1_000_003)
SEEDS = (0, 8, 13, 118, 42, 15_485_863 * 77, 2**63 + 11, (KEYS[0] * 31_337) % (2**64 - 1))
"""Under 8, 13 and 118 two numbers or four of 50,257 have equal keys, whose order is drawn once more."""
LAYERS = (654, 400, 836, 123, 340, 443, 597, 160, 57, 2**40 + 5, 2**62 + 9)

Found = dict[str, Any]


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare, and write what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engines", type=Path, required=True)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--vocabularies", type=int, nargs="+", default=list(VOCABULARIES))
    parser.add_argument("--vectors", type=Path, default=None)
    parser.add_argument("--texts", type=Path, default=None)
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args(arguments)
    engine_kernels.open_engines(asked.engines)
    study = Study(asked.device, tuple(asked.vocabularies), asked.out, asked.vectors)
    for phase in (study.vllm, study.sglang, study.ours, study.generator, study.synthid):
        study.run(phase)
    if asked.texts is not None:
        texts = importlib.import_module("benchmarks.marks_on_gpu_text")
        study.run(lambda: texts.make(asked.device, study.vocabularies, asked.texts), "texts")
    return 0


def versions(device: str) -> dict[str, str]:
    """Name the card, its driver and all libraries that had a part."""
    found = {
        "python": platform.python_version(), "torch": torch.__version__, "numpy": np.__version__,
        "transformers": transformers.__version__, **engine_kernels.VERSIONS, "triton": importlib.import_module("triton").__version__,
    }  # fmt: skip
    if device == "cuda":
        asked = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
        properties = torch.cuda.get_device_properties(0)
        found |= {
            "device": properties.name, "driver": subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip(),
            "cuda": str(torch.version.cuda), "threads": str(threads()),
        }  # fmt: skip
    return found


def threads() -> int:
    """Give how many threads the card runs at once, as `torch_cuda_random` counts them."""
    if not torch.cuda.is_available():
        return 270_336
    properties = torch.cuda.get_device_properties(0)
    return int(properties.multi_processor_count * (properties.max_threads_per_multi_processor // 256) * 256)


def logits_of(rows: int, vocabulary: int) -> Any:
    """Give logits that any machine can make again, hardly two of a row equal: float32 [rows, vocabulary], on the CPU."""
    place = np.arange(rows * vocabulary, dtype=np.uint64).reshape(rows, vocabulary)
    scrambled = place * np.uint64(0x9E3779B97F4A7C15) >> np.uint64(40)
    return torch.from_numpy(scrambled.astype(np.float32) / np.float32(2**20) - np.float32(8.0))


def contexts_of(rows: int, width: int, vocabulary: int) -> Any:
    """Draw contexts, int64 [rows, width], on the CPU; `--vectors` keeps them."""
    rng = np.random.default_rng([SEED, rows, width, vocabulary])
    return torch.from_numpy(rng.integers(0, vocabulary, (rows, width)))


def signed(key: int) -> int:
    """Give 64 bits as torch holds them."""
    return key if key < 1 << 63 else key - (1 << 64)


def digest(values: np.ndarray) -> str:
    """Give SHA-256 over the values' bytes."""
    return hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest()


def expected_uniforms(contexts: Any, key: int, vocabulary: int) -> np.ndarray:
    """Give vLLM's uniforms by our CPU code, float32 [rows, vocabulary]."""
    tokens = np.arange(vocabulary, dtype=np.uint32)
    rows = [
        philox.uniforms(np.concatenate([np.tile(context, (vocabulary, 1)), tokens[:, np.newaxis]], axis=1).astype(np.uint32), key)
        for context in contexts.numpy()
    ]  # fmt: skip
    return np.stack(rows).astype(np.float32)


def expected_hashes(context_hashes: np.ndarray, key: int, vocabulary: int) -> np.ndarray:
    """Give SGLang's hashes by our CPU code, uint32 [rows, vocabulary]."""
    tokens = np.arange(vocabulary, dtype=np.uint32)
    return np.stack(
        [murmur.hash_units(np.stack([np.full_like(tokens, one), tokens], axis=1), key) for one in context_hashes]
    )


class Study:
    """Runs the phases, and keeps what they compared and what the GPU gave."""

    def __init__(self, device: str, vocabularies: tuple[int, ...], out: Path, vectors: Path | None) -> None:
        """Begin; `out` takes the report and `vectors` what the GPU gave."""
        self.device, self.out, self.kept = device, out, vectors
        self.vocabularies = vocabularies
        self.report: Found = {"compared": {}, "seconds": {}}
        self.vectors: Found = {"keys": [f"{key:016x}" for key in KEYS], "vocabularies": list(vocabularies)}

    def run(self, phase: Callable[[], None], name: str | None = None) -> None:
        """Run a phase, and write what there is then."""
        title = name or phase.__name__
        began = time.perf_counter()
        phase()
        self.report["seconds"][title] = round(time.perf_counter() - began, 1)
        print(title, self.report["seconds"][title], "s", flush=True)
        self.write()

    def write(self) -> None:
        """Write what there is so far."""
        facts = {"date": datetime.now(tz=UTC).date().isoformat(), "seed": SEED, "versions": versions(self.device)}
        report = {"benchmark": "marks_on_gpu", "version": __version__, **facts, **self.report}
        self.out.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
        if self.kept is not None:
            vectors = {"made_by": "benchmarks/marks_on_gpu.py", **facts, **self.vectors}
            self.kept.write_text(json.dumps(vectors) + "\n", encoding="utf-8")

    def compare(self, name: str, got: np.ndarray, expected: np.ndarray) -> None:
        """Count values that differ."""
        count = self.report["compared"].setdefault(name, {"values": 0, "different": 0})
        count["values"] += int(np.size(expected))
        count["different"] += int((got != expected).sum()) if got.shape == expected.shape else int(np.size(expected))

    def there(self, tensor: Any) -> Any:
        """Bring a tensor to the device."""
        return tensor.to(self.device)

    def vllm(self) -> None:
        """vLLM: uniforms of its Triton functions, of its compiled PRF, and the tokens that its kernel draws."""
        probes = importlib.import_module("benchmarks.engine_probes")
        kernels = engine_kernels.vllm_module("v1.worker.gpu.sample.watermark")
        prf = engine_kernels.vllm_module("v1.watermarking.prfs.philox")
        made: Found = {"uniforms": [], "draws": []}
        for vocabulary in self.vocabularies:
            for width in VLLM_WIDTHS:
                contexts = contexts_of(ROWS, width, vocabulary)
                for number, key in enumerate(KEYS):
                    got = probes.vllm_uniforms(self.there(contexts), key, vocabulary).cpu().numpy()
                    expected = expected_uniforms(contexts, key, vocabulary)
                    self.compare("vLLM, uniforms of the Triton kernel", got, expected)
                    made["uniforms"].append({
                        "vocabulary": vocabulary, "width": width, "key": number, "contexts": contexts.tolist(), "sha256": digest(got),
                    })  # fmt: skip
                    if width in {4, 5}:
                        compiled = prf.PhiloxPRF(key).uniform(
                            self.there(contexts), self.there(torch.arange(vocabulary))
                        )
                        self.compare("vLLM, uniforms of torch.compile's kernel", compiled.cpu().numpy(), expected)
            contexts, logits = contexts_of(DRAWS, 4, vocabulary), logits_of(DRAWS, vocabulary)
            chosen = kernels.philox_gumbel_sample(self.there(logits), self.there(contexts), KEYS[0]).cpu().numpy()
            best, gaps = best_of_uniforms(logits.numpy(), contexts, KEYS[0])
            self.compare("vLLM, tokens drawn", chosen, best)
            self.report.setdefault("near", {})[f"vLLM, {vocabulary}"] = gaps[chosen != best].tolist()
            made["draws"].append(
                {"vocabulary": vocabulary, "key": 0, "contexts": contexts.tolist(), "chosen": chosen.tolist()}
            )
        self.vectors["vllm"] = made

    def sglang(self) -> None:
        """SGLang: context hashes, token hashes and coins of its Triton and torch code, and the tokens that its kernels force."""
        probes = importlib.import_module("benchmarks.engine_probes")
        core = engine_kernels.sglang_module("srt.sampling.watermarking.core")
        made: Found = {"hashes": [], "draws": []}
        for vocabulary in self.vocabularies:
            for width in SGLANG_WIDTHS:
                contexts = contexts_of(ROWS, width, vocabulary)
                lengths = torch.full((ROWS,), width, dtype=torch.int32)
                hashes = core._hash_contexts(self.there(contexts), self.there(lengths))
                expected_contexts = murmur.hash_contexts(contexts.numpy().astype(np.uint32))
                self.compare("SGLang, context hashes", hashes.cpu().numpy().astype(np.uint32), expected_contexts)
                self.compare(
                    "SGLang, context hashes", self._prepared(contexts, vocabulary).astype(np.uint32), expected_contexts
                )
                for number, key in enumerate(KEYS):
                    keys = self.there(torch.full((ROWS,), signed(key), dtype=torch.int64))
                    got = probes.sglang_hashes(hashes, keys, vocabulary).cpu().numpy().astype(np.uint32)
                    expected = expected_hashes(expected_contexts, key, vocabulary)
                    self.compare("SGLang, token hashes of the Triton kernel", got, expected)
                    plain = core._watermark_hash32_torch(keys, hashes, self.there(torch.arange(vocabulary)))
                    self.compare(
                        "SGLang, token hashes of its torch code", plain.cpu().numpy().astype(np.uint32), expected
                    )
                    made["hashes"].append({
                        "vocabulary": vocabulary, "width": width, "key": number, "contexts": contexts.tolist(),
                        "context_hashes": hashes.tolist(), "sha256": digest(got),
                    })  # fmt: skip
            for truncation in TRUNCATIONS:
                for dual in (False, True):
                    chosen = self._forced(core, vocabulary, truncation, dual=dual)
                    made["draws"].append({"vocabulary": vocabulary, **truncation, "dual": dual, "chosen": chosen})
        self.vectors["sglang"] = made

    def _prepared(self, contexts: Any, vocabulary: int) -> np.ndarray:
        """Let SGLang's own kernel hash the contexts that its ring of tokens holds."""
        selector = engine_kernels.sglang_module("kernels.ops.sampling.textseal_selector")
        rows, width = contexts.shape

        def full(value: int, kind: Any = torch.int32, *shape: int) -> Any:
            return self.there(torch.full(shape or (rows,), value, dtype=kind))

        hashes, eligible = full(0, torch.int64), full(0, torch.bool)
        selector.prepare_watermark_contexts_triton(
            self.there(contexts.to(torch.int32)), full(width), full(0, torch.int64), full(0, torch.int32, rows, 16), full(0),
            self.there(torch.arange(rows)), full(width), full(1, torch.bool), full(vocabulary), hashes, eligible,
        )  # fmt: skip
        return np.asarray(hashes.cpu().numpy())

    def _forced(self, core: Any, vocabulary: int, truncation: dict[str, float], *, dual: bool) -> list[int]:
        """Let SGLang force tokens, and compare with what our rows choose on the CPU."""
        contexts, logits = contexts_of(DRAWS, 4, vocabulary), logits_of(DRAWS, vocabulary)

        def column(value: float, kind: Any = torch.float32) -> Any:
            return self.there(torch.full((DRAWS,), value, dtype=kind))

        forced = self.there(logits.clone())
        width = int(truncation["top_k"]) or vocabulary
        core.force_watermark_tokens(
            forced, core._hash_contexts(self.there(contexts), column(4, torch.int32)), column(1, torch.bool),
            column(truncation["temperature"])[:, None], column(width, torch.int64), column(truncation["top_p"]), column(truncation["min_p"]),
            column(signed(KEYS[0]), torch.int64), column(signed(KEYS[1]), torch.int64) if dual else None,
            column(2**31, torch.int64) if dual else None, max_top_k=width,
        )  # fmt: skip
        chosen = forced.argmax(dim=1).cpu().numpy()
        marks = [row_mark(truncation, dual=dual)] * DRAWS
        expected = marking.mark_rows(logits, contexts, marks).argmax(dim=1).numpy()
        self.compare("SGLang, tokens drawn", chosen, expected)
        self._note_near(
            f"SGLang, {vocabulary}, top-k {truncation['top_k']}, {'two keys' if dual else 'one key'}",
            marks,
            contexts,
            chosen,
            expected,
        )
        return [int(token) for token in chosen]

    def _note_near(
        self, name: str, marks: list[RowMark], contexts: Any, chosen: np.ndarray, expected: np.ndarray
    ) -> None:
        """Write down by how much the scores of two tokens differ where another one was drawn."""
        rows = np.flatnonzero(chosen != expected)
        if not len(rows):
            return
        logits = logits_of(
            DRAWS,
            self.vocabularies[0]
            if int(max(chosen.max(), expected.max())) < self.vocabularies[0]
            else self.vocabularies[-1],
        )
        gaps = []
        for row in rows:
            weights = torch.softmax(logits[row].double() / marks[row].temperature, dim=0)
            state = marking._states([marks[row]], contexts[row : row + 1])
            pair = torch.tensor([[int(expected[row]), int(chosen[row])]])
            scores = marking._log_uniforms(marking.token_hashes(state, pair))[0] / weights[pair[0]]
            gaps.append(abs(float(scores[1] / scores[0] - 1.0)))
        self.report.setdefault("near", {})[name] = gaps

    def ours(self) -> None:
        """Our own rows on the GPU, by Triton and by tensor operations, against our compiled kernels on the CPU."""
        kernels = marking._gpu_rows
        for way, chooser in (("Triton", kernels), ("tensor operations", lambda _: None)):
            marking._gpu_rows = chooser  # type: ignore[assignment]
            try:
                self._our_rows(way)
            finally:
                marking._gpu_rows = kernels

    def _our_rows(self, way: str) -> None:
        """Compare green lists and draws made in one way."""
        for vocabulary in self.vocabularies:
            contexts = contexts_of(DRAWS, 4, vocabulary)
            for number, kind in enumerate((torch.float32, torch.bfloat16)):
                rows = 64
                green = [
                    RowMark(draw=Draw.GREEN_LIST, key=KEYS[row % 3], width=1 + row % 4, delta=2.0)
                    for row in range(rows)
                ]
                logits = logits_of(rows, vocabulary).to(kind)
                expected = marking.mark_rows(logits.float().clone(), contexts[:rows], green).to(kind)
                got = marking.mark_rows(self.there(logits), self.there(contexts[:rows]), green).cpu()
                self.compare(
                    f"ours by {way}, green logits, {'float32' if number == 0 else 'bfloat16'}",
                    got.float().numpy(),
                    expected.float().numpy(),
                )
            holed, logits, repeated = contexts.clone(), logits_of(DRAWS, vocabulary), torch.arange(DRAWS) % 11 == 0
            holed[::13, 1] = -1  # these rows are left alone
            mixed = mixed_rows()
            expected = marking.mark_rows(logits.clone(), holed, mixed, repeated)
            got = marking.mark_rows(self.there(logits), self.there(holed), mixed, self.there(repeated)).cpu()
            self.compare(f"ours by {way}, a batch of all kinds of rows", got.numpy(), expected.numpy())
            for truncation in TRUNCATIONS:
                for dual in (False, True):
                    marks, logits = [row_mark(truncation, dual=dual)] * DRAWS, logits_of(DRAWS, vocabulary)
                    expected = marking.mark_rows(logits.clone(), contexts, marks).argmax(dim=1).numpy()
                    got = marking.mark_rows(self.there(logits), self.there(contexts), marks).argmax(dim=1).cpu().numpy()
                    self.compare(f"ours by {way}, tokens drawn", got, expected)
                    self._note_near(
                        f"ours by {way}, {vocabulary}, top-k {truncation['top_k']}, {'two keys' if dual else 'one key'}",
                        marks,
                        contexts,
                        got,
                        expected,
                    )

    def generator(self) -> None:
        """The CUDA generator of torch and transformers' lists: how many differ from a CPU's, and whether our copy of it gives them."""
        made: Found = {"permutations": [], "lists": []}
        for size in SIZES:
            for seed in SEEDS:
                drawn = (
                    torch.randperm(size, generator=torch.Generator(self.device).manual_seed(seed), device=self.device)
                    .cpu()
                    .numpy()
                )
                self.compare(
                    f"randperm({size}) of a CUDA generator, copied",
                    drawn,
                    torch_cuda_random.permutation(seed, size, threads()),
                )
                made["permutations"].append(
                    {"size": size, "seed": str(seed), "head": drawn[:8].tolist(), "sha256": digest(drawn.astype("<i8"))}
                )
        repeats = self.vocabularies[0]
        for seed in range(2_000):  # about 200 of them have two equal keys, whose order is drawn once more
            drawn = torch.randperm(
                repeats, generator=torch.Generator(self.device).manual_seed(seed), device=self.device
            )
            self.compare(
                "randperm of 2,000 more seeds, copied",
                drawn.cpu().numpy(),
                torch_cuda_random.permutation(seed, repeats, threads()),
            )
        for vocabulary in self.vocabularies:
            for number, key in enumerate(KEYS[::2]):
                lister = WatermarkLogitsProcessor(vocabulary, self.device, hashing_key=key)
                for token in (1, 77, 31_337, vocabulary - 1):
                    listed = np.sort(lister._get_greenlist_ids(self.there(torch.tensor([5, token]))).cpu().numpy())
                    seed = key * token % (2**64 - 1)
                    copied = np.sort(torch_cuda_random.permutation(seed, vocabulary, threads())[: len(listed)])
                    self.compare("transformers KGW, green ids, copied", listed, copied)
                    on_cpu = torch_random.permutation_head(np.uint32(seed & 0xFFFFFFFF), vocabulary, len(listed))
                    shared = self.report.setdefault("green ids shared with a CPU's list", [])
                    shared.append(round(float(np.isin(listed, on_cpu).mean()), 4))
                    made["lists"].append(
                        {
                            "vocabulary": vocabulary,
                            "key": 2 * number,
                            "token": token,
                            "sha256": digest(listed.astype("<i8")),
                        }
                    )
        self.vectors["generator"] = {"threads": threads(), **made}

    def synthid(self) -> None:
        """SynthID of transformers: the table that a CUDA generator draws, and g-values."""
        made: Found = {"tables": []}
        for seed in (0, 2, 2**40 + 1):
            processor = SynthIDTextWatermarkLogitsProcessor(
                ngram_len=5, keys=list(LAYERS), sampling_table_size=65_536, sampling_table_seed=seed, context_history_size=1024,
                device=torch.device(self.device),
            )  # fmt: skip
            table = processor.sampling_table.cpu().numpy()
            self.compare(
                "transformers SynthID, table of g-values, copied",
                table,
                torch_cuda_random.bits(seed, 65_536, threads()).astype(np.int64),
            )
            on_cpu = torch_random.bits(seed, 65_536)
            self.report.setdefault("g-values shared with a CPU's table", []).append(
                round(float((table == on_cpu).mean()), 4)
            )
            tokens = contexts_of(1, 4_000, self.vocabularies[0])
            got = processor.compute_g_values(self.there(tokens))[0].cpu().numpy()
            grams = np.lib.stride_tricks.sliding_window_view(tokens[0].numpy().astype(np.uint32), 5)
            hashes = linear_congruential.hash_rows(grams) + np.uint64(linear_congruential.start_offset(1, 5))
            places = linear_congruential.layered(hashes, np.array(LAYERS, dtype=np.uint64)) % np.uint64(65_536)
            self.compare("transformers SynthID, g-values with that table", got, table[places])
            made["tables"].append({"seed": seed, "sha256": digest(table.astype(np.uint8))})
        self.vectors["synthid"] = made


def row_mark(truncation: dict[str, float], *, dual: bool) -> RowMark:
    """Make the Gumbel mark of a row under the first key, or the first two."""
    return RowMark(
        draw=Draw.GUMBEL, key=KEYS[0], second_key=KEYS[1] if dual else None, mixing=0.5 if dual else 1.0, width=4,
        temperature=truncation["temperature"], top_k=int(truncation["top_k"]), top_p=truncation["top_p"], min_p=truncation["min_p"],
    )  # fmt: skip


def mixed_rows() -> list[RowMark | None]:
    """Make marks of all kinds for one batch."""
    marks: list[RowMark | None] = []
    for row in range(DRAWS):
        cut = TRUNCATIONS[row % 2]
        kinds = (
            None,
            RowMark(draw=Draw.GREEN_LIST, key=KEYS[row % 3], width=1 + row % 4),
            row_mark(cut, dual=False),
            row_mark(cut, dual=True),
        )
        marks.append(kinds[row % 4])
    return marks


def best_of_uniforms(logits: np.ndarray, contexts: Any, key: int) -> tuple[np.ndarray, np.ndarray]:
    """Give the token of largest logit - log(-log u) in double precision, and how far the second one is behind."""
    best, gaps = [], []
    for row in range(len(logits)):
        uniforms = expected_uniforms(contexts[row : row + 1], key, logits.shape[1])[0].astype(np.float64)
        values = logits[row].astype(np.float64) - np.log(-np.log(uniforms))
        second, first = np.argpartition(values, -2)[-2:]
        best.append(first)
        gaps.append(values[first] - values[second])
    return np.array(best), np.array(gaps)


if __name__ == "__main__":
    sys.exit(main())
