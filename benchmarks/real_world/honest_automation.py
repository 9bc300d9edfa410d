"""Honest accounts of programs, most of them look-alikes of a harvest.

Takes a world and a number of accounts. Gives these classes of accounts in its traffic:

- developer application: one system prompt, many end users' short utterances, a ServeGen client's arrivals;
- support agent: the airline agent with its policy, tools and near-identical openings;
- batch labellers, document jobs: one wrapper each over thousands of own texts;
- benchmark harness: unrelated researchers run one public benchmark, same items in the same order, same template;
- judge suite: a fixed set of graded items again every night;
- tutor product: worked solutions asked for on behalf of many pupils;
- aggregator: ordinary people's traffic resold from one address, no harvest in it;
- licensed partner: a harvest under an agreement that the accounts file names.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from benchmarks.real_world import elicitation, wording
from benchmarks.real_world.arrivals import DAY, SERVEGEN_SCALE, Client, Times, automation, within_world
from benchmarks.real_world.sources import ElicitationTemplate, ExtractionPool
from benchmarks.real_world.traffic import Batch
from benchmarks.real_world.world import World


def developer_applications(world: World, accounts: int) -> None:
    """Products of one account each: a persona as system prompt and their users' utterances."""
    rng, honest = world.rng, world.sources.honest
    personas = [text for text in honest.personas if len(text) < 4000]
    for _ in range(accounts):
        client = _client(world)
        times = automation(client, rng, cap=1_500)
        texts = [honest.utterances[int(place)] for place in rng.integers(len(honest.utterances), size=len(times))]
        system = personas[int(rng.integers(len(personas)))]
        _serve(world, "developer application", client, times, texts, system=system)


def support_agents(world: World, accounts: int) -> None:
    """One product each: the airline agent's dialogues, or utterances where the split has none."""
    rng, honest = world.rng, world.sources.honest
    dialogues = honest.support_dialogues or tuple((text,) for text in honest.utterances)
    for _ in range(accounts):
        client = _client(world)
        times = automation(client, rng, cap=600)
        texts: list[str] = []
        turns: list[int] = []
        while len(texts) < len(times):
            dialogue = dialogues[int(rng.integers(len(dialogues)))]
            texts += dialogue
            turns += range(1, len(dialogue) + 1)
        count = len(times)
        policy = honest.support_policy or honest.personas[int(rng.integers(len(honest.personas)))]
        _serve(world, "support agent", client, times, texts[:count], system=policy, turns=turns[:count])


def batch_labellers(world: World, accounts: int) -> None:
    """Each labels its own utterances with its own wrapper; wrappers are few, so unrelated ones look alike."""
    rng, utterances = world.rng, world.sources.honest.utterances
    for _ in range(accounts):
        client = _client(world)
        times = automation(client, rng, cap=1_200)
        wrapper = wording.bulk_template("labelling", world.sources.split, rng)
        places = rng.permutation(len(utterances))[: len(times)]
        texts = [wrapper.replace("{text}", utterances[int(place)]) for place in places]
        _serve(world, "batch labellers", client, times[: len(texts)], texts)


def document_jobs(world: World, accounts: int) -> None:
    """Localisation, abstracts and extraction over own documents."""
    for _ in range(accounts):
        client = _client(world)
        times = automation(client, world.rng, cap=500)
        wrapper = wording.bulk_template("documents", world.sources.split, world.rng)
        texts = [wrapper.replace("{text}", world.documents.take()[0]) for _ in range(len(times))]
        _serve(world, "document jobs", client, times, texts)


def benchmark_harness(world: World, accounts: int) -> None:
    """Unrelated researchers with one public harness: the benchmark's first items in order, at each one's own time."""
    rng = world.rng
    benchmarks = [pool for pool in world.sources.pool("reasoning") if len(pool.questions) > 2000]
    # The two forms that public harnesses use for such sets, and a public few-shot preamble where the split has one.
    preambles = [template for template in world.sources.templates if template.family == "few_shot_cot"]
    few_shot = preambles[int(rng.integers(len(preambles)))] if preambles else None
    for _ in range(accounts):
        pool = benchmarks[int(rng.integers(len(benchmarks)))]
        limit = int(rng.choice([200, 500, 1319], p=[0.5, 0.4, 0.1]))
        form = int(rng.integers(3))
        texts = [_harness_request(question, form, few_shot, rng) for question in pool.questions[:limit]]
        start = float(rng.uniform(0, 13 * DAY))
        times = within_world(start + np.cumsum(rng.gamma(1.5, float(rng.uniform(2, 20)), size=len(texts))))
        _serve(world, "benchmark harness", _client(world), times, texts[: len(times)])


def judge_suites(world: World, accounts: int) -> None:
    """Regression suites with a model as judge: the same items, graded again every night."""
    rng = world.rng
    rubrics = world.sources.pool("rubric grading")
    templates = [template for template in world.sources.templates if elicitation.is_judge(template)]
    for _ in range(accounts):
        size = int(rng.integers(15, 60))
        if rubrics and rng.random() < 0.7:
            pool = rubrics[int(rng.integers(len(rubrics)))]
            suite = [pool.questions[int(place)] for place in rng.choice(len(pool.questions), size=size, replace=False)]
        else:
            template = templates[int(rng.integers(len(templates)))]
            items = world.sources.judge_items
            places = rng.choice(len(items), size=size, replace=False)
            suite = [elicitation.judge_request(template, items[int(place)]) for place in places]
        hour = float(rng.uniform(0, 24)) * 3600
        nights = [night for night in range(14) if rng.random() < 0.9]
        times = within_world(
            np.concatenate([night * DAY + hour + np.cumsum(rng.gamma(2.0, 4.0, size=size)) for night in nights])
        )
        texts = (suite * len(nights))[: len(times)]
        _serve(world, "judge suite", _client(world), times, texts)


def tutor_products(world: World, accounts: int) -> None:
    """Products for pupils: each asks for the worked solution of whatever its pupils bring, repeats included."""
    rng = world.rng
    pool = _largest(world.sources.pool("reasoning"))
    for _ in range(accounts):
        client = _client(world)
        times = automation(client, rng, cap=800)
        # Pupils of one product sit in the same courses: a few hundred exercises, asked with replacement.
        course = rng.choice(len(pool.questions), size=300, replace=False)
        texts = [pool.questions[int(place)] for place in rng.choice(course, size=len(times))]
        system = "You are a friendly tutor. Give the worked solution step by step and check that the pupil understands."
        _serve(world, "tutor product", client, times, texts, system=system)


def aggregators(world: World, accounts: int) -> None:
    """Legitimate routers: ordinary people's conversations through one account."""
    for _ in range(accounts):
        client = _client(world)
        times = automation(client, world.rng, cap=1_500, scale=SERVEGEN_SCALE * 4)
        texts: list[str] = []
        turns: list[int] = []
        while len(texts) < len(times):
            supply = world.french if world.rng.random() < 0.05 else world.chat
            conversation = supply.take() if world.rng.random() < 0.15 else world.documents.take()
            texts += conversation
            turns += range(1, len(conversation) + 1)
        _serve(world, "aggregator", client, times, texts[: len(times)], turns=turns[: len(times)])


def licensed_partner(world: World, accounts: int) -> None:
    """One firm that harvests under an agreement: like a campaign, but the accounts file names the licence."""
    rng = world.rng
    pool = _largest(world.sources.pools)
    order = rng.permutation(len(pool.questions))
    scaffold = wording.scaffold(world.sources.split, rng)
    taken = 0
    addresses = world.internet.data_centre(rng, 3)
    for _ in range(accounts):
        times = within_world(np.sort(rng.uniform(0, 14 * DAY, size=int(rng.integers(150, 400)))))
        texts = [
            scaffold.replace("{question}", pool.questions[int(place)])
            for place in np.resize(order[taken:], len(times)).tolist()
        ]
        taken += len(times)
        account = world.open_business("licensed partner", licence="distillation agreement")
        batch = Batch(
            times=times,
            prompts=texts,
            addresses=world.choose(addresses, len(times)),
            output_tokens=world.chat_answers(len(times)) * 3,
            harvest=[True] * len(times),
        )
        world.traffic.add(account, world.script_call("m-large"), batch)


def _client(world: World) -> Client:
    return world.arrivals.clients[int(world.rng.integers(len(world.arrivals.clients)))]


def _largest(pools: Sequence[ExtractionPool]) -> ExtractionPool:
    return max(pools, key=lambda pool: len(pool.questions))


def _harness_request(question: str, form: int, few_shot: ElicitationTemplate | None, rng: np.random.Generator) -> str:
    if form == 0 or few_shot is None:
        return f"Q: {question}\nA: Let's think step by step." if form else f"Question: {question}\nAnswer:"
    if form == 1:
        return f"Q: {question}\nA: Let's think step by step."
    return elicitation.question_request(few_shot, question, (), rng)


def _serve(
    world: World,
    family: str,
    client: Client,
    times: Times,
    texts: Sequence[str],
    *,
    system: str | None = None,
    turns: Sequence[int] | None = None,
) -> None:
    """Open a business account and add its exchanges with the client's own answer lengths."""
    rng = world.rng
    account = world.open_business(family)
    hosted = rng.random() < 0.75
    addresses = world.internet.data_centre(rng, int(rng.integers(1, 4))) if hosted else world.internet.home(rng)
    batch = Batch(
        times=times,
        prompts=texts,
        turns=turns,
        addresses=world.choose(addresses, len(times)),
        output_tokens=client.output_tokens[rng.integers(101, size=len(times))].astype(np.int64),
        system_prompts=[system] * len(times),
    )
    world.traffic.add(account, world.script_call(client.model), batch)


AUTOMATION: tuple[tuple[Callable[[World, int], None], float], ...] = (
    (developer_applications, 0.025),
    (support_agents, 0.004),
    (batch_labellers, 0.010),
    (document_jobs, 0.012),
    (benchmark_harness, 0.006),
    (judge_suites, 0.006),
    (tutor_products, 0.003),
    (aggregators, 0.002),
    (licensed_partner, 0.001),
)
"""Builder and share of the honest accounts."""
