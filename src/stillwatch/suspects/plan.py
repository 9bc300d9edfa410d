"""The plan: written once from a draft, committed to before the first query, and held against what is there at every run.

Takes a draft (what a person decides) and the files that it names. Gives a `SuspectPlan` with the digests of everything that could be changed
later: materials, queries, code. `check_plan` makes the queries again and refuses to go on where any of it differs. The root over the queries is
salted, so that the plan can be shown to the other side without showing prompts, and single queries can be opened later.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import stillwatch
from stillwatch.integrity.canonical import canonical_bytes
from stillwatch.integrity.digest import digest_bytes
from stillwatch.integrity.errors import CanonicalFormError
from stillwatch.integrity.merkle import root_of_leaves
from stillwatch.records.suspect import (
    SUSPECT,
    Budget,
    ControlRole,
    Material,
    Party,
    PlannedTest,
    Query,
    SuspectPlan,
)
from stillwatch.suspects.access.opening import FILES, NETWORK, interface_of, material_of
from stillwatch.suspects.access.settings import needed
from stillwatch.suspects.errors import PlanChangedError, PlanError
from stillwatch.suspects.probes import probes_of
from stillwatch.suspects.registry import known_test
from stillwatch.suspects.test import Setting, SuspectTest

FORMAT = "suspect-plan/v1"
DRAFT_NAMES = {
    "suspect", "purpose", "decided_by", "parties", "tests", "materials", "alpha", "sequential", "stop_early",
    "budget", "seed",
}  # fmt: skip
LARGEST_SEED = 2**53
CODE = ("suspects", "watermark", "statistics", "records/suspect.py", "records/claim.py")
"""What draws queries and conclusions."""


def plan_of(draft: Mapping[str, Any], folder: Path, salt: str) -> SuspectPlan:
    """Make a plan of a draft.

    Args:
        draft: what a person decided, as YAML or JSON has it.
        folder: where the draft lies; its paths are relative to it.
        salt: 32 hex digits, drawn at random.

    Raises:
        PlanError: where the draft is incomplete, or names what is not there.
        SuspectError: where a test cannot use its parameters or materials.
    """
    unknown = sorted(set(draft) - DRAFT_NAMES)
    if unknown:
        raise PlanError(f"the draft says {unknown[0]!a}, expected only {', '.join(sorted(DRAFT_NAMES))}")
    try:
        parties = tuple(_party(one) for one in draft["parties"])
        materials = [_material(name, path, folder) for name, path in (draft.get("materials") or {}).items()]
        plan = SuspectPlan(
            suspect=_text(draft["suspect"], "suspect"),
            purpose=_text(draft["purpose"], "purpose"),
            decided_by=_text(draft["decided_by"], "decided_by"),
            parties=parties,
            tests=tuple(_planned(one) for one in draft["tests"]),
            materials=tuple(materials + [_of_party(one, folder) for one in parties if one.kind in FILES]),
            queries=0,
            queries_root="",
            salt=salt,
            alpha=float(draft.get("alpha", 0.05)),
            sequential=tuple(str(one) for one in draft.get("sequential") or ()),
            stop_early=bool(draft.get("stop_early", False)),
            budget=Budget(requests=int(draft["budget"]["requests"]), seconds=int(draft["budget"]["seconds"])),
            seed=int(draft["seed"]),
            version=stillwatch.__version__,
            code_digest=code_digest(),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise PlanError(f"the draft cannot be read: {type(error).__name__} ({str(error)[:80]!a})") from None
    _check(plan)
    queries = queries_of(plan, folder)
    if len(queries) > plan.budget.requests:
        raise PlanError(
            f"the plan asks {len(queries):,} queries, more than its budget of {plan.budget.requests:,} requests"
        )
    return _with_queries(plan, queries)


def plan_bytes(plan: SuspectPlan) -> bytes:
    """Give the canonical bytes of a plan, which the ledger keeps."""
    return canonical_bytes({"format": FORMAT, "plan": plan})


def plan_digest(plan: SuspectPlan) -> str:
    """Give the digest of a plan: `sha256:` and 64 hex digits, as the ledger has it of the entry's record."""
    return f"sha256:{hashlib.sha256(plan_bytes(plan)).hexdigest()}"


def read_plan(content: bytes, where: str) -> SuspectPlan:
    """Read a plan.

    Args:
        content: as `plan_bytes` gives it.
        where: for the message.

    Raises:
        PlanError: where it is none.
    """
    try:
        said = json.loads(content)
        if said["format"] != FORMAT:
            raise PlanError(f"{where}: got format {said['format']!a}, expected {FORMAT}")
        given = dict(said["plan"])
        given["parties"] = tuple(_read_party(one) for one in given["parties"])
        given["tests"] = tuple(PlannedTest(**{**one, "materials": tuple(one["materials"])}) for one in given["tests"])
        given["materials"] = tuple(Material(**one) for one in given["materials"])
        given["budget"] = Budget(**given["budget"])
        given["sequential"] = tuple(given["sequential"])
        return SuspectPlan(**given)
    except (KeyError, TypeError, ValueError) as error:
        raise PlanError(f"{where}: is no plan that `stillwatch suspect plan` wrote ({type(error).__name__})") from None


def check_plan(plan: SuspectPlan, folder: Path) -> tuple[Query, ...]:
    """Make sure that all is as it was committed to, and give the queries.

    1. The version and the code that draws queries and conclusions are the planned ones.
    2. Every material has its digest.
    3. The queries, made again, have their root.

    Args:
        plan: as it was committed to.
        folder: where the materials lie.

    Raises:
        PlanChangedError: naming what differs.
    """
    if plan.version != stillwatch.__version__:
        raise PlanChangedError(
            f"the plan was made by version {plan.version}, this is {stillwatch.__version__}; use that one, or plan anew"
        )
    if plan.code_digest != code_digest():
        raise PlanChangedError(
            "the code that draws queries and conclusions is not the one that the plan committed to; use that one, or plan anew"
        )
    for one in plan.materials:
        found = _material(one.name, one.path, folder)
        if found.digest != one.digest:
            raise PlanChangedError(
                f"material {one.name!a} ({one.path}) changed: expected {one.digest}, got {found.digest}; put the planned file back, or plan anew"
            )
    queries = queries_of(plan, folder)
    if _root(queries, plan.salt) != plan.queries_root:
        raise PlanChangedError("the queries that the plan gives now are not those that it committed to; plan anew")
    return queries


def queries_of(plan: SuspectPlan, folder: Path) -> tuple[Query, ...]:
    """Give all queries in the order in which they are asked.

    The tests' queries are shuffled into one another by the plan's seed, each test's own order kept, so that suspect and controls are asked in the same
    hours; the probes of endpoints are spread evenly among them.
    """
    lists = [list(known_test(one.method).prepare(setting_of(plan, one, folder))) for one in plan.tests]
    for planned, queries in zip(plan.tests, lists, strict=True):
        _check_queries(plan, planned, queries)
    labels = np.repeat(np.arange(len(lists)), [len(one) for one in lists])
    np.random.Generator(np.random.PCG64(plan.seed)).shuffle(labels)
    left = [iter(one) for one in lists]
    queries = [next(left[label]) for label in labels]
    probed = [
        (one, interface_of(one).abilities, str(one.settings.get("style", "chat")) == "completions")
        for one in plan.parties
        if one.kind in NETWORK
    ]
    rounds = [[query for one, abilities, raw in probed for query in probes_of(one.name, abilities, number, raw=raw)]
              for number in range(ROUNDS)]  # fmt: skip
    whole: list[Query] = []
    for number, probes in enumerate(rounds):
        begin, end = (round(len(queries) * place / (ROUNDS - 1)) for place in (number, number + 1))
        whole += probes + (queries[begin:end] if number < ROUNDS - 1 else [])
    return tuple(whole)


ROUNDS = 8
"""How often an endpoint is probed from the first query to the last."""


def setting_of(plan: SuspectPlan, planned: PlannedTest, folder: Path) -> Setting:
    """Give what a test may look at."""
    files = files_of(plan, folder)
    seed = int.from_bytes(hashlib.sha256(f"{plan.seed} {planned.id}".encode()).digest()[:6], "big")
    return Setting(
        planned=planned,
        materials={name: files[name] for name in planned.materials},
        controls=tuple(one for one in plan.parties if one.name != SUSPECT),
        alpha=plan.alpha,
        seed=seed,
    )


def files_of(plan: SuspectPlan, folder: Path) -> dict[str, Path]:
    """Give the plan's materials, by name."""
    return {one.name: folder / one.path for one in plan.materials}


def tests_of(plan: SuspectPlan) -> dict[str, SuspectTest]:
    """Give the plan's tests, by id."""
    return {one.id: known_test(one.method) for one in plan.tests}


def code_digest() -> str:
    """Digest the source files that draw queries and conclusions."""
    package = Path(stillwatch.__file__).parent
    found = [
        path for name in CODE for path in ([package / name] if name.endswith(".py") else (package / name).rglob("*.py"))
    ]
    listed = [[path.relative_to(package).as_posix(), digest_bytes(path.read_bytes())] for path in sorted(found)]
    return f"blake2b:{digest_bytes(canonical_bytes(listed))}"


def _with_queries(plan: SuspectPlan, queries: Sequence[Query]) -> SuspectPlan:
    given = {name: getattr(plan, name) for name in SuspectPlan.__slots__}
    return SuspectPlan(**{**given, "queries": len(queries), "queries_root": _root(queries, plan.salt)})


def _root(queries: Sequence[Query], salt: str) -> str:
    """Give the Merkle root over salted queries; each has a salt of its own, so that one can be opened alone."""
    leaves = []
    for query in queries:
        own = hashlib.sha256(f"{salt} {query.id}".encode()).hexdigest()
        leaves.append(canonical_bytes({"query": query, "salt": own}))
    return f"sha256:{root_of_leaves(leaves).hex()}"


def _check(plan: SuspectPlan) -> None:
    """Refuse a plan that could not be run or judged.

    Raises:
        PlanError: saying why.
    """
    names = [one.name for one in plan.parties]
    ids = [one.id for one in plan.tests]
    if not names or names[0] != SUSPECT or len(set(names)) < len(names):
        raise PlanError(f"got the parties {names}, expected {SUSPECT!r} first and every name once")
    for one in plan.parties[1:]:
        if one.role is None or not one.included_because:
            raise PlanError(
                f"control {one.name!a}: role or included_because is missing; say why it is a control before anything is seen"
            )
    if not ids or len(set(ids)) < len(ids) or "probe" in ids or not all(one.isidentifier() for one in ids):
        raise PlanError(
            f"got the tests {ids}, expected at least one, each with an id of its own such as t4, none called probe"
        )
    if not 0.0 < plan.alpha < 1.0:
        raise PlanError(f"alpha is {plan.alpha}, expected a level in (0, 1)")
    if not 0 <= plan.seed < LARGEST_SEED:
        raise PlanError(f"seed is {plan.seed}, expected a number from 0 to {LARGEST_SEED - 1}")
    if set(plan.sequential) - set(ids):
        raise PlanError(f"sequential names {sorted(set(plan.sequential) - set(ids))}, which are no tests of the plan")
    known = {one.name for one in plan.materials}
    for test in plan.tests:
        known_test(test.method)
        if missing := sorted(set(test.materials) - known):
            raise PlanError(f"test {test.id!a} reads the material {missing[0]!a}, which the draft does not name")


def _check_queries(plan: SuspectPlan, planned: PlannedTest, queries: Sequence[Query]) -> None:
    """Refuse queries that the runner could not keep apart.

    Raises:
        PlanError: saying which.
    """
    parties = {one.name for one in plan.parties}
    seen: set[str] = set()
    for query in queries:
        if (
            query.id in seen
            or not query.id.startswith(f"{planned.id}/")
            or query.test != planned.id
            or not query.id.isascii()
        ):
            raise PlanError(
                f"test {planned.id!a} gives a query with the id {query.id!a}, expected one of its own that begins with its id"
            )
        if query.party not in parties:
            raise PlanError(f"test {planned.id!a} asks {query.party!a}, who is no party of the plan")
        seen.add(query.id)


def _party(given: Mapping[str, Any]) -> Party:
    if unknown := sorted(set(given) - {"name", "kind", "settings", "role", "included_because"}):
        raise PlanError(f"party {given.get('name')!a} says {unknown[0]!a}, which means nothing here")
    return Party(
        name=_text(given["name"], "name"),
        kind=_text(given["kind"], "kind"),
        settings=_plain(given.get("settings") or {}),
        role=ControlRole(given["role"]) if given.get("role") else None,
        included_because=str(given.get("included_because", "")),
    )


def _read_party(given: Mapping[str, Any]) -> Party:
    role = given["role"]
    return Party(**{**given, "role": None if role is None else ControlRole(role)})


def _planned(given: Mapping[str, Any]) -> PlannedTest:
    if unknown := sorted(set(given) - {"id", "method", "parameters", "materials"}):
        raise PlanError(f"test {given.get('id')!a} says {unknown[0]!a}, which means nothing here")
    return PlannedTest(
        id=_text(given["id"], "id"),
        method=_text(given["method"], "method"),
        parameters=_plain(given.get("parameters") or {}),
        materials=tuple(str(one) for one in given.get("materials") or ()),
    )


def _plain(given: Any) -> dict[str, object]:
    """Give values as JSON has them."""
    try:
        value: dict[str, object] = json.loads(canonical_bytes(dict(given)))
    except CanonicalFormError as error:
        raise PlanError(f"a value cannot be written as JSON: {error}") from None
    return value


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str) or not value.strip() or not value.isprintable():
        raise PlanError(f"{name} is {str(value)[:40]!a}, expected a line of text")
    return value


def _of_party(party: Party, folder: Path) -> Material:
    return _material(material_of(party), needed(party, FILES[party.kind]), folder)


def _material(name: str, path: str, folder: Path) -> Material:
    """Digest a file, or a folder by the names and digests of its files.

    Raises:
        PlanError: where it cannot be read.
    """
    place = folder / path
    try:
        if place.is_dir():
            files = sorted(one for one in place.rglob("*") if one.is_file())
            listed = [[one.relative_to(place).as_posix(), digest_bytes(one.read_bytes())] for one in files]
            size, digest = sum(one.stat().st_size for one in files), digest_bytes(canonical_bytes(listed))
        else:
            content = place.read_bytes()
            size, digest = len(content), digest_bytes(content)
    except OSError as error:
        raise PlanError(f"material {name!a}: {place} cannot be read ({error.strerror})") from None
    return Material(name=str(name), path=str(path), size=size, digest=f"blake2b:{digest}")
