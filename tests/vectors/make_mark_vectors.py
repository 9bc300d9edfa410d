"""Make mark_vectors.json by running the engines' and libraries' own code, never ours.

    python tests/vectors/make_mark_vectors.py --wheels WHEELS --repositories FILES > tests/vectors/mark_vectors.json

WHEELS holds the wheels vllm-0.33.0, sglang-0.5.23, synthid_text-0.2.1, markllm-0.1.5 and msgspec, got by `pip download --no-deps`. FILES holds
two files that no registry has: `logits_processing.py` of google-deepmind/synthid-text at 32197c3, and `kgw_repository.py`, the functions of
jwkirchenbauer/lm-watermarking at 5b0e207 that name a green list. transformers 5.24.0 and torch are those of this environment, on a CPU.

Of vLLM and SGLang only the modules of the pseudorandom functions and detectors are taken out of the wheels; nothing else of them is imported.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import importlib
import json
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import torch
import transformers

TAKEN = {
    "vllm": ("vllm/v1/watermarking/prfs/base.py", "vllm/v1/watermarking/prfs/philox.py"),
    "sglang": ("sglang/srt/sampling/watermarking/config.py", "sglang/srt/sampling/watermarking/detector.py"),
    "synthid_text": ("synthid_text/logits_processing.py", "synthid_text/hashing_function.py"),
    "msgspec": (),
}
KEYS = (0x0123456789ABCDEF, 0xFEDCBA9876543210, 42)
VOCABULARY = 997


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--wheels", type=Path, required=True)
    parser.add_argument("--repositories", type=Path, required=True)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        for name, taken in TAKEN.items():
            with zipfile.ZipFile(wheel(arguments.wheels, name)) as packed:
                for one in packed.namelist():
                    if one in taken or (not taken and one.startswith(name)):
                        packed.extract(one, folder)
        sys.path[:0] = [folder, str(arguments.repositories)]
        tokens = np.random.default_rng(20261125).integers(0, VOCABULARY, size=40)
        tokens[7:15] = tokens[20:28]
        tokens[30] = 0
        document = {
            "made_by": "tests/vectors/make_mark_vectors.py",
            "made_on": "2026-11-25",
            "versions": {
                "vllm": "0.33.0", "sglang": "0.5.23", "synthid-text": "0.2.1 and 32197c3", "markllm": "0.1.5",
                "transformers": transformers.__version__, "torch": torch.__version__, "numpy": np.__version__,
                "lm-watermarking": "5b0e207",
            },
            "keys": [f"{key:016x}" for key in KEYS],
            "vocabulary": VOCABULARY,
            "tokens": tokens.tolist(),
            "vllm": vllm(tokens, arguments.wheels),
            "sglang": sglang(tokens),
            "kgw_transformers": kgw_transformers(tokens),
            "kgw_published": kgw_published(tokens),
            "synthid_shipped": synthid_shipped(tokens),
            "synthid_fixed": synthid_fixed(tokens, arguments.repositories),
            "unigram": unigram(arguments.wheels),
            "torch": torch_draws(),
        }  # fmt: skip
    json.dump(document, sys.stdout, separators=(",", ":"))
    sys.stdout.write("\n")


def wheel(folder: Path, name: str) -> Path:
    (found,) = folder.glob(f"{name}-*.whl")
    return found


def definitions(source: str, names: set[str], known: dict) -> dict:
    """Run only some functions and classes of a source file."""
    tree = ast.parse(source)
    tree.body = [node for node in tree.body if getattr(node, "name", None) in names]
    exec(compile(tree, "<taken>", "exec"), known)  # noqa: S102  # the library's own code
    return known


def vllm(tokens: np.ndarray, wheels: Path) -> dict:
    philox = importlib.import_module("vllm.v1.watermarking.prfs.philox")
    with zipfile.ZipFile(wheel(wheels, "vllm")) as packed:
        source = packed.read("vllm/config/watermarking.py").decode()
    derive = definitions(source, {"derive_watermark_key"}, {"hashlib": hashlib})["derive_watermark_key"]
    uniforms = {}
    for width in (1, 2, 4, 5, 8):
        contexts = torch.tensor([tokens[i - width : i].tolist() for i in range(width, len(tokens))])
        targets = torch.tensor(tokens[width:]).unsqueeze(-1)
        uniforms[str(width)] = [
            philox.PhiloxPRF(key).uniform(contexts, targets).squeeze(-1).double().tolist() for key in KEYS
        ]
    derived = [[f"{derive(key, domain):016x}" for domain in (b"key_a", b"key_b")] for key in KEYS]
    return {"uniforms": uniforms, "derived": derived}


def sglang(tokens: np.ndarray) -> dict:
    detector = importlib.import_module("sglang.srt.sampling.watermarking.detector")
    found = {}
    for width in (1, 4, 9):
        hashes = [detector.hash_context(tokens[i - width : i].tolist()) for i in range(width, len(tokens))]
        pairs = list(zip(hashes, tokens[width:].tolist(), strict=True))
        result = detector.detect(
            tokens.tolist(), key=f"{KEYS[0]:x}", key_b=f"{KEYS[1]:x}", mixing_probability=0.3, context_window=width
        )
        found[str(width)] = {
            "context_hashes": hashes,
            "token_hashes": [[detector.watermark_hash(key, *pair) for pair in pairs] for key in KEYS],
            "coins": [detector.position_coin(KEYS[0], KEYS[1], one) for one in hashes],
            "detected": {
                name: [
                    getattr(result, name).num_contexts,
                    getattr(result, name).score,
                    getattr(result, name).log_p_value,
                ]
                for name in ("combined", "key_a_all_positions", "key_b_all_positions", "key_a_partition")
            },
        }
    return found


def kgw_transformers(tokens: np.ndarray) -> dict:
    ids = torch.tensor(tokens)
    found = {}
    for scheme, width in (("lefthash", 1), ("lefthash", 3), ("selfhash", 1), ("selfhash", 4)):
        greens = []
        for key in (*KEYS[::2], 15_485_863):  # torch takes a key as a signed number
            config = {
                "greenlist_ratio": 0.25,
                "bias": 2.0,
                "hashing_key": key,
                "seeding_scheme": scheme,
                "context_width": width,
            }
            detector = transformers.WatermarkDetector(
                transformers.GPT2Config(vocab_size=VOCABULARY, bos_token_id=VOCABULARY + 1), "cpu", config
            )
            own = scheme == "selfhash"
            before = width - own
            greens.append([
                bool(detector._get_ngram_score(ids[i - before : i + own], int(ids[i]))) for i in range(before, len(ids))
            ])  # fmt: skip
        found[f"{scheme}-{width}"] = greens
    return {"keys": [f"{key:016x}" for key in (*KEYS[::2], 15_485_863)], "green": found}


def kgw_published(tokens: np.ndarray) -> dict:
    repository = importlib.import_module("kgw_repository")
    ids = torch.tensor(tokens)
    keys = (15_485_863, 42, KEYS[0])
    found = {}
    for seeding, prf, width in (
        ("additive", "additive_prf", 1),
        ("additive", "additive_prf", 3),
        ("minhash", "minhash_prf", 4),
        ("selfhash", "anchored_minhash_prf", 4),
    ):
        own = seeding == "selfhash"
        before = width - own
        greens = []
        for key in keys:
            base = repository.WatermarkBase(VOCABULARY, 0.25, prf, width, key)
            greens.append([
                int(ids[i]) in base._get_greenlist_ids(ids[i - before : i + own]).tolist() for i in range(before, len(ids))
            ])  # fmt: skip
        found[f"{seeding}-{width}"] = greens
    return {"keys": [f"{key:016x}" for key in keys], "green": found}


LAYERS = (654, 400, 836, 123, 340, 443, 597, 160, 57, 2**40 + 5, 2**62 + 9)


def synthid_shipped(tokens: np.ndarray) -> dict:
    ids = torch.tensor(tokens).unsqueeze(0)
    found = {}
    for seed in (0, 2):
        shared = {
            "ngram_len": 5,
            "keys": list(LAYERS),
            "sampling_table_size": 65_536,
            "sampling_table_seed": seed,
            "context_history_size": 1024,
            "device": torch.device("cpu"),
        }
        one = transformers.SynthIDTextWatermarkLogitsProcessor(**shared).compute_g_values(ids)[0]
        library = importlib.import_module("synthid_text.logits_processing")
        other = library.SynthIDLogitsProcessor(**shared, temperature=1.0, top_k=10).compute_g_values(ids)[0]
        if not torch.equal(one, other):
            raise SystemExit("transformers and synthid-text disagree")
        found[str(seed)] = one.tolist()
    return {"layers": list(LAYERS), "g_values": found}


def synthid_fixed(tokens: np.ndarray, repositories: Path) -> dict:
    source = (repositories / "logits_processing.py").read_text(encoding="utf-8")
    known = {
        "torch": torch,
        "transformers": transformers,
        "hashlib": hashlib,
        "hashing_function": importlib.import_module("synthid_text.hashing_function"),
    }
    known["Sequence"] = list
    processor = definitions(source, {"SynthIDLogitsProcessor"}, known)["SynthIDLogitsProcessor"](
        ngram_len=5, keys=list(LAYERS), context_history_size=1024, temperature=1.0, top_k=10, device=torch.device("cpu")
    )
    values = processor.compute_g_values(torch.tensor(tokens).unsqueeze(0))[0]
    return {"layers": list(LAYERS), "start": str(processor.hash_iv), "g_values": values.tolist()}


def unigram(wheels: Path) -> dict:
    with zipfile.ZipFile(wheel(wheels, "markllm")) as packed:
        source = packed.read("markllm/watermark/unigram/unigram.py").decode()
    known = {"np": np, "hashlib": hashlib, "torch": torch, "UnigramConfig": object}
    utilities = definitions(source, {"UnigramUtils"}, known)["UnigramUtils"]
    masks = []
    for key in (0, 42, KEYS[0]):
        config = argparse.Namespace(gamma=0.4, vocab_size=VOCABULARY, hash_key=key)
        masks.append(np.packbits(utilities(config).mask).tobytes().hex())
    return {"keys": [f"{key:016x}" for key in (0, 42, KEYS[0])], "masks": masks}


def torch_draws() -> dict:
    found = {}
    for seed in (0, 42, 2**32 + 42, 2**63 + 11):
        generator = torch.Generator().manual_seed(seed)
        permutation = torch.randperm(1000, generator=generator)[:20].tolist()
        found[str(seed)] = {
            "randperm_1000": permutation,
            "randint_2": torch.randint(0, 2, (40,), generator=torch.Generator().manual_seed(seed)).tolist(),
        }
    return found


if __name__ == "__main__":
    main()
