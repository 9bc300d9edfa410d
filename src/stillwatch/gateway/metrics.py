"""Metrics: the state of a guard as text that Prometheus scrapes (exposition format 0.0.4).

Takes the parts of a running guard. Gives one page. Labels are words of this code alone: no account, no key, no text of anybody.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from stillwatch.gateway.admission import Admission
from stillwatch.gateway.bundle_source import BundleSource
from stillwatch.gateway.exchange_log import ExchangeLog
from stillwatch.gateway.live_sketches import LiveSketches

_PREFIX = "stillwatch_guard_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a guard is made of, as far as it is there."""

    admission: Admission
    source: BundleSource | None = None
    log: ExchangeLog | None = None
    shared_outcomes: Mapping[str, int] | None = None
    """Counts of `RedisRates`."""
    upstream: Mapping[str, int] | None = None
    """Counts of the proxy: `answered` and kinds of trouble."""
    in_flight: int = 0


def metrics_page(parts: Parts) -> str:
    """Give the page."""
    return "\n".join(_lines(parts)) + "\n"


def _lines(parts: Parts) -> Iterator[str]:
    admission = parts.admission
    guard = admission.guard
    yield from _counts("verdicts_total", "Verdicts by reason.", "reason", guard.verdicts)
    yield from _counts("failures_total", "Failures of the guard itself, by kind.", "kind", guard.failures)
    yield from _counts(
        "refused_total", "Requests refused for another reason than a decision.", "reason", admission.troubles
    )
    yield from _counts("stripped_total", "Members that no client may set, taken out.", "member", admission.stripped)
    yield from _one("unmarked_total", "counter", "Requests under mark that went on without one.", admission.unmarked)
    yield from _one("admission_seconds_sum", "counter", "Time spent in admission.", admission.spent_ns / 1e9)
    yield from _one("admission_seconds_count", "counter", "Requests of that time.", admission.passed)
    yield from _one("rates_accounts", "gauge", "Accounts whose reduced rate is counted here.", len(guard.rates))
    yield from _one("rates_evicted_total", "counter", "Accounts forgotten at the cap.", guard.rates.evicted)
    yield from _one("in_flight", "gauge", "Requests that are being answered.", parts.in_flight)
    bundle = guard.bundle
    stale = bundle is None or bundle.is_stale(admission.now_us())
    yield from _one("bundle_stale", "gauge", "1 where no bundle is loaded or it has expired.", int(stale))
    if bundle is not None:
        yield from _one("bundle_version", "gauge", "Version of the bundle in use.", bundle.bundle.version)
        yield from _one(
            "bundle_expires_seconds", "gauge", "When it expires, Unix time.", bundle.bundle.expires_us // 1_000_000
        )
        yield from _one("bundle_accounts", "gauge", "Accounts in it.", bundle.bundle.accounts)
    if parts.source is not None:
        yield from _counts("bundle_refused_total", "Bundles that did not pass, by kind.", "kind", parts.source.refused)
        yield from _one("bundle_swaps_total", "counter", "Bundles that were taken into use.", parts.source.swaps)
    if parts.log is not None:
        yield from _one("log_written_total", "counter", "Exchanges written to the log.", parts.log.written)
        yield from _one("log_dropped_total", "counter", "Exchanges of which the log has no line.", parts.log.dropped)
        yield from _one("log_waiting", "gauge", "Exchanges that wait to be written.", parts.log.waiting())
        if parts.log.sketches is not None:
            yield from _sketch_lines(parts.log.sketches)
    if parts.shared_outcomes is not None:
        yield from _counts("shared_rates_total", "Questions to the shared counters.", "outcome", parts.shared_outcomes)
    if parts.upstream is not None:
        yield from _counts("upstream_total", "What came of requests that went to the model.", "outcome", parts.upstream)


def _sketch_lines(sketches: LiveSketches) -> Iterator[str]:
    yield from _one("sketches_written_total", "counter", "Exchanges whose sketches are on the disk.", sketches.written)
    yield from _one("sketches_dropped_total", "counter", "Exchanges of which there is no sketch.", sketches.dropped)
    yield from _one("sketches_waiting", "gauge", "Exchanges whose sketches wait for the disk.", sketches.kept())
    yield from _one("sketches_starts_total", "counter", "Starts of the process that sketches.", sketches.starts)


def _one(name: str, kind: str, about: str, value: float) -> Iterator[str]:
    yield f"# HELP {_PREFIX}{name} {about}"
    yield f"# TYPE {_PREFIX}{name} {kind}"
    yield f"{_PREFIX}{name} {value}"


def _counts(name: str, about: str, label: str, counts: Mapping[str, int]) -> Iterator[str]:
    yield f"# HELP {_PREFIX}{name} {about}"
    yield f"# TYPE {_PREFIX}{name} counter"
    for word, count in sorted(dict(counts).items()):
        yield f'{_PREFIX}{name}{{{label}="{word}"}} {count}'
