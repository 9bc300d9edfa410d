"""What a query may not contain, and how the refusal reads."""

from __future__ import annotations

import pytest
from asking import query, schema

from stillwatch.engines import Query
from stillwatch.engines.errors import QueryError
from stillwatch.engines.rules import RULES, code_of, order_columns

REFUSED = {
    "SELECT hash(x) AS x FROM t": "'hash(' is refused, for each engine has its own hash",
    "SELECT xxhash64 (x) AS x FROM t": "own hash",
    "SELECT approx_count_distinct(x) AS x FROM t": "approximate",
    "SELECT RANDOM() AS x FROM t": "run to run",
    "SELECT x FROM t TABLESAMPLE (10 PERCENT)": "run to run",
    "SELECT first(x) AS x FROM t": "order of the input",
    "SELECT any_value(x) AS x FROM t": "order of the input",
    "SELECT max_by(x, y) AS x FROM t": "ties",
    "SELECT list(x) AS x FROM t": "order of the elements",
    "SELECT array_agg(x) AS x FROM t": "array_sort",
    "SELECT avg(x) AS x FROM t": "statistics",
    "SELECT quantile_cont(x, 1) AS x FROM t": "statistics",
    "SELECT CAST(x AS DOUBLE) AS x FROM t": "compare integers",
    "SELECT x::decimal AS x FROM t": "compare integers",
    "SELECT x FROM t WHERE x > 0.5": "compare integers",
    "SELECT x FROM t WHERE x > 1e6": "compare integers",
    "SELECT x / 2 AS x FROM t": "div",
    "SELECT x // 2 AS x FROM t": "div",
    "SELECT x ^ 2 AS x FROM t": "different things",
    "SELECT x FROM t WHERE x < now()": "wall clock",
    "SELECT unnest(x) AS x FROM t": "explode",
    "SELECT explode(x) AS x FROM t": "explode",
    'SELECT "x" FROM t': "quote",
    "SELECT `x` FROM t": "quote",
    "SELECT x FROM t;": "one statement",
    "SELECT x FROM t QUALIFY row_number() OVER (ORDER BY x) = 1": "outer SELECT",
    "SELECT DISTINCT ON (x) x FROM t": "arbitrary row",
    "DELETE FROM t": "SELECT or WITH",
    "SELECT {unknown}(x) AS x FROM t": r"placeholder '{unknown}' is unknown",
    "SELECT x FROM other": "'reads' says t; FROM and JOIN name other",
    "SELECT x FROM t JOIN u ON t.x = u.x": "FROM and JOIN name t, u",
}

ALLOWED = (
    "SELECT x FROM t -- not a hash( of anything / at all;",
    "SELECT x FROM t /* first( */ WHERE 'any_value(x) / 2; \"' <> 'it''s random()'",
    "SELECT {explode}(x) AS x FROM t",
    "SELECT array_sort(array_agg(DISTINCT x)) AS x FROM t",
    "WITH a AS (SELECT x FROM t), b (x) AS (SELECT x FROM a) SELECT x FROM b JOIN a ON a.x IS NOT DISTINCT FROM b.x",
    "SELECT max(exact) AS x, min(first_us) AS y, max(last_us) AS list_us FROM t",
    "SELECT x FROM (SELECT x FROM t ORDER BY x NULLS FIRST) AS s",
)


@pytest.mark.parametrize("sql", REFUSED)
def test_what_engines_answer_differently_is_refused(sql: str) -> None:
    with pytest.raises(QueryError) as caught:
        query(sql, "t", x="int64")
    assert REFUSED[sql] in str(caught.value)


@pytest.mark.parametrize("sql", ALLOWED)
def test_comments_literals_and_harmless_names_are_not(sql: str) -> None:
    assert query(sql, "t", x="int64").sql == sql


def test_every_rule_has_a_query_that_it_refuses() -> None:
    idle = [rule.why for rule in RULES if not any(rule.pattern.search(code_of(sql)) for sql in REFUSED)]
    assert idle == []


def test_all_that_is_broken_is_said_at_once_with_its_line() -> None:
    with pytest.raises(QueryError) as caught:
        Query(
            name="Broken query",
            sql="SELECT avg(x) AS x,\n  '\n' AS y, -- avg(\n  rand() AS z\nFROM t",
            reads=("t",),
            gives=schema("broken", x="float64"),
            about="Wrong on purpose.",
        )
    message = str(caught.value)
    assert message.splitlines()[1:] == [
        "  'Broken query' is no name; expected lower-case words joined by underscores",
        "  output column 'x' is float64; queries give integers, from which statistics computes floats",
        "  line 4: 'rand(' is refused, for the result would change from run to run; draw in Python with a seeded generator",
        (
            "  line 1: 'avg(' is refused, for a float that moves a decision is computed once, in statistics; give the"
            " integers that it is computed from"
        ),
    ]


def test_output_columns_are_at_least_one_and_different() -> None:
    with pytest.raises(QueryError, match="at least one"):
        query("SELECT 1 AS x")
    twice = schema("twice", x="int64").columns * 2
    with pytest.raises(QueryError, match="each with its own name"):
        Query(
            name="twice", sql="SELECT 1 AS x", reads=(), gives=schema("t").__class__(name="t", columns=twice), about=""
        )


@pytest.mark.parametrize(
    ("tail", "keys"),
    [
        ("ORDER BY x", ("x",)),
        ("ORDER BY x DESC NULLS LAST, t.y ASC -- why", ("x", "y")),
        ("ORDER BY y, x LIMIT 10", ("y", "x")),
        ("order by\n  y\n", ("y",)),
    ],
)
def test_the_outermost_order_is_read(tail: str, keys: tuple[str, ...]) -> None:
    sql = f"SELECT x, row_number() OVER (ORDER BY z) AS y FROM (SELECT x, z FROM t ORDER BY z) AS t {tail}"
    assert order_columns(name="q", sql=sql, gives=schema("q", x="int64", y="int64")) == keys


@pytest.mark.parametrize("tail", ["ORDER BY x + 1", "ORDER BY z", "ORDER BY 1", "ORDER BY abs(x)"])
def test_an_order_that_the_result_does_not_show_is_refused(tail: str) -> None:
    with pytest.raises(QueryError, match="expected plain output columns of x"):
        order_columns(name="q", sql=f"SELECT x FROM t {tail}", gives=schema("q", x="int64"))
