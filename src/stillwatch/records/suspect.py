"""Suspect: what will be asked of whom, fixed before the first query; what came back; and what it shows.

A plan is written once and never changed. Queries are made from it, each with an id that stays the same whenever they are made again.
An observation is what came back for one query. A result is what one test states, with its controls and its power.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from stillwatch.records.claim import Claim, Inconclusive

SUSPECT = "suspect"
"""The party under test; every other party is a control, called by its name."""


class Ability(StrEnum):
    """What an access can do; a test needs some of them."""

    ANSWER = "answer"
    """It writes text for a prompt."""
    SAMPLE = "sample"
    """It draws its text at random where a temperature is asked for, so that asking again gives another sample."""
    USAGE = "usage"
    """It says how many tokens the prompt and the answer had."""
    LOGPROBS = "log-probabilities of its answers"
    """It gives a log-probability for each token that it writes, and for the likeliest alternatives."""
    SCORE = "log-probabilities of given text"
    """It gives a log-probability for each token of a text that we choose, after a prompt that we choose."""
    WEIGHTS = "weights"
    """Its parameters can be read."""


class ControlRole(StrEnum):
    """What a control is there to show."""

    NEGATIVE = "negative"
    """Known not to be what the claim says: the test must not speak against it."""
    POSITIVE = "positive"
    """Known to be what the claim says: the test must find it, or its silence about the suspect means little."""
    OWN = "own"
    """Our own model, asked through the same collector."""


class Support(StrEnum):
    """The words of a report, from the weakest; there is none that says more."""

    INCONCLUSIVE = "inconclusive"
    """No test could be run to its end."""
    NONE = "no support"
    LEAD = "lead"
    """Worth a test that can show more; never a finding."""
    SUPPORTS = "supports"
    STRONGLY = "strongly supports"


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One thing that is asked of one party."""

    id: str
    """Unique in the plan, `TEST/PARTY/...`; the same whenever the queries are made again. It holds no text."""
    test: str
    """Id of the planned test that it serves."""
    party: str
    """`suspect`, or the name of a control."""
    prompt: str
    system: str = ""
    continuation: str | None = None
    """Text to be scored after the prompt; null where the party is to write."""
    max_tokens: int = 64
    temperature: float = 1.0
    """0 for the likeliest token each time."""
    top_logprobs: int = 0
    """How many alternatives are asked for at each token; 0 for no log-probabilities."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alternative:
    """A token that might have stood in a place."""

    token: str
    log_prob: float
    """Natural logarithm, as the party gave it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """One token as the party gave it."""

    text: str
    log_prob: float | None
    """Natural logarithm, as the party gave it; null for a first token without context."""
    alternatives: tuple[Alternative, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a party wrote."""

    query_id: str
    text: str
    finish: str
    """Why it ended, in one of the words stop, length, filter, other."""
    prompt_tokens: int | None
    completion_tokens: int | None
    tokens: tuple[Token, ...]
    """Empty where no log-probabilities came."""
    model: str
    """The name and fingerprint that the party gave, one after the other."""
    answered_us: int
    """Microseconds UTC, by the collector's clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """How likely a party finds a text that we chose, given a prompt."""

    query_id: str
    tokens: tuple[Token, ...]
    """Of the continuation only; their texts, joined, are the continuation where the party is honest."""
    prompt_tokens: int | None
    """All tokens that the party says it read, prompt and continuation."""
    shown_tokens: int
    """All tokens that it showed, prompt and continuation."""
    model: str
    answered_us: int

    @property
    def log_prob(self) -> float:
        """Sum of the log-probabilities of the continuation, natural."""
        return sum(token.log_prob for token in self.tokens if token.log_prob is not None)

    @property
    def mean_log_prob(self) -> float:
        """Mean log-probability of a token, natural; 0 for no token."""
        counted = [token.log_prob for token in self.tokens if token.log_prob is not None]
        return sum(counted) / len(counted) if counted else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Unanswered:
    """A query that gave nothing that can be used."""

    query_id: str
    reason: str
    """One of the words refused, filtered, rate limited, unreachable, unreadable, out of budget, cannot."""
    detail: str
    """Status code or kind of failure; never text of a prompt or an answer."""
    answered_us: int


Observation = Answer | Scored | Unanswered


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """A file that a test reads: prompts, served answers, slots, answers of controls, weights."""

    name: str
    path: str
    size: int
    """Bytes."""
    digest: str
    """`blake2b:` and 64 hex digits of the bytes; of a folder, over the names and digests of its files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedTest:
    """A test with everything that it could choose."""

    id: str
    """Short name, unique in the plan, such as `t4`."""
    method: str
    """`name/vN`."""
    parameters: dict[str, object]
    """Values as JSON has them; a test refuses names that it does not know."""
    materials: tuple[str, ...]
    """Names of the materials that it reads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """How the suspect, or a control, is reached."""

    name: str
    kind: str
    """`openai`, `anthropic`, `weights` or `recorded`."""
    settings: dict[str, object]
    """Address, model and the like, as JSON has them; never a key."""
    role: ControlRole | None = None
    """Null for the suspect."""
    included_because: str = ""
    """Why this control is one, decided before anything was seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What a run may spend at most."""

    requests: int
    """Requests to all parties, repeats after errors included."""
    seconds: int
    """From the first query of a run to the last, pauses between runs left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SuspectPlan:
    """What will be asked, how it will be judged, and when it ends; committed to before the first query."""

    suspect: str
    """What the suspect is called in the report."""
    purpose: str
    """Who wants to know what, and on what authority the suspect is asked."""
    decided_by: str
    parties: tuple[Party, ...]
    """The suspect first, then the controls."""
    tests: tuple[PlannedTest, ...]
    materials: tuple[Material, ...]
    queries: int
    """Number of queries, probes of the access included."""
    queries_root: str
    """`sha256:` and 64 hex digits: Merkle root over the salted queries, in order (RFC 6962)."""
    salt: str
    """32 hex digits, drawn at random for this plan, so that a digest gives no short prompt away."""
    alpha: float
    """Level of the run's tests, in (0, 1)."""
    sequential: tuple[str, ...]
    """Ids of tests whose e-values may be multiplied: their queries are fresh and their bets fixed before each. Others are averaged."""
    stop_early: bool
    """Whether a test ends as soon as it has enough; valid only for tests that are valid at any time."""
    budget: Budget
    seed: int
    version: str
    """Of stillwatch."""
    code_digest: str
    """`blake2b:` and 64 hex digits over the source files that draw queries and conclusions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conduct:
    """Something that a party did otherwise than it should, and what can no longer rest on its answers."""

    party: str
    name: str
    """What it is called, such as `drifts mid-run`."""
    seen: str
    """One sentence with the numbers in it; no text of a prompt or answer."""
    spoils: tuple[Ability, ...]
    """A test that needs one of these is inconclusive; empty for what is only worth knowing."""
    claim: Claim | None = None
    """Where the judgement is a statistical one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """How large what was found is."""

    name: str
    value: float
    low: float
    high: float
    confidence: float
    """Of the interval, in (0, 1)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Power:
    """What the test would have found, so that its silence can be read."""

    statement: str
    """One sentence, such as: with these 300 prompts, 10% of them used in training would have been found with chance 0.8."""
    curve: tuple[tuple[float, float], ...]
    """(dilution in (0, 1], chance of E >= 20 or p <= alpha), ascending; empty where it could not be worked out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stated:
    """A claim, or why there is none, with whom it is about."""

    claim: Claim | Inconclusive
    account: str | None = None
    """The account whose answers it is about; null for all together."""
    effect: Effect | None = None
    against: bool = False
    """True where rejecting the null speaks against the question, as a shown difference speaks against serving our model."""
    power: Power | None = None
    """Of this claim alone, where the test states several; null where the test's own power is meant, or none is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlOutcome:
    """What the same test says of a control, or of a calibration run."""

    name: str
    role: ControlRole | None
    """Null for a calibration run, such as unseen answers treated as served."""
    log_p: float
    """Natural logarithm, at most 0."""
    as_expected: bool
    remark: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sensitivity:
    """The same test with something left out or changed."""

    change: str
    log_p: float | None
    log_e: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """A line of a picture."""

    title: str
    x_name: str
    y_name: str
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TestResult:
    """What one planned test states."""

    __test__ = False  # a record, whatever a test runner makes of its name
    test: str
    """Id of the planned test."""
    method: str
    stated: tuple[Stated, ...]
    controls: tuple[ControlOutcome, ...] = ()
    sensitivity: tuple[Sensitivity, ...] = ()
    power: Power | None = None
    series: tuple[Series, ...] = ()
    innocent: tuple[str, ...] = ()
    """Innocent explanations that this test leaves open, the strongest first."""
