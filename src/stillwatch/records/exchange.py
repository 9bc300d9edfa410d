"""Exchange: one request to a model and its answer, as intake gives it and the sketch kernels take it.

The row is flat. Only `time_us` and `account_id` are required; every other value may be null, because most log sources
leave prompt text out or cut it. `content_complete` is false where a source is known to have cut the text, so that a cut
prompt is never hashed as if it were whole.
"""

from __future__ import annotations

from stillwatch.records.table import Column, TableSchema

EXCHANGE = TableSchema(
    name="exchanges",
    columns=(
        Column(name="time_us", type="int64", required=True, about="Request time, microseconds UTC."),
        Column(name="account_id", type="string", required=True, about="The provider's account."),
        Column(
            name="exchange_id", type="string", about="The source's own id; equal ids of one account are one delivery."
        ),
        Column(name="organization_id", type="string", about="Organisation that the account belongs to."),
        Column(name="api_key_id", type="string", about="Key id or key hash; never the key."),
        Column(name="ip", type="string", about="Client address as the edge saw it."),
        Column(name="user_agent", type="string", about="Client's User-Agent header."),
        Column(name="tls_fingerprint", type="string", about="JA3, JA4 or like."),
        Column(name="country", type="string", about="Kept for the investigator; never used as a feature."),
        Column(name="payment_id", type="string", about="Token or digest of the payment method."),
        Column(name="email_domain", type="string", about="Domain part of the registration address."),
        Column(name="account_created_us", type="int64", about="Registration time, microseconds UTC."),
        Column(name="model", type="string", about="Model requested."),
        Column(name="endpoint", type="string", about="chat, messages, responses, batch, completion or like."),
        Column(name="system_prompt", type="string", about="System prompt text."),
        Column(name="prompt", type="string", about="Last user message."),
        Column(name="content_complete", type="bool", about="False where the source cut the prompt; null when unknown."),
        Column(name="response", type="string", about="Answer text."),
        Column(name="reasoning", type="string", about="Visible reasoning text, when the log has it."),
        Column(name="turns", type="int32", about="User messages in the request, 1 or more."),
        Column(name="tools", type="string", about="Sorted tool names, joined by commas."),
        Column(name="session_id", type="string", about="Conversation or session."),
        Column(name="input_tokens", type="int32", about="Tokens in."),
        Column(
            name="output_tokens", type="int32", about="Tokens out, reasoning included where the source includes it."
        ),
        Column(name="reasoning_tokens", type="int32", about="Reasoning tokens."),
        Column(name="cache_read_tokens", type="int32", about="Input tokens read from the prompt cache."),
        Column(name="temperature", type="float64", about="Sampling temperature."),
        Column(name="top_p", type="float64", about="Nucleus mass."),
        Column(name="max_tokens", type="int32", about="Limit of output tokens asked for."),
        Column(name="n", type="int32", about="Samples asked for."),
        Column(name="stream", type="bool", about="Streaming answer asked for."),
        Column(name="status", type="int32", about="HTTP status."),
        Column(name="finish_reason", type="string", about="stop, length, tool_calls, refusal or like."),
        Column(name="latency_ms", type="int32", about="Milliseconds from request to last byte."),
        Column(
            name="source_no", type="int32", required=True, about="Index of the source file in the run's sorted list."
        ),
        Column(
            name="source_offset", type="int64", required=True, about="Byte offset of the line, or row number (Parquet)."
        ),
        Column(
            name="source_length",
            type="int64",
            required=True,
            about="Bytes of the line; 0 where offset is a row number.",
        ),
    ),
)

ACCOUNT_FACTS = TableSchema(
    name="account_facts",
    columns=(
        Column(name="account_id", type="string", required=True, about="The provider's account."),
        Column(name="organization_id", type="string", about="Organisation."),
        Column(name="payment_id", type="string", about="Token or digest of the payment method."),
        Column(name="email_domain", type="string", about="Domain part of the registration address."),
        Column(name="account_created_us", type="int64", about="Registration time, microseconds UTC."),
        Column(name="licence", type="string", about="Name of an agreement that allows distillation; null for none."),
        Column(name="closed_us", type="int64", about="Time at which the provider closed the account; null while open."),
    ),
)

QUARANTINE = TableSchema(
    name="quarantine",
    columns=(
        Column(name="file", type="string", required=True, about="Path as given."),
        Column(name="offset", type="int64", required=True, about="First byte of the line, or row number (Parquet)."),
        Column(name="length", type="int64", required=True, about="Bytes of the line; 0 for a Parquet row."),
        Column(name="reason", type="string", required=True, about="What was got and expected; no text of the line."),
    ),
)
