"""Questions on which engines are known to differ: each has one written answer, and every engine must give it."""

from __future__ import annotations

from dataclasses import dataclass, field

import pyarrow as pa
import pytest
from asking import query

from stillwatch.engines import Engine
from stillwatch.records.table import ColumnType

LEAST, LARGEST = -(2**63), 2**63 - 1

THINGS = pa.table(
    {
        "id": pa.array(range(1, 9), pa.int32()),
        "account": ["b", "a", None, "b", "é", "Z", None, "𐀀"],
        "x": pa.array([7, -7, None, LARGEST, LEAST, 0, 3, 7], pa.int64()),
        "small": pa.array([1, 2, 3, None, 2**31 - 1, -5, 7, 1], pa.int32()),
        "flag": [True, False, None, True, None, False, True, None],
        "parts": pa.array([[3, 1, 3], [], None, [None, 2], [LEAST, LARGEST], [5], [1], []], pa.list_(pa.int64())),
    }
)
"""U+FFFD and U+10000 sort the other way round in UTF-16 than in UTF-8; the bank's strings test that bytes decide."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A question and its answer."""

    name: str
    sql: str
    columns: dict[str, ColumnType]
    rows: list[tuple[object, ...]] = field(default_factory=list)


CASES = (
    Case(
        name="nulls form one group",
        sql="SELECT account, count(*) AS n FROM things GROUP BY account ORDER BY account",
        columns={"account": "string", "n": "int64"},
        rows=[(None, 2), ("Z", 1), ("a", 1), ("b", 2), ("é", 1), ("𐀀", 1)],
    ),
    Case(
        name="nulls are last when descending",
        sql="SELECT account, id FROM things ORDER BY account DESC, id",
        columns={"account": "string", "id": "int32"},
        rows=[("𐀀", 8), ("é", 5), ("b", 1), ("b", 4), ("a", 2), ("Z", 6), (None, 3), (None, 7)],
    ),
    Case(
        name="strings order by their UTF-8 bytes",
        sql="""SELECT s FROM (
            SELECT '\ufffd' AS s UNION ALL SELECT '\U00010000' AS s UNION ALL SELECT 'e\u0301' AS s
            UNION ALL SELECT '\u00e9' AS s UNION ALL SELECT 'f' AS s UNION ALL SELECT '' AS s UNION ALL SELECT 'F' AS s
        ) AS t ORDER BY s""",
        columns={"s": "string"},
        rows=[("",), ("F",), ("e\u0301",), ("f",), ("\u00e9",), ("\ufffd",), ("\U00010000",)],
    ),
    Case(
        name="equal-looking strings of other bytes are not equal",
        sql="SELECT count(*) AS n FROM things WHERE account = 'e\u0301' OR account = 'B' OR account = 'b '",
        columns={"n": "int64"},
        rows=[(0,)],
    ),
    Case(
        name="least and greatest string",
        sql="SELECT min(account) AS least, max(account) AS most FROM things",
        columns={"least": "string", "most": "string"},
        rows=[("Z", "𐀀")],
    ),
    Case(
        name="integer division goes toward zero",
        sql="SELECT id, div(x, 2) AS half, div(x, -4) AS less FROM things WHERE id <= 2 OR id >= 6 ORDER BY id",
        columns={"id": "int32", "half": "int64", "less": "int64"},
        rows=[(1, 3, -1), (2, -3, 1), (6, 0, 0), (7, 1, 0), (8, 3, -1)],
    ),
    Case(
        name="integer division is exact beyond the digits of a float",
        sql="SELECT id, div(x, 3) AS third FROM things WHERE id IN (4, 5) ORDER BY id",
        columns={"id": "int32", "third": "int64"},
        rows=[(4, 3074457345618258602), (5, -3074457345618258602)],
    ),
    Case(
        name="the remainder has the sign of the dividend",
        sql="SELECT id, x % 1000 AS r, ((x % 1000) + 1000) % 1000 AS m FROM things WHERE x IS NOT NULL ORDER BY id",
        columns={"id": "int32", "r": "int64", "m": "int64"},
        rows=[(1, 7, 7), (2, -7, 993), (4, 807, 807), (5, -808, 192), (6, 0, 0), (7, 3, 3), (8, 7, 7)],
    ),
    Case(
        name="explode skips empty and null lists and keeps null elements",
        sql="SELECT id, part FROM (SELECT id, {explode}(parts) AS part FROM things) AS t ORDER BY id, part",
        columns={"id": "int32", "part": "int64"},
        rows=[(1, 1), (1, 3), (1, 3), (4, None), (4, 2), (5, LEAST), (5, LARGEST), (6, 5), (7, 1)],
    ),
    Case(
        name="count distinct leaves nulls out",
        sql="SELECT count(DISTINCT account) AS a, count(DISTINCT x) AS b, count(x) AS c, count(*) AS d FROM things",
        columns={"a": "int64", "b": "int64", "c": "int64", "d": "int64"},
        rows=[(5, 6, 7, 8)],
    ),
    Case(
        name="a sum over nothing is null, a count is zero",
        sql="SELECT sum(x) AS s, count(x) AS n, max(x) AS m FROM things WHERE id > 99",
        columns={"s": "int64", "n": "int64", "m": "int64"},
        rows=[(None, 0, None)],
    ),
    Case(
        name="sums of 32-bit integers are 64 bits wide",
        sql="SELECT sum(small) AS s FROM things",
        columns={"s": "int64"},
        rows=[(2**31 - 1 + 9,)],
    ),
    Case(
        name="the sum of both extremes",
        sql="SELECT sum(x) AS s FROM things WHERE id IN (4, 5)",
        columns={"s": "int64"},
        rows=[(-1,)],
    ),
    Case(
        name="booleans aggregate without nulls",
        sql="""SELECT account, bool_or(flag) AS some, bool_and(flag) AS every, count(flag) AS n
               FROM things GROUP BY account ORDER BY account""",
        columns={"account": "string", "some": "bool", "every": "bool", "n": "int64"},
        rows=[
            (None, True, True, 1),
            ("Z", False, False, 1),
            ("a", False, False, 1),
            ("b", True, True, 2),
            ("é", None, None, 0),
            ("𐀀", None, None, 0),
        ],
    ),
    Case(
        name="three-valued logic",
        sql="""SELECT id FROM things WHERE NOT flag OR flag IS NULL AND x NOT IN (7, 8) ORDER BY id""",
        columns={"id": "int32"},
        rows=[(2,), (5,), (6,)],
    ),
    Case(
        name="null equals nothing in a join and itself under IS NOT DISTINCT FROM",
        sql="""SELECT count(*) AS n, 1 AS kind FROM things AS a JOIN things AS b ON a.account = b.account
               UNION ALL
               SELECT count(*) AS n, 2 AS kind FROM things AS a JOIN things AS b
               ON a.account IS NOT DISTINCT FROM b.account ORDER BY kind""",
        columns={"n": "int64", "kind": "int32"},
        rows=[(4 + 4, 1), (4 + 4 + 4, 2)],
    ),
    Case(
        name="left join keeps what has no match",
        sql="""SELECT a.id AS id, b.id AS other FROM things AS a LEFT JOIN things AS b ON a.id = b.id + 6 ORDER BY id""",
        columns={"id": "int32", "other": "int32"},
        rows=[(1, None), (2, None), (3, None), (4, None), (5, None), (6, None), (7, 1), (8, 2)],
    ),
    Case(
        name="lag and lead over a total order",
        sql="""SELECT id, id - lag(id) OVER (PARTITION BY account ORDER BY id) AS gap,
                      lead(id) OVER (PARTITION BY account ORDER BY id) AS next_id FROM things ORDER BY id""",
        columns={"id": "int32", "gap": "int32", "next_id": "int32"},
        rows=[
            (1, None, 4),
            (2, None, None),
            (3, None, 7),
            (4, 3, None),
            (5, None, None),
            (6, None, None),
            (7, 4, None),
            (8, None, None),
        ],
    ),
    Case(
        name="row, range and default window frames",
        sql="""SELECT id,
                      count(*) OVER (ORDER BY id ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING) AS rows_near,
                      count(*) OVER (ORDER BY id RANGE BETWEEN 2 PRECEDING AND CURRENT ROW) AS ids_near,
                      sum(small) OVER (ORDER BY flag) AS until_peers
               FROM things WHERE small IS NOT NULL AND small < 100 ORDER BY id""",
        columns={"id": "int32", "rows_near": "int64", "ids_near": "int64", "until_peers": "int64"},
        rows=[(1, 2, 1, 9), (2, 3, 2, 1), (3, 3, 3, 4), (6, 3, 1, 1), (7, 3, 2, 9), (8, 2, 3, 4)],
    ),
    Case(
        name="nulls in a window's order come first",
        sql="""SELECT id, row_number() OVER (ORDER BY x, id) AS place, rank() OVER (ORDER BY x DESC) AS falling
               FROM things ORDER BY id""",
        columns={"id": "int32", "place": "int64", "falling": "int64"},
        rows=[(1, 6, 2), (2, 3, 6), (3, 1, 8), (4, 8, 1), (5, 2, 7), (6, 4, 5), (7, 5, 4), (8, 7, 2)],
    ),
    Case(
        name="bit operators on 64 bits, negatives included",
        sql="""SELECT id, x & 255 AS low, x | 1 AS odd, x >> 60 AS high, bit_count(x) AS ones
               FROM things WHERE id IN (1, 2, 4, 5) ORDER BY id""",
        columns={"id": "int32", "low": "int64", "odd": "int64", "high": "int64", "ones": "int64"},
        rows=[
            (1, 7, 7, 0, 3),
            (2, 249, -7, -1, 62),
            (4, 255, LARGEST, 7, 63),
            (5, 0, LEAST + 1, -8, 1),
        ],
    ),
    Case(
        name="lists aggregate sorted, without the nulls that were filtered out",
        sql="""SELECT account, array_sort(array_agg(x)) AS xs, array_sort(array_agg(DISTINCT small)) AS smalls
               FROM things WHERE x IS NOT NULL AND small IS NOT NULL GROUP BY account ORDER BY account""",
        columns={"account": "string", "xs": "list<int64>", "smalls": "list<int64>"},
        rows=[
            (None, [3], [7]),
            ("Z", [0], [-5]),
            ("a", [-7], [2]),
            ("b", [7], [1]),
            ("é", [LEAST], [2**31 - 1]),
            ("𐀀", [7], [1]),
        ],
    ),
    Case(
        name="greatest and least leave nulls out",
        sql="SELECT id, greatest(x, small) AS g, least(small, 2) AS l FROM things WHERE id IN (1, 3, 4) ORDER BY id",
        columns={"id": "int32", "g": "int64", "l": "int32"},
        rows=[(1, 7, 1), (3, 3, 2), (4, LARGEST, 2)],
    ),
    Case(
        name="filtered and conditional counts agree",
        sql="""SELECT count(*) FILTER (WHERE x > 0) AS a, count(CASE WHEN x > 0 THEN 1 END) AS b,
                      sum(CASE WHEN x > 0 THEN 1 ELSE 0 END) AS c FROM things""",
        columns={"a": "int64", "b": "int64", "c": "int64"},
        rows=[(4, 4, 4)],
    ),
    Case(
        name="distinct rows and set operations treat nulls as equal",
        sql="""SELECT account FROM (
                   SELECT DISTINCT account FROM things EXCEPT SELECT account FROM things WHERE id IN (1, 3)
               ) AS t ORDER BY account""",
        columns={"account": "string"},
        rows=[("Z",), ("a",), ("é",), ("𐀀",)],
    ),
    Case(
        name="column names that are words of the language elsewhere",
        sql="""SELECT hour, minute, day, system, exact, prefix, session FROM (
                   SELECT id AS hour, id AS minute, id AS day, id AS system, id AS exact, id AS prefix, id AS session
                   FROM things WHERE id = 1) AS t""",
        columns=dict.fromkeys(("hour", "minute", "day", "system", "exact", "prefix", "session"), "int32"),
        rows=[(1,) * 7],
    ),
    Case(
        name="division by casting truncates and shifts do not round",
        sql="SELECT CAST(flag AS BIGINT) AS f, CAST(id AS STRING) AS s FROM things WHERE id <= 3 ORDER BY s",
        columns={"f": "int64", "s": "string"},
        rows=[(1, "1"), (0, "2"), (None, "3")],
    ),
    Case(
        name="length counts characters",
        sql="SELECT id, length(account) AS n, upper(account) AS u FROM things WHERE id IN (3, 4, 8) ORDER BY id",
        columns={"id": "int32", "n": "int64", "u": "string"},
        rows=[(3, None, None), (4, 1, "B"), (8, 1, "𐀀")],
    ),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name.replace(" ", "-"))
def test_every_engine_gives_the_written_answer(engine: Engine, case: Case) -> None:
    engine.register("things", THINGS)
    sql = case.sql if "ORDER BY" in case.sql.rsplit(")", 1)[-1] else f"{case.sql} ORDER BY {next(iter(case.columns))}"
    got = engine.run(query(sql, "things", **case.columns) if "FROM things" in sql else query(sql, **case.columns))
    assert [tuple(row.values()) for row in got.to_pylist()] == case.rows
