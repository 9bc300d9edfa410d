"""Probes: what an endpoint is asked beside the tests, so that it can be judged whether it answers as it says.

Takes a party's name and abilities. Gives, for each round, the same few queries again. Rounds are spread over the whole run. The texts are plain and
short, and no two begin alike, so that neither a filter nor a cache sees anything odd in them.
"""

from __future__ import annotations

from stillwatch.records.suspect import Ability, Query

PROBE = "probe"
"""Stands for the id of a test."""
PROMPTS = (
    "The old mill by the river",
    "My sister and I walked to the market and",
    "Write one line about  two  spaces:",
    "Before the train left the station,",
)
"""The third holds white space that must not be touched."""
TEXTS = (
    " was quiet in the morning, and nobody came.",
    " bought bread, apples and a small blue cup.",
    " here   are\n two lines.",
    " she waved once and then was gone.",
)
WRITTEN = 24
"""Tokens of an answer to a probe."""
ALTERNATIVES = 5


def probes_of(party: str, abilities: frozenset[Ability], number: int, *, raw: bool) -> list[Query]:
    """Give the probes of one round.

    Args:
        party: name of the party.
        abilities: what it is said to be able to do.
        number: of the round, from 0.
        raw: whether prompts go to the model as they are, so that answers and scores can be held against each other.

    Returns:
        Queries, in an order that differs from round to round.
    """
    told = ALTERNATIVES if Ability.LOGPROBS in abilities else 0
    probes = []
    for place, (prompt, text) in enumerate(zip(PROMPTS, TEXTS, strict=True)):
        name = f"{PROBE}/{party}"

        def query(kind: str, *, temperature: float, continuation: str | None = None, name: str = name, prompt: str = prompt, place: int = place) -> Query:  # fmt: skip
            return Query(
                id=f"{name}/{kind}/{place}/{number}", test=PROBE, party=party, prompt=prompt,
                continuation=continuation, max_tokens=WRITTEN, temperature=temperature, top_logprobs=told,
            )  # fmt: skip

        probes.append(query("likeliest-raw" if raw else "likeliest", temperature=0.0))
        probes.append(query("sample", temperature=1.0))
        if Ability.SCORE in abilities:
            probes.append(query("score", temperature=0.0, continuation=text))
    turn = (5 * number) % len(probes)
    return probes[turn:] + probes[:turn]
