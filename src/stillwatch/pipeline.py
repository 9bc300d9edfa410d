"""The way of one exchange, as code. Read `STAGES` first: each line is one transition, in the order in which they run.

Takes paths of logs, or of sketches made of them before, and settings. Gives `accounts.parquet`, `campaigns.json`, `report.html`,
`run.json` and `quarantine.jsonl` in a folder. Promises that the same input gives the same output digest, whatever the order of
files and lines, the batch size and the engine, and whether it was sketched before.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stillwatch import __version__
from stillwatch.detection.campaigns.claims.pivot import Releases
from stillwatch.detection.detect import Detection, detect_campaigns
from stillwatch.detection.facts import Facts, facts_of, no_facts
from stillwatch.engines.parts import part_files
from stillwatch.engines.protocol import Engine, open_engine
from stillwatch.evidence.access import TextReference
from stillwatch.evidence.run_files import DetectSummary, RunCircumstances, RunFindings, write_results
from stillwatch.evidence.run_seal import RunSeal, open_run_seal
from stillwatch.evidence.sealing import SealedFile
from stillwatch.intake.accounts_file import read_account_facts
from stillwatch.intake.plan import IntakePlan, plan
from stillwatch.intake.read import read_split
from stillwatch.intake.releases import read_releases
from stillwatch.intake.settings import IntakeSettings
from stillwatch.intake.sketch_parts import SKETCHES
from stillwatch.intake.sources import digest_file, expand_paths
from stillwatch.intake.split import Split, SplitOutput, Tally
from stillwatch.intake.tallies import FileTallies
from stillwatch.integrity.digest import digest_bytes
from stillwatch.records.errors import StillwatchError
from stillwatch.records.progress import Progress
from stillwatch.records.sketch import SKETCH
from stillwatch.sketches.attributes import hash_value
from stillwatch.sketches.reference import as_reference
from stillwatch.sketching.splits import sketches_of

REFERENCE_PREFIX = "reference\x1f"
"""Put before account ids of reference traffic, so that an account may be in both."""
NO_TEXT = "(no text: this exchange was read from sketches, which hold none; see the log, where it is kept with text)"
"""Shown in place of a prompt."""
DEFAULT_MEMORY_BYTES = 3 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectSettings:
    """What a run was asked to do."""

    paths: tuple[str, ...]
    out: Path
    format: str = "auto"
    engine: str = "duckdb"
    fdr: float = 0.01
    """Promised false-discovery rate over campaigns, in (0, 1)."""
    reference: tuple[str, ...] = ()
    """Logs of traffic that is known to be ordinary; it calibrates the tests and is not judged."""
    releases: Path | None = None
    accounts: Path | None = None
    show_text: bool = False
    threads: int | None = None
    memory_limit_bytes: int | None = None
    """What the engine may hold before it spills to disk."""
    now_us: int | None = None
    """Present time; null takes it from the clock once, at the start."""
    assume_zone: str | None = None
    account_field: str | None = None
    time_field: str | None = None
    default_account: str | None = None
    default_time: str | None = None
    year: int | None = None
    encoding: str | None = None
    command: str = ""
    """Command line to print in the report."""
    ledger: str | None = None
    """Address of the ledger that the run is sealed into; null for none."""
    actor: str | None = None
    """Who runs, for the ledger."""


@dataclass(slots=True, kw_only=True)
class Run:
    """What the stages hand on; each stage fills the fields of the next."""

    settings: DetectSettings
    progress: Progress
    work: Path
    engine: Engine
    traffic: IntakePlan | None = None
    reference: IntakePlan | None = None
    seal: RunSeal | None = None
    """The ledger, where one was named."""
    inputs: list[SealedFile] = field(default_factory=list)
    """Every file that is read, as it was when it was planned."""
    input_digest: str = ""
    facts: Facts = field(default_factory=no_facts)
    left_out: tuple[str, ...] = ()
    notes: Counter[str] = field(default_factory=Counter)
    """What intake repaired or passed over, and how often."""
    releases: Releases = ()
    detection: Detection | None = None
    summary: DetectSummary | None = None
    seconds: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One transition."""

    name: str
    takes: str
    gives: str
    run: Callable[[Run], None]


def plan_intake(run: Run) -> None:
    """Find the files, tell their formats apart by content, cut them into splits, and digest their bytes."""
    settings = run.settings
    declared = IntakeSettings(
        assume_zone=settings.assume_zone,
        account_field=settings.account_field,
        time_field=settings.time_field,
        default_account=settings.default_account,
        default_time=settings.default_time,
        year=settings.year,
        encoding=settings.encoding,
        now_us=clock_us() if settings.now_us is None else settings.now_us,
    )
    run.traffic = plan(expand_paths(settings.paths), settings.format, declared, takes_sketches=True)
    run.inputs += [_input("traffic", file.source.path) for file in run.traffic.files]
    if settings.reference:
        run.reference = plan(expand_paths(settings.reference), settings.format, declared, takes_sketches=True)
        run.inputs += [_input("reference", file.source.path) for file in run.reference.files]
    if settings.accounts is not None:
        read = read_account_facts(str(settings.accounts), settings.assume_zone)
        run.facts, run.left_out = facts_of(read.table, hash_value), read.unknown_columns
        run.inputs.append(_input("accounts", str(settings.accounts)))
    if settings.releases is not None:
        run.releases = tuple(
            (release.model, release.released_us)
            for release in read_releases(str(settings.releases), settings.assume_zone)
        )
        run.inputs.append(_input("releases", str(settings.releases)))
    digests = [one.digest if one.use == "traffic" else f"{one.use} {one.digest}" for one in run.inputs]
    run.input_digest = digest_bytes("\n".join(sorted(digests)).encode())


def _input(use: str, path: str) -> SealedFile:
    """Digest a file that will be read."""
    return SealedFile(use=use, path=path, size=Path(path).stat().st_size, digest=digest_file(path))


def sketch_exchanges(run: Run) -> None:
    """Read every log line once: Exchange, then ExchangeSketch; parts of sketches are taken as they are. What cannot be read goes to the quarantine."""
    (run.work / "quarantine").mkdir()
    descriptors: list[str] = []
    for planned, reference in ((run.traffic, False), (run.reference, True)):
        if planned is None:
            continue
        for split in planned.splits:
            side = run.work / "quarantine" / f"{'reference' if reference else 'traffic'}-{len(descriptors):06d}.jsonl"
            descriptors.append(json.dumps([split.to_json(), planned.settings.to_dict(), reference, str(side)]))
    run.progress.begin("reading and sketching", len(descriptors))
    run.engine.map_splits(descriptors, sketch_split, SKETCH, "deliveries", run.progress.advance)
    run.progress.end()
    for planned, kind in ((run.traffic, "traffic"), (run.reference, "reference")):
        if planned is not None:
            run.notes.update(_check_readable(planned, sorted((run.work / "quarantine").glob(f"{kind}-*.read.json"))))
            run.notes.update(planned.notes)


def sketch_split(descriptor: str) -> Iterator[pa.RecordBatch]:
    """Read one split to sketches, on whatever worker it runs.

    What was quarantined, and how much was read, goes to files of the split's own, whole or not at all.
    """
    split_text, declared, reference, side = json.loads(descriptor)
    unfinished = Path(f"{side}.{os.getpid()}")
    read: list[tuple[int, int, int]] = []
    notes: Counter[str] = Counter()
    with unfinished.open("w", encoding="utf-8") as quarantine:
        for output in sketches_of(Split.from_json(split_text), IntakeSettings.from_dict(declared)):
            for entry in output.quarantined:
                line = {"file": entry.file, "offset": entry.offset, "length": entry.length, "reason": entry.reason}
                quarantine.write(json.dumps(line, ensure_ascii=False) + "\n")
            read.extend((tally.source_no, tally.read, tally.quarantined) for tally in output.tallies)
            notes.update(dict(output.notes))
            if output.batch.num_rows:
                yield as_reference(output.batch, REFERENCE_PREFIX) if reference else output.batch
    Path(side).with_suffix(".read.json").write_text(json.dumps({"read": read, "notes": dict(notes)}), encoding="utf-8")
    unfinished.replace(side)


def _check_readable(planned: IntakePlan, records: list[Path]) -> Counter[str]:
    """Add up what the splits read; stop when most lines of a file could not be read, and return what was noted.

    Raises:
        MostlyUnreadableError: naming the file.
    """
    tallies = FileTallies({file.source.number: file.source.path for file in planned.files})
    notes: Counter[str] = Counter()
    for record in records:
        said = json.loads(record.read_text(encoding="utf-8"))
        read = tuple(Tally(source_no=number, read=lines, quarantined=failed) for number, lines, failed in said["read"])
        tallies.add(SplitOutput(batch=None, quarantined=(), rows_read=0, tallies=read, notes=()))
        notes.update(said["notes"])
    tallies.check()
    return notes


def find_campaigns(run: Run) -> None:
    """From sketches to campaigns, at the promised rate."""
    run.detection = detect_campaigns(
        run.engine,
        deliveries=part_files(run.work / "deliveries"),
        facts=run.facts,
        releases=run.releases,
        has_reference=run.reference is not None,
        reference_prefix=REFERENCE_PREFIX,
        files=_file_names(run),
        level=run.settings.fdr,
        progress=run.progress,
    )


def write_files(run: Run) -> None:
    """Write the results; each file appears whole or not at all."""
    if run.detection is None or run.traffic is None:
        raise StillwatchError("the stages ran out of order: there is no detection to write; run STAGES as they stand")
    settings, found = run.settings, run.detection
    findings = RunFindings(
        campaigns=found.campaigns,
        considered=found.considered,
        accounts=found.accounts,
        days=found.days,
        columns=found.columns,
        exchanges=found.exchanges,
        repeats=found.repeats,
        candidates=found.candidates,
    )
    circumstances = RunCircumstances(
        version=__version__,
        engine=settings.engine,
        fdr=settings.fdr,
        command=settings.command,
        input_digest=run.input_digest,
        files=len(run.traffic.files),
        set_aside=tuple((item.path, item.reason) for item in run.traffic.set_aside),
        formats=tuple(sorted({file.format_name for file in run.traffic.files})),
        left_out=tuple(sorted({name for file in run.traffic.files for name in file.left_out} | set(run.left_out))),
        notes=dict(sorted(run.notes.items())),
        quarantine_files=tuple(sorted((run.work / "quarantine").glob("*.jsonl"))),
        has_releases=bool(run.releases),
        has_reference=run.reference is not None,
        texts=_shown_texts(run) if settings.show_text else {},
        seconds=run.seconds,
    )
    run.summary = write_results(settings.out, findings, circumstances)


def seal_files(run: Run) -> None:
    """Commit what was read and written to the ledger, where one was named."""
    if run.seal is None or run.summary is None:
        return
    entry = run.seal.seal(
        version=__version__,
        input_digest=run.input_digest,
        output_digest=run.summary.output_digest,
        inputs=run.inputs,
        out=run.settings.out,
    )
    run.summary = replace(run.summary, sealed_entry=entry)


STAGES: tuple[Stage, ...] = (
    Stage(name="plan", takes="paths", gives="splits of log files, and their digest", run=plan_intake),
    Stage(name="sketch", takes="log lines", gives="Exchange, then ExchangeSketch", run=sketch_exchanges),
    Stage(name="detect", takes="ExchangeSketch", gives="Claim, then Campaign", run=find_campaigns),
    Stage(name="write", takes="Campaign", gives="files and report", run=write_files),
    Stage(name="seal", takes="files", gives="an entry of the ledger, where one was named", run=seal_files),
)


def detect(settings: DetectSettings, progress: Progress) -> DetectSummary:
    """Run all stages.

    Args:
        settings: What to do.
        progress: Told of the advance.

    Returns:
        What was found and where it was written.

    Raises:
        StillwatchError: with a message for the user, for every input that cannot be used.
        OSError: when a file cannot be written.
    """
    if not 0.0 < settings.fdr < 1.0:
        raise StillwatchError(f"--fdr: got {settings.fdr}, expected a rate between 0 and 1, such as 0.01")
    settings.out.mkdir(parents=True, exist_ok=True)
    run = _run_stages(settings, progress, _opened_seal(settings))
    if run.summary is None:
        raise StillwatchError("the last stage wrote no summary; run STAGES as they stand")
    return run.summary


def _opened_seal(settings: DetectSettings) -> RunSeal | None:
    """Open the ledger before anything is read, so that a run that may not be sealed is not made."""
    if settings.ledger is None:
        return None
    if settings.actor is None:
        raise StillwatchError("a run that is sealed into a ledger needs an actor; name one with --actor")
    return open_run_seal(settings.ledger, settings.actor, clock_us, show_text=settings.show_text)


def _run_stages(settings: DetectSettings, progress: Progress, seal: RunSeal | None) -> Run:
    """Run all stages in a work folder that is removed afterwards."""
    work = Path(tempfile.mkdtemp(prefix=".work-", dir=settings.out))
    engine = None
    try:
        engine = open_engine(
            settings.engine,
            work=work,
            memory_limit_bytes=settings.memory_limit_bytes or DEFAULT_MEMORY_BYTES,
            threads=settings.threads or os.cpu_count() or 1,
        )
        run = Run(settings=settings, progress=progress, work=work, engine=engine, seal=seal)
        for stage in STAGES:
            started = time.perf_counter()
            stage.run(run)
            run.seconds[stage.name] = round(time.perf_counter() - started, 3)
    finally:
        if engine is not None:
            engine.close()
        shutil.rmtree(work, ignore_errors=True)
    return run


def _file_names(run: Run) -> tuple[str, ...]:
    """Return the path of each source number."""
    if run.traffic is None:
        return ()
    names = [""] * (1 + max(file.source.number for file in run.traffic.files))
    for file in run.traffic.files:
        names[file.source.number] = file.source.path
    return tuple(names)


def _shown_texts(run: Run) -> dict[tuple[str, int], str]:
    """Read the prompts of all exhibits; with a ledger, after the look at them was recorded."""
    if run.seal is None or run.detection is None:
        return _exhibit_texts(run)
    places = {
        (one.source_file, one.source_offset, one.source_length)
        for campaign in run.detection.campaigns
        for one in campaign.exhibits
    }
    references = [TextReference(file=file, offset=offset, length=length) for file, offset, length in sorted(places)]
    return run.seal.look_at_text(references, lambda: _exhibit_texts(run))


def _exhibit_texts(run: Run) -> dict[tuple[str, int], str]:
    """Read the prompts of all exhibits again from the logs, by file and offset; of sketches, say that there are none."""
    if run.detection is None or run.traffic is None:
        return {}
    wanted = {
        (exhibit.source_file, exhibit.source_offset)
        for campaign in run.detection.campaigns
        for exhibit in campaign.exhibits
    }
    names = _file_names(run)
    files = {name for name, _ in wanted}
    texts: dict[tuple[str, int], str] = {}
    for split in run.traffic.splits:
        if not any(piece.path in files for piece in split.pieces):
            continue
        if split.format_name == SKETCHES.name:
            parts = {piece.path for piece in split.pieces}
            texts.update({place: NO_TEXT for place in wanted if place[0] in parts})
            continue
        for output in read_split(split, run.traffic.settings):
            texts.update(_texts_of(output.batch, names, wanted))
    return texts


def _texts_of(
    batch: pa.RecordBatch, names: tuple[str, ...], wanted: set[tuple[str, int]]
) -> dict[tuple[str, int], str]:
    numbers: npt.NDArray[np.int64] = batch.column("source_no").to_numpy(zero_copy_only=False)
    offsets = batch.column("source_offset").to_numpy(zero_copy_only=False)
    offsets_wanted = np.array(sorted({offset for _, offset in wanted}), dtype=np.int64)
    found = {}
    for row in np.flatnonzero(np.isin(offsets, offsets_wanted)):
        key = (names[int(numbers[row])], int(offsets[row]))
        text = batch.column("prompt")[int(row)].as_py()
        if key in wanted and text is not None:
            found[key] = text
    return found


def clock_us(clock: Callable[[], float] = time.time) -> int:
    """Return the present time in microseconds; `DetectSettings.now_us` replaces it where a run is replayed."""
    return round(clock() * 1_000_000)
