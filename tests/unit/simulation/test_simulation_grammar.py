"""The grammar: pure functions of keys, references, repetitions, tags, and errors that name the place."""

import numpy as np
import pyarrow.compute as pc
import pytest

from stillwatch.simulation.errors import GrammarError
from stillwatch.simulation.randomness import mix
from stillwatch.simulation.text.grammar import compile_grammar, load, read_symbols
from stillwatch.simulation.text.mixtures import MIXTURES, mixture_table

SMALL = """
# a small grammar
@list colour
red|green|blue
@product pair
{colour}-{colour}
@rule line
{colour#1} {colour#1} {colour#2}
@rule many
[{colour*2-4}]
@rule nested
<{line}{many}>\\n\\_end
"""


@pytest.fixture(scope="module")
def small():
    return compile_grammar(read_symbols(SMALL, "small.grammar"))


def compose(grammar, name, count=400, seed=3):
    symbols = np.full(count, grammar.number(name))
    return grammar.compose(symbols, mix(seed, np.arange(count)), np.ones(count, dtype=np.int64)).to_pylist()


def test_a_list_gives_its_words_evenly(small):
    texts = compose(small, "colour", 3_000)
    counts = {word: texts.count(word) for word in ("red", "green", "blue")}
    assert sum(counts.values()) == 3_000
    assert min(counts.values()) > 900


def test_a_product_is_enumerated(small):
    assert len(set(compose(small, "pair"))) == 9


def test_equal_tags_give_equal_words_and_other_tags_vary(small):
    lines = [text.split() for text in compose(small, "line")]
    assert all(first == second for first, second, _ in lines)
    assert any(first != third for first, _, third in lines)


def test_repetitions_keep_their_bounds(small):
    words = ("red", "green", "blue")
    amounts = {sum(text.count(word) for word in words) for text in compose(small, "many")}
    assert amounts == {2, 3, 4}


def test_nesting_and_escapes(small):
    assert all(text.startswith("<") and text.endswith(">\n end") for text in compose(small, "nested"))


def test_text_does_not_depend_on_its_neighbours(small):
    whole = compose(small, "nested", 60)
    key = mix(3, np.arange(60))
    part = small.compose(np.full(20, small.number("nested")), key[17:37], np.ones(20, dtype=np.int64)).to_pylist()
    assert part == whole[17:37]


def test_rows_of_several_parts_and_of_none(small):
    symbols = np.array([small.number("colour"), -1, small.number("colour"), -1])
    keys = mix(1, np.arange(4))
    texts = small.compose(symbols, keys, np.array([0, 2, 1, 1])).to_pylist()
    assert texts[0] == ""
    assert texts[1] in ("red", "green", "blue")
    assert texts[2] in ("red", "green", "blue")
    assert texts[3] == ""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("@rule a\n{missing}\n", "missing"),
        ("@list a\nx|{b}\n@list b\ny\n", "'a'"),
        ("@rule a\nx\n@product b\n{a}\n", "'a'"),
        ("@product a\n{a}\n", "'a'"),
        ("stray\n@list a\nx\n", "small.grammar:1"),
        ("@list a\n@list b\nx\n", "'a'"),
        ("@list a\nx\n@list a\ny\n", "'a'"),
    ],
)
def test_malformed_grammars_are_refused_with_the_place(text, message):
    with pytest.raises(GrammarError, match=message):
        compile_grammar(read_symbols(text, "small.grammar"))


def test_an_unknown_symbol_is_named(small):
    with pytest.raises(GrammarError, match="nothing like it"):
        small.number("nothing like it")


@pytest.mark.parametrize(
    "name",
    [
        "chat.english",
        "chat.german",
        "chat.french",
        "chat.spanish",
        "work.english",
        "task.maths",
        "task.code",
        "ask.code",
    ],
)
def test_free_text_hardly_ever_repeats(name):
    texts = compose(load(), name, 4_000)
    assert len(set(texts)) > 3_900


def test_prompts_have_the_lengths_of_prompts():
    lengths = np.array([len(text) for text in compose(load(), "chat.english", 4_000)])
    assert lengths.min() >= 15
    assert 100 < np.median(lengths) < 400
    assert lengths.max() > 1_000


def test_no_reference_is_left_in_any_text():
    grammar = load()
    for name in grammar.names:
        texts = compose(grammar, name, 25)
        assert not [text for text in texts if any(f"{{{other}}}" in text for other in grammar.names)], name


def test_mixtures_choose_in_proportion():
    table, grammar = mixture_table(), load()
    count = 8_000
    chosen = table.choose(np.full(count, MIXTURES["developer"]), mix(9, np.arange(count)))
    share = float(np.mean(chosen == grammar.number("ask.code")))
    assert abs(share - 0.58) < 0.03
    assert pc.count_distinct(chosen).as_py() == 4
