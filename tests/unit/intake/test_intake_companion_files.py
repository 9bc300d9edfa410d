"""Accounts and releases files: read from any kind of file to the same facts, contradictions refused, leftovers named."""

from __future__ import annotations

import datetime as dt
import gzip
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.intake.accounts_file import read_account_facts
from stillwatch.intake.columns import arrow_schema
from stillwatch.intake.errors import CompanionFileError
from stillwatch.intake.releases import Release, read_releases
from stillwatch.records.exchange import ACCOUNT_FACTS

CREATED = 1_759_305_600_000_000  # 2025-10-01T08:00:00Z
ROWS = [
    {
        "account_id": "b",
        "payment_id": "card-1",
        "account_created_at": "2025-10-01T08:00:00Z",
        "licence": None,
        "colour": "red",
    },
    {"account_id": "a", "payment_id": None, "account_created_at": None, "licence": "partner", "colour": None},
]
EXPECTED = [
    {"account_id": "a", "licence": "partner"},
    {"account_id": "b", "payment_id": "card-1", "account_created_us": CREATED},
]


def facts(result) -> list[dict]:
    return [{name: value for name, value in row.items() if value is not None} for row in result.table.to_pylist()]


def test_every_kind_of_file_gives_the_same_facts(tmp_path):
    lines = "\n".join(map(json.dumps, ROWS))
    csv = "account_id,payment_id,account_created_at,licence,colour\nb,card-1,2025-10-01T08:00:00Z,,red\na,,,partner,\n"
    (tmp_path / "a.jsonl").write_text(lines)
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(lines.encode()))
    (tmp_path / "a.json").write_text(json.dumps(ROWS, indent=1))
    (tmp_path / "a.csv").write_text(csv)
    (tmp_path / "bom.csv").write_bytes(csv.replace(",", ";").replace("\n", "\r\n").encode("utf-8-sig"))
    pq.write_table(pa.Table.from_pylist(ROWS), tmp_path / "a.parquet")
    for path in sorted(tmp_path.iterdir()):
        result = read_account_facts(str(path))
        assert facts(result) == EXPECTED, path.name
        assert result.unknown_columns == ("colour",), path.name
        assert result.table.schema == arrow_schema(ACCOUNT_FACTS)
        assert result.notes == ()


@pytest.mark.parametrize(
    "values",
    [
        pa.array([CREATED], pa.timestamp("us", "UTC")),
        pa.array([CREATED // 1000], pa.timestamp("ms")),
        pa.array([CREATED], pa.int64()),
        pa.array([CREATED // 1000], pa.int64()),
        pa.array([CREATED // 10**6], pa.int64()),
        pa.array(["2025-10-01T10:00:00+02:00"]),
    ],
)
def test_times_in_any_form(values, tmp_path):
    pq.write_table(
        pa.table({"account_id": ["a"], "account_created_at": values, "closed_at": values}), tmp_path / "a.parquet"
    )
    (row,) = facts(read_account_facts(str(tmp_path / "a.parquet")))
    assert (row["account_created_us"], row["closed_us"]) == (CREATED, CREATED)


def test_a_date_alone_is_its_first_instant(tmp_path):
    (tmp_path / "a.csv").write_text("account_id,account_created_at\na,2025-10-01\n")
    pq.write_table(
        pa.table({"account_id": ["a"], "account_created_at": [dt.date(2025, 10, 1)]}), tmp_path / "a.parquet"
    )
    for name in ("a.csv", "a.parquet"):
        assert facts(read_account_facts(str(tmp_path / name)))[0]["account_created_us"] == CREATED - 8 * 3600 * 10**6
    berlin = read_account_facts(str(tmp_path / "a.csv"), assume_zone="Europe/Berlin")
    assert facts(berlin)[0]["account_created_us"] == CREATED - 10 * 3600 * 10**6


def test_account_ids_of_csv_stay_text(tmp_path):
    (tmp_path / "a.csv").write_text("account_id,payment_id\n0012,007\n12,7\n")
    assert [row["account_id"] for row in facts(read_account_facts(str(tmp_path / "a.csv")))] == ["0012", "12"]


def test_repeated_rows_are_one_and_contradictions_are_refused(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("account_id,payment_id\na,p\na,p\n,x\n")
    result = read_account_facts(str(path))
    assert facts(result) == [{"account_id": "a", "payment_id": "p"}]
    assert result.notes == (("row without account_id left out", 1),)
    path.write_text("account_id,payment_id\na,p\nb,p\na,q\n")
    with pytest.raises(
        CompanionFileError, match=r"account 'a' occurs twice with different facts \(second time in row 3\)"
    ):
        read_account_facts(str(path))


def test_unreadable_times_are_counted_or_stop_when_they_are_most(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("account_id,account_created_at\na,2025-10-01\nb,2025-10-01\nc,long ago\nd,\n")
    result = read_account_facts(str(path))
    assert result.notes == (("account_created_at: unreadable time set to null", 1),)
    path.write_text("account_id,account_created_at\na,2025-10-01 08:00:00\nb,2025-10-01 08:00:00\n")
    with pytest.raises(CompanionFileError, match="2 of 2 times of `account_created_at` cannot be read"):
        read_account_facts(str(path))
    assert facts(read_account_facts(str(path), assume_zone="UTC"))[0]["account_created_us"] == CREATED


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("user,payment_id\na,p\n", "no column `account_id`"),
        ("account_id,payment_id\na\n", "line 2: 1 fields, expected 2"),
        ("account_id,account_id\na,b\n", "a column name occurs twice"),
        ("account_id,account_created_at,created_at\na,1,2\n", "says the same as another column"),
        ("", "the file is empty"),
        ('{"account_id": "a"', "the file ends inside a JSON object"),
        ('[{"account_id": "a"}, 5]', "bytes that are no JSON object"),
        ('{"account_id": nope}', "no JSON"),
        ('account_id\n"a\n', "no CSV"),
    ],
)
def test_files_that_cannot_be_used_are_refused_with_their_place(content, words, tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(content)
    with pytest.raises(CompanionFileError, match=words) as caught:
        read_account_facts(str(path))
    assert str(caught.value).startswith(str(path))


def test_missing_damaged_and_wrongly_encoded_files(tmp_path):
    with pytest.raises(CompanionFileError, match="there is no such file"):
        read_account_facts(str(tmp_path / "missing.csv"))
    (tmp_path / "cut.csv.gz").write_bytes(gzip.compress(b"account_id\n" + b"a\n" * 1000)[:20])
    with pytest.raises(CompanionFileError, match="a file of facts must be whole"):
        read_account_facts(str(tmp_path / "cut.csv.gz"))
    (tmp_path / "latin.csv").write_bytes("account_id\ncafé\n".encode("latin-1"))
    with pytest.raises(CompanionFileError, match="save the file as UTF-8"):
        read_account_facts(str(tmp_path / "latin.csv"))
    (tmp_path / "cut.parquet").write_bytes(b"PAR1xxxx")
    with pytest.raises(CompanionFileError, match="damaged Parquet file"):
        read_account_facts(str(tmp_path / "cut.parquet"))


def test_releases_of_every_kind_of_file(tmp_path):
    rows = [{"model": "new", "released_at": "2025-10-01T08:00:00Z"}, {"model": "old", "released_at": 1_700_000_000}]
    (tmp_path / "r.csv").write_text("model,released_at,note\nnew,2025-10-01T08:00:00Z,x\nold,1700000000,\n")
    (tmp_path / "r.json").write_text(json.dumps(rows))
    (tmp_path / "r.jsonl").write_text("\n".join(map(json.dumps, rows)))
    expected = (Release(model="old", released_us=1_700_000_000_000_000), Release(model="new", released_us=CREATED))
    for name in ("r.csv", "r.json", "r.jsonl"):
        assert read_releases(str(tmp_path / name)) == expected


def test_earliest_release_of_a_model_holds(tmp_path):
    (tmp_path / "r.csv").write_text("model,released_at\nm,2025-10-02\nm,2025-10-01\n")
    assert read_releases(str(tmp_path / "r.csv")) == (Release(model="m", released_us=CREATED - 8 * 3600 * 10**6),)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("name,released_at\nm,2025-10-01\n", "no column `model`"),
        ("model\nm\n", "no column `released_at`"),
        ("model,released_at\n,2025-10-01\n", "row 1: `model` is empty"),
        ("model,released_at\nm,soon\n", "row 1: time is unreadable"),
        ("model,released_at\nm,\n", "row 1: time is missing"),
        ("model,released_at\nm,2025-10-01T08:00:00\n", "row 1: time has no zone"),
    ],
)
def test_releases_that_cannot_be_used(content, words, tmp_path):
    (tmp_path / "r.csv").write_text(content)
    with pytest.raises(CompanionFileError, match=words):
        read_releases(str(tmp_path / "r.csv"))
