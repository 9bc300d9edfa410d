"""The rules: each a function from settings to problems, with the consequence that was measured.

Takes the settings of one configuration, or of all that are looked at together. Gives problems. A number that stands here was measured
by `benchmarks/mark_settings.py` with the libraries' own code, or in the survey of November 2026 that docs/mark-keys.md describes;
each problem says which.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from stillwatch.watermark.lint.places import Place, Value
from stillwatch.watermark.lint.problem import SettingProblem
from stillwatch.watermark.lint.settings import Engine, Kind, MarkSettings

BENCHMARK = "measured by benchmarks/mark_settings.py"
SURVEY = "measured in the survey of November 2026, docs/mark-keys.md"
DOCUMENTED = "stated in the engine's documentation or source"
GPU_STUDY = "measured by `python -m benchmarks.marks_on_gpu`"
DERIVED = "by construction"
KEY_FIELDS = ("key", "key_b", "hashing_key")
SHORT_HISTORY = 1024
"""Positions below which vLLM itself warns of repetition loops."""
SHORTEST_KEY = 1 << 32
PUBLISHED_KEYS = frozenset({15485863, 42, 123456789, 1234, 0, 35317})
"""Keys that stand in the documentation or are the default of an engine or library (transformers, vLLM, TensorRT-LLM, textseal, MarkLLM)."""
PUBLISHED_LAYERS = (654, 400, 836, 123, 340, 443, 597, 160, 57, 29)
"""First layer keys of the example of synthid-text, which transformers' and SGLang's documentation repeat."""

Rule = Callable[[MarkSettings], Iterator[SettingProblem]]


def key_of(value: Value) -> int | None:
    """Read a key: an integer, or hex digits as SGLang takes them; null where it is none."""
    plain = value.plain
    if isinstance(plain, bool):
        return None
    if isinstance(plain, int):
        return plain & (1 << 64) - 1
    if isinstance(plain, str):
        try:
            return int(plain.removeprefix("0x"), 16)
        except ValueError:
            return None
    return None


def keys_in(settings: MarkSettings) -> Iterator[tuple[str, Value, int]]:
    """Give the keys of settings with field and value."""
    for name in KEY_FIELDS:
        if name in settings.fields:
            value = settings.fields[name]
            # SGLang's keys are hex digits even where YAML takes them for a number.
            if settings.engine is Engine.SGLANG and isinstance(value.plain, int) and not isinstance(value.plain, bool):
                value = Value(place=value.place, plain=str(value.plain))
            key = key_of(value)
            if key is not None:
                yield name, value, key


def key_is_published(settings: MarkSettings) -> Iterator[SettingProblem]:
    """A key from an example is everybody's key."""
    found = [(name, settings.at(name)) for name, _, key in keys_in(settings) if key in PUBLISHED_KEYS]
    layers = settings.fields["keys"].plain if "keys" in settings.fields else None
    if isinstance(layers, list) and tuple(one.plain for one in layers[:4]) == PUBLISHED_LAYERS[:4]:
        found.append(("keys", settings.at("keys")))
    if settings.kind is Kind.GREEN_LIST and "hashing_key" not in settings.fields:
        found.append(("hashing_key, not set, so it", settings.place))
    for name, place in found:
        yield SettingProblem(
            rule="published-key", file=settings.file, place=place, message=f"{name} is a default or an example's",
            consequence="whoever read the documentation can find the mark, strip it and forge it; text that others marked with the same key "
            "counts as yours", measured_by=DOCUMENTED, hint="issue keys with `stillwatch keys issue`", secret=True,
        )  # fmt: skip


def key_is_small(settings: MarkSettings) -> Iterator[SettingProblem]:
    """A key that can be searched, or that correlates with its neighbours."""
    for name, _, key in keys_in(settings):
        if key < SHORTEST_KEY and key not in PUBLISHED_KEYS:
            yield SettingProblem(
                rule="small-key", file=settings.file, place=settings.at(name), message=f"{name} has fewer than 32 bits",
                consequence="all 2^32 keys can be tried on 1,000 tokens in an hour on one core at 1.2 x 10^9 token-keys a second; and small "
                "integer keys correlated by up to 0.13 in textseal, where independent ones stay below 0.007", measured_by=SURVEY,
                hint="use 64 random bits: `stillwatch keys issue`", secret=True,
            )  # fmt: skip


def table_has_16_bits(settings: MarkSettings) -> Iterator[SettingProblem]:
    """SynthID as shipped draws its g-values from one small table."""
    if settings.kind is Kind.SYNTHID and settings.engine in {Engine.TRANSFORMERS, Engine.SYNTHID_TEXT}:
        yield SettingProblem(
            rule="small-table", file=settings.file, place=settings.at("sampling_table_size"),
            message=f"SynthID as {settings.engine} ships it looks g-values up by the low 16 bits of a hash",
            consequence="1 million n-grams give at most 65,536 different vectors of g-values, and keys that differ by 65,536 are the same mark; "
            "a statement over a corpus or over many keys is not possible", measured_by=BENCHMARK,
            hint="use the corrected hash of synthid-text's repository, or an engine's Gumbel mark",
        )  # fmt: skip


def table_seed_is_shared(settings: MarkSettings) -> Iterator[SettingProblem]:
    """One seed of the table for all: the null mean is that table's mean."""
    if settings.kind is Kind.SYNTHID and settings.engine in {Engine.TRANSFORMERS, Engine.SYNTHID_TEXT}:
        seed = settings.plain("sampling_table_seed")
        said = "is not set, so it is the library's default" if seed is None else "is the same for every key"
        yield SettingProblem(
            rule="shared-seed", file=settings.file, place=settings.at("sampling_table_seed"), message=f"sampling_table_seed {said}",
            consequence="the mean score of text without a mark is the mean of that one table: z = -4.5, +3.3 and -23.5 on 1 million random "
            "tokens for seeds 0, 1 and 2", measured_by=BENCHMARK,
            hint="do not state p-values over a corpus from this scheme; use the corrected hash",
        )  # fmt: skip


def width_is_ignored(settings: MarkSettings) -> Iterator[SettingProblem]:
    """Transformers' lefthash seeds with the last token, whatever the width."""
    width = settings.plain("context_width")
    if _is_lefthash(settings) and isinstance(width, int) and width > 1:
        yield SettingProblem(
            rule="width-ignored", file=settings.file, place=settings.at("context_width"),
            message=f"context_width {width} has no effect on lefthash, which seeds with the last token alone",
            consequence="the green lists are those of width 1, yet the detector de-duplicates by the long n-gram, so repeated pairs are counted "
            "again: 7 % false positives at 1 % on text that repeats itself (26 of 360)", measured_by=BENCHMARK,
            hint="set context_width to 1 and de-duplicate by (context, token), as `stillwatch mark detect` does",
        )  # fmt: skip


def nothing_is_deduplicated(settings: MarkSettings) -> Iterator[SettingProblem]:
    """Without de-duplication a repeated context is counted as new evidence, and answers loop."""
    if settings.kind is Kind.GUMBEL and settings.engine in {Engine.VLLM, Engine.TENSORRT_LLM}:
        scope, history = settings.plain("deduplicate_contexts"), settings.plain("deduplicate_contexts_max_history")
        short = isinstance(history, int) and not isinstance(history, bool) and history < SHORT_HISTORY
        if scope == "none" or short:
            name = "deduplicate_contexts" if scope == "none" else "deduplicate_contexts_max_history"
            yield SettingProblem(
                rule="no-deduplication", file=settings.file, place=settings.at(name),
                message="repeated contexts are marked again" + ("" if scope == "none" else f" after {history} positions"),
                consequence="answers get longer (+18 tokens) and reach their limit twice as often (33 % for 16 %); 8.6 % false positives at 1 % "
                "on text that repeats itself, where the detector does not de-duplicate either", measured_by=SURVEY,
                hint="set deduplicate_contexts to single_turn, with a history of at least 1,024 positions or null",
            )  # fmt: skip
    elif settings.plain("ignore_repeated_ngrams") is False or (
        settings.kind is Kind.SYNTHID
        and settings.plain("context_history_size") in {0, None}
        and "context_history_size" in settings.fields
    ):
        name = "ignore_repeated_ngrams" if "ignore_repeated_ngrams" in settings.fields else "context_history_size"
        yield SettingProblem(
            rule="no-deduplication", file=settings.file, place=settings.at(name), message="repeated n-grams are counted again",
            consequence="19 % false positives at 1 % on text that repeats itself (68 of 360)" if settings.kind is Kind.GREEN_LIST else
            "text that repeats itself has more evidence the longer it is", measured_by=BENCHMARK if settings.kind is Kind.GREEN_LIST else DERIVED,
            hint="set ignore_repeated_ngrams to true; de-duplicate over the corpus with `stillwatch mark detect`",
        )  # fmt: skip


def nothing_is_random(settings: MarkSettings) -> Iterator[SettingProblem]:
    """At temperature 0 there is no draw that a Gumbel or SynthID mark could make."""
    if settings.kind is Kind.GREEN_LIST:
        return
    temperature, sampling, top_k = (settings.nearby(name) for name in ("temperature", "do_sample", "top_k"))
    is_gumbel = settings.kind is Kind.GUMBEL
    found: list[tuple[str, Place]] = []
    if temperature is not None and isinstance(temperature.plain, (int, float)) and temperature.plain <= 0:
        found.append(("temperature is 0", temperature.place))
    if sampling is not None and sampling.plain is False:
        found.append(("do_sample is false", sampling.place))
    if top_k is not None and top_k.plain == 1:
        found.append(("top_k is 1", top_k.place))
    for what, place in found:
        yield SettingProblem(
            rule="no-randomness", file=settings.file, place=place, message=f"{what}, so no token is drawn",
            consequence=f"a {settings.kind} mark leaves nothing" + (": mean evidence 1.00 a token, as in text without a mark, for 7.64 at temperature 1"
            if is_gumbel else ", since the likeliest token is taken whatever its g-values are"), measured_by=BENCHMARK if is_gumbel else DERIVED,
            hint="keep a floor under the temperature of marked accounts, or use a green list, which biases logits at temperature 0 too",
        )  # fmt: skip


def keys_share_green_lists(settings: MarkSettings) -> Iterator[SettingProblem]:
    """Transformers' lefthash multiplies key and token, so that different keys have equal lists."""
    if _is_lefthash(settings):
        yield SettingProblem(
            rule="shared-green-lists", file=settings.file, place=settings.at("seeding_scheme"),
            message="lefthash seeds with key x token",
            consequence="the list of key 1000 after token 30 is that of key 3000 after token 10, and after token 0 every key has the same list: "
            "keys of campaigns are not independent", measured_by=BENCHMARK,
            hint="use one key only, or for many keys the independent green list that stillwatch marks with",
        )  # fmt: skip


def selfhash_is_not_exact(settings: MarkSettings) -> Iterator[SettingProblem]:
    """Selfhash repeats its seeds more often than its n-grams."""
    if settings.kind is Kind.GREEN_LIST and settings.plain("seeding_scheme") == "selfhash":
        yield SettingProblem(
            rule="selfhash-repeats", file=settings.file, place=settings.at("seeding_scheme"),
            message="selfhash seeds with the least hash of the window, which repeats more often than its n-grams do",
            consequence="6 % false positives at 1 % on text that repeats itself, after de-duplication (21 of 360)", measured_by=BENCHMARK,
            hint="trust the decoy-key p alone, or use the independent green list",
        )  # fmt: skip


def generator_is_bound_to_a_device(settings: MarkSettings) -> Iterator[SettingProblem]:
    """A green list from torch's generator differs between CPU and CUDA."""
    if settings.kind is Kind.GREEN_LIST and settings.engine is Engine.TRANSFORMERS:
        yield SettingProblem(
            rule="device-bound", file=settings.file, place=settings.place,
            message="the green list comes from torch's generator of the device that serves",
            consequence="CPU and CUDA share a quarter of a list, as chance has it; a detector must be told which card marked (`device_threads`)", measured_by=GPU_STUDY,
            hint="serve with stillwatch's own processor, whose lists are a hash and the same everywhere",
        )  # fmt: skip


def clients_can_opt_out(settings: MarkSettings) -> Iterator[SettingProblem]:
    """A client that may turn the mark off, does."""
    if settings.engine is Engine.SGLANG and settings.plain("enforce_all") is not True:
        yield SettingProblem(
            rule="opt-out-possible", file=settings.file, place=settings.at("enforce_all"),
            message='enforce_all is not true: a request with `watermark: {"enabled": false}` is not marked',
            consequence="accounts that expect marks have none; what they were served proves nothing", measured_by=DOCUMENTED,
            hint="set enforce_all to true, and strip `watermark` from clients at the gateway",
        )  # fmt: skip
    if settings.engine is Engine.VLLM:
        yield SettingProblem(
            rule="opt-out-possible", file=settings.file, place=settings.place,
            message="vLLM has no setting that forbids a request's `watermarking: false`",
            consequence="accounts that expect marks have none; what they were served proves nothing", measured_by=DOCUMENTED,
            hint="strip `watermarking` and `vllm_xargs` from clients at the gateway, then pass --accept opt-out-possible",
        )  # fmt: skip


RULES: tuple[Rule, ...] = (
    key_is_published,
    key_is_small,
    table_has_16_bits,
    table_seed_is_shared,
    width_is_ignored,
    nothing_is_deduplicated,
    nothing_is_random,
    keys_share_green_lists,
    selfhash_is_not_exact,
    generator_is_bound_to_a_device,
    clients_can_opt_out,
)
"""Rules over one configuration, in the order of the documentation."""
RULE_NAMES = (
    "published-key", "small-key", "small-table", "shared-seed", "width-ignored", "no-deduplication", "no-randomness", "shared-green-lists",
    "selfhash-repeats", "device-bound", "opt-out-possible", "reused-key", "unregistered-key", "readable-key",
)  # fmt: skip
"""What `--accept` takes."""


def keys_are_reused(
    all_settings: Sequence[MarkSettings], registered: dict[int, str] | None
) -> Iterator[SettingProblem]:
    """Compare the keys of all configurations with each other and with the registry.

    Args:
        all_settings: every configuration that is looked at.
        registered: key to `level subject` of the keys ever issued; null where the registry is not at hand.
    """
    first: dict[int, tuple[MarkSettings, str]] = {}
    for settings in all_settings:
        for name, _, key in keys_in(settings):
            if key in first:
                other, other_name = first[key]
                where = f"{other.file}:{other.at(other_name).line}"
                yield SettingProblem(
                    rule="reused-key", file=settings.file, place=settings.at(name), message=f"{name} is the key of {where} too",
                    consequence="text of either is attributed to both, and a reveal of one uncovers the other", measured_by=DERIVED,
                    hint="give each its own key: `stillwatch keys issue`", secret=True,
                )  # fmt: skip
            else:
                first[key] = (settings, name)
            if registered is not None and key not in registered:
                yield SettingProblem(
                    rule="unregistered-key", file=settings.file, place=settings.at(name), message=f"{name} was never issued by the registry",
                    consequence="no entry of the ledger commits to it, so nobody can show that it was not chosen after the text was seen",
                    measured_by=DERIVED, hint="issue it with `stillwatch keys issue`, and serve that one", secret=True,
                )  # fmt: skip
            elif registered is not None and not registered[key].startswith("provider ") and name != "hashing_key":
                yield SettingProblem(
                    rule="reused-key", file=settings.file, place=settings.at(name),
                    message=f"{name} marks every request of this server, and is the registry's key of {registered[key]}",
                    consequence="everybody's answers are attributed to it", measured_by=DERIVED,
                    hint="give servers the provider's key, and campaigns' keys by request", secret=True,
                )  # fmt: skip


def readable_problem(settings: MarkSettings, mode: int) -> SettingProblem:
    """Name a configuration that holds a key and that others than its owner may read."""
    return SettingProblem(
        rule="readable-key", file=settings.file, place=settings.place, message=f"the file holds a key, and its mode is {mode:04o}",
        consequence="whoever reads it can forge the mark and strip it", measured_by=DERIVED, hint="chmod 600 it", secret=True,
    )  # fmt: skip


def _is_lefthash(settings: MarkSettings) -> bool:
    return settings.kind is Kind.GREEN_LIST and settings.plain("seeding_scheme") in {None, "lefthash"}
