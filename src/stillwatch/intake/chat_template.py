"""Chat templates: the one text that an engine was given becomes the messages it was made from.

Engines log the rendered prompt. Takes such a text; gives its messages if the markers of a known template are in it, in the order
in which they stand, or null. Knows the markers of ChatML, Zephyr/Phi/GLM, Llama 3, Llama 2 / Mistral, Gemma and DeepSeek.
A client could write markers into its own message; then its last marked part is taken for its prompt, which hides the rest of that
message, not the exchange.
"""

from __future__ import annotations

import re

_TURNS = (
    re.compile(r"<\|im_start\|>(?P<role>\w+)\n?(?P<text>.*?)(?=<\|im_end\|>|<\|im_start\|>|\Z)", re.DOTALL),
    re.compile(
        r"<\|start_header_id\|>(?P<role>\w+)<\|end_header_id\|>\s*(?P<text>.*?)(?=<\|eot_id\|>|<\|start_header_id\|>|\Z)",
        re.DOTALL,
    ),
    re.compile(r"<start_of_turn>(?P<role>\w+)\n?(?P<text>.*?)(?=<end_of_turn>|<start_of_turn>|\Z)", re.DOTALL),
    re.compile(
        r"<[|｜](?P<role>system|user|assistant|observation|System|User|Assistant)[|｜]>\n?"  # noqa: RUF001 - DeepSeek's own bars
        r"(?P<text>.*?)(?=<\|end\|>|</s>|<[|｜](?:system|user|assistant|observation|System|User|Assistant)[|｜]>|\Z)",  # noqa: RUF001
        re.DOTALL,
    ),
)
_INSTRUCTION = re.compile(r"\[INST\](?P<text>.*?)(?=\[/INST\]|\Z)", re.DOTALL)
_LLAMA2_SYSTEM = re.compile(r"<<SYS>>(?P<text>.*?)<</SYS>>", re.DOTALL)


def messages_of(text: str) -> list[dict[str, str]] | None:
    """Take a rendered prompt apart.

    Args:
        text: the prompt as the engine was given it.

    Returns:
        Messages with `role` and `content`, oldest first; null when no known marker is in the text.
    """
    for turn in _TURNS:
        found = [{"role": match["role"].lower(), "content": match["text"].strip()} for match in turn.finditer(text)]
        said = [message for message in found if message["content"]]
        if any(message["role"] in {"user", "system"} for message in said):
            return said
    return _instructions(text)


def _instructions(text: str) -> list[dict[str, str]] | None:
    messages = []
    for match in _INSTRUCTION.finditer(text):
        said = match["text"]
        system = _LLAMA2_SYSTEM.search(said)
        if system is not None:
            messages.append({"role": "system", "content": system["text"].strip()})
            said = said[: system.start()] + said[system.end() :]
        messages.append({"role": "user", "content": said.strip()})
    return messages or None
