"""`make results`: simulate, compose, detect, evaluate, and write docs/results.md.

Takes seeds and sizes. Gives one page with every figure that the project states about its detector: simulated worlds of all
families, worlds of real data (`report` split, see `real_world.sources`), what missing columns cost, the single-prompt
classifier, the coordination baseline, and the benchmarks whose JSON files are there. Every step is a run of the `stillwatch`
command in a process of its own, so that the page shows what a user gets; the commands stand on the page. Misses are
printed like hits.

    python -m benchmarks.results --work /tmp/stillwatch-results
    python -m benchmarks.results --quick --out /tmp/results.md
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from benchmarks.invocation import Invocation, machine, stillwatch
from benchmarks.real_world import coordination, single_prompt_classifier
from benchmarks.real_world.compose import compose, shared_folder
from benchmarks.results_page import Ablation, CampaignOutcome, Page, PoolSize, Section, write_page

from stillwatch import __version__

ROOT = Path(__file__).resolve().parents[1]
SEEDS = (131, 132, 133, 134, 135, 136, 137, 138)
"""Of what is reported. None of these worlds was looked at before; after a change of the detector take seeds above 140, which nobody has seen."""
SMALL_SEEDS = (131, 132, 133, 134, 135, 136)
"""Of sparse worlds and of those of real data: they hold fewer campaigns, so that it takes more of them to bound an error rate."""
POOL_SIZES = ((1, 1), (2, 5), (6, 9), (10, 15), (16, 1_000_000))
INFRASTRUCTURE_COLUMNS = (
    "organization_id", "api_key_id", "ip", "user_agent", "tls_fingerprint", "country", "payment_id", "email_domain",
    "account_created_at",
)  # fmt: skip
TEXT_COLUMNS = ("prompt", "messages", "system_prompt", "response", "reasoning")
KEPT_BY_PROMPTS_AND_TIMES = ("time", "account_id", "exchange_id", "prompt")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What to run."""

    seeds: tuple[int, ...]
    """Of simulated worlds."""
    small_seeds: tuple[int, ...]
    """Of sparse worlds and of those of real data."""
    accounts: int
    """Accounts of each simulated world."""
    exchanges: int
    """Exchanges of each simulated world."""
    sparse_accounts: int
    """Accounts of each sparse simulated world."""
    sparse_exchanges: int
    """Exchanges of each sparse simulated world."""
    real_accounts: int
    """Accounts of each world of real data."""
    ablation_seeds: int
    """Seeds, from the first on, on which columns are dropped."""
    work: Path
    shared: Path
    benchmarks: tuple[Path, ...]
    """JSON files or folders of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """A world on disk and how it was detected."""

    folder: Path
    case: Path
    made_by: str
    """The command."""
    detection: Invocation


def progress(text: str) -> None:
    """Tell the person who waits; standard error, so that standard output stays a document."""
    print(f"{datetime.now(tz=UTC):%H:%M:%S} {text}", file=sys.stderr)


def detected(world: Path, case: Path, made_by: str, accounts_file: Path | None = None) -> World:
    """Run the detection on a world.

    Args:
        world: folder with `traffic-*` files.
        case: folder for the results.
        made_by: the command that made the world.
        accounts_file: account facts; by default the world's own.

    Returns:
        The world with its detection.

    Raises:
        InvocationError: when the detection fails.
    """
    facts = accounts_file or world / "accounts.parquet"
    releases = world / "releases.csv"
    more = ["--releases", str(releases)] if releases.is_file() else []
    run = stillwatch("detect", str(world / "traffic-*"), "--accounts", str(facts), *more, "--out", str(case))
    progress(f"detected {world.name}: {run.wall_seconds:.0f} s, {run.peak_bytes / 1e9:.2f} GB")
    return World(folder=world, case=case, made_by=made_by, detection=run)


def evaluated(worlds: list[World], *, baselines: bool) -> dict[str, Any]:
    """Return the pooled `stillwatch evaluate` document of several worlds.

    Raises:
        InvocationError: when the evaluation fails.
    """
    pairs = [argument for world in worlds for argument in (str(world.case), str(world.folder / "truth.parquet"))]
    return stillwatch("evaluate", *pairs, *(["--baselines"] if baselines else [])).document


def make_once(folder: Path, command: str, make: Callable[[], object]) -> None:
    """Make a world, unless the kept folder says that this command of this version made it; every detection is made anew."""
    mark, said = folder / "made_by.txt", f"{__version__} {command}\n"
    if mark.is_file() and mark.read_text(encoding="utf-8") == said:
        return
    make()
    mark.write_text(said, encoding="utf-8")


def simulated_worlds(work: Path, name: str, seeds: tuple[int, ...], *, accounts: int, exchanges: int) -> list[World]:
    """Simulate and detect a world of all families per seed; `name` begins the folders."""
    worlds = []
    for seed in seeds:
        folder = work / f"{name}-{seed}"
        arguments = (
            "simulate", str(folder), "--preset", "all-families", "--accounts", str(accounts),
            "--exchanges", str(exchanges), "--seed", str(seed),
        )  # fmt: skip
        made_by = "stillwatch " + " ".join(arguments)
        make_once(folder, made_by, partial(stillwatch, *arguments))
        worlds.append(detected(folder, work / f"case-{name}-{seed}", made_by))
    return worlds


def real_worlds(settings: Settings) -> list[World]:
    """Compose and detect a world of real data per seed."""
    worlds = []
    for seed in settings.small_seeds:
        folder = settings.work / f"real-{seed}"
        made_by = (
            f"python -m benchmarks.real_world.compose {folder} --seed {seed} --accounts {settings.real_accounts} "
            "--split report"
        )
        make_once(folder, made_by, partial(compose, settings.shared, folder, seed, settings.real_accounts, "report"))
        worlds.append(detected(folder, settings.work / f"case-real-{seed}", made_by))
    return worlds


def without(world: Path, out: Path, columns: tuple[str, ...], *, keep: tuple[str, ...] = ()) -> Path:
    """Copy a world's traffic with columns left out; truth stays, account facts keep the licence only.

    Args:
        world: folder with Parquet traffic.
        out: folder for the copy; made where absent.
        columns: columns to leave out.
        keep: where given, all others are left out too.

    Returns:
        The copy's folder. The licence stays because an agreement is a fact of the contract, not of the log.
    """
    out.mkdir(parents=True, exist_ok=True)
    for file in sorted(world.glob("traffic-*.parquet")):
        source = pq.ParquetFile(file)
        names = [name for name in source.schema_arrow.names if name not in columns and (not keep or name in keep)]
        schema = source.schema_arrow
        chosen = schema.empty_table().select(names).schema
        with pq.ParquetWriter(out / file.name, chosen, compression="zstd") as writer:
            for batch in source.iter_batches(columns=names):
                writer.write_batch(batch.select(names))
    facts = pq.read_table(world / "accounts.parquet", columns=["account_id", "licence"])
    pq.write_table(facts, out / "accounts.parquet")
    pq.write_table(pq.read_table(world / "truth.parquet"), out / "truth.parquet")
    return out


ABLATIONS: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...] = (
    ("no infrastructure (no address, client, card, mail domain, organisation)", INFRASTRUCTURE_COLUMNS, ()),
    ("prompts and times only", (), KEPT_BY_PROMPTS_AND_TIMES),
    ("metadata only (no text)", TEXT_COLUMNS, ()),
)
"""(name, columns left out, columns kept where others go)."""


def ablations(worlds: list[World], settings: Settings) -> list[Ablation]:
    """Detect the first worlds again with columns left out, and score them."""
    chosen = worlds[: settings.ablation_seeds]
    rows = [Ablation(name="all columns", score=evaluated(chosen, baselines=False)["score"], tests_not_run=())]
    for number, (name, dropped, kept) in enumerate(ABLATIONS):
        again = []
        for world in chosen:
            folder = without(world.folder, settings.work / f"{world.folder.name}-without-{number}", dropped, keep=kept)
            again.append(detected(folder, settings.work / f"case-{folder.name}", "columns left out"))
        missing = {str(test["name"]) for world in again for test in world.detection.document.get("tests_not_run", [])}
        rows.append(
            Ablation(name=name, score=evaluated(again, baselines=False)["score"], tests_not_run=tuple(sorted(missing)))
        )
    return rows


def recall_by_size(worlds: list[World]) -> tuple[PoolSize, ...]:
    """Return, per range of pool sizes, campaigns and accounts of operators and resellers, and those that were found."""
    counted = {sizes: [0, 0, 0, 0] for sizes in POOL_SIZES}
    for world in worlds:
        truth = pq.read_table(world.folder / "truth.parquet", columns=["account_id", "campaign_id", "operator_role"])
        flags = pq.read_table(world.case / "accounts.parquet", columns=["account_id", "flagged"]).to_pydict()
        flagged = {account for account, flag in zip(flags["account_id"], flags["flagged"], strict=True) if flag}
        pools: dict[str, list[str]] = {}
        for row in truth.to_pylist():
            if row["operator_role"] in ("operator", "reseller"):
                pools.setdefault(row["campaign_id"], []).append(row["account_id"])
        for members in pools.values():
            found = sum(account in flagged for account in members)
            row = next(row for (low, high), row in counted.items() if low <= len(members) <= high)
            for place, more in enumerate((1, 2 * found >= len(members), len(members), found)):
                row[place] += more
    return tuple(
        PoolSize(smallest=low, largest=high, campaigns=row[0], found=row[1], accounts=row[2], flagged=row[3])
        for (low, high), row in counted.items()
    )


def outcomes(worlds: list[World]) -> list[CampaignOutcome]:
    """Return every composed campaign with its choices and how many of its accounts were flagged."""
    rows = []
    for world in worlds:
        summary = json.loads((world.folder / "world.json").read_text(encoding="utf-8"))
        truth = pq.read_table(world.folder / "truth.parquet", columns=["account_id", "campaign_id"]).to_pydict()
        flags = pq.read_table(world.case / "accounts.parquet", columns=["account_id", "flagged"]).to_pydict()
        flagged = {account for account, flag in zip(flags["account_id"], flags["flagged"], strict=True) if flag}
        for campaign in summary["campaigns"]:
            members = [
                account
                for account, owner in zip(truth["account_id"], truth["campaign_id"], strict=True)
                if owner == campaign["campaign_id"]
            ]
            rows.append(
                CampaignOutcome(
                    seed=summary["seed"],
                    choices=campaign,
                    members=len(members),
                    flagged=sum(account in flagged for account in members),
                )
            )
    return rows


def section(title: str, worlds: list[World], settings: Settings, *, with_ablations: bool = True) -> Section:
    """Score the worlds of one kind and collect what the page says about them."""
    truths = [pq.read_table(world.folder / "truth.parquet", columns=["label"]).column("label") for world in worlds]
    labels = [label for column in truths for label in column.to_pylist()]
    document = evaluated(worlds, baselines=True)
    return Section(
        title=title,
        score=document["score"],
        baselines=document["baselines"],
        honest_share=sum(label == "honest" for label in labels) / max(1, len(labels)),
        exchanges=sum(world.detection.document["counts"]["exchanges"] for world in worlds),
        quarantined=sum(world.detection.document["counts"].get("quarantined", 0) for world in worlds),
        seconds=sum(world.detection.wall_seconds for world in worlds),
        commands=tuple(command for world in worlds[:1] for command in (world.made_by, world.detection.command)),
        sizes=recall_by_size(worlds),
        ablations=tuple(ablations(worlds, settings)) if with_ablations and settings.ablation_seeds else (),
    )


def benchmark_documents(places: tuple[Path, ...]) -> list[tuple[str, dict[str, Any]]]:
    """Return (file name, document) of the benchmark JSON files that are there."""
    files = [file for place in places for file in (sorted(place.glob("*.json")) if place.is_dir() else [place])]
    return [(file.name, json.loads(file.read_text(encoding="utf-8"))) for file in files if file.is_file()]


def run(settings: Settings, command: str) -> Page:
    """Run everything and return the page's content.

    Raises:
        InvocationError: when a `stillwatch` run fails.
        RealWorldError: when a world of real data cannot be composed.
    """
    version = stillwatch("version").document
    simulated = simulated_worlds(
        settings.work, "simulated", settings.seeds, accounts=settings.accounts, exchanges=settings.exchanges
    )
    sections = [section("Simulated worlds", simulated, settings)]
    sparse = simulated_worlds(
        settings.work,
        "sparse",
        settings.small_seeds,
        accounts=settings.sparse_accounts,
        exchanges=settings.sparse_exchanges,
    )
    mean = settings.sparse_exchanges // settings.sparse_accounts
    sections.append(
        section(f"Sparse simulated worlds ({mean} exchanges an account)", sparse, settings, with_ablations=False)
    )
    real: list[World] = []
    classifier, linking = None, None
    if (settings.shared / "data").is_dir():
        real = real_worlds(settings)
        sections.append(section("Worlds of real text, arrivals and networks", real, settings))
        progress("single-prompt classifier and coordination baseline")
        classifier = single_prompt_classifier.study(settings.shared, settings.seeds[0])
        linking = coordination.study(settings.shared)
    return Page(
        made_at=datetime.now(tz=UTC),
        version=str(version.get("version", version)),
        seeds=tuple(sorted({*settings.seeds, *settings.small_seeds})),
        machine=machine(),
        command=command,
        sections=tuple(sections),
        campaigns=tuple(outcomes(real)),
        classifier=classifier,
        coordination=linking,
        benchmarks=tuple(benchmark_documents(settings.benchmarks)),
    )


def main(arguments: list[str] | None = None) -> Path:
    """Run everything and write the page."""
    parser = argparse.ArgumentParser(description="Measure the detector on simulated and real worlds; write the page.")
    parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS))
    parser.add_argument(
        "--small-seeds", type=int, nargs="+", default=list(SMALL_SEEDS), help="of sparse worlds and worlds of real data"
    )
    parser.add_argument("--accounts", type=int, default=20_000)
    parser.add_argument("--exchanges", type=int, default=4_000_000)
    parser.add_argument("--sparse-accounts", type=int, default=10_000)
    parser.add_argument("--sparse-exchanges", type=int, default=500_000)
    parser.add_argument("--real-accounts", type=int, default=6_000)
    parser.add_argument("--ablation-seeds", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="one seed, small worlds: to see that everything runs")
    parser.add_argument(
        "--work", type=Path, default=None, help="keep worlds and results here; otherwise a temporary folder"
    )
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "results.md")
    parser.add_argument("--shared", type=Path, default=shared_folder())
    parser.add_argument("--benchmarks", type=Path, nargs="*", default=[ROOT / "build" / "benchmarks"])
    given = parser.parse_args(arguments)
    words = " ".join(sys.argv[1:] if arguments is None else arguments)
    with ExitStack() as stack:
        work = given.work or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="stillwatch-results-")))
        work.mkdir(parents=True, exist_ok=True)
        settings = Settings(
            seeds=tuple(given.seeds[:1] if given.quick else given.seeds),
            small_seeds=tuple(given.small_seeds[:1] if given.quick else given.small_seeds),
            accounts=6_000 if given.quick else given.accounts,
            exchanges=150_000 if given.quick else given.exchanges,
            sparse_accounts=5_000 if given.quick else given.sparse_accounts,
            sparse_exchanges=60_000 if given.quick else given.sparse_exchanges,
            real_accounts=1_500 if given.quick else given.real_accounts,
            ablation_seeds=1 if given.quick else given.ablation_seeds,
            work=work,
            shared=given.shared,
            benchmarks=tuple(given.benchmarks),
        )
        page = run(settings, f"python -m benchmarks.results {words}".strip())
        given.out.parent.mkdir(parents=True, exist_ok=True)
        given.out.write_text(write_page(page, hide=work), encoding="utf-8")
    progress(f"wrote {given.out}")
    return Path(given.out)


if __name__ == "__main__":
    main()
