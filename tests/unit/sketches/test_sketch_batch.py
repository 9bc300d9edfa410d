"""`sketch_batch`: exact columns, every row by itself, every Arrow layout, every null."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sketch_rows import batch_of_prompts, batch_of_rows

from stillwatch.engines.arrow_schema import arrow_schema
from stillwatch.records.exchange import EXCHANGE
from stillwatch.records.sketch import SKETCH
from stillwatch.sketches import compile_kernels, sketch_batch
from stillwatch.sketches.errors import ExchangeColumnError

PROMPT = "Explain the following idea to a student of the second year, with three examples and no jargon at all."

values = st.one_of(st.none(), st.sampled_from(["", "a", "b", "card-1"]), st.text(max_size=6))
rows = st.fixed_dictionaries(
    {
        "time_us": st.integers(-(10**15), 4 * 10**15),
        "account_id": st.sampled_from(["a", "b", "c", ""]),
        "exchange_id": values,
        "prompt": st.one_of(values, st.just(PROMPT), st.text(max_size=80)),
        "system_prompt": st.sampled_from([None, "", "You are a grader. Use the rubric.", "You translate text."]),
        "content_complete": st.sampled_from([None, True, False]),
        "response": st.sampled_from([None, "", "<think>x</think> fine", "1. a\n2. b"]),
        "ip": st.sampled_from([None, "", "10.0.0.1", "2001:db8::1", "nowhere"]),
        "payment_id": values,
        "session_id": values,
        "temperature": st.sampled_from([None, 0.0, -0.0, 0.7, float("nan")]),
        "max_tokens": st.sampled_from([None, 0, 100]),
        "turns": st.sampled_from([None, 1, 3]),
    }
)


def test_columns_and_types_are_exactly_the_schema() -> None:
    assert sketch_batch(batch_of_prompts([PROMPT, None, ""])).schema.equals(arrow_schema(SKETCH))


@settings(max_examples=60, deadline=None)
@given(st.lists(rows, min_size=1, max_size=12), st.randoms(use_true_random=False))
def test_neither_split_nor_order_matters(given_rows: list[dict[str, object]], random: object) -> None:
    given_rows = [row | {"source_offset": number} for number, row in enumerate(given_rows)]
    whole = sketch_batch(batch_of_rows(given_rows)).to_pylist()
    order = list(range(len(given_rows)))
    random.shuffle(order)
    shuffled = sketch_batch(batch_of_rows([given_rows[index] for index in order])).to_pylist()
    assert [whole[index] for index in order] == shuffled
    batch = batch_of_rows(given_rows)
    cut = len(given_rows) // 2
    assert sketch_batch(batch.slice(0, cut)).to_pylist() + sketch_batch(batch.slice(cut)).to_pylist() == whole


@pytest.mark.parametrize(
    "layout", [pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())], ids=str
)
def test_every_text_layout_gives_the_same(layout: pa.DataType) -> None:
    batch = batch_of_rows(
        [
            {"prompt": PROMPT, "exchange_id": "e", "user_agent": "x", "response": "1. a\n2. b"},
            {"prompt": None, "payment_id": "card", "system_prompt": "s" * 30},
            {"prompt": "short"},
        ]
    )
    other = pa.RecordBatch.from_pydict(
        {
            name: batch.column(name).cast(layout)
            if batch.schema.field(name).type == pa.string()
            else batch.column(name)
            for name in batch.schema.names
        }
    )
    assert sketch_batch(other.slice(1)).equals(sketch_batch(batch).slice(1))
    assert sketch_batch(other).equals(sketch_batch(batch))


def test_columns_that_are_missing_are_null() -> None:
    least = batch_of_rows([{}]).select([column.name for column in EXCHANGE.columns if column.required])
    sketch = sketch_batch(least).to_pylist()[0]
    null = {name for name, value in sketch.items() if value is None}
    assert {column.name for column in SKETCH.columns} - null == {
        "account_id", "account", "delivery", "source_no", "source_offset", "source_length", "time_us", "day", "hour",
        "minute", "intent",
    }  # fmt: skip
    assert sketch_batch(least).equals(sketch_batch(batch_of_rows([{}])))


def test_an_empty_batch_gives_an_empty_batch() -> None:
    empty = sketch_batch(batch_of_prompts([]))
    assert empty.num_rows == 0
    assert empty.schema.equals(arrow_schema(SKETCH))


def test_text_columns_of_type_null_are_all_null() -> None:
    batch = batch_of_prompts(["x", "y"])
    place = batch.schema.get_field_index("prompt")
    batch = batch.set_column(place, "prompt", pa.nulls(2))
    assert sketch_batch(batch).column("exact").null_count == 2


def test_a_cut_prompt_is_never_hashed_as_whole() -> None:
    whole, cut, unknown = sketch_batch(
        batch_of_rows([{"prompt": PROMPT, "content_complete": flag} for flag in (True, False, None)])
    ).to_pylist()
    assert [cut[name] for name in ("exact", "shape", "suffix")] == [None] * 3
    for name in ("opening", "prefix", "spans", "bands", "intent", "prompt_words"):
        assert cut[name] == whole[name] is not None
    assert {name: unknown[name] for name in SKETCH.names[10:]} == {name: whole[name] for name in SKETCH.names[10:]}


def test_few_words() -> None:
    words = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
    eleven, twelve, one, none, marks = sketch_batch(
        batch_of_prompts([" ".join(words[:11]), " ".join(words), "one", "", "?!"])
    ).to_pylist()
    assert (eleven["prefix"], eleven["suffix"], eleven["bands"]) == (None, None, [])
    assert None not in {twelve["prefix"], twelve["suffix"]}
    assert len(twelve["bands"]) == 16
    assert (one["opening"], one["spans"]) == (None, [])
    assert (none["exact"], none["shape"], none["prompt_words"], none["prompt_bytes"]) == (None, None, 0, 0)
    assert (marks["exact"] is None, marks["shape"]) == (False, None)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("What is 12 plus 30?", "What is 7 plus 1,000.5?"),
        ('Translate "good day" now', 'Translate "good night, my friend" now'),
        ("See https://a.example/x?y=1.", "See http://b.example/z."),
        ("Write to a@b.org please", "Write to someone.else@mail.example.com please"),
        ("Fix ```\na = 1\n``` now", "Fix ```python\nprint('x')\n``` now"),
        ('Read {"a": 1} aloud', 'Read {"b": [1, 2, {"c": "}"}]} aloud'),
        ("Key d41d8cd98f00b204e9800998ecf8427e end", "Key 3f2504e0-4f89-41d3-9a0c-0305e82c3301 end"),
        ("Values 1, 2, 3 follow", "Values 4, 5 follow"),
        ("Hello   World", "hello\nworld"),
        ("Say “this” now", 'Say "that" now'),
        ("in\u200bvisible marks", "invisible marks"),
    ],
)
def test_one_template_has_one_shape(left: str, right: str) -> None:
    a, b = sketch_batch(batch_of_prompts([left, right])).column("shape").to_pylist()
    assert a == b is not None


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("What is 12 plus 30?", "What was 12 plus 30?"),
        ("Insert {question} here", "Insert {answer} here"),
        ("Use gpt-four now", "Use gpt-five now"),
        ("one two", "two one"),
        ("你好", "好你"),
    ],
)
def test_other_words_have_another_shape(left: str, right: str) -> None:
    a, b = sketch_batch(batch_of_prompts([left, right])).column("shape").to_pylist()
    assert a != b


def test_exact_folds_case_and_space_and_keeps_the_rest() -> None:
    exact = (
        sketch_batch(batch_of_prompts(["Add  12\n", " add 12", "add 13", "add\u00a012"])).column("exact").to_pylist()
    )
    assert exact[0] == exact[1] == exact[3] != exact[2]


def test_the_length_of_a_long_text_counts() -> None:
    middle = ["m" * 70_000, "m" * 70_001]
    exact = sketch_batch(batch_of_prompts(["a " * 20_000 + text + " z" * 20_000 for text in middle])).column("exact")
    assert exact[0] != exact[1]


def test_nul_does_not_end_a_text() -> None:
    exact = sketch_batch(batch_of_prompts(["a\0b", "a\0c", "a"])).column("exact").to_pylist()
    assert len(set(exact)) == 3


def test_system_prompt_shape_is_that_of_the_same_prompt() -> None:
    sketch = sketch_batch(batch_of_rows([{"prompt": PROMPT, "system_prompt": PROMPT}])).to_pylist()[0]
    assert sketch["system"] == sketch["shape"]


def test_delivery_by_exchange_id() -> None:
    delivery = (
        sketch_batch(
            batch_of_rows(
                [
                    {"exchange_id": "e-1", "prompt": "x"},
                    {"exchange_id": "e-1", "prompt": "y", "time_us": 5},
                    {"exchange_id": "e-1", "account_id": "account-2"},
                    {"exchange_id": "e-2"},
                ]
            )
        )
        .column("delivery")
        .to_pylist()
    )
    assert delivery[0] == delivery[1]
    assert len(set(delivery)) == 3


def test_delivery_without_exchange_id_is_the_whole_row_and_not_its_place() -> None:
    row = {"time_us": 5, "prompt": "x", "temperature": 0.0, "stream": True, "turns": 1}
    changed = [
        {"time_us": 6},
        {"prompt": "y"},
        {"temperature": 0.5},
        {"stream": None},
        {"turns": None},
        {"response": "r"},
    ]
    again = row | {"source_no": 3, "source_offset": 99, "source_length": 7, "temperature": -0.0, "exchange_id": ""}
    delivery = (
        sketch_batch(batch_of_rows([row, again, *(row | change for change in changed)])).column("delivery").to_pylist()
    )
    assert delivery[0] == delivery[1]
    assert len(set(delivery)) == 1 + len(changed)


def test_parameters() -> None:
    none, zero, minus, other, tokens = (
        sketch_batch(
            batch_of_rows([{}, {"temperature": 0.0}, {"temperature": -0.0}, {"top_p": 0.0}, {"max_tokens": 0}])
        )
        .column("parameters")
        .to_pylist()
    )
    assert none is None
    assert zero == minus
    assert len({zero, other, tokens}) == 3


def test_times_before_1970_are_floored() -> None:
    sketch = sketch_batch(batch_of_rows([{"time_us": -1}, {"time_us": 86_400_000_000}])).to_pylist()
    assert [(row["day"], row["hour"], row["minute"]) for row in sketch] == [(-1, -1, -1), (1, 24, 1440)]


def test_the_batch_is_not_changed() -> None:
    batch = batch_of_rows([{"prompt": PROMPT, "payment_id": ""}])
    before = batch.to_pylist()
    sketch_batch(batch)
    assert batch.to_pylist() == before


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        (batch_of_prompts(["x"]).drop_columns(["time_us"]), "column 'time_us': got a batch without it"),
        (
            pa.RecordBatch.from_pydict(
                {**dict(zip(batch_of_rows([{}, {}]).schema.names, batch_of_rows([{}, {}]).columns, strict=True)),
                 "account_id": pa.array(["a", None])}
            ),
            "column 'account_id': got 1 nulls, the first in row 1 of 2",
        ),
        (batch_of_rows([{"time_us": 1_700_000_000_000_000_000}]), "was the unit nanoseconds"),
        (
            batch_of_prompts(["x"]).drop_columns(["prompt"]).append_column("prompt", pa.array([1])),
            "column 'prompt': got int64, expected text",
        ),
        (
            batch_of_prompts(["x"]).drop_columns(["content_complete"]).append_column("content_complete", pa.array(["no"])),
            "column 'content_complete': got string, expected bool",
        ),
        (
            batch_of_prompts(["x"]).append_column("prompt", pa.array(["y"])),
            "column 'prompt': got 2 columns of that name",
        ),
        (
            batch_of_prompts(["x"]).drop_columns(["temperature"]).append_column("temperature", pa.array(["secret"])),
            "column 'temperature': got string, expected float64",
        ),
    ],
    ids=["missing", "null", "nanoseconds", "no text", "no flag", "twice", "no number"],
)  # fmt: skip
def test_what_cannot_be_sketched_is_refused(batch: pa.RecordBatch, message: str) -> None:
    with pytest.raises(ExchangeColumnError, match=message) as raised:
        sketch_batch(batch)
    assert "secret" not in str(raised.value)


def test_kernels_can_be_compiled_ahead() -> None:
    compile_kernels()


def test_system_prompts_seen_before_give_the_same_intent() -> None:
    rng = np.random.default_rng(1)
    systems = [
        f"Use rubric {letter}." if letter < "n" else f"Talk about {letter}." for letter in "abcdefghijklmnopqrstuvwxyz"
    ]
    chosen = [systems[index] for index in rng.integers(0, 26, size=300)]
    together = sketch_batch(batch_of_rows([{"system_prompt": text} for text in chosen])).select(["system", "intent"])
    alone = {
        text: sketch_batch(batch_of_rows([{"system_prompt": text}])).select(["system", "intent"]).to_pylist()[0]
        for text in systems
    }
    assert together.to_pylist() == [alone[text] for text in chosen]
