"""The verb `mark radioactivity`: whether a suspect was trained on answers that our keys marked."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stillwatch.cli.errors import OptionError
from stillwatch.cli.exit_codes import ExitCode
from stillwatch.cli.options import DebugOption, JsonOption
from stillwatch.cli.progress_display import stage_progress
from stillwatch.cli.terminal import Terminal, open_terminal
from stillwatch.cli.verb_help import VerbHelp

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from stillwatch.cli.mark_detection import Scored
    from stillwatch.records.mark import MarkKey
    from stillwatch.records.progress import Progress
    from stillwatch.watermark.detection import Plan
    from stillwatch.watermark.radioactivity.places import Reading
    from stillwatch.watermark.radioactivity.scorer import Mode
    from stillwatch.watermark.token_files import Document, Fields
    from stillwatch.watermark.tokenizers import Tokenizer

HELP = VerbHelp(
    name="radioactivity",
    purpose="Test whether a suspect was trained on answers that your keys marked: by its weights, its predictions, or what it writes.",
    examples=(
        "stillwatch mark radioactivity marked/answers.jsonl --keys marked/keys.jsonl --written marked/answers.jsonl",
    ),
    writes="nothing. With --json it prints every number and claim.",
)
MOST_ROWS = 20


def radioactivity(
    served: Annotated[
        list[Path], typer.Argument(metavar="SERVED...", help="Answers that were served and marked: JSON lines, Parquet, text or NumPy files.")
    ],
    *,
    keys: Annotated[Path, typer.Option("--keys", metavar="FILE", help="All keys ever issued, a JSON object a line.")],
    model: Annotated[
        Path | None, typer.Option("--model", metavar="DIR", help="The suspect's weights, which read the served answers.")
    ] = None,
    predictions: Annotated[
        Path | None, typer.Option("--predictions", metavar="FILE", help="What the suspect predicted: JSON lines with token_ids, top_ids and log_probs.")
    ] = None,
    written: Annotated[
        list[Path] | None, typer.Option("--written", metavar="FILE", help="What the suspect wrote; may be given again.")
    ] = None,
    tokenizer: Annotated[
        Path | None, typer.Option("--tokenizer", metavar="FILE", help="The mark's: tokenizer.json, .model or .tiktoken; for texts.")
    ] = None,
    field: Annotated[
        str | None, typer.Option("--field", metavar="NAME", help="Field of an answer's text or ids.")
    ] = None,
    prompt_field: Annotated[
        str | None, typer.Option("--prompt-field", metavar="NAME", help="Field of the prompt's text or ids; what stands in it is not counted.")
    ] = None,
    alpha: Annotated[float, typer.Option("--alpha", help="Chance of naming any key wrongly.")] = 1e-6,
    decoys: Annotated[int | None, typer.Option("--decoys", help="Random keys beside each scheme's own.")] = None,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the random keys.")] = 1,
    no_gate: Annotated[
        bool, typer.Option("--no-gate", help="Campaign keys mark instead of the provider's: test all as one family.")
    ] = False,
    as_json: JsonOption = False,
    debug: DebugOption = False,  # noqa: ARG001  # read by the entry point
) -> ExitCode:  # fmt: skip
    """Test a suspect."""
    if not 0.0 < alpha < 1.0:
        raise OptionError(f"--alpha got {alpha}, expected a chance between 0 and 1, such as 1e-6.")
    if decoys is not None and decoys < 0:
        raise OptionError(f"--decoys got {decoys}, expected 0 or more.")
    if sum(one is not None and one != [] for one in (model, predictions, written)) != 1:
        raise OptionError("expected one of --model, --predictions and --written: how the suspect is known.")
    # Kernels and readers are loaded only when a suspect is tested, so that help is instant.
    from stillwatch.cli.mark_detection import answers_document  # noqa: PLC0415
    from stillwatch.watermark.detection import Plan  # noqa: PLC0415
    from stillwatch.watermark.token_files import Fields  # noqa: PLC0415

    terminal = open_terminal(as_json=as_json)
    plan = Plan(alpha=alpha, seed=seed, decoys=decoys, gate=not no_gate)
    heard = _Heard(model, predictions, tuple(written or ()))
    with stage_progress(terminal) as progress:
        mode, scored = heard.scored(served, keys, tokenizer, Fields(answer=field, prompt=prompt_field), plan, progress)
    _say(terminal, scored, mode, alpha)
    document: dict[str, Any] = {
        "verb": "mark radioactivity", "mode": mode.value, "alpha": alpha, "log10_alpha": math.log10(alpha), **answers_document(scored),
    }  # fmt: skip
    terminal.document(document)
    return ExitCode.DONE


def _say(terminal: Terminal, scored: Scored, mode: Mode, alpha: float) -> None:
    """Tell people what was found."""
    from stillwatch.cli.mark_detection import answers_table  # noqa: PLC0415

    terminal.say(
        f"{scored.documents:,} texts by {mode.value}; {len(scored.results):,} keys; alpha {alpha:g}. Places whose context the suspect had before it are left out."
    )
    terminal.people.print(answers_table(scored.results, MOST_ROWS))
    for one in (found := [one for one in scored.results if one.found]):
        terminal.say(f"The suspect bears {one.key.level.value} key {one.key.handle}, {one.key.assigned_to}.")
    if not found:
        reasons = sorted({getattr(one.answer, "reason", "no trace at the planned excess") for one in scored.results})
        terminal.say(f"No key is found. {'; '.join(reasons[:3])}.")
        needed = sorted({one.answer.needed for one in scored.results if hasattr(one.answer, "needed")})
        if needed:
            terminal.say(f"To conclude: {'; '.join(needed[:3])}.")


class _Heard:
    """How the suspect is known."""

    def __init__(self, model: Path | None, predictions: Path | None, written: Sequence[Path]) -> None:
        self._model, self._predictions, self._written = model, predictions, written

    def scored(
        self,
        served: Sequence[Path],
        key_file: Path,
        tokenizer_file: Path | None,
        fields: Fields,
        plan: Plan,
        progress: Progress,
    ) -> tuple[Mode, Scored]:
        """Read everything, and score.

        Raises:
            OptionError: for a file that does not exist.
            TokenizerError: where keys were used under another tokenizer than the one given.
        """
        from stillwatch.cli.mark_detection import Scored  # noqa: PLC0415
        from stillwatch.watermark.key_file import read_key_file  # noqa: PLC0415
        from stillwatch.watermark.radioactivity.places import ServedContexts  # noqa: PLC0415
        from stillwatch.watermark.radioactivity.scorer import RadioactivityScorer  # noqa: PLC0415
        from stillwatch.watermark.token_files import corpus_digest  # noqa: PLC0415
        from stillwatch.watermark.tokenizers import tokenizer_of  # noqa: PLC0415

        others = [*self._written, *([self._predictions] if self._predictions else [])]
        for path in (*served, *others):
            if not path.is_file():
                raise OptionError(f"{path}: there is no such file.")
        issued = read_key_file(key_file)
        tokenizer = tokenizer_of(tokenizer_file, issued)
        answers = _all(served, tokenizer, fields, progress)
        readings, documents, mode = self._said(issued, answers, tokenizer_file, tokenizer, fields, progress)
        with RadioactivityScorer(issued, mode, ServedContexts(one.tokens for one in answers)) as scorer:
            progress.begin("scoring texts", None)
            count = scorer.read(_told(readings, progress)) + scorer.write(documents)
            progress.end()
            digest = corpus_digest([*served, *others])
            results = scorer.results(plan, digest, progress)
        return mode, Scored(
            results=results, documents=count, tokens=sum(len(one.tokens) for one in answers), input_digest=digest,
            tokenizer_digest="" if tokenizer is None else tokenizer.digest,
        )  # fmt: skip

    def _said(
        self,
        keys: Sequence[MarkKey],
        answers: Sequence[Document],
        tokenizer_file: Path | None,
        tokenizer: Tokenizer | None,
        fields: Fields,
        progress: Progress,
    ) -> tuple[Iterable[Reading], Sequence[Document], Mode]:
        """Give what the suspect predicts or wrote, and by what it is scored."""
        from stillwatch.watermark.radioactivity.prediction_files import read_predictions  # noqa: PLC0415
        from stillwatch.watermark.radioactivity.scorer import Mode, mode_of  # noqa: PLC0415

        if self._model is not None:
            from stillwatch.suspects.weights_reading import WeightsReader  # noqa: PLC0415

            reader = WeightsReader(self._model, tokenizer=tokenizer_file)
            return reader.read(answers), (), mode_of(keys, probabilities=True)
        if self._predictions is not None:
            readings = list(read_predictions(self._predictions))
            known = all(one.probabilities is not None for one in readings)
            return readings, (), mode_of(keys, probabilities=known)
        return (), _all(self._written, tokenizer, fields, progress), Mode.WRITTEN


def _all(paths: Sequence[Path], tokenizer: Tokenizer | None, fields: Fields, progress: Progress) -> list[Document]:
    """Read all documents; served answers are kept, since every suspect is held against their contexts."""
    from stillwatch.watermark.token_files import documents  # noqa: PLC0415

    progress.begin("reading", sum(path.stat().st_size for path in paths))
    found = [one for batch in documents(paths, tokenizer, fields, progress) for one in batch]
    progress.end()
    return found


def _told(readings: Iterable[Reading], progress: Progress) -> Iterator[Reading]:
    for reading in readings:
        progress.advance(1)
        yield reading
