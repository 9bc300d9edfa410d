from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))


@pytest.fixture(scope="session")
def both(shared):
    """The sources of the development and the report split, read once."""
    from benchmarks.real_world.sources import load  # noqa: PLC0415  # importable once the root is on the path

    return load(shared, "development"), load(shared, "report")


@pytest.fixture(scope="session")
def shared() -> Path:
    given = os.environ.get("STILLWATCH_SHARED")
    folder = Path(given) if given else ROOT.parent / "shared"
    if not (folder / "data").is_dir():
        pytest.skip(f"no third-party data at {folder / 'data'}; set STILLWATCH_SHARED to the folder that holds data/")
    return folder
