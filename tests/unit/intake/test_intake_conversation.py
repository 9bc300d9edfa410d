"""Conversations: the last user text, the system text and the number of turns, in each provider's form."""

from __future__ import annotations

import pytest

from stillwatch.intake.chat_template import messages_of
from stillwatch.intake.conversation import content_text, read_messages, tool_names
from stillwatch.intake.formats.client import edge_address
from stillwatch.intake.formats.format import Place
from stillwatch.intake.formats.open_exchanges import OpenExchanges


@pytest.mark.parametrize(
    ("messages", "instructions", "expected"),
    [
        ([{"role": "user", "content": "a"}], None, ("a", None, 1)),
        ("a", None, ("a", None, 1)),
        (
            [{"role": "developer", "content": "s"}, {"role": "user", "content": "a"}, {"role": "user", "content": "b"}],
            None,
            ("b", "s", 2),
        ),
        (
            [{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}],
            "s",
            ("a\nb", "s", 1),
        ),
        ([{"role": "user", "content": [{"text": "a"}]}], [{"text": "s"}], ("a", "s", 1)),
        (
            [{"role": "user", "parts": [{"text": "a"}]}, {"role": "model", "parts": [{"text": "b"}]}],
            None,
            ("a", None, 1),
        ),
        ([{"parts": [{"text": "no role"}]}], None, ("no role", None, 1)),
        ([{"role": "user", "parts": [{"type": "text", "content": "a"}]}], None, ("a", None, 1)),
        ([{"role": "user", "content": "a"}, {"role": "tool", "content": "out"}], None, ("a", None, 1)),
        ([{"role": "user", "content": [{"type": "image_url"}]}], None, (None, None, 1)),
        ([{"type": "function_call_output", "output": "x"}, {"role": "user", "content": "a"}], None, ("a", None, 1)),
        (
            [{"role": "user", "content": [{"type": "tool_result", "content": "x"}, {"type": "text", "text": "and"}]}],
            None,
            ("and", None, 1),
        ),
        ([{"role": "assistant", "content": "a"}], None, (None, None, None)),
        ([], "s", (None, "s", None)),
        (None, None, (None, None, None)),
        ([1, None, ["x"]], None, (None, None, None)),
    ],
)
def test_messages(messages, instructions, expected):
    asked = read_messages(messages, instructions=instructions)
    assert (asked.prompt, asked.system_prompt, asked.turns) == expected


def test_content_of_other_kinds_is_no_text():
    assert content_text(5) is None
    assert content_text([{"type": "thinking", "thinking": "x"}]) is None
    assert content_text([{"type": "refusal", "refusal": "no"}]) == "no"


@pytest.mark.parametrize(
    ("sources", "names"),
    [
        (("b, a",), "a,b"),
        ((["b", "a", "b"],), "a,b"),
        (('[{"type": "function", "function": {"name": "f"}}]',), "f"),
        (([{"name": "anthropic", "input_schema": {}}],), "anthropic"),
        (({"tools": [{"toolSpec": {"name": "bedrock"}}]},), "bedrock"),
        (([{"functionDeclarations": [{"name": "g1"}, {"name": "g2"}]}],), "g1,g2"),
        (([{"type": "web_search"}], None, ["f"]), "f,web_search"),
        ((None, [], "", {}), None),
        (([{"name": {"deep": 1}}, 5],), None),
    ],
)
def test_tool_names(sources, names):
    assert tool_names(*sources) == names


def test_deeply_nested_tools_are_not_followed():
    tools: list = []
    for _ in range(5000):
        tools = [{"tools": tools}]
    assert tool_names(tools) is None


TEMPLATES = {
    "zephyr": "<|system|>be kind<|user|>hello",
    "phi": "<|system|>\nbe kind<|end|>\n<|user|>\nhello<|end|>\n<|assistant|>\n",
    "chatml": "<|im_start|>system\nbe kind<|im_end|>\n<|im_start|>user\nhello<|im_end|>\n<|im_start|>assistant\n",
    "llama 3": "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nbe kind<|eot_id|><|start_header_id|>user<|end_header_id|>\n\n"
    "hello<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n",
    "llama 2": "<s>[INST] <<SYS>>\nbe kind\n<</SYS>>\n\nhello [/INST]",
}


@pytest.mark.parametrize("name", TEMPLATES)
def test_chat_templates(name):
    asked = read_messages(messages_of(TEMPLATES[name]))
    assert (asked.prompt, asked.system_prompt, asked.turns) == ("hello", "be kind", 1)


def test_templates_with_several_turns():
    text = "<start_of_turn>user\nfirst<end_of_turn>\n<start_of_turn>model\nanswer<end_of_turn>\n<start_of_turn>user\nsecond<end_of_turn>\n<start_of_turn>model\n"
    assert read_messages(messages_of(text)).prompt == "second"
    assert read_messages(messages_of(text)).turns == 2
    deepseek = "be kind<｜User｜>first<｜Assistant｜>answer<｜User｜>second<｜Assistant｜>"  # noqa: RUF001
    assert read_messages(messages_of(deepseek)).turns == 2


def test_text_without_a_known_template_is_no_conversation():
    assert messages_of("Write a poem about <user> tags.") is None


@pytest.mark.parametrize(
    ("seen", "address"),
    [
        (("203.0.113.7",), "203.0.113.7"),
        (("6.6.6.6, 203.0.113.7",), "203.0.113.7"),
        (("6.6.6.6, 203.0.113.7, 10.1.2.3",), "203.0.113.7"),
        (("10.0.0.1", "203.0.113.7:443"), "203.0.113.7"),
        (("10.0.0.1", None), "10.0.0.1"),
        (("[2001:db8::1]:443",), "2001:db8::1"),
        (("2001:db8::1",), "2001:db8::1"),
        (("203.0.113.***", "-", "", None, 5), None),
        ((), None),
    ],
)
def test_address_of_the_edge(seen, address):
    assert edge_address(*seen) == address


def test_open_exchanges_are_bounded_by_number_and_bytes():
    few = OpenExchanges(limit=2)
    for number in range(5):
        few.at(str(number), Place(0, number, 1))
        released = [exchange.place.offset for exchange in few.overflow()]
        assert released == ([number - 2] if number >= 2 else [])
    assert [exchange.place.offset for exchange in few.rest()] == [3, 4]
    small = OpenExchanges(size_limit=100)
    small.at("a", Place(0, 0, 60))
    small.at("b", Place(0, 1, 30))
    assert list(small.overflow()) == []
    small.at("b", Place(0, 2, 30))
    assert [exchange.place.offset for exchange in small.overflow()] == [0]
