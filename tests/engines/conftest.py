"""The engines under test: every test that takes `engine` runs on DuckDB and on Spark; one Spark serves the whole run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from stillwatch.engines import Engine, open_engine
from stillwatch.engines.errors import EngineUnavailableError

MEMORY = 512 << 20
BOTH = (pytest.param("duckdb", id="duckdb"), pytest.param("spark", id="spark", marks=pytest.mark.spark))


@pytest.fixture(scope="session")
def running_spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """The engine that starts Spark; engines opened while it lives share its Java process."""
    # Short queries on few rows: the optimising compiler and its collector cost Java more than they save (99 s to 39 s).
    asked = os.environ.get("JDK_JAVA_OPTIONS")
    os.environ["JDK_JAVA_OPTIONS"] = f"{asked or ''} -XX:TieredStopAtLevel=1 -XX:+UseSerialGC".strip()
    try:
        engine = open_engine("spark", work=tmp_path_factory.mktemp("spark"), memory_limit_bytes=2 * MEMORY, threads=2)
    except EngineUnavailableError as error:
        pytest.skip(str(error))
    finally:
        del os.environ["JDK_JAVA_OPTIONS"]
        if asked is not None:
            os.environ["JDK_JAVA_OPTIONS"] = asked
    yield engine
    engine.close()


@pytest.fixture
def duckdb_engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_engine("duckdb", work=tmp_path / "duckdb", memory_limit_bytes=MEMORY, threads=2)
    yield engine
    engine.close()


@pytest.fixture
def spark_engine(tmp_path: Path, running_spark: Engine) -> Iterator[Engine]:
    assert running_spark.name == "spark"
    engine = open_engine("spark", work=tmp_path / "spark", memory_limit_bytes=MEMORY, threads=2)
    yield engine
    engine.close()


@pytest.fixture(params=BOTH)
def engine(request: pytest.FixtureRequest) -> Engine:
    found: Engine = request.getfixturevalue(f"{request.param}_engine")
    return found
