"""OTLP: the JSON of OpenTelemetry exporters becomes spans and log events with plain attributes.

Takes an OTLP document (`resourceSpans`, `resourceLogs`), a single span or log record as exporters write them to a line, or a bare
mapping of attributes. Gives `Signal`s. Attribute values may be wrapped (`stringValue`), plain, JSON text or structures.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from stillwatch.intake.formats.format import Record, first, mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """One span or one log event."""

    attributes: Record
    """Own attributes over those of the resource."""
    name: str
    """Name of the event; of a span, its own name."""
    body: Any
    """Body of a log event; null for a span."""
    trace: str | None
    """Trace and span id, or null where the source gives none."""
    start: Any
    end: Any
    events: tuple[Record, ...]
    """Events inside a span: mappings with `name` and plain `attributes`."""
    is_span: bool


def signals(record: Record) -> Iterator[Signal]:
    """Yield the spans and log events of a record; nothing when it holds none."""
    if "resourceSpans" in record or "resource_spans" in record:
        for resource, span in _inside(record, ("resourceSpans", "scopeSpans", "spans")):
            yield _span(span, resource)
    elif "resourceLogs" in record or "resource_logs" in record:
        for resource, event in _inside(record, ("resourceLogs", "scopeLogs", "logRecords")):
            yield _event(event, resource)
    elif first(record.get("EventName"), record.get("eventName"), record.get("event_name")) is not None:
        yield _event(record, {})
    elif "attributes" in record or "Attributes" in record:
        yield _span(record, {})
    else:
        yield Signal(attributes=record, name="", body=None, trace=None, start=None, end=None, events=(), is_span=True)


def _inside(record: Record, names: tuple[str, str, str]) -> Iterator[tuple[Record, Record]]:
    """Yield (resource attributes, item) of an OTLP document; older exporters write snake_case."""
    outer, scope, inner = names
    for group in _listed(record, outer):
        resource = plain_attributes(mapping(group.get("resource")).get("attributes"))
        scopes = _listed(group, scope) or _listed(group, "instrumentationLibrarySpans")
        for scoped in scopes:
            for item in _listed(scoped, inner):
                yield resource, item


def _listed(record: Record, name: str) -> list[Record]:
    snake = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)
    value = first(record.get(name), record.get(snake))
    return [mapping(item) for item in value] if isinstance(value, list) else []


def _span(span: Record, resource: Record) -> Signal:
    context = mapping(span.get("context"))
    own = plain_attributes(first(span.get("attributes"), span.get("Attributes")))
    events = tuple(
        {"name": event.get("name"), "attributes": plain_attributes(event.get("attributes"))}
        for event in _listed(span, "events")
    )
    return Signal(
        attributes={**resource, **own},
        name=str(first(span.get("name"), span.get("Name"), "")),
        body=None,
        trace=_trace(
            first(span.get("traceId"), span.get("trace_id"), context.get("trace_id"), span.get("TraceId")),
            first(span.get("spanId"), span.get("span_id"), context.get("span_id"), span.get("SpanId")),
        ),
        start=_moment(
            first(
                *(
                    span.get(name)
                    for name in ("startTimeUnixNano", "start_time_unix_nano", "start_time", "StartTime", "Timestamp")
                )
            )
        ),
        end=_moment(
            first(*(span.get(name) for name in ("endTimeUnixNano", "end_time_unix_nano", "end_time", "EndTime")))
        ),
        events=events,
        is_span=True,
    )


def _event(event: Record, resource: Record) -> Signal:
    own = plain_attributes(first(event.get("attributes"), event.get("Attributes")))
    moment = _moment(
        first(
            *(
                event.get(name)
                for name in ("timeUnixNano", "time_unix_nano", "observedTimeUnixNano", "Timestamp", "timestamp")
            )
        )
    )
    name = first(event.get("eventName"), event.get("EventName"), event.get("event_name"), own.get("event.name"), "")
    return Signal(
        attributes={**resource, **own},
        name=str(name),
        body=plain(first(event.get("body"), event.get("Body"))),
        trace=_trace(
            first(event.get("traceId"), event.get("trace_id"), event.get("TraceId")),
            first(event.get("spanId"), event.get("span_id"), event.get("SpanId")),
        ),
        start=moment,
        end=moment,
        events=(),
        is_span=False,
    )


def _trace(trace: object, span: object) -> str | None:
    return f"{trace}/{span}" if trace and span else None


def _moment(value: Any) -> Any:
    """OTLP writes nanoseconds as text or number, 0 when unset."""
    return None if value == 0 or value == "0" else value  # noqa: PLR1714 - the value may be of any type


def plain_attributes(attributes: object) -> Record:
    """Give attributes as a mapping, whether OTLP lists them or an exporter writes them as an object."""
    if isinstance(attributes, Mapping):
        return {str(name): plain(value) for name, value in attributes.items()}
    if not isinstance(attributes, list):
        return {}
    return {str(mapping(item).get("key")): plain(mapping(item).get("value")) for item in attributes}


def plain(value: object) -> Any:
    """Take an OTLP value out of its wrapper; structures inside are followed to a bounded depth."""
    return _unwrapped(value, 16)


def _unwrapped(value: object, depth: int) -> Any:
    if depth == 0 or not isinstance(value, Mapping) or len(value) != 1:
        return value
    name, inner = next(iter(value.items()))
    if name in {"stringValue", "boolValue", "doubleValue", "bytesValue"}:
        return inner
    if name == "intValue":
        return int(inner) if isinstance(inner, str) and inner.lstrip("-").isdigit() else inner
    if name == "arrayValue":
        return [_unwrapped(item, depth - 1) for item in _values(inner)]
    if name == "kvlistValue":
        return {
            str(mapping(item).get("key")): _unwrapped(mapping(item).get("value"), depth - 1) for item in _values(inner)
        }
    return value


def _values(inner: object) -> Iterable[Any]:
    values = mapping(inner).get("values")
    return values if isinstance(values, list) else ()
