"""The Spark session: how it is started, and the settings that make Spark give what DuckDB gives.

Takes the work folder, memory and threads. Gives a session, shared when one runs already. Promises ANSI arithmetic
(overflow raises), UTC, exact binary string order and no traffic beyond this machine.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from pyspark.logger import PySparkLogger
from pyspark.sql import SparkSession

import stillwatch
from stillwatch.engines.errors import EngineUnavailableError

JAVA_OLDEST = 17
"""Oldest Java that Spark 4 runs on."""
_JAVA_ADVICE = (
    f"install Java {JAVA_OLDEST} or newer (Debian and Ubuntu: apt-get install openjdk-17-jre-headless) and set JAVA_HOME"
    " when it is not on PATH, or use --engine duckdb"
)

QUERY_SETTINGS: Mapping[str, str] = {
    "spark.sql.ansi.enabled": "true",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.caseSensitive": "false",
    "spark.sql.adaptive.enabled": "true",
    "spark.sql.parquet.compression.codec": "zstd",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    # A plan's text in a warning helps nobody who reads a log, and could hold literals.
    "spark.sql.debug.maxToStringFields": "100",
}
"""Settings of each session, also of one that shares a running Spark."""

_LOGGING = """\
rootLogger.level = error
rootLogger.appenderRef.stderr.ref = stderr
appender.stderr.type = Console
appender.stderr.name = stderr
appender.stderr.target = SYSTEM_ERR
appender.stderr.layout.type = PatternLayout
appender.stderr.layout.pattern = %d{yy/MM/dd HH:mm:ss} %p %c{1}: %m%n%ex{0}
# Failed tasks are raised in Python; their traces here would be a second, unredacted telling.
logger.executor.name = org.apache.spark.executor.Executor
logger.executor.level = off
logger.scheduler.name = org.apache.spark.scheduler.TaskSetManager
logger.scheduler.level = off
logger.datasources.name = org.apache.spark.sql.execution.datasources
logger.datasources.level = off
# At the root's level, so that the gateway does not announce a level of its own.
logger.gateway.name = org.apache.spark.api.python.PythonGatewayServer
logger.gateway.level = error
logger.task.name = org.apache.spark.util.Utils
logger.task.level = off
"""


def running_session() -> SparkSession | None:
    """Return a session of the Spark that runs in this process, with its own table names, or null."""
    active = SparkSession.getActiveSession()
    if active is None or active.sparkContext._jsc is None:  # noqa: SLF001 (the only sign of a stopped context)
        return None
    return active.newSession()


def start_session(*, work: Path, memory_limit_bytes: int, threads: int) -> SparkSession:
    """Start Spark in local mode.

    Args:
        work: Folder for spilled data and settings.
        memory_limit_bytes: Heap of the Java process, which holds driver and workers alike.
        threads: Tasks that run at a time.

    Raises:
        EngineUnavailableError: when Java is missing or too old.
    """
    refuse_missing_java()
    work.mkdir(parents=True, exist_ok=True)
    logging = work / "spark-log4j2.properties"
    logging.write_text(_LOGGING, encoding="utf-8")
    package_parent = str(Path(stillwatch.__file__).resolve().parents[1])
    # Workers are started by Java with this environment: the same interpreter, and the package where it is here.
    os.environ["PYSPARK_PYTHON"] = sys.executable
    os.environ["PYSPARK_DRIVER_PYTHON"] = sys.executable
    os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    builder = (
        SparkSession.builder.master(f"local[{threads}]")
        .appName("stillwatch")
        .config("spark.driver.memory", f"{max(memory_limit_bytes >> 20, 512)}m")
        .config("spark.driver.maxResultSize", "0")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.extraJavaOptions", f"-Dlog4j2.configurationFile={logging.resolve().as_uri()}")
        .config("spark.executorEnv.PYTHONPATH", package_parent)
        .config("spark.local.dir", str(work / "spill"))
        .config("spark.sql.warehouse.dir", str(work / "warehouse"))
        .config("spark.sql.shuffle.partitions", str(max(2, threads)))
        .config("spark.default.parallelism", str(max(2, threads)))
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.sql.catalogImplementation", "in-memory")
        .config("spark.hadoop.mapreduce.fileoutputcommitter.marksuccessfuljobs", "false")
    )
    return builder.getOrCreate()


def apply_settings(session: SparkSession) -> None:
    """Give a session the settings on which equal results rest."""
    for key, value in QUERY_SETTINGS.items():
        session.conf.set(key, value)
    # PySpark logs every failed query with its plan and values, beside raising it.
    for logger in ("SQLQueryContextLogger", "DataFrameQueryContextLogger"):
        PySparkLogger.getLogger(logger).disabled = True


def refuse_missing_java() -> None:
    """Raise when there is no Java that Spark can run on.

    Raises:
        EngineUnavailableError: with what was found and what to install.
    """
    home = os.environ.get("JAVA_HOME")
    java = shutil.which("java", path=str(Path(home) / "bin")) if home else shutil.which("java")
    if java is None:
        place = f"JAVA_HOME={home}" if home else "PATH"
        raise EngineUnavailableError(f"the spark engine needs Java, and there is none at {place}; {_JAVA_ADVICE}")
    answer = subprocess.run([java, "-version"], capture_output=True, text=True, check=False, timeout=60)  # noqa: S603
    version = re.search(r'version "(\d+)(?:\.(\d+))?', answer.stderr + answer.stdout)
    if version is None:
        raise EngineUnavailableError(f"{java} -version gave no version (exit code {answer.returncode}); {_JAVA_ADVICE}")
    # Java 8 and older count as 1.8; newer ones begin with the number itself.
    major = int(version[2] or 0) if version[1] == "1" else int(version[1])
    if major < JAVA_OLDEST:
        raise EngineUnavailableError(
            f"the spark engine needs Java {JAVA_OLDEST} or newer; {java} is {major}; {_JAVA_ADVICE}"
        )
