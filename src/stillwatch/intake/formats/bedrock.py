"""AWS Bedrock model invocation logs, version 1.0, as S3 or CloudWatch hold them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from stillwatch.intake.conversation import structure
from stillwatch.intake.formats.endings import endpoint_of_call
from stillwatch.intake.formats.format import Format, Parsed, Record, first, mapping, share, single
from stillwatch.intake.formats.request_body import request_fields
from stillwatch.intake.formats.response_body import response_fields, total
from stillwatch.intake.settings import IntakeSettings

_ERRORS = {
    "ThrottlingException": 429,
    "ServiceQuotaExceededException": 429,
    "ValidationException": 400,
    "AccessDeniedException": 403,
    "ResourceNotFoundException": 404,
    "ModelTimeoutException": 408,
    "ModelErrorException": 424,
    "InternalServerException": 500,
    "ServiceUnavailableException": 503,
}


def _account(record: Record, metadata: Record) -> Any:
    """Give the account: what the application declared, else the session or user of the caller's role, else the AWS account."""
    arn = mapping(record.get("identity")).get("arn")
    session = arn.rsplit("/", 1)[1] if isinstance(arn, str) and "/" in arn else arn
    declared = first(*(metadata.get(name) for name in ("account_id", "account", "user_id", "user", "customer_id")))
    return first(declared, session, record.get("accountId"))


def _parse(record: Record, settings: IntakeSettings) -> Iterable[Parsed]:  # noqa: ARG001
    sent, received = mapping(record.get("input")), mapping(record.get("output"))
    request, response = structure(sent.get("inputBodyJson")), structure(received.get("outputBodyJson"))
    metadata = mapping(record.get("requestMetadata"))
    asked, answer = request_fields(request), response_fields(response)
    answer.pop("model", None)
    model = record.get("modelId")
    counted = total(
        sent.get("inputTokenCount"), sent.get("cacheReadInputTokenCount"), sent.get("cacheWriteInputTokenCount")
    )
    error = record.get("errorCode")
    row = {
        **answer,
        **asked,
        "time": record.get("timestamp"),
        "account_id": _account(record, metadata),
        "exchange_id": record.get("requestId"),
        "organization_id": first(
            *(metadata.get(name) for name in ("organization_id", "organization", "tenant_id", "tenant"))
        ),
        "api_key_id": mapping(record.get("identity")).get("arn"),
        "model": model.rsplit("/", 1)[1]
        if isinstance(model, str) and model.startswith("arn:") and "/" in model
        else model,
        "endpoint": endpoint_of_call(record.get("operation")),
        "content_complete": True if asked.get("prompt") is not None else None,
        "tools": first(asked.get("tools"), answer.get("tools")),
        "stream": str(record.get("operation")).endswith("Stream"),
        "input_tokens": first(counted, answer.get("input_tokens")),
        "output_tokens": first(received.get("outputTokenCount"), answer.get("output_tokens")),
        "cache_read_tokens": first(sent.get("cacheReadInputTokenCount"), answer.get("cache_read_tokens")),
        "status": _ERRORS.get(str(error)) if error else 200 if record.get("status", "success") == "success" else None,
        "latency_ms": mapping(mapping(response).get("metrics")).get("latencyMs"),
    }
    return single(row, record)


BEDROCK = Format(
    name="bedrock",
    title="AWS Bedrock invocation log",
    about="Model invocation logging of AWS Bedrock, schema ModelInvocationLog 1.0, JSONL (gzip) in S3 or CloudWatch.",
    fills=(
        "time", "account_id", "exchange_id", "organization_id", "api_key_id", "model", "endpoint", "system_prompt",
        "prompt", "content_complete", "response", "reasoning", "turns", "tools", "input_tokens", "output_tokens",
        "cache_read_tokens", "temperature", "top_p", "max_tokens", "stream", "status", "finish_reason", "latency_ms",
    ),
    gotchas=(
        (
            "The account is requestMetadata's account or user, else the last part of identity.arn (role session or user); if one role serves "
            "all customers, declare account_field (for example requestMetadata.tenant)."
        ),
        "There is no address and no user agent; CloudTrail has them by requestId.",
        "Bodies over 100 kB are in S3 (inputBodyS3Path) and not in the record: such rows have no text.",
        "Times have whole seconds. input_tokens is the sum of fresh, cache-read and cache-written input.",
    ),
    needs="If requestMetadata or the role does not name the customer, declare account_field.",
    matches=lambda records: share(records, lambda record: record.get("schemaType") == "ModelInvocationLog"),
    parse=_parse,
)  # fmt: skip
