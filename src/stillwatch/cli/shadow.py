"""The verb `shadow`: re-samples of answers that flagged accounts got, sealed so that a suspect can be tested later."""

from __future__ import annotations

import os
from collections import Counter
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stillwatch.cli import guard_options, ledger_options
from stillwatch.cli.errors import MissingExtraError, OptionError
from stillwatch.cli.exit_codes import ExitCode
from stillwatch.cli.options import DebugOption, JsonOption
from stillwatch.cli.progress_display import stage_progress
from stillwatch.cli.terminal import open_terminal, printable
from stillwatch.cli.verb_help import VerbHelp
from stillwatch.integrity.canonical import canonical_bytes

if TYPE_CHECKING:
    from stillwatch.gateway.shadow_sampling import ShadowRun, ShadowUpstream
    from stillwatch.gateway.shadow_spool import ShadowSpool

KEY_VARIABLE = "STILLWATCH_SHADOW_KEY_FILE"
KEY_TEXT_VARIABLE = "STILLWATCH_SHADOW_KEY"
HEADERS_VARIABLE = "STILLWATCH_SHADOW_AUTHORIZATION"
_KEY = "stillwatch shadow key --out shadow.key"
HELP = VerbHelp(
    name="shadow",
    purpose="Ask the model again for answers that flagged accounts got, and seal what it says.",
    examples=(_KEY,),
    writes="encrypted texts into the folder of --spool, and an entry of the ledger for each served answer; each verb has --help and --json.",
)
KEY_HELP = VerbHelp(
    name="key",
    purpose="Make the master key under which texts of shadow samples are encrypted.",
    examples=(_KEY,),
    writes="the key file (mode 0600).",
)
RUN_HELP = VerbHelp(
    name="run",
    purpose="Choose answers from a guard's log, ask the model for re-samples within a budget, and seal them.",
    examples=(
        "stillwatch shadow run exchanges.jsonl --upstream http://localhost:8000 --spool shadow --key-file shadow.key --ledger ledger.db --actor bob",
    ),
    writes="into the folder of --spool, and an entry of the ledger for each served answer. Killed, it goes on where it was when it is run again.",
)
LIST_HELP = VerbHelp(
    name="list",
    purpose="List the shadow samples in the ledger: account, snapshot, re-samples, and whether they are exchangeable.",
    examples=("stillwatch shadow list --ledger ledger.db --actor bob",),
    writes="nothing.",
)
OPEN_HELP = VerbHelp(
    name="open",
    purpose="Show the texts of a shadow sample to a role that may see text; the look is recorded first.",
    examples=(
        "stillwatch shadow open SAMPLE --purpose 'case-1' --spool shadow --key-file shadow.key --ledger ledger.db --actor bob",
    ),
    writes="an entry of the ledger for the look.",
)
TRANSCRIPTS_HELP = VerbHelp(
    name="transcripts",
    purpose="Write the texts of shadow samples as the material of the served-transcript test; the look is recorded first.",
    examples=(
        "stillwatch shadow transcripts --out transcripts.jsonl --purpose 'case-1' --spool shadow --key-file shadow.key --ledger ledger.db --actor bob",
    ),
    writes="the file (mode 0600), which holds text; and an entry of the ledger for each look.",
)
ERASE_HELP = VerbHelp(
    name="erase",
    purpose="Destroy the key of a shadow sample, so that nobody can read its texts any more.",
    examples=(
        "stillwatch shadow erase SAMPLE --reason 'request of the account holder' --spool shadow --key-file shadow.key --ledger ledger.db --actor bob",
    ),
    writes="an entry of the ledger; the sample's own entry stays.",
)
SampleId = Annotated[str, typer.Argument(metavar="SAMPLE", help="Id of the sample, as `shadow list` says it.")]
Spool = Annotated[Path, typer.Option("--spool", metavar="DIR", help="Folder of the encrypted texts and their keys.")]
KeyFile = Annotated[
    Path | None,
    typer.Option(
        "--key-file", metavar="FILE", envvar=KEY_VARIABLE, help=f"The master key; or {KEY_TEXT_VARIABLE} holds it."
    ),
]


def key(
    *,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="For the key; a file that is there stays.")],
    as_json: JsonOption = False,
    debug: DebugOption = False,  # noqa: ARG001  # read by the entry point
) -> ExitCode:
    """Make a master key."""
    from stillwatch.integrity.text_keys import write_secret  # noqa: PLC0415

    terminal = open_terminal(as_json=as_json)
    write_secret(out)
    terminal.say(f"Master key: {out}. Without it no text of a shadow sample can be read; keep it apart from the spool.")
    terminal.document({"verb": "shadow key", "key_file": str(out)})
    return ExitCode.DONE


SampleCount = Annotated[
    int, typer.Option("--samples", metavar="K", min=1, max=64, help="Re-samples of each answer; 4 or more.")
]
PerAccount = Annotated[
    int, typer.Option("--per-account", metavar="N", min=1, help="Served answers of one account and day.")
]
Tokens = Annotated[
    int, typer.Option("--tokens-per-day", metavar="N", min=1, help="Tokens in and out that a day may cost.")
]
Pinned = Annotated[
    list[str] | None,
    typer.Option("--pin", metavar="SNAPSHOT", help="Take samples of this snapshot only; repeatable."),
]


def run(
    logs: Annotated[list[Path], typer.Argument(metavar="LOG...", help="Logs of a guard, kept with text.")],
    *,
    upstream: Annotated[str, typer.Option("--upstream", metavar="URL", help="The model's server, not the guard.")],
    spool: Spool,
    ledger: ledger_options.Store,
    actor: ledger_options.Actor,
    key_file: KeyFile = None,
    samples: SampleCount = 4,
    per_account: PerAccount = 20,
    per_day: Annotated[int, typer.Option("--per-day", metavar="N", min=1, help="Served answers of a day.")] = 1_000,
    tokens: Tokens = 2_000_000,
    pin: Pinned = None,
    engine: guard_options.EngineOption = "none",
    mark_keys: guard_options.MarkKeys = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,  # noqa: ARG001  # read by the entry point
) -> ExitCode:
    """Choose, ask and seal."""
    _need_extra()
    from stillwatch.gateway.shadow_candidates import ShadowBudget, candidates, read_guard_log  # noqa: PLC0415

    terminal = open_terminal(as_json=as_json)
    with ledger_options.open_for(ledger, actor, "APPEND"):
        held = _open_spool(spool, key_file)
    marks = guard_options.marks_of(engine, mark_keys)
    budget = ShadowBudget(samples=samples, per_account_day=per_account, per_day=per_day, tokens_per_day=tokens)
    left_out: Counter[str] = Counter()
    rows = read_guard_log(logs)
    queued = 0
    for one in candidates(
        rows, budget=budget, pinned=frozenset(pin or ()), marks=marks, known=held.known(), left_out=left_out
    ):
        held.queue(one, samples)
        queued += 1
    with stage_progress(terminal) as progress:
        outcome = _ask(held, _upstream(upstream), budget, marks, progress)
    sealed = _seal_finished(held, ledger, actor)
    terminal.say(
        f"{queued} served answers chosen, {sum(left_out.values())} left out; {outcome.outcomes['answered']} re-samples for "
        f"{outcome.tokens:,} tokens; {len(sealed)} sealed, {len(held.names())} wait."
    )
    for reason, count in sorted(left_out.items()):
        terminal.say(f"  left out: {count} ({reason})")
    if outcome.stopped is not None:
        terminal.say(f"! stopped: {outcome.stopped}; run again later.")
    terminal.document(
        {
            "verb": "shadow run", "chosen": queued, "left_out": dict(left_out), "asks": dict(outcome.outcomes),
            "tokens": outcome.tokens, "sealed": sealed, "waiting": len(held.names()), "stopped": outcome.stopped,
        }
    )  # fmt: skip
    return ExitCode.DONE


def list_samples(
    *,
    ledger: ledger_options.Store,
    actor: ledger_options.Actor,
    as_json: JsonOption = False,
    debug: DebugOption = False,  # noqa: ARG001  # read by the entry point
) -> ExitCode:
    """List samples."""
    from stillwatch.evidence.shadow_samples import erased_samples, sealed_samples  # noqa: PLC0415

    terminal = open_terminal(as_json=as_json)
    listed = []
    with ledger_options.open_for(ledger, actor, "READ") as (book, _):
        erased = erased_samples(book)
        for index, said in sealed_samples(book):
            answers = sum(ask["outcome"] == "answered" for ask in said["asks"])
            words = "exchangeable" if said["exchangeable"] else f"not exchangeable ({'; '.join(said['reasons'])})"
            gone = ", erased" if said["id"] in erased else ""
            terminal.say(
                printable(
                    f"{index:6}  {said['id']}  {said['account_id']}  {said['snapshot']}  {answers} of {said['wanted']}  {words}{gone}"
                )
            )
            listed.append({"entry": index, "erased": said["id"] in erased, **said})
    if not listed:
        terminal.say("There is no shadow sample; take some with `stillwatch shadow run`.")
    terminal.document({"verb": "shadow list", "samples": listed})
    return ExitCode.DONE


def open_sample(
    sample: SampleId,
    *,
    purpose: Annotated[str, typer.Option("--purpose", metavar="TEXT", help="Why; it is recorded.")],
    spool: Spool,
    ledger: ledger_options.Store,
    actor: ledger_options.Actor,
    key_file: KeyFile = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,  # noqa: ARG001  # read by the entry point
) -> ExitCode:
    """Show texts."""
    from stillwatch.evidence.shadow_samples import open_texts  # noqa: PLC0415

    terminal = open_terminal(as_json=as_json)
    with ledger_options.open_for(ledger, actor, "READ") as (book, access):
        said = _sample_of(book, sample)
        held = _open_spool(spool, key_file)
        file = held.sealed_bytes(sample)
        texts = open_texts(access, actor, purpose, said, file, lambda: held.texts(sample))
    terminal.say(f"Served: {printable(texts['served']['text'])}")
    for number in sorted((one for one in texts if one != "served"), key=int):
        terminal.say(f"Re-sample {number}: {printable(texts[number]['text'])}")
    terminal.document({"verb": "shadow open", "sample": sample, "texts": texts})
    return ExitCode.DONE


def transcripts(
    *,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="JSON lines; a file that is there is replaced.")],
    purpose: Annotated[str, typer.Option("--purpose", metavar="TEXT", help="Why; it is recorded.")],
    spool: Spool,
    ledger: ledger_options.Store,
    actor: ledger_options.Actor,
    key_file: KeyFile = None,
    account: Annotated[
        list[str] | None, typer.Option("--account", metavar="ID", help="Of these accounts only; repeatable.")
    ] = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,  # noqa: ARG001  # read by the entry point
) -> ExitCode:
    """Write the material of the served-transcript test."""
    from stillwatch.evidence.shadow_samples import erased_samples, open_texts, sealed_samples  # noqa: PLC0415
    from stillwatch.suspects.transcripts_file import transcript_row  # noqa: PLC0415

    terminal = open_terminal(as_json=as_json)
    lines: list[bytes] = []
    with ledger_options.open_for(ledger, actor, "READ") as (book, access):
        erased = erased_samples(book)
        wanted = [said for _, said in sealed_samples(book) if not account or said["account_id"] in account]
        held = _open_spool(spool, key_file)
        for said in wanted:
            name = str(said["id"])
            if name in erased:
                continue
            texts = open_texts(access, actor, purpose, said, held.sealed_bytes(name), partial(held.texts, name))
            lines.append(canonical_bytes(transcript_row(said, texts)) + b"\n")
    ledger_options.write_out(out, b"".join(lines), private=True)
    gone = len(wanted) - len(lines)
    terminal.say(
        f"{out}: {len(lines)} exchanges, {gone} erased. It holds text; name it in a plan, and keep it as you keep the spool."
    )
    terminal.document({"verb": "shadow transcripts", "file": str(out), "exchanges": len(lines), "erased": gone})
    return ExitCode.DONE


def erase(
    sample: SampleId,
    *,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; it is recorded.")],
    spool: Spool,
    ledger: ledger_options.Store,
    actor: ledger_options.Actor,
    key_file: KeyFile = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,  # noqa: ARG001  # read by the entry point
) -> ExitCode:
    """Destroy a key."""
    from stillwatch.evidence.shadow_samples import record_erasure  # noqa: PLC0415

    terminal = open_terminal(as_json=as_json)
    with ledger_options.open_for(ledger, actor, "APPEND") as (book, access):
        _sample_of(book, sample)
        held = _open_spool(spool, key_file)
        entry = record_erasure(access, actor, sample, reason)
        if held.keys.has(sample):
            held.keys.destroy(sample)
    terminal.say(f"{sample}: its key is destroyed. Entry {entry} of the ledger. Destroy copies of the key folder too.")
    terminal.document({"verb": "shadow erase", "sample": sample, "entry": entry})
    return ExitCode.DONE


def _ask(held: ShadowSpool, upstream: ShadowUpstream, budget: Any, marks: Any, progress: Any) -> ShadowRun:
    import asyncio  # noqa: PLC0415

    from stillwatch.gateway.shadow_sampling import ShadowSampler  # noqa: PLC0415

    async def work() -> ShadowRun:
        async with ShadowSampler(held, upstream, budget, marks=marks) as sampler:
            return await sampler.run(progress)

    return asyncio.run(work())


def _seal_finished(held: ShadowSpool, ledger: str, actor: str) -> dict[str, int]:
    """Seal what is done: first the entry, then the move; a crash between the two is made good the next time."""
    from stillwatch.evidence.shadow_samples import seal_samples  # noqa: PLC0415

    found: dict[str, int] = {}
    with ledger_options.open_for(ledger, actor, "APPEND") as (book, access):
        for name in held.names():
            with held.opened(name) as job:
                if job is not None and job.is_done:
                    found |= seal_samples(access, book, actor, [job.sample()])
                    held.move_to_sealed(name)
    return found


def _sample_of(book: Any, sample: str) -> dict[str, Any]:
    from stillwatch.evidence.shadow_samples import sealed_samples  # noqa: PLC0415

    found = next((said for _, said in sealed_samples(book) if said["id"] == sample), None)
    if found is None:
        raise OptionError(f"there is no shadow sample {sample[:40]!a}; `stillwatch shadow list` names those there are.")
    return found


def _open_spool(folder: Path, key_file: Path | None) -> ShadowSpool:
    from stillwatch.gateway.shadow_spool import ShadowSpool  # noqa: PLC0415
    from stillwatch.integrity.text_keys import TextKeys, parse_secret, read_secret  # noqa: PLC0415

    text = os.environ.get(KEY_TEXT_VARIABLE)
    if key_file is None and text is None:
        raise OptionError(
            f"no master key was named; expected --key-file FILE, or {KEY_VARIABLE} or {KEY_TEXT_VARIABLE} in the environment."
        )
    master = read_secret(key_file) if key_file is not None else parse_secret(text or "", KEY_TEXT_VARIABLE)
    return ShadowSpool(folder, TextKeys(folder / "keys", master))


def _upstream(url: str) -> ShadowUpstream:
    from stillwatch.gateway.shadow_sampling import ShadowUpstream  # noqa: PLC0415

    if not url.startswith(("http://", "https://")):
        raise OptionError(f"--upstream got {url[:80]!a}, expected an address such as http://localhost:8000.")
    value = os.environ.get(HEADERS_VARIABLE)
    return ShadowUpstream(url=url.rstrip("/"), headers={} if value is None else {"Authorization": value})


def _need_extra() -> None:
    try:
        import aiohttp  # noqa: F401, PLC0415
    except ImportError as error:
        raise MissingExtraError("shadow samples need the extra: pip install 'stillwatch[gateway]'") from error


VERBS: tuple[tuple[VerbHelp, Any], ...] = (
    (KEY_HELP, key),
    (RUN_HELP, run),
    (LIST_HELP, list_samples),
    (OPEN_HELP, open_sample),
    (TRANSCRIPTS_HELP, transcripts),
    (ERASE_HELP, erase),
)
"""The verbs below `shadow`, in the order of the help."""
