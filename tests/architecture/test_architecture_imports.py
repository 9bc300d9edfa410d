"""Imports go one way: the contracts of pyproject.toml hold, and each of them can break."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LINT = Path(sys.executable).parent / "lint-imports"
CONTRACTS = tuple(
    contract["name"]
    for contract in tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
)
# (the contract that must break, the module that is changed, the import that it gets)
PLANTED = (
    ("imports go one way", "statistics/tails.py", "import stillwatch.sketches.shape"),
    ("imports go one way", "intake/times.py", "import stillwatch.detection.facts"),
    ("imports go one way", "decisions/decide.py", "import stillwatch.evidence.ledger"),
    ("imports go one way", "pipeline.py", "from stillwatch.simulation import world"),
    ("imports go one way", "evidence/run_files.py", "from stillwatch.pipeline import STAGES"),
    ("imports go one way", "integrity/merkle.py", "import stillwatch.stores.protocol"),
    ("imports go one way", "stores/sqlite.py", "import stillwatch.integrity.merkle"),
    ("imports go one way", "stores/sqlite.py", "import stillwatch.engines.protocol"),
    ("imports go one way", "stores/opening.py", "import stillwatch.evidence.ledger"),
    ("imports go one way", "console/__init__.py", '"""A package that no layer names."""'),
    ("conclusions are pure functions of numbers", "statistics/tails.py", "import pyarrow"),
    ("records need the standard library only", "records/claim.py", "import numpy"),
    ("records need the standard library only", "records/terms.py", "import yaml"),
    (
        "the simulator shares no code with the detector but the records",
        "simulation/world.py",
        "import stillwatch.sketches",
    ),
    (
        "the request path uses no engine and no store",
        "gateway/__init__.py",
        "import stillwatch.stores.sqlite",
    ),
    (
        "the verifier of case bundles stands alone",
        "evidence/verify.py",
        "from stillwatch.integrity import canonical_bytes",
    ),
)


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run import-linter on the package below a folder, by the contracts in it; the folder comes first on the path."""
    return subprocess.run(
        [LINT, "--no-cache", "--config", "pyproject.toml"],
        cwd=folder, env={"PYTHONPATH": str(folder), "NO_COLOR": "1"}, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package and its contracts in a folder of their own."""
    folder = tmp_path_factory.mktemp("imports")
    shutil.copytree(ROOT / "src" / "stillwatch", folder / "stillwatch", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def test_every_contract_is_kept(copied: Path) -> None:
    result = lint(copied)
    assert result.returncode == 0, result.stdout + result.stderr
    assert f"Contracts: {len(CONTRACTS)} kept, 0 broken." in result.stdout


@pytest.mark.parametrize(("contract", "module", "line"), PLANTED)
def test_a_planted_import_breaks_its_contract(contract: str, module: str, line: str, copied: Path) -> None:
    path = copied / "stillwatch" / module
    before = path.read_text(encoding="utf-8") if path.exists() else None
    path.parent.mkdir(exist_ok=True)
    path.write_text((before or "") + f"\n{line}\n", encoding="utf-8")
    try:
        result = lint(copied)
    finally:
        if before is None:
            shutil.rmtree(path.parent)
        else:
            path.write_text(before, encoding="utf-8")
    assert result.returncode != 0
    assert f"{contract} BROKEN" in result.stdout or "console" in result.stdout


def test_every_contract_has_a_planted_import() -> None:
    assert {contract for contract, _, _ in PLANTED} == set(CONTRACTS)
