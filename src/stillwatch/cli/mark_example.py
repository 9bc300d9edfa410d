"""The verb `mark example`: a small marked corpus with fresh keys, to try the detector on."""

from __future__ import annotations

import secrets
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from stillwatch.cli.errors import OutputError
from stillwatch.cli.exit_codes import ExitCode
from stillwatch.cli.options import DebugOption, JsonOption, prepare_folder
from stillwatch.cli.terminal import open_terminal
from stillwatch.cli.verb_help import VerbHelp

HELP = VerbHelp(
    name="example",
    purpose="Write token ids that bear two of nine fresh keys, as SGLang would mark them, and the keys.",
    examples=("stillwatch mark example --out marked",),
    writes="answers.jsonl, keys.jsonl and watermark.json, SGLang's settings with the provider's key, into the folder of --out; a file that is there stays, and ends it.",
)
CAMPAIGNS = 8
DOCUMENTS = 64
LENGTH = 160
CANDIDATES = 12
"""Equally likely tokens at each place: a text of 3.6 bits a token."""
VOCABULARY = 32_000


def example(
    *,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder to write into.")],
    as_json: JsonOption = False,
    debug: DebugOption = False,  # noqa: ARG001  # read by the entry point
) -> ExitCode:
    """Write the example."""
    import json  # noqa: PLC0415

    from stillwatch.watermark.key_file import key_lines  # noqa: PLC0415

    terminal = open_terminal(as_json=as_json)
    prepare_folder(out, "--out")
    answers, keys = out / "answers.jsonl", out / "keys.jsonl"
    if answers.exists() or keys.exists():
        raise OutputError(f"--out {out} holds an example already; name another folder.")
    issued = _fresh_keys()
    marker = issued[1 + secrets.randbelow(CAMPAIGNS)]
    keys.touch(mode=0o600)
    keys.write_text(key_lines(issued), encoding="utf-8")
    rows = _marked(marker.key).tolist()
    answers.write_text("".join(json.dumps({"token_ids": row}) + "\n" for row in rows), encoding="utf-8")
    settings = out / "watermark.json"
    settings.touch(mode=0o600)
    settings.write_text(
        json.dumps({"key": issued[0].key.hex(), "context_window": 4, "enforce_all": True}) + "\n", encoding="utf-8"
    )
    terminal.say(
        f"{DOCUMENTS} documents of {LENGTH} tokens in {answers}, marked with the keys of the provider and of {marker.assigned_to}; all {len(issued)} keys in {keys}."
    )
    terminal.document({"verb": "mark example", "out": str(out), "marked_with": marker.handle, "keys": len(issued)})
    return ExitCode.DONE


def _fresh_keys() -> list[Any]:
    """Draw the provider's key B, and a campaign's key A for each campaign."""
    from stillwatch.records.mark import MarkKey, MarkLevel  # noqa: PLC0415

    now = time.time_ns() // 1000
    second = secrets.token_bytes(8)
    keys = [
        MarkKey(
            handle="provider", scheme="sglang-gumbel@murmur3-v1", parameters=(("context_width", 4),),
            level=MarkLevel.PROVIDER, assigned_to="example provider", key=second, tokenizer_digest="", issued_us=now,
        )
    ]  # fmt: skip
    keys += [
        MarkKey(
            handle=f"campaign-{number}", scheme="sglang-dual@murmur3-v1",
            parameters=(("context_width", 4), ("mixing_probability", 0.5)), level=MarkLevel.CAMPAIGN,
            assigned_to=f"c-{number}", key=secrets.token_bytes(8) + second, tokenizer_digest="", issued_us=now,
        )
        for number in range(1, CAMPAIGNS + 1)
    ]  # fmt: skip
    return keys


def _marked(key: bytes) -> Any:
    """Draw token ids: at each place the candidate with the largest u under the key that the place belongs to."""
    import numpy as np  # noqa: PLC0415

    from stillwatch.watermark.schemes import open_scheme  # noqa: PLC0415

    scheme = open_scheme("sglang-dual@murmur3-v1", {"context_width": 4, "mixing_probability": 0.5, "part": "both"})
    rng = np.random.default_rng(secrets.randbits(64))
    words = np.frombuffer(key, dtype=">u8").astype(np.uint64)
    text = rng.integers(0, VOCABULARY, size=(DOCUMENTS, LENGTH), dtype=np.uint32)
    for place in range(4, LENGTH):
        candidates = rng.integers(0, VOCABULARY, size=(DOCUMENTS, CANDIDATES), dtype=np.uint32)
        contexts = np.repeat(text[:, place - 4 : place], CANDIDATES, axis=0)
        values = scheme.values(scheme.units_of(contexts, candidates.ravel()).words, words)
        best = values.reshape(DOCUMENTS, CANDIDATES).argmax(axis=1)
        text[:, place] = candidates[np.arange(DOCUMENTS), best]
    return text
