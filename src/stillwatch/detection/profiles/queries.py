"""Set-level queries over all exchanges: repeated deliveries, one integer profile per account, days, and the bounded sample.

Everything after these reads the profile and the sample only, so the cost of the rest is bounded by the number of accounts.
"""

from __future__ import annotations

from stillwatch.engines.protocol import Query
from stillwatch.records.sketch import CAPABILITY_SIGNS, EXTRACTION_SIGNS, SKETCH, Intent, ResponseSign
from stillwatch.records.table import Column, TableSchema

REPEATED = Query(
    name="repeated",
    about="One row: rows read, and rows that are repeated deliveries of an exchange already seen.",
    reads=("deliveries",),
    gives=TableSchema(
        name="repeated",
        columns=(
            Column(name="seen", type="int64", required=True, about="Rows read."),
            Column(name="repeats", type="int64", required=True, about="Rows beyond the first of each delivery."),
        ),
    ),
    sql="SELECT count(*) AS seen, count(*) - count(DISTINCT delivery) AS repeats FROM deliveries ORDER BY seen",
)

_COLUMNS = ", ".join(SKETCH.names)

EXCHANGES = Query(
    name="exchanges",
    about="Every exchange once: of equal deliveries one with prompt and answer, then the earliest, then the first in the files.",
    reads=("deliveries",),
    gives=SKETCH,
    sql=f"""
SELECT {_COLUMNS} FROM (
    SELECT {_COLUMNS},
           row_number() OVER (
               PARTITION BY delivery
               ORDER BY CASE WHEN prompt_bytes IS NULL THEN 1 ELSE 0 END, CASE WHEN response_bytes IS NULL THEN 1 ELSE 0 END,
                        time_us, source_no, source_offset
           ) AS place
    FROM deliveries
) AS ranked
WHERE place = 1
""",
)

_CAPABILITIES = ",\n       ".join(
    f"sum(CASE WHEN (intent & {int(signs)}) <> 0 THEN 1 ELSE 0 END) AS capability_{place}"
    for place, signs in enumerate(CAPABILITY_SIGNS)
)

PROFILES = Query(
    name="profiles",
    about="One row per account: exact integer sufficient statistics over all of its exchanges.",
    reads=("exchanges",),
    gives=TableSchema(
        name="profiles",
        columns=(
            Column(name="account", type="int64", required=True, about="Hash of the account id."),
            Column(name="account_id", type="string", required=True, about="The account id."),
            Column(
                name="other_id", type="string", required=True, about="Equal to account_id unless two ids share a hash."
            ),
            Column(name="exchanges", type="int64", required=True, about="Exchanges."),
            Column(name="first_us", type="int64", required=True, about="First exchange, microseconds UTC."),
            Column(name="last_us", type="int64", required=True, about="Last exchange, microseconds UTC."),
            Column(name="active_days", type="int64", required=True, about="Days with an exchange."),
            Column(name="prompts", type="int64", required=True, about="Exchanges with prompt text."),
            Column(name="extraction", type="int64", required=True, about="Exchanges with a sign of harvesting."),
            *(
                Column(
                    name=f"capability_{place}",
                    type="int64",
                    required=True,
                    about="Exchanges that show this capability.",
                )
                for place in range(len(CAPABILITY_SIGNS))
            ),
            Column(name="created_us", type="int64", about="Registration time in the logs."),
        ),
    ),
    sql=f"""
SELECT account,
       min(account_id) AS account_id,
       max(account_id) AS other_id,
       count(*) AS exchanges,
       min(time_us) AS first_us,
       max(time_us) AS last_us,
       count(DISTINCT day) AS active_days,
       count(prompt_bytes) AS prompts,
       sum(CASE WHEN (intent & {int(EXTRACTION_SIGNS)}) <> 0 THEN 1 ELSE 0 END) AS extraction,
       {_CAPABILITIES},
       min(account_created_us) AS created_us
FROM exchanges
GROUP BY account
ORDER BY account
""",
)

DAYS = Query(
    name="days",
    about="Exchanges per day over all accounts.",
    reads=("exchanges",),
    gives=TableSchema(
        name="days",
        columns=(
            Column(name="day", type="int32", required=True, about="Days since the epoch."),
            Column(name="exchanges", type="int64", required=True, about="Exchanges."),
        ),
    ),
    sql="SELECT day, count(*) AS exchanges FROM exchanges GROUP BY day ORDER BY day",
)

COLUMNS_SEEN = Query(
    name="columns_seen",
    about="One row: of all exchanges, how many have each optional kind of telemetry.",
    reads=("exchanges",),
    gives=TableSchema(
        name="columns_seen",
        columns=tuple(
            Column(name=name, type="int64", required=True, about="Rows where it is not null.")
            for name in (
                "exact", "system", "turns", "session", "output_tokens", "reasoning_tokens", "response_signs", "ip",
                "tls", "user_agent", "payment", "email_domain", "organization", "parameters", "model",
                "account_created_us", "status",
            )
        ),
    ),
    sql="""
SELECT count(exact) AS exact, count(system) AS system, count(turns) AS turns, count(session) AS session,
       count(output_tokens) AS output_tokens, count(reasoning_tokens) AS reasoning_tokens,
       count(response_signs) AS response_signs, count(ip) AS ip, count(tls) AS tls, count(user_agent) AS user_agent,
       count(payment) AS payment, count(email_domain) AS email_domain, count(organization) AS organization,
       count(parameters) AS parameters, count(model) AS model, count(account_created_us) AS account_created_us,
       count(status) AS status
FROM exchanges
ORDER BY exact
""",
)  # fmt: skip

SAMPLE_COLUMNS = (
    "account", "exchange_id", "delivery", "source_no", "source_offset", "source_length", "time_us", "day", "hour",
    "minute", "exact", "shape", "opening", "prefix", "suffix", "system", "spans", "bands", "intent", "prompt_words",
    "turns", "output_tokens", "reasoning_tokens", "response_signs", "organization", "ip", "network",
    "user_agent", "tls", "payment", "email_domain", "session", "tools", "parameters", "configuration", "model", "endpoint", "max_tokens",
)  # fmt: skip

SAMPLE = Query(
    name="sample",
    about="A uniform sample of each account's exchanges, chosen by hash: about `per_account` of them, all when it has fewer.",
    reads=("exchanges", "profiles", "sampling"),
    gives=TableSchema(name="sample", columns=tuple(SKETCH.column(name) for name in SAMPLE_COLUMNS)),
    sql=f"""
SELECT {", ".join("e." + name for name in SAMPLE_COLUMNS)}
FROM exchanges AS e
JOIN profiles AS p ON e.account = p.account
CROSS JOIN sampling AS s
WHERE ((e.delivery % p.exchanges) + p.exchanges) % p.exchanges < s.per_account
""",
)

SAMPLE_SIZES = Query(
    name="sample_sizes",
    about="One row per account: its exchanges in the sample.",
    reads=("sample",),
    gives=TableSchema(
        name="sample_sizes",
        columns=(
            Column(name="account", type="int64", required=True, about="Hash of the account id."),
            Column(name="sampled", type="int64", required=True, about="Exchanges in the sample."),
        ),
    ),
    sql="SELECT account, count(*) AS sampled FROM sample GROUP BY account ORDER BY account",
)


def _edges_sql(column: str, edges: tuple[int, ...]) -> str:
    cases = " ".join(f"WHEN {column} < {edge} THEN {place}" for place, edge in enumerate(edges))
    return f"CASE {cases} ELSE {len(edges)} END"


GAP_EDGES_US = tuple(
    1_000_000 * seconds
    for seconds in (1, 5, 20, 60, 180, 600, 1_200, 1_800, 2_700, 3_600, 7_200, 14_400, 28_800, 86_400)
)
WORD_EDGES = (4, 8, 12, 18, 26, 36, 50, 70, 100, 150, 250, 500, 1_000)
OUTPUT_EDGES = (2, 8, 24, 60, 100, 150, 220, 320, 450, 650, 900, 1_300, 2_000, 4_000)
DAY_CYCLE = 32
"""Days are counted round a cycle: a run of a month has a bin for each day, a longer one lays later days over the first ones."""
FEATURES = ("hours", "gaps", "words", "outputs", "openings", "days")
"""Histogram features of an account; a row's `feature` is the index here."""
FEATURE_BINS = (24, len(GAP_EDGES_US) + 1, len(WORD_EDGES) + 1, len(OUTPUT_EDGES) + 1, 32, DAY_CYCLE)

HISTOGRAMS = Query(
    name="histograms",
    about="Per account and feature: exchanges in each bin (hour of the day, gap to the next, words, output tokens, opening, day).",
    reads=("exchanges",),
    gives=TableSchema(
        name="histograms",
        columns=(
            Column(name="account", type="int64", required=True, about="Hash of the account id."),
            Column(name="feature", type="int32", required=True, about="Index into FEATURES."),
            Column(name="bin", type="int32", required=True, about="Bin, from 0."),
            Column(name="exchanges", type="int64", required=True, about="Exchanges."),
        ),
    ),
    sql=f"""
SELECT account, 0 AS feature, hour % 24 AS bin, count(*) AS exchanges
FROM exchanges GROUP BY account, hour % 24
UNION ALL
SELECT account, 1 AS feature, {_edges_sql("gap", GAP_EDGES_US)} AS bin, count(*) AS exchanges
FROM (
    SELECT account, lead(time_us) OVER (PARTITION BY account ORDER BY time_us) - time_us AS gap FROM exchanges
) AS followed
WHERE gap IS NOT NULL GROUP BY account, {_edges_sql("gap", GAP_EDGES_US)}
UNION ALL
SELECT account, 2 AS feature, {_edges_sql("prompt_words", WORD_EDGES)} AS bin, count(*) AS exchanges
FROM exchanges WHERE prompt_words IS NOT NULL GROUP BY account, {_edges_sql("prompt_words", WORD_EDGES)}
UNION ALL
SELECT account, 3 AS feature, {_edges_sql("output_tokens", OUTPUT_EDGES)} AS bin, count(*) AS exchanges
FROM exchanges WHERE output_tokens IS NOT NULL GROUP BY account, {_edges_sql("output_tokens", OUTPUT_EDGES)}
UNION ALL
SELECT account, 4 AS feature, ((opening % 32) + 32) % 32 AS bin, count(*) AS exchanges
FROM exchanges WHERE opening IS NOT NULL GROUP BY account, ((opening % 32) + 32) % 32
UNION ALL
SELECT account, 5 AS feature, ((day % {DAY_CYCLE}) + {DAY_CYCLE}) % {DAY_CYCLE} AS bin, count(*) AS exchanges
FROM exchanges GROUP BY account, ((day % {DAY_CYCLE}) + {DAY_CYCLE}) % {DAY_CYCLE}
ORDER BY account, feature, bin
""",
)

RELEASES = TableSchema(
    name="releases",
    columns=(
        Column(name="model", type="string", required=True, about="Model as logged."),
        Column(name="released_us", type="int64", required=True, about="Release time, microseconds UTC."),
    ),
)
"""Input table: the release calendar."""

PIVOTS = Query(
    name="pivots",
    about="Per account and release: exchanges in the 48 hours after it, and those of them that use the new model.",
    reads=("exchanges", "releases"),
    gives=TableSchema(
        name="pivots",
        columns=(
            Column(name="model", type="string", required=True, about="The released model."),
            Column(name="account", type="int64", required=True, about="Hash of the account id."),
            Column(name="inside", type="int64", required=True, about="Exchanges in the window."),
            Column(name="moved", type="int64", required=True, about="Of these, with the released model."),
        ),
    ),
    sql="""
SELECT r.model AS model, e.account AS account, count(*) AS inside,
       sum(CASE WHEN e.model = r.model THEN 1 ELSE 0 END) AS moved
FROM exchanges AS e
JOIN releases AS r ON e.time_us >= r.released_us AND e.time_us < r.released_us + 172800000000
GROUP BY r.model, e.account
ORDER BY model, account
""",
)

RAMPS = Query(
    name="ramps",
    about="Per account: the sampled exchange before which it had sent least for the time passed since its first one.",
    reads=("sample",),
    gives=TableSchema(
        name="ramps",
        columns=(
            Column(name="account", type="int64", required=True, about="Hash of the account id."),
            Column(name="counted", type="int64", required=True, about="Sampled exchanges."),
            Column(name="first_minute", type="int32", required=True, about="Minute of the first one since the epoch."),
            Column(name="last_minute", type="int32", required=True, about="Minute of the last one."),
            Column(name="ramp_minute", type="int32", required=True, about="Minute from which it sent more."),
            Column(name="before", type="int64", required=True, about="Sampled exchanges before that."),
        ),
    ),
    sql="""
SELECT account, counted, first_minute, last_minute, minute AS ramp_minute, place AS before
FROM (
    SELECT account, counted, first_minute, last_minute, minute, place,
           row_number() OVER (
               PARTITION BY account
               ORDER BY counted * (minute - first_minute) - place * (last_minute - first_minute) DESC, place
           ) AS turn
    FROM (
        SELECT account, minute,
               row_number() OVER (PARTITION BY account ORDER BY time_us, delivery) - 1 AS place,
               count(*) OVER (PARTITION BY account) AS counted,
               min(minute) OVER (PARTITION BY account) AS first_minute,
               max(minute) OVER (PARTITION BY account) AS last_minute
        FROM sample
    ) AS placed
) AS ranked
WHERE turn = 1
ORDER BY account
""",
)
"""The time at which the cumulative count is farthest below a straight line (CUSUM; Page 1954), in whole numbers."""

TECHNIQUES = Intent.PROBING | Intent.REASONING_TRACE | Intent.THINKING_LANGUAGE
"""Signs of a technique that brings out what the model does not show."""
_TEMPLATED = "(prefix_uses >= 3 AND 10 * prefix_uses >= counted) OR (suffix_uses >= 3 AND 10 * suffix_uses >= counted)"
"""Wording of an exchange that a tenth of the account's exchanges share, three at least."""

EXPLORATION = Query(
    name="exploration",
    about="Per account: techniques in wordings of their own and templated wording, in the first quarter and the last half of its sampled prompts.",
    reads=("sample",),
    gives=TableSchema(
        name="exploration",
        columns=(
            Column(name="account", type="int64", required=True, about="Hash of the account id."),
            Column(name="early", type="int64", required=True, about="Sampled prompts in the first quarter."),
            Column(name="early_tried", type="int64", required=True, about="Of these, techniques in own wording."),
            Column(name="early_templated", type="int64", required=True, about="Of these, in a wording used often."),
            Column(name="late", type="int64", required=True, about="Sampled prompts in the last half."),
            Column(name="late_tried", type="int64", required=True, about="Of these, techniques in own wording."),
            Column(name="late_templated", type="int64", required=True, about="Of these, in a wording used often."),
        ),
    ),
    sql=f"""
SELECT account,
       sum(CASE WHEN 4 * place < counted THEN 1 ELSE 0 END) AS early,
       sum(CASE WHEN 4 * place < counted AND technique AND NOT templated THEN 1 ELSE 0 END) AS early_tried,
       sum(CASE WHEN 4 * place < counted AND templated THEN 1 ELSE 0 END) AS early_templated,
       sum(CASE WHEN 2 * place >= counted THEN 1 ELSE 0 END) AS late,
       sum(CASE WHEN 2 * place >= counted AND technique AND NOT templated THEN 1 ELSE 0 END) AS late_tried,
       sum(CASE WHEN 2 * place >= counted AND templated THEN 1 ELSE 0 END) AS late_templated
FROM (
    SELECT account, place, counted, (intent & {int(TECHNIQUES)}) <> 0 AS technique, ({_TEMPLATED}) AS templated
    FROM (
        SELECT account, intent,
               row_number() OVER (PARTITION BY account ORDER BY time_us, delivery) - 1 AS place,
               count(*) OVER (PARTITION BY account) AS counted,
               count(prefix) OVER (PARTITION BY account, prefix) AS prefix_uses,
               count(suffix) OVER (PARTITION BY account, suffix) AS suffix_uses
        FROM sample
        WHERE exact IS NOT NULL
    ) AS placed
) AS worded
GROUP BY account
ORDER BY account
""",
)

ANSWERS = Query(
    name="answers",
    about="Per account: answers with known signs, those with inline reasoning, and reasoning tokens, over all exchanges.",
    reads=("exchanges",),
    gives=TableSchema(
        name="answers",
        columns=(
            Column(name="account", type="int64", required=True, about="Hash of the account id."),
            Column(name="answers", type="int64", required=True, about="Exchanges with answer text."),
            Column(name="inline", type="int64", required=True, about="Of these, with reasoning in the visible answer."),
            Column(name="counted", type="int64", required=True, about="Exchanges with a count of reasoning tokens."),
            Column(name="reasoning_tokens", type="int64", required=True, about="Their sum."),
        ),
    ),
    sql=f"""
SELECT account,
       count(response_signs) AS answers,
       sum(CASE WHEN (response_signs & {int(ResponseSign.INLINE_REASONING)}) <> 0 THEN 1 ELSE 0 END) AS inline,
       count(reasoning_tokens) AS counted,
       sum(CASE WHEN reasoning_tokens IS NULL THEN 0 ELSE reasoning_tokens END) AS reasoning_tokens
FROM exchanges
GROUP BY account
ORDER BY account
""",
)
