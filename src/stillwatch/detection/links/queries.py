"""Set-level queries that turn the sample into the account x attribute table: only values that two accounts or more carry."""

from __future__ import annotations

from stillwatch.detection.links.kinds import Kind
from stillwatch.engines.protocol import Query
from stillwatch.records.table import Column, TableSchema

_SCALARS = (
    (Kind.SHAPE, "shape"),
    (Kind.PREFIX, "prefix"),
    (Kind.SUFFIX, "suffix"),
    (Kind.SYSTEM, "system"),
    (Kind.PAYMENT, "payment"),
    (Kind.IP, "ip"),
    (Kind.NETWORK, "network"),
    (Kind.TLS, "tls"),
    (Kind.USER_AGENT, "user_agent"),
    (Kind.EMAIL_DOMAIN, "email_domain"),
    (Kind.ORGANIZATION, "organization"),
    (Kind.BEHAVIOUR, "parameters"),
    (Kind.TOOLS, "tools"),
    (Kind.CONFIGURATION, "configuration"),
)

BANDS_KEPT = 4
"""One in so many band values is kept, by its hash, the same for every account: a template has many, and they are most of the table."""
LEAST_WORDS = 8
"""Shorter prompts ("thanks, go on") coincide by nature and link nobody."""

_FROM_FACTS = ((Kind.PAYMENT, "payment"), (Kind.EMAIL_DOMAIN, "email_domain"), (Kind.ORGANIZATION, "organization"))


def _attributes_sql() -> str:
    """Say the pieces of the attribute table: (kind, account, value, exchanges, prompt)."""
    prompt = "CASE WHEN exact IS NULL THEN delivery ELSE exact END AS prompt"
    lists = [
        f"SELECT {int(kind)} AS kind, account, value, 1 AS exchanges, prompt FROM ("
        f"SELECT account, {{explode}}({column}) AS value, {prompt} FROM sample) AS {column}{narrowing}"
        for kind, column, narrowing in (
            (Kind.SPAN, "spans", ""),
            (Kind.BAND, "bands", f" WHERE value % {BANDS_KEPT} = 0"),
        )
    ]
    scalars = [
        f"SELECT {int(kind)} AS kind, account, {column} AS value, 1 AS exchanges, {prompt} FROM sample"
        f" WHERE {column} IS NOT NULL" + (f" AND prompt_words >= {LEAST_WORDS}" if kind is Kind.SHAPE else "")
        for kind, column in _SCALARS
    ]
    facts = [
        f"SELECT {int(kind)} AS kind, account, {column} AS value, 0 AS exchanges, account AS prompt FROM facts"
        f" WHERE {column} IS NOT NULL"
        for kind, column in _FROM_FACTS
    ]
    return "\nUNION ALL\n".join(lists + scalars + facts)


FACTS = TableSchema(
    name="facts",
    columns=(
        Column(name="account", type="int64", required=True, about="Hash of the account id."),
        Column(name="payment", type="int64", about="Hash of payment_id."),
        Column(name="email_domain", type="int64", about="Hash of email_domain."),
        Column(name="organization", type="int64", about="Hash of organization_id."),
    ),
)
"""Account facts from an accounts file, hashed like the log columns; empty when there is no such file."""

ATTRIBUTES = Query(
    name="attributes",
    about=(
        "(kind, value, account) with the number of sampled exchanges that carry the value; 0 for a fact of the account."
        " Text counts only where the account has it in two different prompts: a template, not one prompt that many send."
    ),
    reads=("sample", "facts"),
    gives=TableSchema(
        name="attributes",
        columns=(
            Column(name="kind", type="int32", required=True, about="A number of `Kind`."),
            Column(name="value", type="int64", required=True, about="Hash of the value."),
            Column(name="account", type="int64", required=True, about="Hash of the account id."),
            Column(
                name="exchanges", type="int64", required=True, about="Sampled exchanges of the account with the value."
            ),
        ),
    ),
    sql=f"""
SELECT kind, value, account, sum(exchanges) AS exchanges
FROM (
{_attributes_sql()}
) AS pieces
GROUP BY kind, value, account
HAVING kind >= {int(Kind.PAYMENT)} OR min(prompt) < max(prompt)
""",
)

PAYING = Query(
    name="paying",
    about="Accounts whose payment is known.",
    reads=("attributes",),
    gives=TableSchema(
        name="paying",
        columns=(Column(name="account", type="int64", required=True, about="Hash of the account id."),),
    ),
    sql=f"SELECT account FROM attributes WHERE kind = {int(Kind.PAYMENT)} GROUP BY account ORDER BY account",
)

SHARED = Query(
    name="shared",
    about="Rows of `attributes` whose value is carried by at least two accounts.",
    reads=("attributes",),
    gives=TableSchema(name="shared", columns=ATTRIBUTES.gives.columns),
    sql="""
SELECT a.kind, a.value, a.account, a.exchanges
FROM attributes AS a
JOIN (
    SELECT kind, value FROM attributes GROUP BY kind, value HAVING count(*) >= 2
) AS common ON a.kind = common.kind AND a.value = common.value
ORDER BY a.kind, a.value, a.account
""",
)

DEGREES = Query(
    name="degrees",
    about="Per kind and number of carriers: how many values have so many; the background of unrelated coincidence.",
    reads=("attributes",),
    gives=TableSchema(
        name="degrees",
        columns=(
            Column(name="kind", type="int32", required=True, about="A number of `Kind`."),
            Column(name="carriers", type="int64", required=True, about="Accounts that carry the value."),
            Column(name="distinct_values", type="int64", required=True, about="Values with so many carriers."),
        ),
    ),
    sql="""
SELECT kind, carriers, count(*) AS distinct_values
FROM (SELECT kind, value, count(*) AS carriers FROM attributes GROUP BY kind, value) AS valued
GROUP BY kind, carriers
ORDER BY kind, carriers
""",
)
