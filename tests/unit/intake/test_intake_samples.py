"""Each sample record is read to values that were written by hand from the description of its format.

The samples are the same exchange in every format: account acct_48213 asks m-large, 61 tokens in and 742 out, on 2026-10-23 from
08:00:01.120 to 08:00:09.480 UTC. What a format does not carry is absent from its expectation, and nothing else may be there.
"""

from __future__ import annotations

import json

import pytest

from stillwatch.intake.errors import MostlyUnreadableError, UnknownFormatError

START = 1_792_742_401_120_000
START_SECONDS = 1_792_742_401_000_000
END = 1_792_742_409_480_000
PROMPT = "Write a Python function that merges two sorted linked lists. Explain every step before the code."
SYSTEM = "You are an expert data analyst. Reason step by step."
RESPONSE = "First, compare the heads of both lists..."

ASKED = {"prompt": PROMPT, "system_prompt": SYSTEM, "turns": 1, "content_complete": True}
TOKENS = {"input_tokens": 61, "output_tokens": 742}
KEY = "9f2c1e77a0b34d15c6e8f90a1b2c3d4e5f60718293a4b5c6d7e8f901a2b3c4d5"
CLIENT = {"ip": "203.0.113.77", "user_agent": "OpenAI/Python 3.54.0"}
OPENAI_BODIES = {
    **ASKED,
    **TOKENS,
    "response": RESPONSE,
    "tools": "run_tests",
    "reasoning_tokens": 310,
    "cache_read_tokens": 0,
    "temperature": 1.0,
    "max_tokens": 2048,
    "finish_reason": "stop",
}

EXPECTED: dict[str, tuple[str, dict, list[dict]]] = {
    "litellm_standard_logging_payload.captured.json": (
        "litellm",
        {},
        [
            {
                "time_us": 1_795_426_119_863_090,
                "account_id": "u_ok",
                "exchange_id": "chatcmpl-a491c986fc20/62c64883-b5ab-475d-a31b-25777a889abd",
                "api_key_id": "litellm_proxy_master_key",
                "ip": "203.0.113.77",
                "user_agent": "curl/7.88.1",
                "model": "demo",
                "endpoint": "chat",
                "prompt": "hello u_ok",
                "content_complete": True,
                "response": "echo: hello u_ok",
                "turns": 1,
                "input_tokens": 11,
                "output_tokens": 7,
                "stream": False,
                "status": 200,
                "finish_reason": "stop",
                "latency_ms": 3579,
            }
        ],
    ),
    "litellm_standard_logging_payload.failure.captured.json": (
        "litellm",
        {},
        [
            {
                "time_us": 1_795_426_123_577_017,
                "account_id": "u_slow",
                "exchange_id": "61242446-8f3b-4a5d-bdd8-441f3a13cf1b",
                "api_key_id": "litellm_proxy_master_key",
                "ip": "203.0.113.77",
                "user_agent": "curl/7.88.1",
                "model": "demo",
                "endpoint": "chat",
                "prompt": "hello u_slow",
                "content_complete": True,
                "turns": 1,
                "input_tokens": 0,
                "output_tokens": 0,
                "status": 429,
                "latency_ms": 19,
            }
        ],
    ),
    "litellm_spendlogs_row.json": (
        "litellm-spendlogs",
        {},
        [
            {
                **TOKENS,
                **CLIENT,
                "time_us": START,
                "account_id": "acct_48213",
                "exchange_id": "chatcmpl-7Qx/62c64883-b5ab",
                "organization_id": "org_881",
                "api_key_id": KEY,
                "model": "m-large",
                "endpoint": "chat",
                "session_id": "d6fcf19b",
                "reasoning_tokens": 310,
                "cache_read_tokens": 0,
                "status": 200,
                "latency_ms": 8360,
            }
        ],
    ),
    "litellm_clickhouse_spend_logs_row.json": (
        "litellm-spendlogs",
        {},
        [
            {
                **ASKED,
                **TOKENS,
                **CLIENT,
                "time_us": START,
                "account_id": "acct_48213",
                "exchange_id": "chatcmpl-7Qx/62c64883-b5ab",
                "organization_id": "org_881",
                "api_key_id": KEY,
                "model": "m-large",
                "endpoint": "chat",
                "response": RESPONSE,
                "session_id": "d6fcf19b",
                "reasoning_tokens": 310,
                "cache_read_tokens": 0,
                "status": 200,
                "finish_reason": "stop",
                "latency_ms": 8360,
            }
        ],
    ),
    "otel_genai_span.otlp.json": (
        "otel-genai",
        {},
        [
            {
                **ASKED,
                **TOKENS,
                **CLIENT,
                "time_us": START,
                "account_id": "acct_48213",
                "exchange_id": "chatcmpl-7Qx",
                "organization_id": "org_881",
                "api_key_id": "9f2c1e77a0b34d15",
                "model": "m-large",
                "endpoint": "chat",
                "response": RESPONSE,
                "reasoning": "Plan merge",
                "session_id": "conv_5",
                "reasoning_tokens": 310,
                "cache_read_tokens": 0,
                "temperature": 1.0,
                "max_tokens": 2048,
                "stream": True,
                "finish_reason": "stop",
                "latency_ms": 8360,
            }
        ],
    ),
    "otel_genai_event_operation_details.otlp.json": (
        "otel-genai",
        {"default_account": "acct_48213"},
        [
            {
                **TOKENS,
                "time_us": END,
                "account_id": "acct_48213",
                "exchange_id": "chatcmpl-7Qx",
                "model": "m-large",
                "endpoint": "chat",
                "prompt": PROMPT,
                "turns": 1,
                "content_complete": True,
                "response": RESPONSE,
                "reasoning": "Plan merge",
                "session_id": "conv_5",
                "reasoning_tokens": 310,
                "cache_read_tokens": 0,
                "temperature": 1.0,
                "max_tokens": 2048,
                "stream": True,
                "finish_reason": "stop",
            }
        ],
    ),
    "otel_genai_legacy_1_36_logs.jsonl": (
        "otel-genai",
        {"default_account": "acct_48213", "default_time": "2026-10-23T08:00:01.120Z"},
        [
            {
                "time_us": START,
                "account_id": "acct_48213",
                "prompt": PROMPT,
                "turns": 1,
                "content_complete": True,
                "response": RESPONSE,
                "finish_reason": "stop",
            }
        ],
    ),
    "openinference_span_attributes.json": (
        "openinference",
        {"default_time": "2026-10-23T08:00:01.120Z"},
        [
            {
                **ASKED,
                **TOKENS,
                "time_us": START,
                "account_id": "acct_48213",
                "model": "m-large",
                "endpoint": "chat",
                "response": RESPONSE,
                "tools": "run_tests",
                "session_id": "conv_5",
                "temperature": 1.0,
                "max_tokens": 2048,
            }
        ],
    ),
    "bedrock_model_invocation.jsonl": (
        "bedrock",
        {},
        [
            {
                **ASKED,
                **TOKENS,
                "time_us": START_SECONDS,
                "account_id": "acct_48213",
                "exchange_id": "7e7c2f6e-1",
                "organization_id": "org_881",
                "api_key_id": "arn:aws:sts::111122223333:assumed-role/app/acct_48213",
                "model": "example.m-large-v1:0",
                "endpoint": "converse",
                "response": RESPONSE,
                "cache_read_tokens": 0,
                "temperature": 1.0,
                "max_tokens": 2048,
                "stream": False,
                "status": 200,
                "finish_reason": "stop",
                "latency_ms": 8360,
            },
            {
                **TOKENS,
                "time_us": START_SECONDS,
                "account_id": "acct_48213",
                "exchange_id": "7e7c2f6e-2",
                "organization_id": "org_881",
                "api_key_id": "arn:aws:sts::111122223333:assumed-role/app/acct_48213",
                "model": "example.m-large-v1:0",
                "endpoint": "invoke",
                "cache_read_tokens": 0,
                "stream": True,
                "status": 200,
            },
        ],
    ),
    "azure_apim_llm_log.jsonl": (
        "azure-apim",
        {},
        [
            {
                **ASKED,
                **TOKENS,
                "time_us": START,
                "account_id": "acct_48213",
                "exchange_id": "c0b1a9d8-7e6f-4a5b-9c3d-2e1f00aa11bb",
                "api_key_id": "acct_48213",
                "ip": "203.0.113.77",
                "model": "m-large",
                "endpoint": "chat",
                "response": RESPONSE,
                "stream": True,
                "status": 200,
                "latency_ms": 8360,
            }
        ],
    ),
    "azure_openai_requestresponse_diag.json": (
        "azure-openai",
        {"default_account": "acct_48213"},
        [
            {
                "time_us": START,
                "account_id": "acct_48213",
                "exchange_id": "7e7c2f6e-1",
                "model": "m-large",
                "endpoint": "chat",
                "stream": False,
                "status": 200,
                "latency_ms": 8360,
            }
        ],
    ),
    "vertex_request_response_row.json": (
        "vertex",
        {"account_field": "full_request.labels.tenant"},
        [
            {
                **ASKED,
                **TOKENS,
                "time_us": END,
                "account_id": "org_881",
                "organization_id": "org_881",
                "exchange_id": "5829301934857203712",
                "model": "m-large",
                "endpoint": "generate_content",
                "response": RESPONSE,
                "reasoning_tokens": 310,
                "temperature": 1.0,
                "max_tokens": 2048,
                "stream": True,
                "finish_reason": "stop",
                "latency_ms": 8360,
            }
        ],
    ),
    "langfuse_observation_row.json": (
        "langfuse",
        {},
        [
            {
                **ASKED,
                **TOKENS,
                **CLIENT,
                "time_us": START,
                "account_id": "acct_48213",
                "exchange_id": "obs_7Qx",
                "model": "m-large",
                "endpoint": "chat",
                "response": RESPONSE,
                "session_id": "conv_5",
                "reasoning_tokens": 310,
                "temperature": 1.0,
                "latency_ms": 8360,
            }
        ],
    ),
    "helicone_request_response_rmt_row.json": (
        "helicone",
        {},
        [
            {
                **OPENAI_BODIES,
                "time_us": START_SECONDS,
                "account_id": "acct_48213",
                "exchange_id": "5b1e",
                "organization_id": "org_881",
                "api_key_id": "pk1",
                "country": "SG",
                "model": "m-large",
                "endpoint": "chat",
                "session_id": "conv_5",
                "status": 200,
                "latency_ms": 8360,
            }
        ],
    ),
    "kong_ai_proxy_log.json": (
        "kong",
        {},
        [
            {
                **OPENAI_BODIES,
                **CLIENT,
                "time_us": START,
                "account_id": "acct_48213",
                "exchange_id": "chatcmpl-7Qx",
                "api_key_id": "cred-1",
                "model": "m-large",
                "endpoint": "chat",
                "status": 200,
                "latency_ms": 8360,
            }
        ],
    ),
    "envoy_ai_gateway_access_log.json": (
        "envoy",
        {"default_account": "acct_48213"},
        [
            {
                **TOKENS,
                **CLIENT,
                "time_us": START,
                "account_id": "acct_48213",
                "exchange_id": "7e7c2f6e-1",
                "model": "m-large",
                "endpoint": "chat",
                "session_id": "conv_5",
                "reasoning_tokens": 310,
                "status": 200,
                "latency_ms": 8360,
            }
        ],
    ),
    "databricks_inference_table_row.json": (
        "databricks",
        {},
        [
            {
                **OPENAI_BODIES,
                "time_us": START,
                "account_id": "acct_48213",
                "exchange_id": "7e7c2f6e-1",
                "api_key_id": "app-principal-17",
                "model": "m-large",
                "endpoint": "chat",
                "status": 200,
                "latency_ms": 8360,
            }
        ],
    ),
    "vllm_0_33_log.txt": (
        "vllm",
        {"default_account": "acct_48213", "year": 2026, "assume_zone": "UTC"},
        [
            {
                "time_us": START_SECONDS,
                "account_id": "acct_48213",
                "exchange_id": "chatcmpl-7Qx",
                "endpoint": "chat",
                "prompt": PROMPT,
                "system_prompt": SYSTEM,
                "turns": 1,
                "response": RESPONSE,
                "temperature": 1.0,
                "top_p": 1.0,
                "max_tokens": 2048,
                "n": 1,
                "stream": True,
                "finish_reason": "stop",
            }
        ],
    ),
    "sglang_0_5_23_request_log.jsonl": (
        "sglang",
        {"assume_zone": "UTC"},
        [
            {
                **ASKED,
                **TOKENS,
                "time_us": 1_792_742_401_120_331,
                "account_id": "acct_48213",
                "exchange_id": "a1b2",
                "response": RESPONSE,
                "cache_read_tokens": 0,
                "temperature": 1.0,
                "max_tokens": 2048,
                "stream": True,
                "finish_reason": "stop",
                "latency_ms": 8360,
            }
        ],
    ),
    "openai_chat_completions.json": (
        "openai",
        {},
        [
            {
                **OPENAI_BODIES,
                "time_us": START_SECONDS,
                "account_id": "acct_48213",
                "exchange_id": "chatcmpl-7Qx",
                "user_agent": "OpenAI/Python 3.54.0",
                "model": "m-large",
                "endpoint": "chat",
            }
        ],
    ),
    "openai_responses.json": (
        "openai",
        {},
        [
            {
                **ASKED,
                **TOKENS,
                "time_us": START,
                "account_id": "sha256:5c1f",
                "exchange_id": "resp_7Qx",
                "model": "m-large",
                "endpoint": "responses",
                "response": RESPONSE,
                "reasoning": "Plan merge",
                "tools": "run_tests",
                "reasoning_tokens": 310,
                "cache_read_tokens": 0,
                "max_tokens": 2048,
                "finish_reason": "stop",
                "latency_ms": 8360,
            }
        ],
    ),
    "anthropic_messages.json": (
        "anthropic",
        {"default_time": "2026-10-23T08:00:01.120Z"},
        [
            {
                **ASKED,
                **TOKENS,
                "time_us": START,
                "account_id": "acct_48213",
                "exchange_id": "msg_01Qx",
                "model": "m-large",
                "endpoint": "messages",
                "response": RESPONSE,
                "reasoning": "Plan merge",
                "tools": "run_tests",
                "cache_read_tokens": 0,
                "max_tokens": 2048,
                "finish_reason": "tool_calls",
            }
        ],
    ),
    "canonical_exchange.json": (
        "canonical",
        {},
        [
            {
                **TOKENS,
                **CLIENT,
                "time_us": START,
                "account_id": "acct_48213",
                "exchange_id": "chatcmpl-7Qx",
                "organization_id": "org_881",
                "api_key_id": "9f2c1e77a0b34d15",
                "model": "m-large",
                "endpoint": "chat",
                "content_complete": True,
                "tools": "run_tests",
                "session_id": "conv_5",
                "reasoning_tokens": 310,
                "cache_read_tokens": 0,
                "temperature": 1.0,
                "max_tokens": 2048,
                "n": 1,
                "stream": True,
                "status": 200,
                "finish_reason": "stop",
                "latency_ms": 8360,
            }
        ],
    ),
}

PLACE = ("source_no", "source_offset", "source_length")


@pytest.mark.parametrize("name", EXPECTED)
def test_sample_is_recognised_and_read_to_the_expected_values(name, sample, read):
    format_name, settings, expected = EXPECTED[name]
    result = read(sample(name), **settings)
    assert result.formats == [format_name]
    assert result.quarantined == []
    assert [{key: value for key, value in row.items() if key not in PLACE} for row in result.rows] == expected


@pytest.mark.parametrize("name", EXPECTED)
def test_span_of_each_exchange_lies_in_the_file_and_holds_the_record(name, sample, read):
    _, settings, expected = EXPECTED[name]
    path = sample(name)
    text = path.read_bytes()
    result = read(path, **settings)
    for row in result.rows:
        span = text[row["source_offset"] : row["source_offset"] + row["source_length"]]
        assert len(span) == row["source_length"] > 0
        assert "prompt" not in row or b"merges two sorted linked lists" in span or b"hello u_" in span
    assert len(result.rows) == len(expected)


BATCH_REQUEST = {
    **ASKED,
    "account_id": "acct_48213",
    "model": "m-large",
    "endpoint": "batch",
    "max_tokens": 2048,
}


def test_openai_batch_files_of_one_folder_are_joined_by_custom_id(sample, read):
    result = read(sample("openai_batch_output.jsonl"), sample("openai_batch_input.jsonl"))
    assert result.formats == ["openai-batch", "openai-batch"]
    assert result.quarantined == []
    rows = [{key: value for key, value in row.items() if key not in PLACE} for row in result.rows]
    joined = {
        **BATCH_REQUEST,
        **TOKENS,
        "time_us": START_SECONDS,
        "response": RESPONSE,
        "temperature": 1.0,
        "reasoning_tokens": 310,
        "cache_read_tokens": 0,
        "status": 200,
        "finish_reason": "stop",
    }
    assert rows == [{**joined, "exchange_id": "batch_req_0"}, {**joined, "exchange_id": "batch_req_1"}]
    assert {row["source_no"] for row in result.rows} == {0}, (
        "the place is that of the request (the input file sorts first)"
    )


def test_anthropic_batch_files_of_one_folder_are_joined_by_custom_id(sample, read):
    result = read(
        sample("anthropic_batch_results.jsonl"),
        sample("anthropic_batch_input.json"),
        default_time="2026-10-23T08:00:01.120Z",
    )
    assert result.formats == ["anthropic-batch", "anthropic-batch"]
    assert result.quarantined == []
    rows = [{key: value for key, value in row.items() if key not in PLACE} for row in result.rows]
    asked = {**BATCH_REQUEST, "time_us": START, "tools": "run_tests"}
    assert rows == [
        {
            **asked,
            **TOKENS,
            "exchange_id": "msg_01Qx",
            "response": RESPONSE,
            "reasoning": "Plan merge",
            "cache_read_tokens": 0,
            "status": 200,
            "finish_reason": "tool_calls",
        },
        {**asked, "exchange_id": "r-1", "status": 529},
    ]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("stix21_campaign_bundle.json", "a STIX 2.1 bundle"),
        ("misp_event.json", "a MISP event"),
        ("litellm_generic_guardrail_request.captured.json", "a request of LiteLLM's guardrail API"),
    ],
)
def test_sample_that_is_no_log_is_refused_by_name(name, words, sample, read):
    path = sample(name)
    with pytest.raises(UnknownFormatError) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}: this is {words}")
    assert str(caught.value).endswith("leave it out of the paths")


@pytest.mark.parametrize(
    ("name", "settings"),
    [(name, settings) for name, (_, settings, _) in EXPECTED.items() if settings],
)
def test_what_a_source_does_not_say_is_named_with_the_setting_that_says_it(name, settings, sample, read):
    with pytest.raises(MostlyUnreadableError) as caught:
        read(sample(name))
    assert any(setting in str(caught.value) for setting in settings)


def test_captured_proxy_logs_are_read_without_quarantine_as_one_run(sample, read):
    success = sample("litellm_standard_logging_payload.captured.json")
    failure = sample("litellm_standard_logging_payload.failure.captured.json")
    result = read(success, failure)
    assert result.quarantined == []
    assert [row["account_id"] for row in result.rows] == ["u_ok", "u_slow"]
    assert len(result.plan.splits) == 1, "small files share a split"


SUBSTITUTES = (
    None,
    7,
    float("nan"),
    1e308,
    "x",
    "[1, 2",
    [],
    {},
    [[1]],
    {"a": {"b": []}},
    [None, 5, "x"],
    ["x", {"type": []}],
)


JOINED_BY = ("5b8efff798038103d269b633813fc60c", "c0b1a9d8-7e6f-4a5b-9c3d-2e1f00aa11bb", "a1b2")


@pytest.mark.parametrize("name", [name for name in EXPECTED if not name.endswith(".txt") and "legacy" not in name])
def test_any_value_of_a_sample_may_be_of_any_type(name, sample, tmp_path, read):
    """Each value of a record in turn is replaced by others: it is read or quarantined, and nothing else happens."""
    format_name, settings, _ = EXPECTED[name]
    text = sample(name).read_text()
    original = json.loads(text.splitlines()[0] if name.endswith("l") else text)
    original.pop("model_map_information", None)  # the price table, most of a LiteLLM payload and never looked at
    damaged = [
        replaced(original, path, SUBSTITUTES[(place + turn) % len(SUBSTITUTES)])
        for place, path in enumerate(leaves(original))
        for turn in (0, 3, 6, 9)
    ]
    log = tmp_path / "log.jsonl"
    records = [json.dumps(record) for record in [original] * len(damaged) + damaged]
    for identity in JOINED_BY:  # each record an exchange of its own
        records = [record.replace(identity, f"{identity}-{number}") for number, record in enumerate(records)]
    log.write_text("\n".join(records))
    result = read(
        log, format_name=format_name, **{"default_account": "d", "default_time": "2026-10-23T08:00:00Z", **settings}
    )
    assert len(result.rows) > len(damaged)
    assert not any("does not have" in reason for reason in result.reasons), "the guard of last resort was needed"


def leaves(value, path=()):
    yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inner:
        yield from leaves(item, (*path, key))
    if isinstance(value, str) and value[:1] in {"[", "{"}:
        yield from leaves(json.loads(value), (*path, "as structure"))


def replaced(value, path, new):
    if not path:
        return new
    if path[0] == "as structure":
        return json.dumps(replaced(json.loads(value), path[1:], new))
    if isinstance(value, dict):
        return {key: replaced(inner, path[1:], new) if key == path[0] else inner for key, inner in value.items()}
    return [replaced(inner, path[1:], new) if place == path[0] else inner for place, inner in enumerate(value)]
