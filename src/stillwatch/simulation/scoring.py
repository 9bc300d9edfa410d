"""Scoring: what was flagged beside what was planted.

Takes flags per account and the truth of one or more simulated worlds. Gives recall per campaign family, false positives per
look-alike class, the share of false discoveries among flagged accounts, purity and completeness.

Intervals are Clopper and Pearson's (1934): exact for independent accounts, and then at least as wide as promised. Accounts of
one campaign stand or fall together, so the intervals say how much the counts may vary, not how another world would come
out; pool several seeds for that. Victims of stolen keys and licensed partners count as honest: to flag them is an error.
Accounts without an exchange cannot be found and are counted apart. Linear in the number of accounts.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from scipy import stats

from stillwatch.simulation.errors import SimulationError

CONFIDENCE = 0.95
FOUND_FROM = 0.5
"""Share of a planted campaign's accounts that must be flagged for the campaign to count as found."""
HONEST_ROLES = frozenset({"victim", "licensed"})
TRUTH_COLUMNS = ("account_id", "label", "family", "campaign_id", "operator_role")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrueAccount:
    """What an account really is."""

    family: str
    """Campaign family, or look-alike class."""
    campaign_id: str | None
    """Planted campaign; null for accounts that count as honest."""

    @property
    def harvests(self) -> bool:
        """Whether flagging the account would be right."""
        return self.campaign_id is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredWorld:
    """One world: the truth of the accounts that were seen, and the flags that were raised."""

    truth: Mapping[str, TrueAccount]
    flags: Mapping[str, str | None]
    """Flagged account to the detected campaign that holds it; null where the method forms no groups."""
    unseen: int
    """Accounts of the truth without an exchange."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """A share with its interval."""

    part: int
    whole: int
    value: float | None
    """part / whole; null where whole is 0."""
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FamilyScore:
    """How one campaign family fared."""

    family: str
    campaigns: int
    campaigns_found: int
    recall: Rate
    """Flagged among the family's accounts."""
    purity: float | None
    """Of the flagged accounts in detected campaigns that belong to this family, the share of their majority campaign."""
    completeness: float | None
    """Mean over planted campaigns' accounts of the share that one detected campaign holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LookAlikeScore:
    """How one class of honest accounts fared."""

    name: str
    flagged: Rate
    """Wrongly flagged among the class."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """All worlds together."""

    worlds: int
    accounts: int
    unseen: int
    flagged: int
    recall: Rate
    false_discoveries: Rate
    """Honest accounts among flagged ones."""
    worst_false_discoveries: float
    """Largest share of false discoveries in a single world."""
    false_positives: Rate
    """Flagged accounts among honest ones."""
    purity: float | None
    completeness: float | None
    families: tuple[FamilyScore, ...]
    look_alikes: tuple[LookAlikeScore, ...]


def clopper_pearson(part: int, whole: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Give the exact binomial interval.

    Args:
        part: successes, 0 to whole.
        whole: trials, at least 0; 0 gives (0, 1), as nothing is known.
        confidence: coverage, in (0, 1).

    Returns:
        Lower and upper end, in [0, 1].
    """
    tail = (1.0 - confidence) / 2.0
    low = float(stats.beta.ppf(tail, part, whole - part + 1)) if part > 0 else 0.0
    high = float(stats.beta.ppf(1.0 - tail, part + 1, whole - part)) if part < whole else 1.0
    return low, high


def rate(part: int, whole: int) -> Rate:
    """Give a share with its interval.

    Args:
        part: 0 to whole.
        whole: at least 0.
    """
    low, high = clopper_pearson(part, whole)
    return Rate(part=part, whole=whole, value=part / whole if whole else None, low=low, high=high)


def read_world(accounts_file: Path, truth_file: Path) -> ScoredWorld:
    """Read what was flagged and what was planted.

    Args:
        accounts_file: `accounts.parquet` of a detection.
        truth_file: `truth.parquet` of the simulated world that it read.

    Returns:
        The world, ready to be scored.

    Raises:
        SimulationError: where a file cannot be read, lacks a column, or the two do not belong together.
    """
    truth = read_truth(truth_file)
    seen = _columns(accounts_file, ("account_id", "flagged", "campaign_id"))
    strangers = sum(account not in truth for account in seen["account_id"])
    if strangers:
        raise SimulationError(
            f"{truth_file} does not belong to {accounts_file}: got {strangers} accounts that the truth does not hold, "
            "expected none. Name the truth.parquet of the world that this detection read."
        )
    flags = {
        account: campaign
        for account, flagged, campaign in zip(seen["account_id"], seen["flagged"], seen["campaign_id"], strict=True)
        if flagged
    }
    present = set(seen["account_id"])
    return ScoredWorld(
        truth={account: what for account, what in truth.items() if account in present},
        flags=flags,
        unseen=len(truth) - len(present),
    )


def read_truth(truth_file: Path) -> dict[str, TrueAccount]:
    """Read the truth of a simulated world.

    Args:
        truth_file: `truth.parquet`.

    Returns:
        Every account of the world.

    Raises:
        SimulationError: where the file cannot be read or lacks a column.
    """
    columns = _columns(truth_file, TRUTH_COLUMNS)
    truth: dict[str, TrueAccount] = {}
    for account, label, family, campaign, role in zip(*(columns[name] for name in TRUTH_COLUMNS), strict=True):
        harvests = label == "campaign" and role not in HONEST_ROLES
        named = family if harvests or label != "campaign" else f"{role} in {family}"
        truth[account] = TrueAccount(family=str(named), campaign_id=str(campaign) if harvests else None)
    return truth


def score(worlds: Sequence[ScoredWorld]) -> Score:
    """Score one or more worlds together.

    Args:
        worlds: at least one.

    Returns:
        The pooled score; campaigns of different worlds are never taken for one.

    Raises:
        SimulationError: where there is no world.
    """
    if not worlds:
        raise SimulationError("nothing to score: got no world, expected at least one pair of DIR and TRUTH.")
    everyone = [(what, account in world.flags) for world in worlds for account, what in world.truth.items()]
    harvesting = [(what.family, flagged) for what, flagged in everyone if what.harvests]
    honest = [(what.family, flagged) for what, flagged in everyone if not what.harvests]
    groupings = [_Grouping(world) for world in worlds]
    wrong = sum(flagged for _, flagged in honest)
    right = sum(flagged for _, flagged in harvesting)
    return Score(
        worlds=len(worlds),
        accounts=len(everyone),
        unseen=sum(world.unseen for world in worlds),
        flagged=wrong + right,
        recall=rate(right, len(harvesting)),
        false_discoveries=rate(wrong, wrong + right),
        worst_false_discoveries=max(_false_share(world) for world in worlds),
        false_positives=rate(wrong, len(honest)),
        purity=_ratio(sum(g.majority.total() for g in groupings), sum(g.grouped for g in groupings)),
        completeness=_ratio(
            sum(g.together.total() for g in groupings), len(harvesting) if _any_groups(groupings) else 0
        ),
        families=tuple(_family(family, harvesting, groupings) for family in _names(harvesting)),
        look_alikes=tuple(
            LookAlikeScore(
                name=name,
                flagged=rate(
                    sum(flagged for family, flagged in honest if family == name),
                    sum(family == name for family, _ in honest),
                ),
            )
            for name in _names(honest)
        ),
    )


class _Grouping:
    """How detected campaigns of one world meet planted ones."""

    def __init__(self, world: ScoredWorld) -> None:
        detected: dict[str, Counter[str | None]] = defaultdict(Counter)
        planted: Counter[str] = Counter()
        flagged: Counter[str] = Counter()
        family: dict[str, str] = {}
        for account, what in world.truth.items():
            if what.campaign_id is not None:
                planted[what.campaign_id] += 1
                flagged[what.campaign_id] += account in world.flags
                family[what.campaign_id] = what.family
        for account, group in world.flags.items():
            if group is not None:
                detected[group][world.truth[account].campaign_id] += 1
        best: Counter[str] = Counter()
        self.majority: Counter[str] = Counter()
        """Flagged accounts of a detected campaign that belong to its majority planted campaign, by that one's family."""
        self.members: Counter[str] = Counter()
        """All accounts of those detected campaigns, by the same family."""
        for members in detected.values():
            own = {campaign: number for campaign, number in members.items() if campaign is not None}
            if own:
                campaign, number = min(own.items(), key=lambda item: (-item[1], item[0]))
                self.majority[family[campaign]] += number
                self.members[family[campaign]] += members.total()
            for campaign, number in own.items():
                best[campaign] = max(best[campaign], number)
        self.grouped = sum(members.total() for members in detected.values())
        self.together: Counter[str] = Counter()
        """Accounts that the best detected campaign of each planted one holds, by family."""
        self.planted: Counter[str] = Counter()
        """Planted campaigns by family."""
        self.found: Counter[str] = Counter()
        """Planted campaigns found, by family."""
        for campaign, size in planted.items():
            self.planted[family[campaign]] += 1
            self.found[family[campaign]] += flagged[campaign] >= FOUND_FROM * size
            self.together[family[campaign]] += best[campaign]


def _family(family: str, harvesting: Sequence[tuple[str, bool]], groupings: Sequence[_Grouping]) -> FamilyScore:
    """Score one family."""
    own = [flagged for name, flagged in harvesting if name == family]
    return FamilyScore(
        family=family,
        campaigns=sum(g.planted[family] for g in groupings),
        campaigns_found=sum(g.found[family] for g in groupings),
        recall=rate(sum(own), len(own)),
        purity=_ratio(sum(g.majority[family] for g in groupings), sum(g.members[family] for g in groupings)),
        completeness=_ratio(sum(g.together[family] for g in groupings), len(own) if _any_groups(groupings) else 0),
    )


def _any_groups(groupings: Sequence[_Grouping]) -> bool:
    """Tell whether the method formed groups at all."""
    return any(grouping.grouped for grouping in groupings)


def _names(accounts: Iterable[tuple[str, bool]]) -> list[str]:
    """Give the families or classes in alphabetic order."""
    return sorted({family for family, _ in accounts})


def _false_share(world: ScoredWorld) -> float:
    """Share of honest accounts among those flagged in one world; 0 where none is."""
    wrong = sum(not world.truth[account].harvests for account in world.flags)
    return wrong / len(world.flags) if world.flags else 0.0


def _ratio(part: int, whole: int) -> float | None:
    """Part of whole, or null."""
    return part / whole if whole else None


def _columns(file: Path, names: tuple[str, ...]) -> dict[str, list[Any]]:
    """Read columns as Python lists."""
    try:
        present = pq.read_schema(file).names
        lacking = [name for name in names if name not in present]
        table = None if lacking else pq.read_table(file, columns=list(names))
    except (OSError, pa.ArrowException) as error:
        raise SimulationError(
            f"{file} cannot be read: expected a Parquet file with the columns {', '.join(names)}, "
            f"got {type(error).__name__}. `stillwatch simulate` writes truth.parquet, `stillwatch detect` accounts.parquet."
        ) from error
    if table is None:
        raise SimulationError(
            f"{file} lacks {', '.join(lacking)}: got the columns {', '.join(present)}, "
            f"expected {', '.join(names)}. `stillwatch simulate` writes truth.parquet, `stillwatch detect` accounts.parquet."
        )
    return {name: table.column(name).to_pylist() for name in names}
