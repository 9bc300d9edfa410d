"""One other detector, timed in a process of its own on tokens that every detector gets.

    python -m benchmarks.marks_peers NAME --wheels WHEELS --tokens N

Its own code is run, taken from the wheel that `pip download --no-deps` got: the detector's loop where it has one, with the de-duplication that
it recommends. Prints one JSON object. vLLM, SGLang, synthid-text, MarkLLM and textseal are not installed, because their whole trees need
GPUs, other versions of numpy or much else; only the modules of the detector are taken out.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import importlib
import importlib.util
import json
import math
import sys
import tempfile
import time
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

SEED = 20_261_125
VOCABULARY = 50_257
Score = Callable[[list[int]], Any]


def main() -> int:
    """Time one detector."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=sorted(PEERS))
    parser.add_argument("--wheels", type=Path, required=True)
    parser.add_argument("--tokens", type=int, default=0, help="tokens to score; 0 for as many as take about a second")
    asked = parser.parse_args()
    import torch  # noqa: PLC0415  # needed by all of them, and slow to load

    torch.set_num_threads(1)
    tokens, make, gives = PEERS[asked.name]
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        score = make(asked.wheels, Path(folder))
        ids = np.random.default_rng(SEED).integers(1, VOCABULARY, size=asked.tokens or tokens).tolist()
        score(ids[:50])
        wall, processor = time.perf_counter(), time.process_time()
        score(ids)
        wall, processor = time.perf_counter() - wall, time.process_time() - processor
    print(json.dumps({
        "name": asked.name, "gives": gives, "tokens": len(ids), "seconds": wall, "processor_seconds": processor,
        "tokens_per_second": len(ids) / wall, "tokens_per_processor_second": len(ids) / processor,
    }))  # fmt: skip
    return 0


def _wheel(folder: Path, name: str) -> zipfile.ZipFile:
    (found,) = folder.glob(f"{name}-*.whl")
    return zipfile.ZipFile(found)


def _take(wheels: Path, name: str, into: Path, paths: tuple[str, ...]) -> None:
    """Take some modules out of a wheel, as parts of namespace packages."""
    with _wheel(wheels, name) as packed:
        for one in packed.namelist():
            if one in paths or (paths == ("*",) and one.endswith((".py", ".so"))):
                packed.extract(one, into)
    if str(into) not in sys.path:
        sys.path.insert(0, str(into))


def _definitions(wheels: Path, name: str, path: str, names: set[str], known: dict[str, Any]) -> dict[str, Any]:
    """Run only some functions and classes of a module."""
    with _wheel(wheels, name) as packed:
        tree = ast.parse(packed.read(path).decode())
    tree.body = [node for node in tree.body if getattr(node, "name", None) in names]
    future = ast.parse("from __future__ import annotations").body
    exec(compile(ast.Module(body=[*future, *tree.body], type_ignores=[]), path, "exec"), known)  # noqa: S102  # the peer's own code
    return known


def _vllm(wheels: Path, folder: Path) -> Score:
    import torch  # noqa: PLC0415

    where = "vllm/v1/watermarking"
    _take(wheels, "vllm", folder, (f"{where}/prfs/base.py", f"{where}/prfs/philox.py", f"{where}/detector.py"))
    philox = importlib.import_module("vllm.v1.watermarking.prfs.philox")
    detector = importlib.import_module("vllm.v1.watermarking.detector")
    known = {
        "torch": torch, "math": math, "warnings": warnings, "WatermarkDetector": detector.WatermarkDetector,
        "create_prf": lambda _, key: philox.PhiloxPRF(key),
    }  # fmt: skip
    names = {"_gamma_survival_integer_shape", "GumbelWatermarkDetector", "_validate_context_width"}
    score: Score = _definitions(wheels, "vllm", f"{where}/gumbel.py", names, known)["GumbelWatermarkDetector"](
        42
    ).detect
    return score


def _sglang(wheels: Path, folder: Path) -> Score:
    where = "sglang/srt/sampling/watermarking"
    _take(wheels, "sglang", folder, (f"{where}/config.py", f"{where}/detector.py"))
    _take(wheels, "msgspec", folder, ("*",))
    detector = importlib.import_module("sglang.srt.sampling.watermarking.detector")
    one = detector.WatermarkDetector("2a")

    def score(ids: list[int]) -> Any:  # it stops at 4,096 contexts, so a long text goes in pieces
        return [one.detect_tokens(ids[start : start + 4_000]) for start in range(0, len(ids), 4_000)]

    return score


def _transformers(scheme: str) -> Callable[[Path, Path], Score]:
    def make(wheels: Path, folder: Path) -> Score:  # noqa: ARG001  # installed with the extra `models`
        import torch  # noqa: PLC0415
        import transformers  # noqa: PLC0415

        transformers.logging.set_verbosity_error()
        settings = {
            "greenlist_ratio": 0.25, "bias": 2.0, "hashing_key": 15_485_863, "seeding_scheme": scheme,
            "context_width": 1 if scheme == "lefthash" else 4,
        }  # fmt: skip
        config = transformers.GPT2Config(vocab_size=VOCABULARY)
        detector = transformers.WatermarkDetector(config, "cpu", settings, ignore_repeated_ngrams=True)
        return lambda ids: detector(torch.tensor([ids]), return_dict=True)

    return make


def _transformers_synthid(wheels: Path, folder: Path) -> Score:  # noqa: ARG001  # installed with the extra `models`
    import torch  # noqa: PLC0415
    import transformers  # noqa: PLC0415

    processor = transformers.SynthIDTextWatermarkLogitsProcessor(
        ngram_len=5, keys=list(range(1, 31)), sampling_table_size=65_536, sampling_table_seed=0, context_history_size=1024,
        device=torch.device("cpu"),
    )  # fmt: skip
    return lambda ids: _mean_score(processor, torch.tensor([ids]))


def _synthid_text(wheels: Path, folder: Path) -> Score:
    import torch  # noqa: PLC0415

    _take(wheels, "synthid_text", folder, ("synthid_text/logits_processing.py", "synthid_text/hashing_function.py"))
    library = importlib.import_module("synthid_text.logits_processing")
    processor = library.SynthIDLogitsProcessor(
        ngram_len=5, keys=list(range(1, 31)), sampling_table_size=65_536, sampling_table_seed=0, context_history_size=1024,
        device=torch.device("cpu"), temperature=1.0, top_k=100,
    )  # fmt: skip
    return lambda ids: _mean_score(processor, torch.tensor([ids]))


def _mean_score(processor: Any, ids: Any) -> float:
    """Do what `detector_mean.mean_score` does; it is written for jax."""
    values = processor.compute_g_values(ids)
    mask = processor.compute_context_repetition_mask(ids)
    return float((values * mask.unsqueeze(2)).sum() / (values.shape[2] * mask.sum()))


def _markllm(scheme: str) -> Callable[[Path, Path], Score]:
    def make(wheels: Path, folder: Path) -> Score:  # noqa: ARG001  # nothing is taken out
        import torch  # noqa: PLC0415

        known: dict[str, Any] = {"torch": torch, "np": np, "hashlib": hashlib, "sqrt": math.sqrt}
        known |= {"UnigramConfig": object, "KGWConfig": object}
        path = f"markllm/watermark/{scheme.lower()}/{scheme.lower()}.py"
        settings = argparse.Namespace(
            gamma=0.5, hash_key=15_485_863, vocab_size=VOCABULARY, device="cpu", prefix_length=1, f_scheme="time",
            window_scheme="left",
        )  # fmt: skip
        one = _definitions(wheels, "markllm", path, {f"{scheme}Utils"}, known)[f"{scheme}Utils"](settings)
        return lambda ids: one.score_sequence(torch.tensor(ids))

    return make


def _textseal(wheels: Path, folder: Path) -> Score:
    where = "textseal/common/watermark"
    _take(wheels, "textseal", folder, (f"{where}/core.py", f"{where}/pseudorandom.py", "textseal/posthoc/detector.py"))
    posthoc = importlib.import_module("textseal.posthoc.detector")
    core = importlib.import_module("textseal.common.watermark.core")

    class Ids:
        """Stands where it expects a tokenizer: a text is its ids."""

        vocab_size = VOCABULARY

        def add_special_tokens(self) -> None:
            """Show that it is of the Hugging Face kind."""

        def encode(self, text: str, *, add_special_tokens: bool) -> list[int]:  # noqa: ARG002  # its signature
            """Read the ids."""
            return [int(one) for one in text.split()]

    detector = posthoc.GumbelmaxDetector(Ids(), core.WatermarkConfig(ngram=4, secret_key=12_345))
    return lambda ids: detector.get_pvalues(
        detector.get_scores_by_t([" ".join(map(str, ids))], scoring_method="v2", seen_windows=set())
    )


PEERS: dict[str, tuple[int, Callable[[Path, Path], Score], str]] = {
    "vLLM 0.33.0 Gumbel h=4": (400_000, _vllm, "exact p"),
    "SGLang 0.5.23 Gumbel h=4": (100_000, _sglang, "exact log p, 4,096 contexts at most"),
    "transformers 5.24.0 KGW lefthash": (3_000, _transformers("lefthash"), "normal p"),
    "transformers 5.24.0 KGW selfhash": (3_000, _transformers("selfhash"), "normal p"),
    "transformers 5.24.0 SynthID depth 30": (20_000, _transformers_synthid, "mean score, no p"),
    "synthid-text 0.2.1 SynthID depth 30": (20_000, _synthid_text, "mean score, no p"),
    "MarkLLM 0.1.5 KGW": (3_000, _markllm("KGW"), "z, no de-duplication"),
    "MarkLLM 0.1.5 Unigram": (400_000, _markllm("Unigram"), "z, no de-duplication"),
    "textseal 0.0.5 Gumbel h=4": (15_000, _textseal, "exact p"),
}
"""Tokens for about a second, what makes it, and what it gives."""

if __name__ == "__main__":
    sys.exit(main())
