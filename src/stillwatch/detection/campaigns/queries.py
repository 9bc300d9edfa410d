"""Set-level queries about the members of candidate groups: their sampled exchanges, their minutes, hours and days."""

from __future__ import annotations

from stillwatch.engines.protocol import Query
from stillwatch.records.sketch import SKETCH
from stillwatch.records.table import Column, TableSchema

STUDIED = TableSchema(
    name="studied",
    columns=(Column(name="account", type="int64", required=True, about="Hash of an account that is asked about."),),
)
"""Input table: accounts of the candidates that are looked at, each once."""

STUDY_COLUMNS = (
    "account", "exchange_id", "delivery", "source_no", "source_offset", "source_length", "time_us", "exact", "shape",
    "prefix", "suffix", "system", "spans", "bands", "intent", "prompt_words", "response_signs", "network",
    "user_agent", "tls", "configuration",
)  # fmt: skip
"""What tests of candidates look at; a column that none needs is not read."""

STUDY = Query(
    name="study",
    about="Sampled exchanges of the accounts under study.",
    reads=("sample", "studied"),
    gives=TableSchema(name="study", columns=tuple(SKETCH.column(name) for name in STUDY_COLUMNS)),
    sql=f"""
SELECT {", ".join("s." + name for name in STUDY_COLUMNS)}
FROM sample AS s JOIN studied AS t ON s.account = t.account
ORDER BY account, delivery
""",
)

MINUTES = Query(
    name="minutes",
    about="The minutes in which the accounts under study act.",
    reads=("exchanges", "studied"),
    gives=TableSchema(
        name="minutes",
        columns=(
            Column(name="account", type="int64", required=True, about="Hash of the account id."),
            Column(name="minute", type="int32", required=True, about="Minutes since the epoch."),
        ),
    ),
    sql="""
SELECT e.account AS account, e.minute AS minute
FROM exchanges AS e JOIN studied AS t ON e.account = t.account
GROUP BY e.account, e.minute
ORDER BY account, minute
""",
)

HOURS = Query(
    name="hours",
    about="The hours in which the accounts under study act, and how many minutes of each.",
    reads=("exchanges", "studied"),
    gives=TableSchema(
        name="hours",
        columns=(
            Column(name="account", type="int64", required=True, about="Hash of the account id."),
            Column(name="hour", type="int32", required=True, about="Hours since the epoch."),
            Column(name="minutes", type="int64", required=True, about="Minutes of the hour in which it acts, 1 to 60."),
        ),
    ),
    sql="""
SELECT account, hour, count(*) AS minutes
FROM (
    SELECT e.account AS account, e.hour AS hour, e.minute AS minute
    FROM exchanges AS e JOIN studied AS t ON e.account = t.account
    GROUP BY e.account, e.hour, e.minute
) AS active
GROUP BY account, hour
ORDER BY account, hour
""",
)

MEMBER_DAYS = Query(
    name="member_days",
    about="Exchanges of the accounts under study per day and model.",
    reads=("exchanges", "studied"),
    gives=TableSchema(
        name="member_days",
        columns=(
            Column(name="account", type="int64", required=True, about="Hash of the account id."),
            Column(name="day", type="int32", required=True, about="Days since the epoch."),
            Column(name="model", type="string", about="Model as logged."),
            Column(name="exchanges", type="int64", required=True, about="Exchanges."),
        ),
    ),
    sql="""
SELECT e.account AS account, e.day AS day, e.model AS model, count(*) AS exchanges
FROM exchanges AS e JOIN studied AS t ON e.account = t.account
GROUP BY e.account, e.day, e.model
ORDER BY account, day, model
""",
)
