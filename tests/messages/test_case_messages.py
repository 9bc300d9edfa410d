"""Texts of cases that people meet, word by word: the bundle's README, the draft certificates, and the verifier's answers.

Where a text changes on purpose, write it anew with `python tests/messages/test_case_messages.py`, and read the difference.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from stillwatch.evidence import verify
from stillwatch.evidence.cases.bundle import _gaps, _readme
from stillwatch.evidence.cases.certificates import BundleFacts, copy_certificate, process_certificate
from stillwatch.records.case import CaseFile, CaseStatus, Element, Gap, Label, Statement
from stillwatch.records.claim import Claim, Question

HERE = Path(__file__).parent
FACTS = BundleFacts(
    origin="example.com/log", log_key="example.com/log+d455c521+AQOh", size=19, root="ab" * 32, entries=2,
    files=(("records/000000000008.json", "cd" * 32), ("records/000000000009.json", "ef" * 32)),
    stamped=("checkpoint of 19 entries at 2026-05-28 20:26:40 UTC by CN=Time Stamping Authority",),
)  # fmt: skip
CLAIM = Claim(
    name="template lift", question=Question.COORDINATION, statement="10 accounts carry one text.", null_hypothesis="Chance.",
    statistic_name="carriers", statistic=10.0, log_p=-20.0, log_e=15.0, n=1_581, n_unit="texts", assumptions=("Independence.",),
    method="template-lift/v1",
)  # fmt: skip
CASE = CaseFile(
    case_id="case-0123456789ab", title="Harvest of June", status=CaseStatus.OPEN, made_us=1_780_000_000_000_000, version="0.1.0",
    shared=True, erased=False,
    elements=(
        Element(
            key="harm", title="Harm", question="What did it cost?", basis="damages",
            statements=(Statement(text="USD 1.", label=Label.ATTESTED, entries=(8,)),),
            gaps=(Gap(what="No invoice is in the case.", why="nothing was added", needed="invoices"),),
        ),
    ),
    claims=(CLAIM,), inconclusive=(), alternatives=(),
    gaps=(Gap(what="Who stands behind the accounts is not shown.", why="logs hold no identity", needed="discovery"),),
    custody=(), harvest=(), releases=(), exhibits=(), notes=(),
)  # fmt: skip


def texts() -> dict[str, str]:
    """Give each text by the name of its file."""
    return {
        "case_readme.txt": _readme(CASE, FACTS),
        "case_gaps.txt": _gaps(CASE),
        "fre_902_13_draft.txt": process_certificate(CASE, FACTS),
        "fre_902_14_draft.txt": copy_certificate(CASE, FACTS),
        "verifier_steps.txt": "".join(f"{error}\n" for error in map(_failure, verify.STEPS)),
    }


def _failure(step: int) -> verify.VerificationError:
    return verify.VerificationError(step, "the reason stands here")


@pytest.mark.parametrize("name", texts())
def test_the_text_is_this(name: str) -> None:
    assert texts()[name] == (HERE / name).read_text(encoding="utf-8")


def test_certificates_are_drafts_with_lines_for_a_person() -> None:
    for text in (process_certificate(CASE, FACTS), copy_certificate(CASE, FACTS)):
        assert text.startswith("DRAFT - NOT SIGNED\n")
        assert "Signature: ____" in text
        assert "28 U.S.C. 1746" in text


if __name__ == "__main__":
    for file, content in texts().items():
        (HERE / file).write_text(content, encoding="utf-8")
    sys.exit(0)
