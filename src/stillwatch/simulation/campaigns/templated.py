"""Pools that wear a template: shared infrastructure, residential proxies, paraphrases, injected text, rubrics, other languages."""

from __future__ import annotations

from dataclasses import replace

from stillwatch.simulation.behaviour import Setting, symbol
from stillwatch.simulation.campaigns.operator import draw_choices, pool
from stillwatch.simulation.population import Cohort, Place, Rows
from stillwatch.simulation.text.mixtures import FOREIGN, MIXTURES

_TARGETS = ("reasoning", "maths", "code", "analysis", "general", "science")


def target(setting: Setting, names: tuple[str, ...] = _TARGETS) -> int:
    """Draw the capability that a campaign harvests, as number of a mixture."""
    return MIXTURES[str(setting.draw.choice(names))]


def shared_infrastructure(size: int, setting: Setting) -> Cohort:
    """Shared machines, shared cards, one client, one template."""
    draw = setting.draw
    cards = int(draw.choice([4, 12, 1_000]))
    choices = replace(draw_choices(setting), network="shared machines", accounts_per_card=cards, one_client=1.0)
    cohort = pool(size, choices, setting)
    cohort.streams["mixture"] = target(setting)
    scaffold(cohort.streams, setting)
    return cohort


def residential_proxies(size: int, setting: Setting) -> Cohort:
    """Residential exits, virtual cards; a template around every task."""
    cards = int(setting.draw.choice([1, 1, 2, 3]))
    cohort = pool(size, replace(draw_choices(setting), network="residential proxies", accounts_per_card=cards), setting)
    cohort.streams["mixture"] = target(setting)
    scaffold(cohort.streams, setting)
    return cohort


def paraphrased_scaffold(size: int, setting: Setting) -> Cohort:
    """The scaffold is rewritten: one of some dozens or hundreds of wordings, or a fresh one for each exchange."""
    cohort = pool(size, draw_choices(setting), setting)
    cohort.streams["mixture"] = target(setting)
    scaffold(cohort.streams, setting)
    cohort.streams["scaffold_variants"] = int(setting.draw.choice([0, 40, 200, 600]))
    return cohort


def injected_text(size: int, setting: Setting) -> Cohort:
    """One constant text in every request that forces the reasoning into the visible answer, wherever it stands."""
    cohort = pool(size, draw_choices(setting), setting)
    cohort.streams["mixture"] = target(setting, ("general", "reasoning", "coding", "relay"))
    inject(cohort.streams, setting)
    return cohort


def rubric_grading(size: int, setting: Setting) -> Cohort:
    """The model as reward model: every exchange grades a fresh pair by the operator's rubric."""
    draw = setting.draw
    cohort = pool(size, draw_choices(setting), setting)
    streams = cohort.streams
    streams["mixture"] = MIXTURES["pair"]
    inline = draw.random() < 0.75
    streams["before"] = symbol("scaffold.rubric") if inline else -1
    streams["system"] = -1 if inline else symbol("system.judge")
    streams["system_key"] = streams["scaffold_key"]
    streams["scaffold_variants"] = int(draw.choice([1, 1, 4, 12]))
    return cohort


def other_language(size: int, setting: Setting) -> Cohort:
    """Broad tasks in one language other than English, with the reasoning forced into that language."""
    draw = setting.draw
    cohort = pool(size, draw_choices(setting), setting)
    language = str(draw.choice(FOREIGN))
    cohort.streams["mixture"] = MIXTURES[f"task {language}"]
    before = draw.random() < 0.5
    wording = symbol(f"scaffold.foreign.{language}") if draw.random() < 0.75 else symbol("scaffold.language")
    cohort.streams["before" if before else "after"] = wording
    return cohort


def scaffold(streams: Rows, setting: Setting) -> None:
    """Put the operator's scaffold before, after or around the task, or into the system prompt."""
    form = setting.draw.choice(["around", "before", "after", "system"], p=[0.25, 0.3, 0.33, 0.12])
    if form in ("around", "before"):
        streams["before"] = symbol("scaffold.reasoning.before")
    if form in ("around", "after"):
        streams["after"] = symbol("scaffold.reasoning.after")
    if form == "system":
        streams["system"] = symbol("system.solver")
        streams["system_key"] = streams["scaffold_key"]
        streams["after"] = symbol("scaffold.reasoning.after")


def inject(streams: Rows, setting: Setting) -> None:
    """Put one constant text before, after or into the prompt."""
    place = int(setting.draw.choice([Place.ANYWHERE, Place.ANYWHERE, Place.BEFORE, Place.AFTER]))
    streams["place"] = place
    wording = symbol("scaffold.trace")
    streams["after" if place == Place.AFTER else "before"] = wording
