"""The vectors of trees, proofs and notes: made again as they stand, and verified by another implementation in another language."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import make_transparency_log
import pytest

HERE = Path(__file__).parent
GO_SOURCES = Path("/usr/share/gocode")


def test_the_file_is_what_this_version_makes() -> None:
    kept = json.loads(make_transparency_log.FILE.read_text(encoding="utf-8"))
    assert kept == make_transparency_log.vectors(), "run: python tests/vectors/make_transparency_log.py"


@pytest.mark.skipif(
    shutil.which("go") is None or not (GO_SOURCES / "src" / "golang.org" / "x" / "mod" / "sumdb" / "tlog").is_dir(),
    reason="Go's transparency log packages are not installed (Debian: apt-get install golang-go golang-golang-x-mod-dev)",
)
def test_go_verifies_every_root_proof_and_signature(tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "GO111MODULE": "off",
        "GOPATH": str(GO_SOURCES),
        "GOCACHE": str(tmp_path),
        "GOFLAGS": "",
    }
    done = subprocess.run(
        ["go", "run", "verify_transparency_log.go", make_transparency_log.FILE.name],
        cwd=HERE, env=environment, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    kept = make_transparency_log.vectors()
    proofs = len(kept["inclusion"]) + len(kept["consistency"])
    assert re.fullmatch(
        rf"verified {len(kept['roots'])} roots, {proofs} proofs, 2 signatures; refused {proofs} forgeries\n",
        done.stdout,
    )
