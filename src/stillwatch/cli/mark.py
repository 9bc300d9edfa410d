"""The verb `mark`: which of our keys a text bears."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any

import typer

from stillwatch.cli import mark_example, mark_lint, mark_radioactivity, mark_scan
from stillwatch.cli.errors import OptionError
from stillwatch.cli.exit_codes import ExitCode
from stillwatch.cli.options import DebugOption, JsonOption, bytes_of
from stillwatch.cli.terminal import open_terminal
from stillwatch.cli.verb_help import VerbHelp

_DETECT = "stillwatch mark detect marked/answers.jsonl --keys marked/keys.jsonl"
HELP = VerbHelp(
    name="mark",
    purpose="Find out which of your keys a text or a data set bears, with a stated error rate.",
    examples=(*mark_example.HELP.examples, _DETECT),
    writes="into the folder of `example`; each verb has --help and --json.",
)
DETECT_HELP = VerbHelp(
    name="detect",
    purpose="Test all keys that were ever issued on files of texts or token ids: the provider's key first, then the campaigns'.",
    examples=(_DETECT,),
    writes="nothing. With --json it prints every number and claim.",
)
MOST_ROWS = 20


def detect(
    files: Annotated[list[Path], typer.Argument(metavar="FILES...", help="JSON lines, Parquet, text or NumPy files.")],
    *,
    keys: Annotated[Path, typer.Option("--keys", metavar="FILE", help="All keys ever issued, a JSON object a line.")],
    tokenizer: Annotated[
        Path | None, typer.Option("--tokenizer", metavar="FILE", help="tokenizer.json, .model or .tiktoken; for texts.")
    ] = None,
    field: Annotated[
        str | None, typer.Option("--field", metavar="NAME", help="Field of the answer's text or ids.")
    ] = None,
    prompt_field: Annotated[
        str | None,
        typer.Option("--prompt-field", metavar="NAME", help="Leave out places whose context stands in the prompt."),
    ] = None,
    alpha: Annotated[float, typer.Option("--alpha", help="Chance of naming any key wrongly.")] = 1e-6,
    decoys: Annotated[int | None, typer.Option("--decoys", help="Random keys beside each scheme's own.")] = None,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the random keys.")] = 1,
    no_gate: Annotated[
        bool, typer.Option("--no-gate", help="Campaign keys mark instead of the provider's: test all as one family.")
    ] = False,
    memory: Annotated[str, typer.Option("--memory", help="For distinct tokens, before files are used.")] = "1GiB",
    as_json: JsonOption = False,
    debug: DebugOption = False,  # noqa: ARG001  # read by the entry point
) -> ExitCode:
    """Test keys on a corpus."""
    if not 0.0 < alpha < 1.0:
        raise OptionError(f"--alpha got {alpha}, expected a chance between 0 and 1, such as 1e-6.")
    if decoys is not None and decoys < 0:
        raise OptionError(f"--decoys got {decoys}, expected 0 or more.")
    memory_bytes = bytes_of(memory, "--memory")
    # Kernels and readers are loaded only when a text is tested, so that help is instant.
    from stillwatch.cli.mark_detection import answers_document, answers_table, read_and_score  # noqa: PLC0415
    from stillwatch.watermark.detection import Plan  # noqa: PLC0415
    from stillwatch.watermark.token_files import Fields  # noqa: PLC0415

    terminal = open_terminal(as_json=as_json)
    plan = Plan(alpha=alpha, seed=seed, decoys=decoys, gate=not no_gate)
    scored = read_and_score(
        files, keys, tokenizer, Fields(answer=field, prompt=prompt_field), plan, memory_bytes, terminal
    )
    terminal.say(
        f"{scored.tokens:,} tokens in {scored.documents:,} documents; {len(scored.results):,} keys; alpha {alpha:g}."
    )
    terminal.people.print(answers_table(scored.results, MOST_ROWS))
    found = [one for one in scored.results if one.found]
    for one in found:
        terminal.say(f"Found: {one.key.level.value} key {one.key.handle}, {one.key.assigned_to}.")
    if not found:
        reasons = sorted({getattr(one.answer, "reason", "no mark") for one in scored.results})
        terminal.say(f"No key is found. {'; '.join(reasons[:3])}.")
        needed = sorted({one.answer.needed for one in scored.results if hasattr(one.answer, "needed")})
        terminal.say(
            f"To conclude: {'; '.join(needed[:3])}." if needed else "Each key is excluded at the planned excess."
        )
    document: dict[str, Any] = {
        "verb": "mark detect", "alpha": alpha, "log10_alpha": math.log10(alpha), **answers_document(scored),
    }  # fmt: skip
    terminal.document(document)
    return ExitCode.DONE


VERBS: tuple[tuple[VerbHelp, Any], ...] = (
    (mark_example.HELP, mark_example.example),
    (DETECT_HELP, detect),
    (mark_scan.HELP, mark_scan.scan),
    (mark_radioactivity.HELP, mark_radioactivity.radioactivity),
    (mark_lint.HELP, mark_lint.lint),
)
"""The verbs below `mark`, in the order of the help."""
