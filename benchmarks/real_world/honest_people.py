"""Honest accounts of human beings, look-alikes among them.

Takes a world and a number of accounts. Gives these classes of accounts in its traffic:

- casual chat, French chat, programmers: ordinary people with real conversations and pasted documents;
- coding assistant: many people behind one giant system prompt;
- persona users: public prompts that many people paste (the public-template look-alike);
- class homework: a class on one campus network with the same twenty questions in one week;
- enterprise seats: colleagues behind one NAT, one invoice and one mail domain;
- plug-in fleet: one product's template on every customer's own key;
- crowd red team: contracted crowd workers on one card (abusive text, no harvest);
- jailbreak hobbyists; instruction writers: crowd workers who write tasks themselves in one office.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from benchmarks.real_world import wording
from benchmarks.real_world.arrivals import DAY, person, sessions_of, within_world
from benchmarks.real_world.infrastructure import card
from benchmarks.real_world.traffic import Batch, Call
from benchmarks.real_world.world import ConversationSupply, World


def casual_chat(world: World, accounts: int) -> None:
    """Ordinary people."""
    for _ in range(accounts):
        account = world.open_person("casual chat")
        world.talk(account, person(world.arrivals, world.rng), world.chat, world.internet.home(world.rng))


def french_chat(world: World, accounts: int) -> None:
    """Ordinary people who write French."""
    for _ in range(accounts):
        account = world.open_person("french chat")
        times = person(world.arrivals, world.rng)
        world.talk(account, times, world.french, world.internet.home(world.rng), document_share=0.15)


def programmers(world: World, accounts: int) -> None:
    """Programmers; the user study's own accounts keep their own times, order and turns."""
    recorded = world.sources.honest.programmers
    for number in range(accounts):
        account = world.open_person("programmers")
        addresses = world.internet.home(world.rng)
        if number >= len(recorded):
            times = person(world.arrivals, world.rng)
            world.talk(account, times, world.programming, addresses, document_share=0.35)
            continue
        events = recorded[number]
        times = float(world.rng.uniform(0, 13 * DAY)) + np.asarray([event[0] for event in events])
        batch = Batch(
            times=times,
            prompts=[event[1] for event in events],
            turns=[event[2] for event in events],
            sessions=sessions_of(times),
            addresses=world.choose(addresses, len(events)),
            output_tokens=world.chat_answers(len(events)),
        )
        world.traffic.add(account, world.person_call(), batch)


def coding_assistant(world: World, accounts: int) -> None:
    """Users of one coding assistant: one client program and one long system prompt for all of them."""
    personas = sorted(world.sources.honest.personas, key=len)
    system = personas[-1 - int(world.rng.integers(5))]
    call = replace(world.script_call("m-large"), temperature=0.2, max_tokens=4096, stream=True, tools="bash,edit,read")
    for _ in range(accounts):
        account = world.open_person("coding assistant")
        world.talk(
            account,
            person(world.arrivals, world.rng),
            world.programming,
            world.internet.home(world.rng),
            call=call,
            system_prompt=system,
            document_share=0.3,
        )


def persona_users(world: World, accounts: int) -> None:
    """People who paste a public prompt first; popular prompts are pasted by many."""
    personas = world.sources.honest.personas
    order = world.rng.permutation(len(personas))
    weights = 1.0 / np.arange(1, len(personas) + 1)
    weights /= weights.sum()
    for _ in range(accounts):
        account = world.open_person("persona users")
        times = person(world.arrivals, world.rng)
        prompts, turns, sessions = world.dialogue(times, world.chat, 0.2)
        fresh = np.r_[True, sessions[1:] != sessions[:-1]]
        picks = order[world.rng.choice(len(personas), size=len(times), p=weights)]
        prompts = [
            personas[int(pick)] if new and world.rng.random() < 0.6 else prompt
            for prompt, new, pick in zip(prompts, fresh, picks, strict=True)
        ]
        batch = Batch(
            times=times,
            prompts=prompts,
            turns=turns,
            sessions=sessions,
            addresses=world.choose(world.internet.home(world.rng), len(times)),
            output_tokens=world.chat_answers(len(times)),
        )
        world.traffic.add(account, world.person_call(), batch)


def class_homework(world: World, accounts: int) -> None:
    """Classes of twenty to thirty students: the same twenty questions, one campus network, one week."""
    rng = world.rng
    questions = [question for pool in world.sources.pools for question in pool.questions if len(question) < 600]
    for size in _groups(accounts, 20, 30, rng):
        sheet = [questions[int(place)] for place in rng.choice(len(questions), size=20, replace=False)]
        network = int(rng.choice(world.internet.access_networks))
        campus = [world.internet.residential(rng, network) for _ in range(3)]
        first_day = int(rng.integers(0, 7))
        for _ in range(size):
            account = world.open_person("class homework", mail_domain="campus.edu")
            done = np.sort(rng.choice(20, size=int(rng.integers(10, 21)), replace=False))
            evenings = first_day + rng.integers(0, 6, size=int(rng.integers(1, 4)))
            starts = evenings * DAY + rng.normal(19, 2, size=len(evenings)) * 3600
            times = within_world(np.sort(rng.choice(starts, size=len(done)) + rng.uniform(0, 5400, size=len(done))))
            prompts = [_as_student(sheet[int(place)], rng) for place in done[: len(times)]]
            batch = Batch(
                times=times,
                prompts=prompts,
                sessions=sessions_of(times),
                addresses=world.choose([*campus, world.internet.residential(rng)], len(times)),
                output_tokens=world.chat_answers(len(times)),
            )
            world.traffic.add(account, Call(model="m-mid", client=world.internet.browser(rng), stream=True), batch)
            world.talk(account, person(world.arrivals, rng), world.chat, world.internet.home(rng))


def enterprise_seats(world: World, accounts: int) -> None:
    """Colleagues: one office address, one invoice, one mail domain, one rolled-out browser."""
    rng = world.rng
    for size in _groups(accounts, 20, 60, rng):
        office = [world.internet.residential(rng), world.internet.residential(rng)]
        invoice, domain = card(rng), world.internet.mail_domain(rng, disposable=0.0, company=1.0)
        organization = f"org_{int(rng.integers(1 << 62)):016x}"
        call = Call(model="m-large", client=world.internet.browser(rng), stream=True)
        for _ in range(size):
            account = world.open_person(
                "enterprise seats", payment_id=invoice, organization_id=organization, mail_domain=domain
            )
            supply = world.programming if rng.random() < 0.3 else world.chat
            world.talk(account, person(world.arrivals, rng), supply, office, call=call, document_share=0.6)


def plugin_fleet(world: World, accounts: int) -> None:
    """Customers of one product: its system prompt and wrapper on each customer's own key and machine."""
    rng = world.rng
    personas = [text for text in world.sources.honest.personas if len(text) < 1500]
    system = personas[int(rng.integers(len(personas)))]
    wrapper = wording.bulk_template("documents", world.sources.split, rng)
    call = replace(world.script_call("m-mid"), temperature=0.7, max_tokens=1024)
    for _ in range(accounts):
        account = world.open_person("plug-in fleet")
        times = person(world.arrivals, rng)
        prompts, turns, sessions = world.dialogue(times, world.chat, 0.6)
        batch = Batch(
            times=times,
            prompts=[wrapper.replace("{text}", prompt) for prompt in prompts],
            turns=turns,
            sessions=sessions,
            system_prompts=[system] * len(times),
            addresses=world.choose(world.internet.home(rng), len(times)),
            output_tokens=world.chat_answers(len(times)),
        )
        world.traffic.add(account, call, batch)


def crowd_red_team(world: World, accounts: int) -> None:
    """Crowd workers under contract who attack the model in conversation; the agency pays with one card."""
    rng = world.rng
    supply = ConversationSupply(world.sources.honest.red_team, rng)
    for size in _groups(accounts, 8, 15, rng):
        agency = card(rng)
        for _ in range(size):
            account = world.open_person("crowd red team", payment_id=agency)
            world.talk(account, person(world.arrivals, rng), supply, world.internet.home(rng), document_share=0.0)


def jailbreak_hobbyists(world: World, accounts: int) -> None:
    """People who paste jailbreaks found in the wild; popular ones come often."""
    supply = ConversationSupply([(text,) for text in world.sources.honest.jailbreaks], world.rng)
    for _ in range(accounts):
        account = world.open_person("jailbreak hobbyists")
        times = person(world.arrivals, world.rng)
        world.talk(account, times, supply, world.internet.home(world.rng), document_share=0.0)


def instruction_writers(world: World, accounts: int) -> None:
    """Crowd workers of one office who write tasks and read the answers: looks like a harvest, is human writing."""
    rng = world.rng
    supply = ConversationSupply([(text,) for text in world.sources.honest.instructions], rng)
    office, invoice = [world.internet.residential(rng)], card(rng)
    for _ in range(accounts):
        account = world.open_person("instruction writers", payment_id=invoice)
        times = np.sort(np.concatenate([person(world.arrivals, rng) for _ in range(3)]))
        addresses = office if rng.random() < 0.7 else world.internet.home(rng)
        world.talk(account, times, supply, addresses, document_share=0.0)


def _groups(accounts: int, low: int, high: int, rng: np.random.Generator) -> list[int]:
    """Sizes of groups that sum to `accounts`; a last rest below `low` joins the group before it."""
    sizes: list[int] = []
    left = accounts
    while left > 0:
        size = min(left, int(rng.integers(low, high + 1)))
        if size < low and sizes:
            sizes[-1] += size
        else:
            sizes.append(size)
        left -= size
    return sizes


def _as_student(question: str, rng: np.random.Generator) -> str:
    way = int(rng.integers(5))
    return (
        question,
        f"{question}\n\nshow the steps",
        f"can you solve this step by step: {question}",
        f"I don't get this one. {question}",
        wording.retype(question, rng),
    )[way]


PEOPLE: tuple[tuple[Callable[[World, int], None], float], ...] = (
    (french_chat, 0.05),
    (programmers, 0.10),
    (coding_assistant, 0.08),
    (persona_users, 0.05),
    (class_homework, 0.0125),
    (enterprise_seats, 0.04),
    (plugin_fleet, 0.10),
    (crowd_red_team, 0.008),
    (jailbreak_hobbyists, 0.008),
    (instruction_writers, 0.010),
)
"""Builder and share of the honest accounts; casual chat takes what is left."""
