"""Marking settings of an engine: one shape for the configurations of all of them.

Takes a configuration as values with places. Gives the marking settings in it, each with its engine and its kind of scheme. Field names are
those of vLLM 0.33 (`vllm.config.watermarking.WatermarkConfig`), SGLang 0.5.23 (`srt.sampling.watermarking.config`), transformers 5.24
(`WatermarkingConfig`, `SynthIDTextWatermarkingConfig`), TensorRT-LLM's page on watermarking, and synthid-text 0.2.1.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from stillwatch.watermark.lint.errors import MarkSettingsError
from stillwatch.watermark.lint.places import Place, Value, read_values


class Engine(StrEnum):
    """Who reads the configuration."""

    VLLM = "vLLM"
    SGLANG = "SGLang"
    TRANSFORMERS = "transformers"
    TENSORRT_LLM = "TensorRT-LLM"
    SYNTHID_TEXT = "synthid-text"


class Kind(StrEnum):
    """The kind of scheme."""

    GUMBEL = "Gumbel"
    GREEN_LIST = "green list"
    SYNTHID = "SynthID"


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkSettings:
    """Marking settings as a file has them."""

    file: str
    engine: Engine
    kind: Kind
    place: Place
    """Where they begin."""
    fields: Mapping[str, Value]
    """The fields of the settings."""
    around: Mapping[str, Value]
    """The fields of the mapping that holds the settings: temperature, sampling, server options."""

    def plain(self, name: str) -> object:
        """Give a field's plain value; null where it is not set."""
        return self.fields[name].plain if name in self.fields else None

    def at(self, name: str) -> Place:
        """Give a field's place; of the settings where it is not set."""
        return self.fields[name].place if name in self.fields else self.place

    def nearby(self, name: str) -> Value | None:
        """Find a field of generation, in the settings or around them."""
        return self.fields.get(name, self.around.get(name))


_HOLDERS = ("watermark_config", "watermark-config", "watermarking_config", "watermarking-config", "watermark")
_GENERATION = ("default_sampling_params", "sampling_params", "generation_config", "override_generation_config")
"""Mappings in which the sampling settings stand in server configurations."""
_GREEN = frozenset({"greenlist_ratio", "hashing_key", "seeding_scheme", "bias"})
_SYNTHID = frozenset(
    {"ngram_len", "sampling_table_seed", "sampling_table_size", "num_candidates", "context_history_size"}
)
_SGLANG = frozenset(
    {"key_b", "context_window", "mixing_probability", "max_probability", "default_enabled", "enforce_all"}
)
_GUMBEL = frozenset(
    {"key", "algorithm", "alpha", "context_width", "deduplicate_contexts", "deduplicate_contexts_max_history", "prf"}
)


def find_settings(content: bytes, file: str, engine: Engine | None = None) -> tuple[MarkSettings, ...]:
    """Find the marking settings in a configuration.

    Args:
        content: bytes of the file.
        file: its name, for messages.
        engine: who reads it; null to tell by its fields.

    Returns:
        At least one; several where the file lists several.

    Raises:
        MarkSettingsError: where it cannot be read or holds none.
    """
    root = read_values(content, file)
    found = tuple(_walk(root, {}, file, engine))
    if not found:
        raise MarkSettingsError(
            f"{file}: holds no marking settings; expected those of vLLM, SGLang, transformers, TensorRT-LLM or synthid-text, alone or in a "
            f"server configuration under {', '.join(_HOLDERS[:4])}"
        )
    return found


def _walk(value: Value, around: Mapping[str, Value], file: str, engine: Engine | None) -> Iterator[MarkSettings]:
    """Give the settings in a value: itself, in a field that holds them, or in its items."""
    if isinstance(value.plain, list):
        for one in value.plain:
            yield from _walk(one, around, file, engine)
        return
    fields = value.fields()
    known = _recognise(fields, around, engine)
    if known is not None:
        yield MarkSettings(file=file, engine=known[0], kind=known[1], place=value.place, fields=fields, around=around)
        return
    outside = {
        **around,
        **fields,
        **{name: one for group in _GENERATION if group in fields for name, one in fields[group].fields().items()},
    }
    for name, one in fields.items():
        if name in _HOLDERS:
            yield from _walk(_unfolded(one, file), outside, file, engine)
        elif isinstance(one.plain, (dict, list)):
            yield from _walk(one, outside, file, engine)


def _unfolded(value: Value, file: str) -> Value:
    """Read settings that stand as JSON in a string, as on a command line; their places are that of the string."""
    if not isinstance(value.plain, str) or not value.plain.lstrip().startswith("{"):
        return value
    try:
        json.loads(value.plain)
    except ValueError:
        raise MarkSettingsError(
            f"{file}:{value.place.line}:{value.place.column}: the string is no JSON; check its quotes"
        ) from None
    inner = read_values(value.plain.encode(), file)
    return Value(
        place=value.place,
        plain={name: Value(place=value.place, plain=one.plain) for name, one in inner.fields().items()},
    )


def _recognise(
    fields: Mapping[str, Value], around: Mapping[str, Value], engine: Engine | None
) -> tuple[Engine, Kind] | None:
    """Tell by the fields what the settings are; null where they are none."""
    names = set(fields)
    if names & _GREEN and not names & {"keys"} and names & {"greenlist_ratio", "hashing_key", "seeding_scheme"}:
        return engine or Engine.TRANSFORMERS, Kind.GREEN_LIST
    if "keys" in names and names & _SYNTHID:
        return engine or _synthid_engine(names), Kind.SYNTHID
    if names & _SGLANG:
        return engine or Engine.SGLANG, Kind.GUMBEL
    if "key" in names and names <= _GUMBEL | {"allow_target_only_watermarking"}:
        served_by_sglang = "enable_watermark" in around or "enable-watermark" in around
        if engine is None and served_by_sglang:
            return Engine.SGLANG, Kind.GUMBEL
        trt = fields["algorithm"].plain == "gumbel_dual_key" if "algorithm" in fields else False
        return engine or (Engine.TENSORRT_LLM if trt else Engine.VLLM), Kind.GUMBEL
    return None


def _synthid_engine(names: set[str]) -> Engine:
    if names & {"num_candidates", "default_enabled", "enforce_all"}:
        return Engine.SGLANG
    return Engine.SYNTHID_TEXT if "device" in names else Engine.TRANSFORMERS
