"""Rules that a query keeps so that every engine gives the same rows.

Takes a query's parts. Gives nothing, or raises with the rule, the line and what to write instead. The rules come from
running the same text on DuckDB and Spark: each names something that one of them lacks, reads differently, or answers
with rows or digits that depend on the order of the input. They are a net, not a proof: the proof is that the tests run
every query on both engines.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from stillwatch.engines.errors import QueryError
from stillwatch.records.table import TableSchema

_NAME = re.compile(r"[a-z][a-z0-9_]*\Z")
_NOT_CODE = re.compile(r"--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'", re.DOTALL)
_TABLE_USE = re.compile(r"\b(?:FROM|JOIN)\s+([A-Za-z_][A-Za-z0-9_]*)", re.IGNORECASE)
_DISTINCT_FROM = re.compile(r"\bIS\s+(?:NOT\s+)?DISTINCT\s+FROM\b", re.IGNORECASE)
_NAMED_SUBQUERY = re.compile(r"(?:\bWITH|,)\s*([A-Za-z_][A-Za-z0-9_]*)\s*(?:\([^()]*\)\s*)?AS\s*\(", re.IGNORECASE)
_ORDER_BY = re.compile(r"\bORDER\s+BY\b", re.IGNORECASE)
_ORDER_KEY = re.compile(
    r"\s*(?:[A-Za-z_][A-Za-z0-9_]*\.)?([A-Za-z_][A-Za-z0-9_]*)(?:\s+(?:ASC|DESC))?(?:\s+NULLS\s+(?:FIRST|LAST))?\s*\Z",
    re.IGNORECASE,
)
_LIMIT = re.compile(r"\bLIMIT\s+\d+\s*\Z", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Something that no query may contain."""

    pattern: re.Pattern[str]
    why: str
    instead: str


def _functions(names: str, why: str, instead: str) -> Rule:
    """Return the rule that refuses calls of these functions, given as words separated by spaces."""
    return Rule(
        pattern=re.compile(rf"\b(?:{'|'.join(names.split())})\s*\(", re.IGNORECASE),
        why=why,
        instead=instead,
    )


def _text(pattern: str, why: str, instead: str) -> Rule:
    """Return the rule that refuses text that matches the pattern."""
    return Rule(pattern=re.compile(pattern, re.IGNORECASE), why=why, instead=instead)


RULES: tuple[Rule, ...] = (
    _functions(
        r"hash xxhash64 md5 md5_number sha sha1 sha2 sha256 crc32 murmur\w*",
        "each engine has its own hash",
        "use the hashes that the sketch kernels stored",
    ),
    _functions(
        r"approx_\w+ percentile_approx hll_\w+ reservoir_quantile histogram_numeric count_min_sketch",
        "approximate aggregates differ between engines",
        "count exactly",
    ),
    _functions(
        r"random rand randn uuid uuidv4 uuidv7 gen_random_uuid shuffle setseed",
        "the result would change from run to run",
        "draw in Python with a seeded generator",
    ),
    _text(r"\b(?:TABLESAMPLE|USING\s+SAMPLE)\b", "the result would change from run to run", "select by a stored hash"),
    _functions(
        r"first last any_value arbitrary first_value last_value nth_value mode",
        "the row that is taken depends on the order of the input",
        "use min, max, or row_number() over a total order",
    ),
    _functions(
        r"min_by max_by arg_min arg_max argmin argmax",
        "ties are broken by the order of the input",
        "use row_number() over a total order",
    ),
    _functions(
        r"list collect_list collect_set string_agg listagg group_concat",
        "the order of the elements depends on the order of the input, or the name exists on one engine only",
        "use array_sort(array_agg(x)) over values that are not null",
    ),
    _text(
        r"(?<!array_sort\()\barray_agg\s*\(",
        "the order of the elements depends on the order of the input",
        "write array_sort(array_agg(x)) over values that are not null",
    ),
    _functions(
        r"avg mean median sqrt cbrt ln log log2 log10 exp pow power stddev\w* variance var_\w+ corr covar_\w+ entropy"
        r" quantile\w* percentile\w* kurtosis skewness",
        "a float that moves a decision is computed once, in statistics",
        "give the integers that it is computed from",
    ),
    _text(
        r"(?:\bAS\s+|::\s*)(?:DOUBLE|FLOAT|REAL|DECIMAL|NUMERIC)\b|(?<![A-Za-z0-9_])\d+\.\d|(?<![A-Za-z0-9_])\d+E[+-]?\d",
        "floats and decimals are rounded differently",
        "compare integers: multiply both sides",
    ),
    _text(r"/", "one engine divides integers to a float", "use div(a, b), which rounds toward zero"),
    _text(r"\^|\*\*|#", "the operator means different things, or exists on one engine only", "use bit functions"),
    _functions(
        r"now today current_timestamp current_date current_time localtimestamp get_current_time\w* transaction_timestamp",
        "there is no wall clock in a replayable run",
        "pass the time in as a column",
    ),
    _functions(
        r"unnest explode explode_outer posexplode", "each engine has its own name for it", "use {explode}(list)"
    ),
    _text(r"[\"`]", "engines quote names differently", "use lower-case words that need no quotes"),
    _text(r";", "a query is one statement", "leave the semicolon out"),
    _text(r"\bQUALIFY\b", "it is not in every release of Spark that is supported", "filter in an outer SELECT"),
    _text(
        r"\bDISTINCT\s+ON\b", "one engine only, and it keeps an arbitrary row", "use row_number() over a total order"
    ),
)


def refuse_unsafe_query(*, name: str, sql: str, reads: tuple[str, ...], gives: TableSchema) -> None:
    """Raise when a query breaks a rule.

    Args:
        name: The query's name.
        sql: The text, placeholders not yet replaced.
        reads: Names of the tables that it reads.
        gives: Output columns.

    Raises:
        QueryError: with every broken rule, one per line.
    """
    code = code_of(sql)
    broken = [*_broken_declarations(name, code, reads, gives)]
    for rule in RULES:
        for match in rule.pattern.finditer(code.replace("{explode}", " ")):
            line = code.count("\n", 0, match.start()) + 1
            broken.append(f"line {line}: {match.group().strip()!r} is refused, for {rule.why}; {rule.instead}")
    if broken:
        raise QueryError(f"query {name!r} is refused:\n  " + "\n  ".join(broken))


def code_of(sql: str) -> str:
    """Return the SQL with comments blanked and string literals emptied; every line keeps its number."""
    return _NOT_CODE.sub(_blank, sql)


def order_columns(*, name: str, sql: str, gives: TableSchema) -> tuple[str, ...]:
    """Return the output columns by which the outermost ORDER BY sorts.

    Raises:
        QueryError: when there is none, or when it sorts by something else than plain output columns, so that the order
            could not be checked on the result.
    """
    code = _outermost(code_of(sql))
    orders = list(_ORDER_BY.finditer(code))
    if not orders:
        raise QueryError(
            f"query {name!r} was run without an outermost ORDER BY, so that its rows have no order;"
            " end it with ORDER BY over output columns, or save it as a table"
        )
    keys = []
    for text in _LIMIT.sub("", code[orders[-1].end() :].rstrip()).split(","):
        match = _ORDER_KEY.match(text)
        if match is None or match.group(1) not in gives.names:
            raise QueryError(
                f"query {name!r} sorts by {text.strip()!r}; expected plain output columns of {', '.join(gives.names)}"
            )
        keys.append(match.group(1))
    return tuple(keys)


def _broken_declarations(name: str, code: str, reads: tuple[str, ...], gives: TableSchema) -> list[str]:
    """Return what is wrong with the names, inputs and outputs, as sentences."""
    broken = [
        f"{word!r} is no name; expected lower-case words joined by underscores"
        for word in (name, *reads)
        if not _NAME.match(word)
    ]
    if not re.match(r"\s*(?:SELECT|WITH)\b", code, re.IGNORECASE):
        broken.append("the text must begin with SELECT or WITH")
    broken.extend(
        f"output column {column.name!r} is float64; queries give integers, from which statistics computes floats"
        for column in gives.columns
        if column.type == "float64"
    )
    if not gives.columns or len(set(gives.names)) != len(gives.names):
        broken.append("the output columns must be at least one, each with its own name")
    broken.extend(
        f"placeholder {word!r} is unknown; the only one is '{{explode}}'"
        for word in sorted(set(re.findall(r"\{[^}]*\}", code)) - {"{explode}"})
    )
    used = {match.group(1) for match in _TABLE_USE.finditer(_DISTINCT_FROM.sub(" ", code))}
    used -= {match.group(1) for match in _NAMED_SUBQUERY.finditer(code)}
    if used != set(reads):
        broken.append(
            f"'reads' says {', '.join(sorted(reads)) or 'nothing'};"
            f" FROM and JOIN name {', '.join(sorted(used)) or 'nothing'} (comma joins are not seen: write JOIN)"
        )
    return broken


def _blank(match: re.Match[str]) -> str:
    """Return what stands for a comment or literal: its line breaks, and two quotes where it was a literal."""
    quotes = "''" if match.group().startswith("'") else " "
    return quotes + "\n" * match.group().count("\n")


def _outermost(code: str) -> str:
    """Return the code with all that stands inside parentheses taken out."""
    kept: list[str] = []
    depth = 0
    for character in code:
        depth -= character == ")"
        if depth == 0 and character not in "()":
            kept.append(character)
        depth += character == "("
    return "".join(kept)
