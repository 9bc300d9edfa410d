"""Azure: the two tables of API Management's AI gateway, and the diagnostics of Azure OpenAI.

API Management writes one exchange as several rows: `ApiManagementGatewayLlmLog` (sequence 0 counts tokens, 1.. hold the request,
then the response, in chunks of 32 kB, at most 2 MB) and `ApiManagementGatewayLogs` (caller, subscription, status). `CorrelationId` joins
them; export both tables.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from stillwatch.intake.conversation import structure
from stillwatch.intake.errors import RecordError
from stillwatch.intake.formats.client import edge_address
from stillwatch.intake.formats.endings import endpoint_of_call, endpoint_of_path
from stillwatch.intake.formats.format import (
    FlatRow,
    Format,
    Joined,
    Orphan,
    Parsed,
    Place,
    Record,
    first,
    has,
    mapping,
    share,
    without_nulls,
)
from stillwatch.intake.formats.open_exchanges import OpenExchange, OpenExchanges
from stillwatch.intake.formats.request_body import account_in_request, request_fields
from stillwatch.intake.formats.response_body import response_fields
from stillwatch.intake.settings import IntakeSettings

_LLM_KEYS = frozenset({"SequenceNumber", "RequestMessages", "ResponseMessages", "PromptTokens", "DeploymentName"})
_GATEWAY_KEYS = frozenset({"CallerIpAddress", "ApimSubscriptionId", "ResponseCode", "BackendResponseCode"})
_CAP = 2 << 20
"""Bytes at which API Management stops logging a message."""


def _rows(record: Record) -> list[Record]:
    """Give the rows: storage and event hub exports wrap them in `records`, and may put columns under `properties`."""
    records = record.get("records")
    rows = [mapping(item) for item in records] if isinstance(records, list) else [record]
    return [{**mapping(structure(row.get("properties"))), **row} for row in rows]


class ApimJoiner:
    """Joins the rows of both tables by CorrelationId."""

    def __init__(self, settings: IntakeSettings) -> None:
        """Begin with nothing open."""
        self._settings = settings
        self._open = OpenExchanges()

    def add(self, record: Any, place: Place) -> Iterator[Joined | Orphan]:
        """Take a row, or a document of rows."""
        if not isinstance(record, Mapping):
            raise RecordError(f"a JSON {type(record).__name__}, expected a row of an API Management table")
        for row in _rows(record):
            identity = first(row.get("CorrelationId"), row.get("correlationId"))
            if not isinstance(identity, str):
                raise RecordError("no CorrelationId: expected a row of an API Management table")
            exchange = self._open.at(identity, place)
            self._take(exchange, row, place)
        for exchange in self._open.overflow():
            yield _joined(exchange)

    def _take(self, exchange: OpenExchange, row: Record, place: Place) -> None:
        parts = exchange.parts
        if _LLM_KEYS & set(row):
            number = row.get("SequenceNumber")
            parts.setdefault("sequence", {})[number if isinstance(number, int) else len(parts.get("sequence", {}))] = (
                row
            )
            if row.get("RequestMessages") and "placed" not in parts:
                exchange.place, parts["placed"] = place, True
        else:
            parts["gateway"] = row

    def finish(self) -> Iterator[Joined | Orphan]:
        """Give what is open; nothing tells that an exchange is complete before the end."""
        for exchange in self._open.rest():
            yield _joined(exchange)

    def notes(self) -> Mapping[str, int]:
        """Nothing is passed over."""
        return {}


def _joined(exchange: OpenExchange) -> Joined | Orphan:
    rows = [row for _, row in sorted(exchange.parts.get("sequence", {}).items())]
    gateway = mapping(exchange.parts.get("gateway"))
    if not rows and endpoint_of_path(gateway.get("Url")) is None:
        return Orphan(
            place=exchange.place, reason="a gateway row without rows of ApiManagementGatewayLlmLog: no model call"
        )
    facts: dict[str, Any] = {}
    for row in rows:
        facts.update({name: value for name, value in row.items() if value is not None and value != ""})
    sent = "".join(str(row.get("RequestMessages") or "") for row in rows)
    received = "".join(str(row.get("ResponseMessages") or "") for row in rows)
    asked, complete = _request(sent)
    answer = _response(received)
    row = {
        **answer,
        **asked,
        "content_complete": complete,
        "time": first(gateway.get("TimeGenerated"), facts.get("TimeGenerated"), facts.get("time")),
        "account_id": first(
            gateway.get("ApimSubscriptionId"), gateway.get("UserId"), account_in_request(structure(sent))
        ),
        "exchange_id": first(facts.get("CorrelationId"), gateway.get("CorrelationId")),
        "api_key_id": gateway.get("ApimSubscriptionId"),
        "ip": edge_address(gateway.get("CallerIpAddress")),
        "model": first(facts.get("DeploymentName"), facts.get("ModelName")),
        "endpoint": first(endpoint_of_path(gateway.get("Url")), endpoint_of_call(gateway.get("OperationId"))),
        "input_tokens": facts.get("PromptTokens"),
        "output_tokens": facts.get("CompletionTokens"),
        "stream": facts.get("IsStreamCompletion"),
        "status": gateway.get("ResponseCode"),
        "latency_ms": gateway.get("TotalTime"),
    }
    return Joined(row=without_nulls(row), record={**facts, **gateway}, place=exchange.place)


def _request(text: str) -> tuple[FlatRow, bool | None]:
    """Read the request and say whether it is whole: a text that is no JSON any more was cut at the cap."""
    if not text:
        return {}, None
    said = structure(text)
    if isinstance(said, str):
        return {"prompt": text}, False
    return request_fields(said), len(text.encode("utf-8", "replace")) < _CAP


def _response(text: str) -> FlatRow:
    said = structure(text)
    if isinstance(said, str):
        return {"response": said} if said else {}
    message = said[0] if isinstance(said, list) and said else said
    if "role" in mapping(message):
        fields = response_fields({"choices": [{"message": message}]})
    else:
        fields = response_fields(said)
    fields.pop("model", None)
    return fields


def _is_apim(record: Record) -> bool:
    return any(
        ("CorrelationId" in row or "correlationId" in row)
        and (bool(_LLM_KEYS & set(row)) or len(_GATEWAY_KEYS & set(row)) >= 2)
        for row in _rows(record)
    )


def _is_diagnostics(record: Record) -> bool:
    return any(
        has(row, "time", "category", "operationName")
        and str(row["category"]) in {"RequestResponse", "Audit", "AzureOpenAIRequestUsage"}
        for row in _rows(record)
    )


def _parse_diagnostics(record: Record, settings: IntakeSettings) -> Iterable[Parsed]:  # noqa: ARG001
    for row in _rows(record):
        if "time" not in row or "operationName" not in row:
            raise RecordError("no `time` and `operationName`: expected a diagnostics record")
        kind = row.get("streamType")
        yield (
            without_nulls(
                {
                    "time": row["time"],
                    "account_id": row.get("objectId"),
                    "exchange_id": row.get("correlationId"),
                    "ip": edge_address(row.get("callerIpAddress")),
                    "model": first(row.get("modelDeploymentName"), row.get("modelName")),
                    "endpoint": endpoint_of_call(row["operationName"]),
                    "stream": None if not kind else str(kind) == "Streaming",
                    "status": first(row.get("resultSignature"), row.get("resultType")),
                    "latency_ms": row.get("durationMs"),
                }
            ),
            row,
        )


AZURE_APIM = Format(
    name="azure-apim",
    title="Azure API Management AI gateway",
    about="Tables ApiManagementGatewayLlmLog and ApiManagementGatewayLogs, exported as JSONL, `records` documents or Parquet.",
    fills=(
        "time", "account_id", "exchange_id", "api_key_id", "ip", "model", "endpoint", "system_prompt", "prompt",
        "content_complete", "response", "turns", "tools", "input_tokens", "output_tokens", "temperature", "top_p",
        "max_tokens", "stream", "status", "latency_ms",
    ),
    gotchas=(
        "Export both tables: the account (ApimSubscriptionId) and the address are in ApiManagementGatewayLogs only.",
        "Messages come in chunks of 32 kB and end at 2 MB; they are put together by CorrelationId and SequenceNumber, and cut ones are marked.",
        "At most 200,000 exchanges are open at once: export the tables sorted by time.",
    ),
    needs="Export ApiManagementGatewayLogs as well, which names the subscription; or declare account_field or default_account.",
    matches=lambda records: share(records, _is_apim),
    joiner=ApimJoiner,
    joins_within="run",
)  # fmt: skip

AZURE_OPENAI = Format(
    name="azure-openai",
    title="Azure OpenAI diagnostics",
    about="Diagnostic category RequestResponse of an Azure OpenAI resource. It never holds text or token counts.",
    fills=("time", "account_id", "exchange_id", "ip", "model", "endpoint", "stream", "status", "latency_ms"),
    gotchas=(
        "The account is objectId, empty unless callers sign in with Entra: declare account_field or default_account.",
        "The last part of the address is masked, so no address is kept.",
        "It never holds text: the run is metadata-only. Put API Management in front and log there.",
    ),
    needs="objectId is empty unless callers sign in with Entra: declare account_field or default_account.",
    matches=lambda records: share(records, _is_diagnostics),
    parse=_parse_diagnostics,
)  # fmt: skip
