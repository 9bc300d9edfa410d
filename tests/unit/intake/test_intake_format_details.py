"""What the samples do not show: cut text, streamed answers, older generations, joined records, identities and addresses."""

from __future__ import annotations

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.intake.errors import MostlyUnreadableError

TIME = 1_792_742_401_120_000
ISO = "2026-10-23T08:00:01.120Z"


def write(path, *records) -> object:
    path.write_text("\n".join(record if isinstance(record, str) else json.dumps(record) for record in records))
    return path


def litellm_cut(text: str, limit: int = 2048) -> str:
    """Cut a text as LiteLLM does: 35% of head, a marker, 65% of tail."""
    head, tail = int(limit * 0.35), int(limit * 0.65)
    skipped = len(text) - head - tail
    return f"{text[:head]}... (litellm_truncated skipped {skipped} chars. Full text is in the logs.) ...{text[-tail:]}"


def spend_log(**other: object) -> dict:
    return {
        "request_id": "r1", "call_type": "acompletion", "spend": 0.1, "api_key": "hash", "startTime": "2026-10-23 08:00:01.120",
        "end_user": "a", "model": "m", "status": "success", "messages": {}, "response": {}, "metadata": {}, **other,
    }  # fmt: skip


@pytest.mark.parametrize("limit", [2048, 1000, 5000])
def test_text_that_litellm_cut_is_marked(limit, tmp_path, read):
    long = "".join(chr(97 + number % 26) for number in range(9000))
    rows = [
        spend_log(request_id="cut", messages=[{"role": "user", "content": litellm_cut(long, limit)}]),
        spend_log(request_id="whole", messages=[{"role": "user", "content": long[:2000]}]),
        spend_log(request_id="system cut", proxy_server_request=json.dumps({"model": "m", "messages": [
            {"role": "system", "content": litellm_cut(long, limit)}, {"role": "user", "content": "short"}]})),
        spend_log(request_id="no text"),
    ]  # fmt: skip
    result = read(write(tmp_path / "log.jsonl", *rows))
    assert [row.get("content_complete") for row in result.rows] == [False, True, False, None]


def test_a_client_cannot_claim_that_its_prompt_was_cut(tmp_path, read):
    said = "Explain recursion... (litellm_truncated skipped 5 chars) ... and how to use it, step by step please"
    result = read(write(tmp_path / "log.jsonl", spend_log(messages=[{"role": "user", "content": said}])))
    assert result.row["content_complete"] is True


def test_litellm_cache_hits_and_retries_have_ids_of_their_own(tmp_path, read):
    rows = [
        spend_log(request_id="chatcmpl-1", litellm_call_id="call-1"),
        spend_log(request_id="chatcmpl-1_cache_hit1792742405.5", litellm_call_id="call-2"),
        spend_log(request_id="chatcmpl-1", litellm_call_id="call-1"),
        spend_log(request_id="call-9", litellm_call_id="call-9"),
    ]
    ids = [row["exchange_id"] for row in read(write(tmp_path / "log.jsonl", *rows)).rows]
    assert ids == ["chatcmpl-1/call-1", "chatcmpl-1/call-2", "chatcmpl-1/call-1", "call-9"]


def test_litellm_identity_falls_back_and_can_be_declared(tmp_path, read):
    rows = [spend_log(user="u"), spend_log(end_user="", user="u"), spend_log(end_user=None, user=None, team_id="t"),
            spend_log(end_user="", user="", team_id="")]  # fmt: skip
    path = write(tmp_path / "log.jsonl", *rows)
    assert [row["account_id"] for row in read(path).rows] == ["a", "u", "t", "hash"]
    assert [row["account_id"] for row in read(path, account_field="api_key").rows] == ["hash"] * 4


def test_litellm_redacted_text_is_no_text(tmp_path, read):
    row = spend_log(messages=[{"role": "user", "content": "redacted-by-litellm"}])
    result = read(write(tmp_path / "log.jsonl", row)).row
    assert "prompt" not in result
    assert "content_complete" not in result


def test_litellm_payloads_in_an_array_on_each_line(tmp_path, read):
    payload = {
        "litellm_call_id": "c", "id": "i", "startTime": TIME / 1e6, "model_parameters": {"temperature": 0.5}, "hidden_params": {},
        "end_user": "a", "messages": [{"role": "user", "content": "hi"}], "model": "openai/m", "custom_llm_provider": "openai",
        "metadata": {"user_api_key_user_email": "Someone@Example.ORG"}, "model_map_information": {"huge": "x" * 1000},
    }  # fmt: skip
    result = read(write(tmp_path / "log.jsonl", [payload, payload], [payload]))
    assert [(row["account_id"], row["model"], row["email_domain"]) for row in result.rows] == [
        ("a", "m", "example.org")
    ] * 3
    assert result.rows[0]["temperature"] == 0.5


def sglang(event: str, rid: str = "r", text: str = "hello", **other: object) -> dict:
    return {
        "timestamp": "2026-10-23T08:00:01.120000", "event": f"request.{event}", "rid": rid,
        "obj": {"text": text, "sampling_params": {"max_new_tokens": 5}}, "headers": {"x-user-id": "a"}, **other,
    }  # fmt: skip


def test_text_that_sglang_cut_is_marked(tmp_path, read):
    cut = "a" * 1024 + "..." + "b" * 1024
    rows = [
        sglang("received", "1", cut),
        sglang("received", "2", "a" * 1024 + "..." + "b" * 1023),
        sglang("received", "3", "x" * 2048),
    ]
    result = read(write(tmp_path / "log.jsonl", *rows), assume_zone="UTC")
    assert {row["exchange_id"]: row["content_complete"] for row in result.rows} == {"1": False, "2": True, "3": True}


def test_sglang_events_interleave_and_may_lack_their_end(tmp_path, read):
    finished = {
        "out": {"text": "answer", "meta_info": {"prompt_tokens": 3, "completion_tokens": 4, "e2e_latency": 0.25}}
    }
    rows = [sglang("received", "1"), sglang("received", "2"), {"event": "server.started", "rid": "x"},
            sglang("finished", "2", **finished), sglang("received", "3"), sglang("finished", "1", **finished)]  # fmt: skip
    result = read(write(tmp_path / "log.jsonl", *rows), assume_zone="UTC")
    assert {row["exchange_id"]: row.get("latency_ms") for row in result.rows} == {"1": 250, "2": 250, "3": None}
    assert result.quarantined == []
    assert result.notes == {"passed over: lines of the log that are about no request": 1}


def test_engine_log_that_is_rotated_is_joined_within_its_folder(tmp_path, read):
    write(tmp_path / "a.jsonl", sglang("received", "1"), sglang("received", "2"))
    finished = {"out": {"text": "answer", "meta_info": {"completion_tokens": 4}}}
    write(tmp_path / "b.jsonl", sglang("finished", "1", **finished), sglang("finished", "2", **finished))
    result = read(tmp_path, assume_zone="UTC")
    assert [(row["exchange_id"], row["output_tokens"], row["source_no"]) for row in result.rows] == [
        ("1", 4, 0),
        ("2", 4, 0),
    ]


def vllm(clock: str, request: str, prompt: str) -> list[str]:
    return [
        (f"INFO {clock} [request_logger.py:76] Received request {request}: params: SamplingParams(n=2, temperature=0.5, top_p=0.9, "
        "max_tokens=16), lora_request: None."),
        f"DEBUG {clock} [request_logger.py:66] Request {request} details: prompt: {prompt!r}, prompt_token_ids: [1], prompt_embeds shape: None.",
        f"INFO {clock} [loggers.py:1] Engine 000: Avg prompt throughput: 5.0 tokens/s",
        (f"INFO {clock} [request_logger.py:133] Generated response {request} (streaming delta): output: 'x', output_token_ids: [5], "
        "finish_reason: None"),
        (f"INFO {clock} [request_logger.py:133] Generated response {request}: output: 'it\\'s \"done\"\\n', output_token_ids: [5], "
        "finish_reason: length"),
    ]  # fmt: skip


def test_vllm_year_goes_on_after_december(tmp_path, read):
    prompt = "it's \"quoted\" and\nhas lines, prompt: 'no'"
    path = write(
        tmp_path / "server.log",
        *vllm("12-31 23:59:59", "cmpl-1-0", prompt),
        *vllm(
            "01-01 00:00:01", "chatcmpl-2", "<|im_start|>system\nbe kind<|im_end|>\n<|im_start|>user\nhello<|im_end|>\n"
        ),
        *vllm("01-02 00:00:01", "chatcmpl-3", "[INST] <<SYS>>\nbe kind\n<</SYS>>\n\nhello [/INST]"),
    )
    result = read(path, year=2025, assume_zone="UTC", default_account="a")
    assert result.quarantined == []
    first, second, third = result.rows
    assert first["time_us"] == 1_767_225_599_000_000
    assert second["time_us"] == 1_767_225_601_000_000
    assert (first["prompt"], first["response"]) == (prompt, 'it\'s "done"\n')
    assert (first["endpoint"], first["n"], first["max_tokens"], first["finish_reason"]) == (
        "completion",
        2,
        16,
        "length",
    )
    assert first["stream"] is False
    assert "content_complete" not in first, "vLLM may have cut the prompt without a mark"
    for row in (second, third):
        assert (row["prompt"], row["system_prompt"], row["turns"]) == ("hello", "be kind", 1)


def test_vllm_prefix_of_worker_processes_is_passed(tmp_path, read):
    lines = [f"(APIServer pid=7) {line}" for line in vllm("10-23 08:00:01", "cmpl-1", "hi")]
    result = read(write(tmp_path / "server.log", *lines), year=2026, assume_zone="UTC", default_account="a")
    assert result.row["prompt"] == "hi"


def apim(number: int | None, identity: str = "c1", **other: object) -> dict:
    row = {"Type": "ApiManagementGatewayLlmLog", "TimeGenerated": ISO, "CorrelationId": identity, **other}
    return row if number is None else {**row, "SequenceNumber": number}


def gateway(identity: str = "c1", **other: object) -> dict:
    return {
        "Type": "ApiManagementGatewayLogs", "TimeGenerated": ISO, "CorrelationId": identity, "CallerIpAddress": "198.51.100.4",
        "ApimSubscriptionId": "sub", "ResponseCode": 200, "Url": "https://x/openai/deployments/m/chat/completions?api-version=1", **other,
    }  # fmt: skip


def test_apim_chunks_are_put_together_in_their_order_over_files(tmp_path, read):
    request = json.dumps([{"role": "user", "content": "a long prompt in three chunks"}])
    write(tmp_path / "llm.jsonl", apim(3, RequestMessages=request[40:]), apim(1, RequestMessages=request[:20]),
          apim(0, PromptTokens=7, CompletionTokens=9, DeploymentName="m"), apim(2, RequestMessages=request[20:40]))  # fmt: skip
    write(tmp_path / "gateway.jsonl", gateway(), gateway("other", Url="https://x/health"))
    result = read(tmp_path)
    row = result.row
    assert row["prompt"] == "a long prompt in three chunks"
    assert row["content_complete"] is True
    assert (row["account_id"], row["ip"], row["input_tokens"], row["output_tokens"]) == ("sub", "198.51.100.4", 7, 9)
    assert result.reasons == ["a gateway row without rows of ApiManagementGatewayLlmLog: no model call"]


def test_apim_message_cut_at_the_cap_is_marked(tmp_path, read):
    cut = json.dumps([{"role": "user", "content": "x" * 500}])[:300]
    write(tmp_path / "log.jsonl", apim(0, DeploymentName="m"), apim(1, RequestMessages=cut), gateway())
    assert read(tmp_path / "log.jsonl").row["content_complete"] is False


def test_azure_records_wrapper_of_event_hubs(tmp_path, read):
    record = {
        "time": ISO, "category": "RequestResponse", "operationName": "ChatCompletions_Create", "durationMs": 5,
        "callerIpAddress": "203.0.113.***", "properties": {"objectId": "entra", "modelDeploymentName": "m"},
    }  # fmt: skip
    result = read(write(tmp_path / "log.json", {"records": [record, record]}))
    assert [(row["account_id"], row["model"]) for row in result.rows] == [("entra", "m")] * 2
    assert "ip" not in result.rows[0], "a masked address is no address"


def otlp_span(trace: str, attributes: dict, **other: object) -> dict:
    def wrapped(value: object) -> dict:
        return {"intValue": str(value)} if isinstance(value, int) else {"stringValue": value}

    span = {
        "traceId": trace, "spanId": "1", "name": "chat", "startTimeUnixNano": str(TIME * 1000),
        "endTimeUnixNano": str(TIME * 1000 + 5_000_000),
        "attributes": [{"key": key, "value": wrapped(value)} for key, value in attributes.items()], **other,
    }  # fmt: skip
    return {"resourceSpans": [{"resource": {"attributes": []}, "scopeSpans": [{"spans": [span]}]}]}


def test_otel_span_and_its_events_from_several_files_are_one_exchange(tmp_path, read):
    span = otlp_span("t1", {"gen_ai.system": "openai", "gen_ai.operation.name": "chat", "gen_ai.request.model": "m",
                            "gen_ai.usage.prompt_tokens": 3, "enduser.id": "a"})  # fmt: skip
    events = [
        {"eventName": name, "timeUnixNano": str(TIME * 1000), "traceId": "t1", "spanId": "1", "body": body}
        for name, body in (
            (
                "gen_ai.system.message",
                {"kvlistValue": {"values": [{"key": "content", "value": {"stringValue": "be kind"}}]}},
            ),
            ("gen_ai.user.message", {"content": "hello"}),
            ("gen_ai.choice", {"index": 0, "finish_reason": "stop", "message": {"content": "hi"}}),
        )
    ]
    for folder in ("logs", "traces"):
        (tmp_path / folder).mkdir()
    write(tmp_path / "logs" / "events.jsonl", *events)
    write(tmp_path / "traces" / "spans.jsonl", span)
    row = read(tmp_path).row
    assert (row["account_id"], row["prompt"], row["system_prompt"], row["response"]) == ("a", "hello", "be kind", "hi")
    assert (row["time_us"], row["latency_ms"], row["input_tokens"], row["source_no"]) == (TIME, 5, 3, 1)


def test_otel_values_may_be_structures_and_spans_may_be_lines(tmp_path, read):
    attributes = {
        "gen_ai.operation.name": "chat", "gen_ai.request.model": "m", "user.id": "a",
        "gen_ai.input.messages": [{"role": "user", "parts": [{"type": "text", "content": "hello"}]},
                                  {"role": "assistant", "parts": [{"type": "tool_call", "name": "f"}]},
                                  {"role": "user", "parts": [{"type": "tool_call_response", "result": "x"}]}],
        "gen_ai.tool.definitions": [{"type": "function", "name": "f"}],
    }  # fmt: skip
    line = {
        "name": "chat",
        "context": {"trace_id": "0x1", "span_id": "0x2"},
        "start_time": ISO,
        "attributes": attributes,
    }
    other = {**line, "attributes": {"http.method": "GET"}}
    result = read(
        write(tmp_path / "spans.jsonl", line, {**line, "context": {"trace_id": "0x3", "span_id": "0x2"}}, other)
    )
    assert [(row["prompt"], row["turns"], row["tools"]) for row in result.rows] == [("hello", 1, "f")] * 2
    assert result.notes == {"passed over: spans and events that are no model calls": 1}


def test_otel_flattened_messages_of_the_first_generation(tmp_path, read):
    attributes = {
        "gen_ai.request.model": "m", "enduser.id": "a", "gen_ai.prompt.0.role": "system", "gen_ai.prompt.0.content": "be kind",
        "gen_ai.prompt.1.role": "user", "gen_ai.prompt.1.content": "hello", "gen_ai.completion.0.role": "assistant",
        "gen_ai.completion.0.content": "hi", "gen_ai.completion.0.finish_reason": "max_tokens",
    }  # fmt: skip
    row = read(write(tmp_path / "spans.jsonl", otlp_span("t", attributes))).row
    assert (row["prompt"], row["system_prompt"], row["response"], row["finish_reason"]) == (
        "hello",
        "be kind",
        "hi",
        "length",
    )


def test_otel_account_can_be_any_attribute(tmp_path, read):
    path = write(tmp_path / "spans.jsonl", otlp_span("t", {"gen_ai.request.model": "m", "acme.customer.id": "c7"}))
    with pytest.raises(MostlyUnreadableError, match="declare account_field"):
        read(path)
    assert read(path, account_field="acme.customer.id").row["account_id"] == "c7"
    assert read(path, account_field="attributes.acme.customer.id").row["account_id"] == "c7"


def test_openinference_spans_in_otlp(tmp_path, read):
    attributes = {
        "openinference.span.kind": "LLM", "user.id": "a", "llm.model_name": "m", "llm.input_messages.0.message.role": "user",
        "llm.input_messages.0.message.contents.0.message_content.type": "text",
        "llm.input_messages.0.message.contents.0.message_content.text": "hello",
        "llm.tools.0.tool.json_schema": json.dumps({"type": "function", "function": {"name": "f"}}),
    }  # fmt: skip
    chain = otlp_span("t2", {"openinference.span.kind": "CHAIN"})
    result = read(write(tmp_path / "spans.jsonl", otlp_span("t", attributes), chain))
    row = result.row
    assert (row["account_id"], row["prompt"], row["tools"], row["time_us"], row["latency_ms"]) == (
        "a",
        "hello",
        "f",
        TIME,
        5,
    )
    assert result.notes == {"passed over: spans that are no model calls": 1}


def bedrock(**other: object) -> dict:
    return {
        "schemaType": "ModelInvocationLog", "schemaVersion": "1.0", "timestamp": "2026-10-23T08:00:01Z", "accountId": "1111",
        "identity": {"arn": "arn:aws:sts::1111:assumed-role/app/session-7"}, "requestId": "r", "operation": "InvokeModel",
        "modelId": "arn:aws:bedrock:us-east-1:1111:inference-profile/us.example.m", **other,
    }  # fmt: skip


def test_bedrock_identity_tokens_and_streams(tmp_path, read):
    events = [
        {"type": "message_start", "message": {"id": "m", "usage": {"input_tokens": 5, "cache_read_input_tokens": 100}}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hel"}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "lo"}},
        {"type": "message_delta", "delta": {"stop_reason": "max_tokens"}, "usage": {"output_tokens": 2}},
    ]
    rows = [
        bedrock(requestMetadata={"user_id": "declared", "tenant": "t"}),
        bedrock(
            input={"inputTokenCount": 5, "cacheReadInputTokenCount": 100, "cacheWriteInputTokenCount": 7, "inputBodyJson": {
                "anthropic_version": "x", "system": "be kind", "messages": [{"role": "user", "content": "hello"}], "max_tokens": 9}},
            output={"outputBodyJson": events},
        ),
        bedrock(errorCode="ThrottlingException", identity={}),
    ]  # fmt: skip
    first, second, third = read(write(tmp_path / "log.jsonl", *rows)).rows
    assert (first["account_id"], first["organization_id"], first["model"]) == ("declared", "t", "us.example.m")
    assert (second["account_id"], second["input_tokens"], second["cache_read_tokens"]) == ("session-7", 112, 100)
    assert (second["prompt"], second["system_prompt"], second["max_tokens"]) == ("hello", "be kind", 9)
    assert (second["response"], second["finish_reason"], second["output_tokens"]) == ("Hello", "length", 2)
    assert (third["account_id"], third["status"]) == ("1111", 429)


def test_streamed_answers_of_openai_and_gemini_are_put_together(tmp_path, read):
    chunks = [
        {"id": "c", "model": "m-1", "choices": [{"index": 0, "delta": {"reasoning_content": "hm"}}]},
        {
            "id": "c",
            "choices": [{"index": 0, "delta": {"content": "Hel"}}, {"index": 1, "delta": {"content": "other"}}],
        },
        {"id": "c", "choices": [{"index": 0, "delta": {"content": "lo"}, "finish_reason": "stop"}]},
        {"id": "c", "choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 4}},
    ]
    stream = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks) + "data: [DONE]\n\n"
    row = {
        "databricks_request_id": "d", "request_time": ISO, "requester": "p", "status_code": 200,
        "request": json.dumps({"model": "m", "messages": [{"role": "user", "content": "hi"}], "user": "a", "stream": True}),
    }  # fmt: skip
    gemini = [
        {"candidates": [{"content": {"parts": [{"text": "hm", "thought": True}]}}]},
        {"candidates": [{"content": {"parts": [{"text": "Hel"}]}}]},
        {
            "candidates": [{"content": {"parts": [{"text": "lo"}]}, "finishReason": "STOP"}],
            "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 4},
        },
    ]
    responses = [{"type": "response.created", "response": {"id": "c", "output": []}}, {"type": "response.completed", "response": {
        "id": "c", "status": "completed", "output": [{"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]},
        {"type": "message", "content": [{"type": "output_text", "text": "Hello"}]}], "usage": {"input_tokens": 3, "output_tokens": 4}}}]  # fmt: skip
    rows = [
        {**row, "response": answer}
        for answer in (stream, json.dumps(chunks), json.dumps(gemini), json.dumps(responses))
    ]
    for said in read(write(tmp_path / "log.jsonl", *rows)).rows:
        assert (said["response"], said["reasoning"], said["finish_reason"]) == ("Hello", "hm", "stop")
        assert (said["input_tokens"], said["output_tokens"]) == (3, 4)


def test_a_batch_id_that_occurs_twice_is_never_joined(tmp_path, read):
    def request(name: str, user: str) -> dict:
        body = {"model": "m", "messages": [{"role": "user", "content": "x"}], "user": user}
        return {"custom_id": name, "method": "POST", "url": "/v1/chat/completions", "body": body}

    def result_of(name: str) -> dict:
        return {
            "id": f"out-{name}",
            "custom_id": name,
            "response": {"status_code": 200, "body": {"created": TIME // 10**6}},
            "error": None,
        }

    write(tmp_path / "in1.jsonl", request("1", "a"), request("2", "a"))
    write(tmp_path / "in2.jsonl", request("2", "b"), request("3", "b"))
    write(tmp_path / "out.jsonl", result_of("3"), result_of("1"), result_of("2"))
    read_together = read(tmp_path)
    assert sorted((row["exchange_id"], row["account_id"]) for row in read_together.rows) == [
        ("out-1", "a"),
        ("out-3", "b"),
    ]
    assert len(read_together.quarantined) == 3
    assert {entry.reason for entry in read_together.quarantined} == {
        "`custom_id` occurs twice in this folder; put the files of each batch in a folder of its own"
    }


def test_batches_in_folders_of_their_own_may_use_the_same_ids(tmp_path, read):
    for user in ("a", "b"):
        (tmp_path / user).mkdir()
        body = {"model": "m", "messages": [{"role": "user", "content": "x"}], "user": user}
        write(
            tmp_path / user / "in.jsonl",
            {"custom_id": "1", "method": "POST", "url": "/v1/chat/completions", "body": body},
        )
        answer = {"status_code": 200, "body": {"created": TIME // 10**6}}
        write(tmp_path / user / "out.jsonl", {"id": f"out-{user}", "custom_id": "1", "response": answer, "error": None})
    result = read(tmp_path)
    assert sorted((row["exchange_id"], row["account_id"]) for row in result.rows) == [("out-a", "a"), ("out-b", "b")]


def test_envoy_takes_the_account_from_a_header_and_the_address_from_the_edge(tmp_path, read):
    row = {
        "start_time": ISO, "gen_ai.request.model": "m", "response_code": 200, "x-tenant-id": "t7", "user-agent": "-",
        "x-forwarded-for": "6.6.6.6, 198.51.100.4, 10.0.0.1", "downstream_remote_address": "10.0.0.2:1234",
    }  # fmt: skip
    result = read(write(tmp_path / "log.jsonl", row, {**row, "x-forwarded-for": "-"})).rows
    assert [(item["account_id"], item["ip"]) for item in result] == [("t7", "198.51.100.4"), ("t7", "10.0.0.2")]
    assert "user_agent" not in result[0]


def test_kong_passes_over_other_routes(tmp_path, read):
    row = {
        "started_at": TIME // 1000,
        "latencies": {"request": 5},
        "client_ip": "203.0.113.7",
        "consumer": {"username": "a"},
    }
    proxied = {**row, "ai": {"ai-proxy": {"meta": {"request_model": "m"}, "usage": {"prompt_tokens": 2}}}}
    result = read(write(tmp_path / "log.jsonl", row, proxied))
    assert (result.row["account_id"], result.row["model"], result.row["input_tokens"]) == ("a", "m", 2)
    assert result.notes == {"passed over: requests that did not go through ai-proxy": 1}


def test_langfuse_export_with_camel_case_and_other_observations(tmp_path, read):
    row = {
        "id": "o", "traceId": "t", "projectId": "p", "type": "GENERATION", "startTime": ISO, "endTime": "2026-10-23T08:00:02Z",
        "userId": "a", "model": "m", "input": {"messages": [{"role": "user", "content": "hello"}]}, "output": "hi",
        "usageDetails": {"input": 1, "output": 2},
    }  # fmt: skip
    result = read(write(tmp_path / "log.jsonl", row, {**row, "type": "SPAN"}))
    said = result.row
    assert (said["account_id"], said["prompt"], said["response"], said["latency_ms"]) == ("a", "hello", "hi", 880)
    assert result.notes == {"passed over: observations that are no model calls (spans, events, tools)": 1}


def test_native_formats_are_read_from_parquet_too(tmp_path, read):
    row = {
        "databricks_request_id": "d", "request_time": None, "requester": "p", "status_code": 200,
        "request": json.dumps({"model": "m", "messages": [{"role": "user", "content": "hi"}]}), "response": "{}",
    }  # fmt: skip
    table = pa.Table.from_pylist([row, row]).set_column(
        1, "request_time", pa.array([TIME, TIME + 1], pa.timestamp("us", "UTC"))
    )
    pq.write_table(table, tmp_path / "log.parquet")
    result = read(tmp_path / "log.parquet")
    assert result.formats == ["databricks"]
    assert [(item["time_us"], item["prompt"], item["source_offset"], item["source_length"]) for item in result.rows] == [
        (TIME, "hi", 0, 0), (TIME + 1, "hi", 1, 0),
    ]  # fmt: skip


def test_clickhouse_map_columns_of_parquet(tmp_path, read):
    table = pa.table(
        {
            "request_created_at": pa.array([TIME], pa.timestamp("us")), "response_id": ["r"], "target_url": ["https://x/v1/messages"],
            "user_id": ["a"], "properties": pa.array([[("Helicone-Session-Id", "s")]], pa.map_(pa.string(), pa.string())),
        }
    )  # fmt: skip
    pq.write_table(table, tmp_path / "log.parquet")
    row = read(tmp_path / "log.parquet").row
    assert (row["account_id"], row["session_id"], row["endpoint"]) == ("a", "s", "messages")


def test_bodies_without_partner_and_pairs_with_facts_beside_them(tmp_path, read):
    request = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "user": "a"}
    write(tmp_path / "requests.jsonl", request, request)
    rows = read(tmp_path / "requests.jsonl", default_time=ISO).rows
    assert [(row["account_id"], row["prompt"], row["time_us"]) for row in rows] == [("a", "hi", TIME)] * 2
    answer = {
        "id": "c",
        "object": "chat.completion",
        "created": 1_792_742_401,
        "model": "m-1",
        "choices": [],
        "usage": {},
    }
    write(tmp_path / "answers.jsonl", answer)
    assert read(tmp_path / "answers.jsonl", default_account="a").row["model"] == "m-1"
    write(
        tmp_path / "pairs.jsonl",
        {"time": ISO, "account_id": "own", "ip": "203.0.113.9", "request": request, "response": answer},
    )
    row = read(tmp_path / "pairs.jsonl").row
    assert (row["account_id"], row["time_us"], row["ip"], row["model"]) == ("own", TIME, "203.0.113.9", "m")


def test_anthropic_tool_results_are_no_turns(tmp_path, read):
    messages = [
        {"role": "user", "content": "fix the bug"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "1", "name": "edit", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "1", "content": "done"}]},
    ]
    pair = {
        "request": {"model": "m", "system": "be kind", "messages": messages, "max_tokens": 5, "metadata": {"user_id": "a"}},
        "response": {"type": "message", "id": "x", "content": [{"type": "text", "text": "ok"}], "stop_reason": "end_turn",
                     "usage": {"input_tokens": 1, "cache_read_input_tokens": 10, "cache_creation_input_tokens": 100, "output_tokens": 2}},
    }  # fmt: skip
    row = read(write(tmp_path / "log.jsonl", pair), default_time=ISO).row
    assert (row["prompt"], row["turns"], row["system_prompt"]) == ("fix the bug", 1, "be kind")
    assert (row["input_tokens"], row["cache_read_tokens"], row["finish_reason"]) == (111, 10, "stop")


def test_vllm_log_is_known_by_its_prefix_though_requests_come_late(tmp_path, read):
    start = [
        f"INFO 10-23 07:59:{number % 60:02} [core.py:{number}] Loading weights took {number} seconds"
        for number in range(600)
    ]
    late = write(tmp_path / "late.log", *start, *vllm("10-23 08:00:01", "cmpl-1", "hi"))
    result = read(late, year=2026, assume_zone="UTC", default_account="a")
    assert result.row["prompt"] == "hi"
    assert result.notes == {"passed over: lines of the log that are about no request": 602}
    none = read(write(tmp_path / "none.log", *start), year=2026, assume_zone="UTC", default_account="a")
    assert none.formats == ["vllm"]
    assert none.rows == []
