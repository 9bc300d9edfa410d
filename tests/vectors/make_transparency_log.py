"""Make transparency_log.json: trees, proofs, checkpoints and cosignatures, as stillwatch writes them.

Run from the root of the repository: `python tests/vectors/make_transparency_log.py`. The file is verified by
`verify_transparency_log.go`, which shares no code with stillwatch: Go's golang.org/x/mod/sumdb/tlog and note.
"""

from __future__ import annotations

import base64
import itertools
import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from stillwatch.integrity import merkle
from stillwatch.integrity.signed_note import cosign, parse_note, sign_checkpoint
from stillwatch.integrity.signing import SignatureType, SignerKey
from stillwatch.records.ledger import TilePlace

FILE = Path(__file__).with_name("transparency_log.json")
LEAVES = 66_000
"""Enough for three levels of tiles."""
SIZES = (1, 2, 3, 7, 8, 255, 256, 257, 1_000, 65_535, 65_536, 65_537, LEAVES)
LOG = SignerKey(name="example.com/log", type=SignatureType.NOTE, seed=bytes(range(32)))
WITNESS = SignerKey(name="witness.example/w1", type=SignatureType.COSIGNATURE, seed=bytes(range(32, 64)))
SIGNER_TEXT = "PRIVATE+KEY+{}+{}+{}"
COSIGNED_S = 1_780_000_000


def leaf(number: int) -> bytes:
    """Give the bytes of a leaf."""
    return b"leaf %d" % number


def vectors() -> dict[str, Any]:
    """Give everything that the file holds."""
    hashes = [merkle.leaf_hash(leaf(number)) for number in range(LEAVES)]
    tiles = merkle.grow(0, hashes, lambda _: {})

    def read(places: Collection[TilePlace]) -> Mapping[TilePlace, bytes]:
        return {place: tiles[place] for place in places if place in tiles}

    def texts(proof: tuple[bytes, ...]) -> list[str]:
        return [base64.b64encode(one).decode() for one in proof]

    roots = {size: merkle.root(size, read) for size in SIZES}
    checkpoint = sign_checkpoint(LOG.name, LEAVES, roots[LEAVES], LOG)
    line = cosign(parse_note(checkpoint.note), WITNESS, COSIGNED_S).line()
    key = base64.b64encode(bytes([SignatureType.NOTE]) + LOG.seed).decode()
    return {
        "leaves": LEAVES,
        "leaf": "leaf %d",
        "roots": {str(size): base64.b64encode(value).decode() for size, value in roots.items()},
        "inclusion": [
            {"index": index, "size": size, "hashes": texts(merkle.inclusion_proof(index, size, read))}
            for size in SIZES
            for index in sorted({0, size // 3, size // 2, max(0, size - 2), size - 1})
        ],
        "consistency": [
            {"old": old, "new": new, "hashes": texts(merkle.consistency_proof(old, new, read))}
            for old, new in itertools.combinations_with_replacement(SIZES, 2)
        ],
        "log_key": LOG.verifier.text(),
        "log_signer": SIGNER_TEXT.format(LOG.name, LOG.verifier.key_id.hex(), key),
        "witness_key": WITNESS.verifier.text(),
        "witness_time": COSIGNED_S,
        "checkpoint": checkpoint.note,
        "cosigned": checkpoint.note + line,
    }


if __name__ == "__main__":
    FILE.write_text(json.dumps(vectors(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
