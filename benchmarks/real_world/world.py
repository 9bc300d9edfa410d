"""What every builder of accounts needs: the sources, the internet, and a supply of conversations.

Takes the loaded sources. Gives people's dialogues laid over arrival times, ordinary account facts and calls.
A conversation is used once while the supply lasts; then it comes again as another person would type it, and people come
more often with a text of their own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from benchmarks.real_world import wording
from benchmarks.real_world.arrivals import Arrivals, Times, sessions_of
from benchmarks.real_world.infrastructure import Client, Internet, card
from benchmarks.real_world.sources import Conversation, Sources
from benchmarks.real_world.traffic import START_US, Account, Batch, Call, Traffic
from numpy.typing import NDArray

MODELS = ("m-small", "m-mid", "m-large")
"""Names as in the ServeGen trace."""
DAY_US = 86_400_000_000


class ConversationSupply:
    """Conversations in a shuffled order, once each; then again, retyped."""

    def __init__(self, conversations: Sequence[Conversation], rng: np.random.Generator) -> None:
        self._conversations = conversations
        self._rng = rng
        self._order = rng.permutation(len(conversations))
        self._used = 0

    @property
    def rounds(self) -> float:
        """How often the supply has been used up."""
        return self._used / max(1, len(self._conversations))

    def take(self) -> Conversation:
        """Return the next conversation."""
        again, place = divmod(self._used, len(self._conversations))
        self._used += 1
        conversation = self._conversations[int(self._order[place])]
        return tuple(wording.retype(turn, self._rng) for turn in conversation) if again else conversation


@dataclass(slots=True, kw_only=True)
class World:
    """A world under construction."""

    sources: Sources
    arrivals: Arrivals
    internet: Internet
    traffic: Traffic
    rng: np.random.Generator
    chat: ConversationSupply
    french: ConversationSupply
    programming: ConversationSupply
    documents: ConversationSupply

    def open_person(
        self,
        family: str,
        *,
        payment_id: str | None = None,
        organization_id: str | None = None,
        mail_domain: str | None = None,
    ) -> Account:
        """Open an account of one human being with ordinary facts: one in eight is new, some use disposable mail."""
        rng = self.rng
        return self.traffic.open_account(
            family=family,
            email_domain=mail_domain or self.internet.mail_domain(rng, disposable=0.06, company=0.12),
            created_us=self.created(),
            payment_id=payment_id or (card(rng) if rng.random() < 0.8 else None),
            organization_id=organization_id,
        )

    def open_business(self, family: str, *, payment_id: str | None = None, licence: str | None = None) -> Account:
        """Open an account of an organisation or a developer."""
        rng = self.rng
        return self.traffic.open_account(
            family=family,
            email_domain=self.internet.mail_domain(rng, disposable=0.05, company=0.5),
            created_us=self.created(),
            payment_id=payment_id or card(rng),
            licence=licence,
            operator_role="licensed" if licence else None,
        )

    def created(self) -> int:
        """Return a registration time: up to two years before the world, one in eight in the month before it."""
        days = self.rng.uniform(0.2, 30) if self.rng.random() < 0.125 else self.rng.gamma(1.6, 140.0) + 1
        return START_US - int(min(days, 730.0) * DAY_US)

    def person_call(self) -> Call:
        """Return how a person's client calls: mostly a browser's chat with default parameters, sometimes a script."""
        rng = self.rng
        model = MODELS[int(rng.choice(3, p=[0.25, 0.35, 0.4]))]
        if rng.random() < 0.8:
            return Call(model=model, client=self.internet.browser(rng), stream=True)
        return self.script_call(model)

    def script_call(self, model: str | None = None) -> Call:
        """Return how a program calls; the parameters that programs commonly set."""
        rng = self.rng
        temperature = (None, 0.0, 0.2, 0.3, 0.5, 0.7, 1.0)[
            int(rng.choice(7, p=[0.2, 0.25, 0.1, 0.05, 0.05, 0.25, 0.1]))
        ]
        limit = (None, 256, 512, 1024, 2048, 4096, 8192)[int(rng.choice(7, p=[0.2, 0.1, 0.15, 0.2, 0.15, 0.15, 0.05]))]
        return Call(
            model=model or MODELS[int(rng.choice(3, p=[0.3, 0.4, 0.3]))],
            client=self.internet.library(rng),
            endpoint=("chat", "messages", "responses")[int(rng.choice(3, p=[0.6, 0.25, 0.15]))],
            temperature=temperature,
            top_p=(None, 1.0, 0.95, 0.9)[int(rng.choice(4, p=[0.6, 0.2, 0.15, 0.05]))],
            max_tokens=limit,
            samples=1 if rng.random() < 0.3 else None,
            stream=bool(rng.random() < 0.2),
            reasoning_share=float(rng.choice([0.0, 0.3, 0.6], p=[0.7, 0.15, 0.15])),
        )

    def choose(self, addresses: Sequence[str], count: int) -> list[str]:
        """Return an address per exchange: mostly the first, sometimes the others."""
        picks = self.rng.choice(len(addresses), size=count, p=_falling(len(addresses)))
        return [addresses[int(pick)] for pick in picks]

    def chat_answers(self, count: int) -> NDArray[np.int64]:
        """Return answer lengths as in the Azure conversation trace, tokens, int64 [count]."""
        return self.rng.choice(self.arrivals.chat_output_tokens, size=count)

    def dialogue(
        self, times: Times, supply: ConversationSupply, document_share: float
    ) -> tuple[list[str], list[int], NDArray[np.int64]]:
        """Return prompts, turns and session numbers of one person's exchanges.

        Args:
            times: seconds, ascending.
            supply: conversations to take from.
            document_share: probability that a conversation is an errand on a pasted text instead.

        Returns:
            Prompts, user turns so far (1 or more) and session numbers, one per time.
        """
        prompts: list[str] = []
        turns: list[int] = []
        sessions = sessions_of(times)
        pending: Iterator[str] = iter(())
        previous = -1
        for session in sessions.tolist():
            following = next(pending, None) if session == previous else None
            if following is None:
                # The more often the few real conversations have been used, the more people bring a text of their own.
                share = 1.0 - (1.0 - document_share) / (1.0 + supply.rounds)
                conversation = self._errand() if self.rng.random() < share else self._asked(supply)
                following, *rest = conversation
                pending = iter(rest)
                turns.append(1)
            else:
                turns.append(turns[-1] + 1)
            prompts.append(following)
            previous = session
        return prompts, turns, sessions

    def talk(
        self,
        account: Account,
        times: Times,
        supply: ConversationSupply,
        addresses: Sequence[str],
        *,
        call: Call | None = None,
        document_share: float = 0.4,
        system_prompt: str | None = None,
    ) -> None:
        """Add a person's exchanges to the traffic."""
        prompts, turns, sessions = self.dialogue(times, supply, document_share)
        call = call or self.person_call()
        batch = Batch(
            times=times,
            prompts=prompts,
            turns=turns,
            # Own scripts seldom name a session.
            sessions=sessions if call.stream or self.rng.random() < 0.4 else None,
            addresses=self.choose(addresses, len(times)),
            output_tokens=self.chat_answers(len(times)),
            system_prompts=[system_prompt] * len(times),
        )
        self.traffic.add(account, call, batch)

    def some_client(self) -> Client:
        """Return a browser or a library."""
        return self.internet.browser(self.rng) if self.rng.random() < 0.5 else self.internet.library(self.rng)

    def _asked(self, supply: ConversationSupply) -> Conversation:
        repeated = supply.rounds >= 1.0
        first, *rest = supply.take()
        if repeated and self.rng.random() < 0.5:
            (text,) = self.documents.take()
            start = int(self.rng.integers(max(1, len(text) - 200)))
            first = f"{first}\n\n{text[start : start + int(self.rng.integers(80, 600))]}"
        return (first, *rest)

    def _errand(self) -> Conversation:
        (text,) = self.documents.take()
        words = wording.errand(self.sources.split, self.rng)
        return (f"{words}\n\n{text}" if self.rng.random() < 0.7 else f"{text}\n\n{words}",)


def _falling(count: int) -> NDArray[np.float64]:
    weights = 0.5 ** np.arange(count)
    return np.asarray(weights / weights.sum())
