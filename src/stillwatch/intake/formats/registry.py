"""The formats, in the order in which a tie is decided. Takes a name, gives the format."""

from __future__ import annotations

from stillwatch.intake.errors import SettingError
from stillwatch.intake.formats.azure import AZURE_APIM, AZURE_OPENAI
from stillwatch.intake.formats.bedrock import BEDROCK
from stillwatch.intake.formats.canonical import CANONICAL
from stillwatch.intake.formats.databricks import DATABRICKS
from stillwatch.intake.formats.engine_logs import SGLANG, VLLM
from stillwatch.intake.formats.envoy import ENVOY
from stillwatch.intake.formats.format import Format
from stillwatch.intake.formats.generic import GENERIC
from stillwatch.intake.formats.guard import GUARD
from stillwatch.intake.formats.helicone import HELICONE
from stillwatch.intake.formats.kong import KONG
from stillwatch.intake.formats.langfuse import LANGFUSE
from stillwatch.intake.formats.litellm import LITELLM, LITELLM_SPENDLOGS
from stillwatch.intake.formats.openinference import OPENINFERENCE
from stillwatch.intake.formats.otel_genai import OTEL_GENAI
from stillwatch.intake.formats.raw_bodies import ANTHROPIC, ANTHROPIC_BATCH, OPENAI, OPENAI_BATCH
from stillwatch.intake.formats.vertex import VERTEX

FORMATS: tuple[Format, ...] = (
    GUARD,
    GENERIC,
    LITELLM,
    LITELLM_SPENDLOGS,
    OTEL_GENAI,
    OPENINFERENCE,
    BEDROCK,
    AZURE_APIM,
    AZURE_OPENAI,
    VERTEX,
    LANGFUSE,
    HELICONE,
    KONG,
    ENVOY,
    DATABRICKS,
    VLLM,
    SGLANG,
    OPENAI,
    ANTHROPIC,
    OPENAI_BATCH,
    ANTHROPIC_BATCH,
    CANONICAL,
)


def format_named(name: str) -> Format:
    """Give the format of that name.

    Raises:
        SettingError: when there is none.
    """
    for known in FORMATS:
        if known.name == name:
            return known
    names = ", ".join(known.name for known in FORMATS)
    raise SettingError(f"unknown format {name!r}; expected auto or one of {names}")
