"""Campaigns: real extraction pools, sent through real templates or bare, sharded over accounts.

Takes a world and a plan. Gives the campaign's accounts and exchanges in the world's traffic. `draw` makes a plan: family by
rotation over seeds, everything else by chance, so that no two campaigns are alike:

- what is sent: the pool, the template or scaffold, its place, an injected constant text, the language;
- what is shared: data-centre addresses and one card; residential proxies and one card per few accounts; nothing;
- how fast: 5 to 26 a day and account, a hot pool of 300 to 800 a day, a whale of one account;
- how work is handed out: a queue, batches, or each account alone; by staff hours or round the clock;
- how much of it is harvest: all but warm-ups, or 5 to 95 % within resold ordinary traffic.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from benchmarks.real_world import elicitation, wording
from benchmarks.real_world.arrivals import DAYS, Dispatch, Times, operator, sessions_of
from benchmarks.real_world.errors import WorldSettingsError
from benchmarks.real_world.infrastructure import card
from benchmarks.real_world.sources import ElicitationTemplate, ExtractionPool
from benchmarks.real_world.traffic import START_US, Account, Batch, Call
from benchmarks.real_world.world import DAY_US, World
from numpy.typing import NDArray

FAMILIES = (
    "bare shards", "templated", "injected constant", "paraphrased scaffold", "resold mixture", "rubric grading",
    "task synthesis", "tool use", "french", "hot pool", "whale",
)  # fmt: skip
LARGE_POOL = 1_500
"""Questions that a pool must have to feed a campaign without many repeats."""

Infrastructure = Literal["shared", "residential, shared cards", "nothing shared"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is sent for one question."""

    prompt: str
    system: str | None = None
    tools: str | None = None
    answer_tokens: int
    """Length of the answer that the real set holds; 0 where it holds none."""


Maker = Callable[[int, np.random.Generator], Request]
"""Takes a place in the work list, gives the request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All choices of one campaign."""

    campaign_id: str
    family: str
    size: int
    pool: str
    template: str
    infrastructure: Infrastructure
    accounts_per_card: int
    per_day: float
    first_day: float
    last_day: float
    round_the_clock: bool
    dispatch: Dispatch
    sharding: Literal["queue", "blocks"]
    harvest_share: float
    questions: int
    """Length of the work list."""
    maker: Maker


def draw(world: World, family: str, size: int) -> Plan:
    """Draw a campaign of that family.

    Args:
        world: the world it will live in.
        family: one of `FAMILIES`.
        size: accounts, at least 1.

    Returns:
        The plan; nothing is added to the traffic yet.

    Raises:
        WorldSettingsError: for an unknown family.
    """
    if family not in FAMILIES:
        raise WorldSettingsError(f"campaign family: got {family!r}, expected one of {', '.join(FAMILIES)}")
    rng = world.rng
    maker, questions, pool, template = _work(world, family)
    infrastructure: Infrastructure = (
        "nothing shared"
        if family == "bare shards"
        else ("shared", "residential, shared cards", "nothing shared")[int(rng.choice(3, p=[0.3, 0.4, 0.3]))]
    )
    first_day = float(rng.uniform(0, 3))
    per_day, last_day = float(rng.uniform(5, 26)), float(rng.uniform(10, DAYS))
    if family == "hot pool":
        per_day, last_day = float(rng.uniform(300, 800)), first_day + float(rng.uniform(1.5, 3))
    elif family == "whale":
        per_day = float(rng.uniform(200, 600))
    elif family == "resold mixture":
        per_day = float(rng.uniform(12, 50))
    if family not in {"hot pool", "whale", "resold mixture"} and size * per_day * (last_day - first_day) > questions:
        # A small pool is asked more slowly, then for fewer days: each question once or little more often.
        per_day = max(5.0, questions / (size * (last_day - first_day)))
        last_day = first_day + float(np.clip(questions / (size * per_day), 4.0, last_day - first_day))
    cards = {"shared": size, "residential, shared cards": int(rng.integers(2, 6)), "nothing shared": 1}
    return Plan(
        campaign_id=f"real-{int(rng.integers(1 << 40)):010x}",
        family=family,
        size=size,
        pool=pool,
        template=template,
        infrastructure=infrastructure,
        accounts_per_card=cards[infrastructure],
        per_day=per_day,
        first_day=first_day,
        last_day=last_day,
        round_the_clock=bool(rng.random() < 0.4),
        dispatch=("queue", "batches", "alone")[int(rng.choice(3, p=[0.5, 0.25, 0.25]))],
        sharding="queue" if rng.random() < 0.6 else "blocks",
        harvest_share=float(rng.uniform(0.05, 0.95)) if family == "resold mixture" else float(rng.uniform(0.94, 1.0)),
        questions=questions,
        maker=maker,
    )


def carry_out(world: World, plan: Plan) -> None:
    """Add the campaign's accounts and exchanges to the world's traffic."""
    rng = world.rng
    times = operator(
        world.arrivals,
        rng,
        accounts=plan.size,
        per_day=plan.per_day,
        first_day=plan.first_day,
        last_day=plan.last_day,
        round_the_clock=plan.round_the_clock,
        dispatch=plan.dispatch,
    )
    is_harvest = [rng.random(len(own)) < plan.harvest_share for own in times]
    work = _hand_out(plan, times, is_harvest, rng)
    calls = _calls(world, plan)
    accounts = _open(world, plan)
    addresses = _addresses(world, plan, times)
    # Accounts that resell carry people's conversations; the others only try out whether the key works.
    for number, account in enumerate(accounts):
        if not len(times[number]):
            continue
        requests = [plan.maker(int(place), rng) for place in work[number]]
        batch = _exchanges(
            world,
            plan,
            times[number],
            is_harvest=is_harvest[number],
            requests=requests,
            addresses=addresses[number],
        )
        world.traffic.add(account, calls[number], batch)


def _exchanges(
    world: World,
    plan: Plan,
    times: Times,
    *,
    is_harvest: NDArray[np.bool_],
    requests: list[Request],
    addresses: list[str],
) -> Batch:
    """One account's exchanges: harvest requests in their places, ordinary ones in the others."""
    rng = world.rng
    if plan.family == "resold mixture":
        prompts, turns, sessions = world.dialogue(times, world.chat, 0.4)
    else:
        prompts, turns, sessions = [wording.warm_up(rng) for _ in times], [1] * len(times), sessions_of(times)
    systems: list[str | None] = [None] * len(times)
    tools: list[str | None] = [None] * len(times)
    output = world.chat_answers(len(times))
    stretch = float(rng.uniform(1.0, 4.0))
    for place, request in zip(np.flatnonzero(is_harvest).tolist(), requests, strict=True):
        prompts[place], systems[place], turns[place], tools[place] = request.prompt, request.system, 1, request.tools
        if request.answer_tokens:
            output[place] = int(request.answer_tokens * stretch * rng.lognormal(0.0, 0.3)) + 5
    return Batch(
        times=times,
        prompts=prompts,
        turns=turns,
        sessions=sessions if plan.family == "resold mixture" or rng.random() < 0.4 else None,
        addresses=addresses,
        output_tokens=output,
        system_prompts=systems,
        tools=tools,
        harvest=is_harvest.tolist(),
    )


def _hand_out(
    plan: Plan, times: list[Times], is_harvest: list[NDArray[np.bool_]], rng: np.random.Generator
) -> list[NDArray[np.int64]]:
    """Places in the work list per account: each place once before any place comes again."""
    counts = [int(flags.sum()) for flags in is_harvest]
    total = sum(counts)
    rounds = -(-total // plan.questions) if total else 0
    order = np.concatenate([rng.permutation(plan.questions) for _ in range(max(rounds, 1))])[:total]
    if plan.sharding == "blocks":
        return [np.asarray(part, dtype=np.int64) for part in np.split(order, np.cumsum(counts)[:-1])]
    when = np.concatenate([own[flags] for own, flags in zip(times, is_harvest, strict=True)])
    owner = np.repeat(np.arange(len(times)), counts)
    by_time = np.argsort(when, kind="stable")
    place = np.empty(total, dtype=np.int64)
    place[by_time] = order
    return [place[owner == number] for number in range(len(times))]


def _open(world: World, plan: Plan) -> list[Account]:
    rng = world.rng
    in_bulk = rng.random() < 0.5
    bought = START_US - int(rng.uniform(1, 60) * DAY_US)
    disposable = float(rng.choice([0.03, 0.2, 0.6], p=[0.5, 0.25, 0.25]))
    cards = [card(rng) for _ in range(-(-plan.size // plan.accounts_per_card))]
    role = "reseller" if plan.family == "resold mixture" else "operator"
    return [
        world.traffic.open_account(
            family=plan.family,
            email_domain=world.internet.mail_domain(rng, disposable=disposable, company=0.15),
            created_us=bought - int(rng.uniform(0, 3) * DAY_US) if in_bulk else world.created(),
            payment_id=cards[number // plan.accounts_per_card],
            campaign=plan.campaign_id,
            operator_role=role,
        )
        for number in range(plan.size)
    ]


def _calls(world: World, plan: Plan) -> list[Call]:
    rng = world.rng
    model = ("m-mid", "m-large")[int(rng.random() < 0.7)]
    common = world.script_call(model)
    one_program = plan.infrastructure == "shared" or rng.random() < (0.6 if "cards" in plan.infrastructure else 0.2)
    one_setting = rng.random() < 0.8
    calls = []
    for _ in range(plan.size):
        call = common if one_setting else world.script_call(model)
        calls.append(call if one_program else replace(call, client=world.some_client()))
    return calls


def _addresses(world: World, plan: Plan, times: list[Times]) -> list[list[str]]:
    rng, internet = world.rng, world.internet
    if plan.infrastructure == "shared":
        few = internet.data_centre(rng, int(rng.integers(1, 4)))
        return [[few[int(pick)] for pick in rng.integers(len(few), size=len(own))] for own in times]
    if plan.infrastructure == "nothing shared":
        homes = [internet.data_centre(rng) if rng.random() < 0.4 else internet.home(rng) for _ in times]
        return [world.choose(home, len(own)) for home, own in zip(homes, times, strict=True)]
    sticky = float(rng.uniform(600, 3_600))
    given = []
    for own in times:
        leases = np.floor(own / sticky).astype(np.int64)
        exits = {int(lease): internet.residential(rng) for lease in np.unique(leases)}
        given.append([exits[int(lease)] for lease in leases])
    return given


def _tool_names(definitions: str | None) -> str | None:
    """Names of the tools in a set of definitions, sorted and joined."""
    if not definitions:
        return None
    pieces = definitions.split('"name": "')[1:]
    return ",".join(sorted({piece.split('"', 1)[0] for piece in pieces})) or None


def _bare(pool: ExtractionPool, place: int, prompt: str | None = None) -> Request:
    return Request(
        prompt=pool.questions[place] if prompt is None else prompt,
        system=pool.tools[place],
        tools=_tool_names(pool.tools[place]),
        answer_tokens=pool.answer_characters[place] // 4,
    )


def _scaffolded(pool: ExtractionPool, make: Callable[[np.random.Generator], str]) -> Maker:
    def maker(place: int, rng: np.random.Generator) -> Request:
        return _bare(pool, place, make(rng).replace("{question}", pool.questions[place]))

    return maker


def _from_template(pool: ExtractionPool, template: ElicitationTemplate) -> Maker:
    def maker(place: int, rng: np.random.Generator) -> Request:
        examples = [pool.questions[int(other)] for other in rng.integers(len(pool.questions), size=3)]
        return _bare(pool, place, elicitation.question_request(template, pool.questions[place], examples, rng))

    return maker


def _with_injection(maker: Maker, text: str, position: int) -> Maker:
    def injected(place: int, rng: np.random.Generator) -> Request:
        request = maker(place, rng)
        words = request.prompt.split(" ")
        at = (0, len(words), int(rng.integers(len(words) + 1)))[position]
        return replace(request, prompt=" ".join([*words[:at], text, *words[at:]]))

    return injected


def _judging(world: World) -> tuple[Maker, int, str, str]:
    """Grading: the rubric sets where the split has them, otherwise judge templates over real answers."""
    rubrics = world.sources.pool("rubric grading")
    templates = [template for template in world.sources.templates if elicitation.is_judge(template)]
    if rubrics and world.rng.random() < 0.5:
        pool = _joined(rubrics)
        return (lambda place, _: _bare(pool, place)), len(pool.questions), pool.name, "none"
    template = templates[int(world.rng.integers(len(templates)))]
    items = world.sources.judge_items

    def maker(place: int, _: np.random.Generator) -> Request:
        return Request(prompt=elicitation.judge_request(template, items[place]), answer_tokens=0)

    return maker, len(items), "model answers", template.name


def _joined(pools: tuple[ExtractionPool, ...]) -> ExtractionPool:
    return ExtractionPool(
        name=" + ".join(pool.name for pool in pools),
        capability=pools[0].capability,
        questions=tuple(question for pool in pools for question in pool.questions),
        answer_characters=tuple(length for pool in pools for length in pool.answer_characters),
        tools=tuple(tools for pool in pools for tools in pool.tools),
    )


def _work(world: World, family: str) -> tuple[Maker, int, str, str]:
    """(maker, questions, pool name, template name) of a family's work list."""
    rng, split = world.rng, world.sources.split
    if family == "rubric grading":
        return _judging(world)
    large = [pool for pool in world.sources.pools if len(pool.questions) >= LARGE_POOL]
    pool = large[int(rng.integers(len(large)))]
    if family == "tool use":
        pool = _joined(world.sources.pool("tool use"))
    elif family == "french":
        pool = _joined((world.sources.french_pool, pool)) if rng.random() < 0.5 else world.sources.french_pool
        text = wording.french_scaffold(split, rng)
        return _scaffolded(pool, lambda _: text), len(pool.questions), pool.name, "french scaffold"
    count = len(pool.questions)
    templates = [template for template in world.sources.templates if not elicitation.is_judge(template)]
    templates = [template for template in templates if "judge" not in template.family]
    if family == "bare shards" or (family in {"tool use", "whale"} and rng.random() < 0.5):
        return (lambda place, _: _bare(pool, place)), count, pool.name, "none"
    if family == "task synthesis" or (family == "templated" and rng.random() < 0.5):
        makers = {"task synthesis": ("self_instruct_bootstrap", "evol_instruct")}
        fitting = [template for template in templates if template.family in makers.get(family, (template.family,))]
        template = fitting[int(rng.integers(len(fitting)))]
        return _from_template(pool, template), count, pool.name, template.name
    if family == "paraphrased scaffold":
        return _scaffolded(pool, lambda own: wording.scaffold(split, own)), count, pool.name, "paraphrased scaffold"
    text = wording.scaffold(split, rng)
    maker = _scaffolded(pool, lambda _: text)
    if family != "injected constant":
        return maker, count, pool.name, "scaffold"
    constant, position = wording.injected_text(split, rng), int(rng.integers(3))
    bare_maker: Maker = lambda place, _: _bare(pool, place)  # noqa: E731
    inner = maker if rng.random() < 0.5 else bare_maker
    return _with_injection(inner, constant, position), count, pool.name, "injected constant"
