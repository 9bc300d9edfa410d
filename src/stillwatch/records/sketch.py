"""ExchangeSketch: all that detection knows of one exchange. Hashes, bits and counts; no text can be read back from it.

Every hash is our own versioned 64-bit function, stored as signed `int64`, the same inline and in batch on every engine.
"""

from __future__ import annotations

from enum import IntFlag

from stillwatch.records.table import Column, TableSchema

SKETCH_VERSION = "exchange-sketch/v1"


class Intent(IntFlag):
    """What a prompt asks for, as signs that a kernel can see in one prompt. A sign is weak; a rate over many is not."""

    REASONING = 1
    """Asks for step-by-step or full reasoning (signal 7)."""
    REASONING_TRACE = 2
    """Asks for hidden reasoning, inline reasoning tags or reconstruction of reasoning (signals 7, 9, 10, 12)."""
    GRADING = 4
    """Rubric, score, judge, pairwise comparison (signals 17, 18)."""
    TASK_SYNTHESIS = 8
    """Make or evolve tasks, instructions, questions, data sets (signals 6, 20, 52)."""
    TOOL_TRAJECTORY = 16
    """Tool or function definitions, action/observation loops, agent trajectories (signals 4, 20)."""
    CLEANING = 32
    """Clean, rewrite or filter captured answers or traces (signals 16, 19)."""
    THINKING_LANGUAGE = 64
    """Forces the language of the reasoning (signals 8, 11)."""
    PROBING = 128
    """Tries an extraction or jailbreak technique (signals 9, 13, 53)."""
    EXEMPLARS = 256
    """Worked few-shot exemplars or a machine-readable final-answer form."""
    TRANSLATION = 512
    """Ordinary translation or localisation."""
    PROCESSING = 1024
    """Ordinary bulk work on own text: classify, label, extract fields, summarise."""
    CODE = 2048
    """Programming task or code present."""
    MATHEMATICS = 4096
    """Mathematics or quantitative word problem."""


EXTRACTION_SIGNS = (
    Intent.REASONING
    | Intent.REASONING_TRACE
    | Intent.GRADING
    | Intent.TASK_SYNTHESIS
    | Intent.TOOL_TRAJECTORY
    | Intent.CLEANING
    | Intent.THINKING_LANGUAGE
    | Intent.EXEMPLARS
)
"""Signs that speak for harvesting. `TRANSLATION` and `PROCESSING` speak for ordinary work; `CODE` and `MATHEMATICS` only name
the capability."""


CAPABILITY_SIGNS = (
    Intent.MATHEMATICS,
    Intent.GRADING,
    Intent.TOOL_TRAJECTORY,
    Intent.TASK_SYNTHESIS,
    Intent.REASONING | Intent.EXEMPLARS,
    Intent.REASONING_TRACE | Intent.THINKING_LANGUAGE | Intent.CLEANING,
)
"""Capabilities that a harvest may aim at, each with the signs that show it. Code is left out: it is what most automation is about."""


class ResponseSign(IntFlag):
    """What the answer shows."""

    INLINE_REASONING = 1
    """Reasoning inside tags in the visible answer (signal 12)."""
    REFUSAL = 2
    """A refusal."""
    STEPS = 4
    """Numbered or named steps."""


SKETCH = TableSchema(
    name="sketches",
    columns=(
        Column(name="account_id", type="string", required=True, about="The provider's account."),
        Column(
            name="account", type="int64", required=True, about="Hash of account_id; what set-level queries group by."
        ),
        Column(name="exchange_id", type="string", about="The source's id."),
        Column(
            name="delivery", type="int64", required=True, about="Hash by which repeated deliveries are one exchange."
        ),
        Column(name="source_no", type="int32", required=True, about="Index of the source file."),
        Column(name="source_offset", type="int64", required=True, about="Byte offset or row number."),
        Column(name="source_length", type="int64", required=True, about="Bytes; 0 where the offset is a row number."),
        Column(name="time_us", type="int64", required=True, about="Microseconds UTC."),
        Column(name="day", type="int32", required=True, about="Days since the epoch, UTC."),
        Column(name="hour", type="int32", required=True, about="Hours since the epoch, UTC."),
        Column(name="minute", type="int32", required=True, about="Minutes since the epoch, UTC."),
        Column(name="exact", type="int64", about="Hash of the whole prompt after whitespace and case folding."),
        Column(name="shape", type="int64", about="Hash of the masked prompt (digits, quotes, code and data blocks)."),
        Column(
            name="opening", type="int64", about="Hash of the first 2 masked words; a topic and style sign, no template."
        ),
        Column(name="prefix", type="int64", about="Hash of the first 8 masked words; null under 12 words."),
        Column(name="suffix", type="int64", about="Hash of the last 8 masked words; null under 12 words."),
        Column(name="system", type="int64", about="Shape hash of the system prompt."),
        Column(name="spans", type="list<int64>", about="Winnowed fingerprints of 8-word spans, at most 12, sorted."),
        Column(
            name="bands", type="list<int64>", about="MinHash band keys, band number mixed in; empty under 12 words."
        ),
        Column(name="intent", type="int32", required=True, about="Bits of `Intent` of prompt and short system prompt."),
        Column(name="prompt_bytes", type="int32", about="UTF-8 bytes of the prompt."),
        Column(name="prompt_words", type="int32", about="Masked words of the prompt."),
        Column(name="turns", type="int32", about="User messages in the request."),
        Column(name="input_tokens", type="int32", about="Tokens in."),
        Column(name="output_tokens", type="int32", about="Tokens out."),
        Column(name="reasoning_tokens", type="int32", about="Reasoning tokens."),
        Column(name="response_bytes", type="int32", about="UTF-8 bytes of the answer."),
        Column(name="response_signs", type="int32", about="Bits of `ResponseSign`; null without answer text."),
        Column(name="organization", type="int64", about="Hash of organization_id."),
        Column(name="api_key", type="int64", about="Hash of api_key_id."),
        Column(name="ip", type="int64", about="Hash of the address."),
        Column(name="network", type="int64", about="Hash of the /24 (IPv4) or /48 (IPv6)."),
        Column(name="user_agent", type="int64", about="Hash of the User-Agent."),
        Column(name="tls", type="int64", about="Hash of the TLS fingerprint."),
        Column(name="payment", type="int64", about="Hash of payment_id."),
        Column(name="email_domain", type="int64", about="Hash of email_domain."),
        Column(name="session", type="int64", about="Hash of account and session_id."),
        Column(name="tools", type="int64", about="Hash of the tool names."),
        Column(
            name="parameters", type="int64", about="Hash of (temperature, top_p, max_tokens, n); null if all are null."
        ),
        Column(
            name="configuration",
            type="int64",
            about="Hash of parameters, stream, endpoint and User-Agent: how a program calls; null if all are null.",
        ),
        Column(name="model", type="string", about="Model name as logged."),
        Column(name="endpoint", type="string", about="Endpoint as logged."),
        Column(name="max_tokens", type="int32", about="Limit of output tokens asked for."),
        Column(name="account_created_us", type="int64", about="Registration time, microseconds UTC."),
        Column(name="status", type="int32", about="HTTP status."),
    ),
)
