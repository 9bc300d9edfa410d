"""Guard: a bundle and a request become a verdict, in process, in microseconds, without any input or output.

Takes a loaded bundle, which may be swapped at any time, and requests. Gives a verdict for each. Nobody can make it wait: the look-up is in
memory, and so are the counters of reduced rates. Where several processes share counters, `decide_shared` asks a server for throttled
accounts alone, with a hard limit of time; where that server is slow or gone, this process's own counters decide. So an outage can let a
throttled account have its rate once per process, and it changes nothing for accounts that are allowed, marked, challenged or blocked.

A failure of the guard itself is caught here, counted, and answered as the operator set: open (as if nothing were decided) or closed.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Protocol

from stillwatch.gateway.rates import LocalRates
from stillwatch.gateway.request import GatewayRequest
from stillwatch.integrity.enforcement_bundle import LoadedBundle
from stillwatch.records.decision import Action, BundleEntry, WhenStale
from stillwatch.records.verdict import ReasonCode, Verdict

_REASONS = {
    Action.ALLOW: ReasonCode.NO_DECISION,
    Action.MARK: ReasonCode.MARKED,
    Action.THROTTLE: ReasonCode.WITHIN_RATE,
    Action.CHALLENGE: ReasonCode.CHALLENGED,
    Action.BLOCK: ReasonCode.BLOCKED,
}


class SharedRates(Protocol):
    """Counters that several processes share."""

    async def wait_us(self, account_id: str, requests_per_minute: int) -> int | None:
        """Count a request; null where the server did not answer in time."""


class _Held:
    """A bundle with the verdicts of its rows, made once; swapped as a whole, so that no request sees half of one."""

    __slots__ = ("bundle", "fresh", "verdicts")

    def __init__(self, bundle: LoadedBundle | None) -> None:
        self.bundle = bundle
        version = None if bundle is None else bundle.bundle.version
        self.fresh = Verdict(
            action=Action.ALLOW, reason=ReasonCode.NO_DECISION, bundle_version=version, stale=bundle is None
        )
        entries = () if bundle is None else bundle.bundle.entries
        # Rows are told apart by identity: the bundle gives its own objects, and holds them as long as this is held.
        self.verdicts = {id(one): _verdict(one, version) for one in entries}


class Guard:
    """Decides requests. Safe to call from several threads: each step is one look-up or one replacement."""

    def __init__(
        self,
        bundle: LoadedBundle | None = None,
        *,
        rates: LocalRates | None = None,
        shared: SharedRates | None = None,
        when_failing: WhenStale = WhenStale.OPEN,
    ) -> None:
        """Begin.

        Args:
            bundle: that was opened; null to answer everybody until there is one.
            rates: counters of this process.
            shared: counters that several processes share, for `decide_shared`.
            when_failing: what becomes of a request on which the guard itself fails.
        """
        self._held = _Held(bundle)
        self._rates = LocalRates() if rates is None else rates
        self._shared = shared
        self._when_failing = when_failing
        self.verdicts: Counter[str] = Counter()
        """Number of verdicts by reason code."""
        self.failures: Counter[str] = Counter()
        """Number of failures of the guard itself, by kind of error."""

    @property
    def bundle(self) -> LoadedBundle | None:
        """The bundle in use."""
        return self._held.bundle

    @property
    def rates(self) -> LocalRates:
        """The counters of this process."""
        return self._rates

    def swap(self, bundle: LoadedBundle) -> None:
        """Use another bundle from the next request on; reduced rates go on counting where they were."""
        self._held = _Held(bundle)

    def decide(self, request: GatewayRequest) -> Verdict:
        """Give the verdict on a request, at once."""
        try:
            verdict, rate = self._look_up(request)
            if rate:
                verdict = self._local(verdict, request, rate)
        except Exception as error:  # noqa: BLE001  # the guard's boundary: no failure of ours may become the client's
            verdict = self._failed(error)
        self.verdicts[verdict.reason] += 1
        return verdict

    async def decide_shared(self, request: GatewayRequest) -> Verdict:
        """Give the verdict on a request, with the shared counters where the account's rate is reduced."""
        try:
            verdict, rate = self._look_up(request)
            if rate:
                wait = None
                if self._shared is not None and request.account_id is not None:
                    wait = await self._shared.wait_us(request.account_id, rate)
                verdict = self._local(verdict, request, rate) if wait is None else _throttled(verdict, wait)
        except Exception as error:  # noqa: BLE001  # the guard's boundary, as above
            verdict = self._failed(error)
        self.verdicts[verdict.reason] += 1
        return verdict

    def _look_up(self, request: GatewayRequest) -> tuple[Verdict, int]:
        """Give the verdict of the account's row, and its reduced rate; 0 for none."""
        held = self._held
        bundle, now_us = held.bundle, request.time_us
        if bundle is None:
            return held.fresh, 0
        entry = None if request.account_id is None else bundle.find(request.account_id, now_us)
        verdict = held.fresh if entry is None else held.verdicts[id(entry)]
        if bundle.is_stale(now_us):
            verdict = replace(verdict, stale=True)
        return verdict, 0 if entry is None else entry.requests_per_minute or 0

    def _local(self, verdict: Verdict, request: GatewayRequest, rate: int) -> Verdict:
        return _throttled(verdict, self._rates.wait_us(request.account_id or "", rate, request.time_us))

    def _failed(self, error: Exception) -> Verdict:
        self.failures[type(error).__name__] += 1
        action = Action.ALLOW if self._when_failing is WhenStale.OPEN else Action.BLOCK
        return Verdict(action=action, reason=ReasonCode.GUARD_FAILED, stale=True)


def _verdict(entry: BundleEntry, version: int | None) -> Verdict:
    return Verdict(
        action=entry.action,
        reason=_REASONS[entry.action],
        decision_id=entry.decision_id,
        clauses=entry.clauses,
        appeal=entry.appeal,
        key_id=entry.key_id,
        bundle_version=version,
    )


def _throttled(verdict: Verdict, wait_us: int) -> Verdict:
    if wait_us <= 0:
        return verdict
    return replace(verdict, reason=ReasonCode.OVER_RATE, retry_after_s=-(-wait_us // 1_000_000))
