"""Presidio, really installed, in an environment of its own: our module finds through it what it finds, without the network."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from stillwatch.cli import use_audit
from stillwatch.cli.errors import MissingExtraError
from stillwatch.governance.own_use.audit import UseAudit
from stillwatch.governance.own_use.policy import NO_POLICY
from stillwatch.governance.own_use.presidio import PresidioScanner
from stillwatch.governance.own_use.scan import Scanner

ROOT = Path(__file__).resolve().parents[3]
PYTHON = ROOT / ".venv-presidio" / "bin" / "python"
MODULE = ROOT / "src" / "stillwatch" / "governance" / "own_use" / "presidio.py"
TEXTS = ("call 212-555-0134 now", "card 4111 1111 1111 1111, mail bob@real-firm.com", "nothing here")
PROGRAM = """
import importlib.util, json, socket, sys
def refuse(*_, **__): raise AssertionError("the network was asked")
socket.getaddrinfo = refuse
spec = importlib.util.spec_from_file_location("presidio_adapter", sys.argv[1])
module = importlib.util.module_from_spec(spec); spec.loader.exec_module(module)
scanner = module.open_presidio()
print(json.dumps([list(scanner.scan(text)) for text in json.loads(sys.argv[2])]))
"""


@pytest.mark.skipif(not PYTHON.exists(), reason="Presidio is not installed: make install-presidio")
def test_presidio_is_asked_without_model_and_without_network() -> None:
    done = subprocess.run(
        [PYTHON, "-c", PROGRAM, MODULE, json.dumps(TEXTS)], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert [sorted(one[0] for one in row) for row in found][1:] == [["CREDIT_CARD", "EMAIL_ADDRESS"], []]
    (card,) = [one for one in found[1] if one[0] == "CREDIT_CARD"]
    assert TEXTS[1][card[1] : card[2]] == "4111 1111 1111 1111"


def test_without_the_extra_it_is_said_what_to_install() -> None:
    if _installed():
        pytest.skip("Presidio is installed beside stillwatch here")
    with pytest.raises(MissingExtraError, match=r"stillwatch\[presidio\]"):
        use_audit.opened_presidio("default")


def _installed() -> bool:
    import importlib.util  # noqa: PLC0415

    return importlib.util.find_spec("presidio_analyzer") is not None


class Answer:
    """One result, in the form of `presidio_analyzer.RecognizerResult`."""

    def __init__(self, entity_type: str, start: int, end: int) -> None:
        self.entity_type, self.start, self.end = entity_type, start, end


class Analyzer:
    """An analyser with a model that knows one name; the real one, without a model, knows none."""

    def analyze(self, text: str, language: str, score_threshold: float) -> list[Answer]:
        place = text.find("Grünwald")
        return (
            []
            if place < 0 or language != "en" or score_threshold < 0.5
            else [Answer("PERSON", place, place + 8), Answer("URL", 0, 3)]
        )


def test_what_presidio_finds_is_a_finding_with_its_place_in_bytes() -> None:
    audit = UseAudit(scanner=Scanner(()), policy=NO_POLICY, key=b"k" * 32, presidio=PresidioScanner(Analyzer()))
    columns = {
        "time_us": pa.array([0], pa.int64()), "account_id": ["a"], "prompt": ["é Frau Grünwald"], "source_no": pa.array([0], pa.int32()),
        "source_offset": pa.array([7], pa.int64()), "source_length": pa.array([1], pa.int64()),
    }  # fmt: skip
    audit.take(pa.RecordBatch.from_pydict({name: pa.array(one) for name, one in columns.items()}), ["log"])
    import datetime as dt  # noqa: PLC0415

    (found,) = audit.findings(dt.date(2026, 11, 25))
    place = found.places[0]
    assert (found.check, found.kind, found.masked) == ("personal data", "presidio person", "Gr" + "·" * 6)
    assert "é Frau Grünwald".encode()[place.start : place.start + place.length].decode() == "Grünwald"
    assert np.all([place.offset == 7, place.file == "log"])
