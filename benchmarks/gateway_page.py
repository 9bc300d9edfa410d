"""Sections of docs/results.md on the gateway: latency, throughput, and what campaigns get out before they are stopped.

Takes the documents that their benchmarks wrote. Gives Markdown, a paragraph or a table at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from benchmarks.results_page import table


def gateway(document: Mapping[str, Any]) -> Iterator[str]:
    """Tell what the gateway adds to a request."""
    measured = document["measured"]
    alone = ", ".join(f"{kind} {value:.1f} us" for kind, value in measured["decide_us"].items())
    spent = measured["asgi"]["processor_us"]
    yield (
        f"A decision alone: {alone}. Processor time of a request through the middleware: {spent['with']:.0f} us, {spent['without']:.0f} us without. Bundle of {measured['accounts']:,} accounts, "
        f"{measured['rate']:.0f} requests a second, open loop."
    )
    if "child" in measured:
        child = measured["child"]
        yield (
            f"One process of live sketches sketches {child['exchanges_per_s']:,.0f} exchanges a second, in {child['memory_mb']:.0f} MB."
        )
    rows = []
    for name, found, goals in (
        ("ASGI middleware, in process", measured["asgi"], ("0.3", "1")),
        ("the same with live sketches", measured["asgi"].get("sketched", {}), ("0.3", "1")),
        ("reverse proxy over loopback", measured["proxy"], ("none", "none")),
    ):
        for word, goal in zip(("p50", "p99"), goals, strict=True):
            if word not in found:  # measured by an older version
                continue
            one = found[word]
            rows.append(
                [name, word, f"{one['added']:.2f} ms", f"{one['added_least']:.2f} to {one['added_most']:.2f} ms", goal]
            )
    yield table(["where", "", "added, median of the rounds", "least to most", "goal, ms"], rows)


def litellm(document: Mapping[str, Any]) -> Iterator[str]:
    """Tell the throughput of the LiteLLM proxy with the guard beside without."""
    ratio, spent = document["throughput_ratio"], document["processor_time_ratio"]
    yield (
        f"LiteLLM {document['litellm']}, {document['clients']} clients, {document['accounts_in_bundle']:,} accounts in the bundle: throughput with the guard is {ratio['ratio']:.2f} of that without "
        f"({ratio['low']:.2f} to {ratio['high']:.2f}; goal 0.95), processor time of a request {spent['ratio']:.2f} ({spent['low']:.2f} to {spent['high']:.2f}). Blocks with and without take turns."
    )


def drills(document: Mapping[str, Any]) -> Iterator[str]:
    """Tell what simulated campaigns got before alert and action."""
    yield (
        "A simulated campaign through a live gateway, with detection, decision, approval and bundle between the days; the control detects on the same exchanges with accounts shuffled. A run without "
        "an alarm counts as infinitely many answers."
    )
    rows = [
        [
            one["profile"],
            f"{one['alarmed']['count']}/{one['seeds']} ({one['alarmed']['interval'][0]:.0%} to {one['alarmed']['interval'][1]:.0%})",
            f"{one['control_alarmed']['count']}/{one['seeds']}",
            _middle(one["answers_before_alert"]),
            _middle(one["answers_before_action"]),
            _middle(one["answers_in_all"]),
            f"{one['accounts_linked']}/{one['accounts_of_the_campaign']}",
            str(one["honest_accounts_flagged"]),
            str(one["honest_requests_refused"]),
            one["state"],
        ]
        for one in document["profiles"]
    ]
    yield table(
        [
            "profile",
            "alarm",
            "alarm on the control",
            "answers before alert, median",
            "before action",
            "in all",
            "accounts linked",
            "honest accounts flagged",
            "honest requests refused",
            "state",
        ],
        rows,
    )


def _middle(median: Mapping[str, Any]) -> str:
    """Write a median with its interval."""
    value, low, high = ("no end" if one is None else f"{one:,.0f}" for one in (median["median"], *median["interval"]))
    return f"{value} ({low} to {high})"
