# ruff: noqa: INP001  # a script, not a package
"""docs/formats.md: what to switch on at each log source, what stillwatch reads from it, and what is lost.

Takes the registry of formats and, from here, the setting to switch on at each source. Gives the page. What is lost is computed: the
columns that a test needs and the format cannot fill. Run `python docs/formats_page.py > docs/formats.md`; a test compares.
"""

from __future__ import annotations

import sys

from stillwatch.intake.formats.format import Format
from stillwatch.intake.formats.registry import FORMATS

SWITCH_ON = {
    "generic": "Write one row per exchange, with `time`, `account_id` and as many of the other columns as you have.",
    "litellm": (
        "In the proxy's settings, a callback that ships whole payloads: `callbacks: [generic_api]`, or `s3_v2` or `gcs_bucket` with"
        " batch upload. Leave `turn_off_message_logging` off, or there is no text."
    ),
    "litellm-spendlogs": "`general_settings: store_prompts_in_spend_logs: true`; without it the table has no text.",
    "otel-genai": (
        "Content capture of your instrumentation (`OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT`), and the collector's file"
        " exporter with format json."
    ),
    "openinference": "Leave `OPENINFERENCE_HIDE_INPUTS` and `OPENINFERENCE_HIDE_OUTPUTS` unset, and export spans as OTLP JSON.",
    "bedrock": "Model invocation logging of the account, with text data delivery, to S3 or CloudWatch; let callers set `requestMetadata`.",
    "azure-apim": (
        "A diagnostic setting with the logs `GatewayLlmLogs` and `GatewayLogs`, and in the API's settings the logging of prompts and"
        " completions of LLM APIs."
    ),
    "azure-openai": "A diagnostic setting of the resource with the category `RequestResponse`.",
    "vertex": "Request-response logging of the endpoint or publisher model into a BigQuery table, at sampling rate 1; export the table.",
    "langfuse": "Nothing at Langfuse; have the application set `user_id` on every trace. Export the observations from ClickHouse.",
    "helicone": "Nothing at Helicone; send `Helicone-User-Id` with every request. Export `request_response_rmt` from ClickHouse.",
    "guard": "`stillwatch guard --log FILE`, or an `ExchangeLog` in the middleware; with an account header or a file of keys.",
    "kong": "In ai-proxy, `logging.log_payloads: true` and `logging.log_statistics: true`; a log plug-in on the route, and an authentication plug-in.",
    "envoy": "A JSON access log with the `gen_ai` fields of the gateway's example, and the header in which your account stands.",
    "databricks": "Inference tables of the serving endpoint or AI Gateway, with sampling fraction 1; export the table.",
    "vllm": "`--enable-log-requests --enable-log-outputs` and `VLLM_LOGGING_LEVEL=DEBUG`; better, log at the gateway in front.",
    "sglang": (
        "`--log-requests --log-requests-format json --log-requests-level 3`, and the account's header in `SGLANG_LOG_REQUEST_HEADERS`."
    ),
    "openai": 'In your own proxy, write `{"request": ..., "response": ...}` for each call, better with a time and an account beside them.',
    "anthropic": 'In your own proxy, write `{"request": ..., "response": ...}` for each call, with a time and an account beside them.',
    "openai-batch": "Keep the input file and the output file of each batch, both in one folder.",
    "anthropic-batch": "Keep the requests and the results of each batch, both in one folder.",
    "canonical": "Nothing; these rows come from another system that has already taken the text away.",
}  # fmt: skip

COSTS: tuple[tuple[tuple[str, ...], str], ...] = (
    (
        ("prompt",),
        "prompt text: links by text, template lift, sharding, repetition, ordinary work, elicitation, concentration, concealed reasoning",
    ),
    (("system_prompt",), "system prompts: links by a common system prompt"),
    (("ip",), "addresses: links and infrastructure lift by address and network"),
    (
        ("payment_id", "email_domain", "organization_id"),
        "who pays and registers: infrastructure lift by payment, e-mail domain, organisation",
    ),
    (("account_created_at",), "registration times: registration in batches"),
    (("user_agent", "tls_fingerprint"), "clients: telling the owner of a stolen key from the thief"),
    (("output_tokens",), "answer lengths: output harvest"),
    (("temperature", "top_p", "max_tokens"), "request parameters: groups by parameters"),
    (("model",), "models: pivot to a new model"),
)
"""(columns of which at least one is needed, what is lost without them)."""
FROM_ACCOUNTS_FILE = frozenset({"payment_id", "email_domain", "organization_id", "account_created_at"})

HEAD = """# Log formats

This page is made from the formats themselves: `python docs/formats_page.py > docs/formats.md`. `stillwatch formats NAME` says the same
in the terminal.

`--format auto` (the default) tells formats apart by content, file by file, whatever the names of the files. Files may be plain,
`.gz` or `.zst`, JSON lines, JSON arrays or Parquet. A record that cannot be read goes to `quarantine.jsonl` with file, byte span and
reason. A file in which most records fail stops the run, and the message names the format that it looks like.

Only a time and an account are needed. Everything else is used when it is there, and the report names each test that could not run.
"Lost" below says what a format cannot carry at all. Who pays, e-mail domain, organisation and registration time need not be in
the logs: an accounts file (`--accounts`, one row per account) brings them to any format. To *declare* something is to give the flag of that
name: `--account-field`, `--time-field`, `--default-account`, `--default-time`, `--assume-zone`, `--year`.

Besides logs, `detect` reads the parts that `stillwatch sketch` and a guard make of any of these formats ([sketches.md](sketches.md)). They are known by their
metadata, whatever `--format` says.
"""


def formats_page() -> str:
    """Give the page, in Markdown."""
    rows = "\n".join(
        f"| [{known.title}](#{_anchor(known.title)}) | `{known.name}` | {_has_text(known)} |" for known in FORMATS
    )
    index = f"| source | `--format` | prompt text |\n|---|---|---|\n{rows}\n"
    return "\n".join([HEAD, index, *(_section(known) for known in FORMATS)])


def lost(known: Format) -> tuple[tuple[str, bool], ...]:
    """Say what a format cannot carry: (what is lost, whether an accounts file can bring it)."""
    return tuple(
        (cost, FROM_ACCOUNTS_FILE.issuperset(columns))
        for columns, cost in COSTS
        if not set(columns) & ({*known.fills, "prompt"} if "messages" in known.fills else set(known.fills))
    )


def _section(known: Format) -> str:
    costs = lost(known)
    lines = [
        f"## {known.title}\n",
        f"{known.about} `--format {known.name}`\n",
        f"**Switch on:** {SWITCH_ON[known.name]}\n",
    ]
    if costs:
        lines.append("**Lost:**\n")
        lines += [f"- {cost}{' (an accounts file brings these)' if brought else ''}" for cost, brought in costs]
        lines.append("")
    else:
        lines.append("**Lost:** nothing that a test needs, where the source fills all of its fields.\n")
    lines.append("**To know:**\n")
    lines += [f"- {gotcha}" for gotcha in known.gotchas]
    lines.append(f"- When records fail for want of a time or an account: {known.needs[0].lower()}{known.needs[1:]}")
    lines.append(f"\nColumns: {', '.join(f'`{name}`' for name in known.fills)}.\n")
    return "\n".join(lines)


def _has_text(known: Format) -> str:
    return "yes" if "prompt" in known.fills else "no: metadata only"


def _anchor(title: str) -> str:
    """Give the anchor that Markdown viewers make of a heading."""
    return "".join(letter for letter in title.lower().replace(" ", "-") if letter.isalnum() or letter in "-_")


if __name__ == "__main__":
    sys.stdout.write(formats_page())
