"""How Spark starts, or says why it does not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from stillwatch.engines.errors import EngineUnavailableError

pytestmark = pytest.mark.spark
spark_session = pytest.importorskip("stillwatch.engines.spark_session", reason="needs the extra: stillwatch[spark]")


def fake_java(folder: Path, answer: str) -> Path:
    (folder / "bin").mkdir(parents=True)
    java = folder / "bin" / "java"
    java.write_text(f"#!/bin/sh\necho '{answer}' >&2\n")
    java.chmod(0o755)
    return folder


@pytest.mark.parametrize("answer", ['openjdk version "17.0.15" 2025-04-15', 'openjdk version "21" 2023-09-19'])
def test_java_17_and_newer_are_taken(answer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_HOME", str(fake_java(tmp_path / "jdk", answer)))
    spark_session.refuse_missing_java()


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ('java version "1.8.0_401"', "needs Java 17 or newer; .* is 8;"),
        ('openjdk version "11.0.2" 2019-01-15', "needs Java 17 or newer; .* is 11;"),
        ("Unable to locate a Java Runtime", "gave no version"),
    ],
)
def test_an_old_or_mute_java_is_refused(
    answer: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JAVA_HOME", str(fake_java(tmp_path / "jdk", answer)))
    with pytest.raises(EngineUnavailableError, match=says):
        spark_session.refuse_missing_java()


def test_a_missing_java_is_named_with_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(
        EngineUnavailableError, match=r"none at PATH; install Java 17 or newer .*openjdk-17-jre-headless"
    ):
        spark_session.refuse_missing_java()
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(EngineUnavailableError, match="none at JAVA_HOME="):
        spark_session.refuse_missing_java()


def test_opening_duckdb_loads_no_spark_and_opening_nothing_loads_no_driver() -> None:
    code = (
        "import sys, stillwatch.engines;"
        "print([name for name in ('duckdb', 'pyspark') if name in sys.modules]);"
        "import stillwatch.engines.duckdb;"
        "print('pyspark' in sys.modules)"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.split("\n")[:2] == ["[]", "False"]
