"""A small case in a ledger of its own, with a checkpoint before it and two after it, both stamped by a real authority."""

from __future__ import annotations

import functools
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import example_incident as example

INTEGRITY_TESTS = Path(__file__).resolve().parents[1] / "integrity"
if str(INTEGRITY_TESTS) not in sys.path:  # the authority is written once
    sys.path.insert(0, str(INTEGRITY_TESTS))

import time_stamping_authority  # noqa: E402

from stillwatch.evidence import verify  # noqa: E402
from stillwatch.evidence.access import Access, Role, begin_with_admin  # noqa: E402
from stillwatch.evidence.cases.bundle import ExportTerms, bundle_files  # noqa: E402
from stillwatch.evidence.cases.casework import CaseWork, NewItem  # noqa: E402
from stillwatch.evidence.cases.gathering import (  # noqa: E402
    attested_item,
    campaign_item,
    exchange_item,
    items_of_document,
    note_item,
    releases_item,
    run_item,
)
from stillwatch.evidence.cases.shredding import CaseKeys  # noqa: E402
from stillwatch.evidence.ledger import Ledger  # noqa: E402
from stillwatch.integrity.signing import SignatureType, SignerKey  # noqa: E402
from stillwatch.integrity.time_stamp import trusted_authority  # noqa: E402
from stillwatch.records.case import ItemKind  # noqa: E402
from stillwatch.records.ledger import NewEntry  # noqa: E402
from stillwatch.stores.case_opening import open_case_store  # noqa: E402
from stillwatch.stores.case_protocol import CaseStore  # noqa: E402

LOG = SignerKey(name="example.com/log", type=SignatureType.NOTE, seed=bytes(range(32)))
ATTACKER = SignerKey(name="example.com/log", type=SignatureType.NOTE, seed=bytes(32))
PRIVATE_PROMPT = "Solve 17 * 23 and think aloud. My name is Jane Roe."
ACCOUNT = "acct_secret_217"
DAY_US = 86_400_000_000
SMALL = {ItemKind.RUN, ItemKind.EXCHANGE, ItemKind.TERMS, ItemKind.STATEMENT}
RUN = {
    "version": "0.1.0", "engine": "duckdb", "fdr": 0.01, "input_digest": "aa", "output_digest": "bb", "counts": {"exchanges": 9},
    "tests_not_run": [{"name": "output harvest", "reason": "no exchange has output_tokens", "needed": "logs with output_tokens"}],
    "formats": ["generic"],
}  # fmt: skip


@functools.cache
def authority() -> time_stamping_authority.Authority:
    """Make the authority, once."""
    return time_stamping_authority.Authority(Path(tempfile.mkdtemp()) / "authority")


class Clock:
    """The present time, a second later at each look, near the authority's own clock."""

    def __init__(self, start_us: int) -> None:
        self.now_us = start_us

    def __call__(self) -> int:
        self.now_us += 1_000
        return self.now_us


@dataclass(frozen=True, kw_only=True)
class Sample:
    """The case and all around it."""

    store: CaseStore
    ledger: Ledger
    work: CaseWork
    keys: CaseKeys
    case_id: str
    clock: Clock

    def files(self, *, shared: bool = False) -> dict[str, bytes]:
        """Export the case."""
        terms = ExportTerms(shared=shared, made_us=self.clock.now_us, version="0.1.0")
        return bundle_files(self.work, self.ledger, self.case_id, LOG, terms)

    def checkpoint(self, *, stamped: bool = True) -> None:
        """Make a checkpoint, and have it stamped."""
        made = self.ledger.checkpoint()
        if stamped:
            root = authority().root.read_bytes()
            self.ledger.stamp(made, authority().reply, trusted_authority(root))


def items() -> list[NewItem]:
    """Give an item of each kind, small."""
    pool = replace(example.pool(), members=(ACCOUNT, "acct_2"), exhibits=(), links=example.pool().links[:1])
    exhibit = replace(
        example.pool().exhibits[0], account_id=ACCOUNT, source_file="logs/2026-04-22.jsonl", source_length=12
    )
    row = {"exchange_id": "req_1", "model": "m-large", "prompt": PRIVATE_PROMPT, "ip": "192.0.2.7", "response": None}
    terms = b'{"account_id":"acct_secret_217","terms_version":"2026-03","accepted_at":"2026-04-02T10:00:00Z","clauses":["4.2"]}'
    decision = b'[{"account_id":"acct_secret_217","action":"block","clause":"4.2","gate":"daily limit"}]'
    report = b'{"about":"Suspect-7B","text":"Answers in our words."}'
    day = example.FIRST_DAY + 20
    return [
        run_item(RUN),
        campaign_item(pool, 0.01),
        exchange_item(exhibit, row, "sha256:" + "cd" * 32, "sha256:" + "ab" * 32),
        *items_of_document(ItemKind.TERMS, terms, "terms.json"),
        *items_of_document(ItemKind.DECISION, decision, "decision.json"),
        *items_of_document(ItemKind.REPORT, report, "report.json"),
        releases_item("Suspect Labs", [("Suspect-7B", day * DAY_US)], "its release notes"),
        attested_item("permission", "No agreement allows it.", "carol"),
        note_item("Asked the card's issuer about Jane Roe."),
    ]


def make_sample(folder: Path, url: str | None = None, *, stamped: bool = True, small: bool = False) -> Sample:
    """Make the case: a checkpoint before it, one in the middle of it and one at its end; a small one has no campaign."""
    folder.mkdir(parents=True, exist_ok=True)
    clock = Clock(time.time_ns() // 1000)
    store = open_case_store(url or f"sqlite:{folder / 'ledger.db'}", create=True)
    begun = begin_with_admin(store, LOG, clock, "alice")
    Access(begun).assign(Role.ANALYST, "bob", "alice")
    ledger = Ledger(store, LOG, clock)
    ledger.append([NewEntry(kind="other", actor="alice", record=b'{"n":%d}' % n) for n in range(5)])
    ledger.checkpoint()
    keys = CaseKeys(folder / "keys")
    work = CaseWork(ledger, store, keys)
    case = work.open_case("Harvest of Jane Roe", "bob")
    sample = Sample(store=store, ledger=ledger, work=work, keys=keys, case_id=case.id, clock=clock)
    half = [one for one in items() if not small or one.kind in SMALL]
    work.add(case.id, half[: len(half) // 2], "bob")
    sample.checkpoint(stamped=stamped)
    ledger.append([NewEntry(kind="other", actor="alice", record=b'{"n":5}')])
    work.add(case.id, half[len(half) // 2 :], "bob")
    sample.checkpoint(stamped=stamped)
    return sample


@functools.cache
def trust() -> verify.Trust:
    """Give what a reader of the sample trusts."""
    return verify.Trust(log_key=LOG.verifier.text(), authorities=authority().root.read_bytes())


def outcome(files: Mapping[str, bytes], trusted: verify.Trust | None = None) -> int:
    """Give the step that fails; 0 where all pass, and minus the first open step where one could not be established."""
    try:
        found = verify.verify_bundle(files, trusted or trust())
    except verify.VerificationError as error:
        return error.step
    return -min(found.open, default=0)


Change = Callable[[dict[str, bytes]], None]
"""Changes the files of a bundle."""
