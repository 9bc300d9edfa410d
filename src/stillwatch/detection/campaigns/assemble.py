"""Assembling: from tested and selected candidates to `Campaign` records and one row per account.

Takes the candidates with their claims, the selection, and what the engine holds of their members. Gives campaigns (flagged), considered candidates (not
flagged, but shown to be coordinated) and the table of accounts.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stillwatch.detection.campaigns.candidate import Candidate, build_candidate
from stillwatch.detection.campaigns.claims.conduct import Conduct
from stillwatch.detection.campaigns.describing import campaign_id, capability, exhibits, links
from stillwatch.detection.campaigns.explanations import OWN_PRODUCT, Result, weigh
from stillwatch.detection.campaigns.findings import selected_finding, unselected_finding, victims
from stillwatch.detection.campaigns.membership import standing_members
from stillwatch.detection.campaigns.reading import SampledExchanges, every, near_each_other
from stillwatch.detection.campaigns.selection import Selection
from stillwatch.detection.campaigns.study import Study
from stillwatch.detection.campaigns.testing import openly_one_customer
from stillwatch.detection.links.attributes import AttributeTable
from stillwatch.detection.links.groups import LEAST_MEMBERS, Group
from stillwatch.detection.links.kinds import TEXT_KINDS, Kind
from stillwatch.detection.profiles.accounts import Accounts
from stillwatch.records.campaign import FLAGGED_FINDINGS, SET_APART, Campaign, Explanation, Finding
from stillwatch.records.claim import Claim, Inconclusive
from stillwatch.statistics.tails import binomial_lower_log_p

MOST_CONSIDERED = 100
MOST_LEADS = 10
LEAST_LEAD = 1.0
"""log e against every explanation from which a single account is listed, unresolved; the strongest `MOST_LEADS` are."""
MOST_MODELS = 8
SPREAD = 3
"""A value is rare for a campaign when at most this many times its members carry it."""
LEAST_SENT = 0.25
"""Of the median member's share of the campaign's text; who sends less of it, and not by chance, is a bystander."""
SENT_BY_CHANCE = math.log(0.001)
"""ln of the chance that a member who sends as much as the median member has so little in its sample, from which it is chance."""
WIDE_SHARE = 0.3
"""Text on at least this share of the members is the campaign's text."""
Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tested:
    """A candidate after its tests."""

    candidate: Candidate
    """Without its sampled exchanges: candidates are many."""
    results: dict[str, Result]
    explanations: tuple[Explanation, ...]
    log_e: float
    """Smallest log e over the explanations."""
    coordinated: bool
    """Chance was rejected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assembled:
    """The result for people."""

    campaigns: tuple[Campaign, ...]
    considered: tuple[Campaign, ...]
    """Candidates that were left alone, and the accounts that were set apart from campaigns: owners of stolen keys, and who has an agreement."""
    victims: dict[str, str]
    """Account id of a stolen key's owner -> campaign that used it."""


def assemble(
    tested: list[Tested],
    selection: Selection,
    conduct: Conduct,
    sampled: SampledExchanges,
    files: tuple[str, ...],
) -> Assembled:
    """Build the campaigns and the considered candidates; the exchanges of those alone are read again."""
    accounts = sampled.accounts
    campaigns: list[Campaign] = []
    considered: list[Campaign] = []
    victim_of: dict[str, str] = {}
    standing = _standing(tested, selection, conduct)
    found = _discoveries(tested, selection, standing, _bearers(tested, standing, sampled), len(accounts))
    taken = np.zeros(len(accounts), dtype=bool)
    for _, members, _ in found:
        taken[members] = True
    others = [(tested[place], float(selection.q_values[place])) for place in _unselected(tested, selection, taken)]
    listed = [*(members for _, members, _ in found), *(one.candidate.members for one, _ in others)]
    days = _MemberDays(sampled.days(every(listed)), accounts)
    for places, study in sampled.batches(listed):
        for place in places:
            if place < len(found):
                one, members, q_value = found[place]
                campaign, *apart = _selected(one, study, members, q_value, days, files)
                (campaigns if campaign.finding in FLAGGED_FINDINGS else considered).append(campaign)
                considered.extend(apart)
                stolen = (group for group in (campaign, *apart) if group.finding is Finding.VICTIM)
                victim_of.update({owner: campaign.id for group in stolen for owner in group.members})
                continue
            one, q_value = others[place - len(found)]
            named = unselected_finding(one.explanations, one.coordinated, len(one.candidate.members))
            if named is not None:
                shown = one.candidate.with_study(study)
                considered.append(_campaign(one, shown, *named, q_value, days, files))
                del shown
        del study  # before the next batch is read
    return Assembled(
        campaigns=tuple(campaigns),
        considered=tuple(considered),
        victims=victim_of,
    )


def _selected(
    one: Tested, study: Study, members: Numbers, q_value: float, days: _MemberDays, files: tuple[str, ...]
) -> tuple[Campaign, ...]:
    """Return the campaign of a selected candidate, and after it the groups that are set apart from it."""
    candidate = one.candidate.with_study(study)
    stolen = victims(_shown(candidate, members))
    remaining = np.setdiff1d(members, stolen)
    whole = _shown(candidate, remaining if len(remaining) else members)
    finding, reason = selected_finding(whole, remaining)
    # An agreement that covers the whole sets nobody apart.
    agreed = remaining[candidate.accounts.licensed[remaining] & (finding in FLAGGED_FINDINGS)]
    if len(agreed):
        whole = _shown(candidate, np.setdiff1d(remaining, agreed))
    groups = [_campaign(one, whole, finding, reason, q_value, days, files)]
    if len(remaining) and len(stolen):
        reason = f"Campaign {groups[0].id} uses the keys of these accounts beside their owners."
        groups.append(_campaign(one, _shown(candidate, stolen), Finding.VICTIM, reason, q_value, days, files))
    if len(agreed):
        reason = f"Linked to campaign {groups[0].id}, under an agreement that allows distillation."
        groups.append(_campaign(one, _shown(candidate, agreed), Finding.LICENSED, reason, q_value, days, files))
    return tuple(groups)


def account_rows(accounts: Accounts, assembled: Assembled) -> pa.Table:
    """One row per observed account, ordered by account id; schema ACCOUNTS with times in microseconds."""
    finding: dict[str, tuple[Finding, Campaign]] = {}
    left_alone = sorted(assembled.considered, key=lambda one: one.finding not in SET_APART)
    for campaign in (*assembled.campaigns, *left_alone):
        for member in campaign.members:
            finding.setdefault(member, (campaign.finding, campaign))
    order = sorted(np.flatnonzero(accounts.observed).tolist(), key=lambda number: accounts.ids[number])
    rows: dict[str, list[object]] = {
        name: [] for name in ("account_id", "flagged", "campaign_id", "finding", "q_value")
    }
    for number in order:
        account = accounts.ids[number]
        word, campaign_of, q_value = Finding.ORDINARY, None, None
        if account in finding:
            word, campaign = finding[account]
            campaign_of = campaign.id if word in FLAGGED_FINDINGS else None
            q_value = campaign.q_value
        if account in assembled.victims:
            word, campaign_of = Finding.VICTIM, assembled.victims[account]
        flagged = word in FLAGGED_FINDINGS
        for name, value in zip(rows, (account, flagged, campaign_of, word.value, q_value), strict=True):
            rows[name].append(value)
    chosen = np.array(order, dtype=np.int64)
    return pa.table(
        {
            "account_id": pa.array(rows["account_id"], pa.string()),
            "flagged": pa.array(rows["flagged"], pa.bool_()),
            "campaign_id": pa.array(rows["campaign_id"], pa.string()),
            "finding": pa.array(rows["finding"], pa.string()),
            "q_value": pa.array(rows["q_value"], pa.float64()),
            "exchanges": pa.array(accounts.exchanges[chosen], pa.int64()),
            "first_seen": pa.array(accounts.first_us[chosen], pa.int64()),
            "last_seen": pa.array(accounts.last_us[chosen], pa.int64()),
        }
    )


def _unselected(tested: list[Tested], selection: Selection, taken: npt.NDArray[np.bool_]) -> list[int]:
    """Return coordinated candidates that nothing stronger repeats, the largest first; then single accounts worth a look."""
    covered = taken.copy()
    kept = set(selection.kept)
    places = [place for place, one in enumerate(tested) if one.coordinated and place not in kept]
    places.sort(key=lambda place: (-len(tested[place].candidate.members), tested[place].candidate.members.tolist()))
    chosen = []
    for place in places:
        members = tested[place].candidate.members
        if covered[members].mean() > 0.5:
            continue
        covered[members] = True
        chosen.append(place)
        if len(chosen) == MOST_CONSIDERED:
            break
    alone = [place for place, one in enumerate(tested) if len(one.candidate.members) == 1 and one.log_e >= LEAST_LEAD]
    alone = [place for place in alone if not covered[tested[place].candidate.members[0]]]
    alone.sort(key=lambda place: (-tested[place].log_e, tested[place].candidate.members.tolist()))
    return chosen + alone[:MOST_LEADS]


def _standing(tested: list[Tested], selection: Selection, conduct: Conduct) -> dict[int, Numbers]:
    """Return for each selected candidate the members that bear its evidence."""
    return {
        place: standing_members(tested[place].candidate, tested[place].results, conduct, float(selection.needed[place]))
        for place in selection.kept
    }


def _bearers(tested: list[Tested], standing: dict[int, Numbers], sampled: SampledExchanges) -> dict[int, Numbers]:
    """Return for each selected candidate the members that bear its evidence and send its text; bystanders are left out."""
    bearers = dict(standing)
    kept = [place for place in standing if len(standing[place])]
    kept = [kept[turn] for turn in near_each_other([standing[place] for place in kept])]
    for turns, study in sampled.batches([standing[place] for place in kept]):
        for place in (kept[turn] for turn in turns):
            bearers[place] = _senders(_shown(tested[place].candidate.with_study(study), standing[place]))
        del study  # before the next batch is read
    return bearers


def _discoveries(
    tested: list[Tested],
    selection: Selection,
    standing: dict[int, Numbers],
    bearers: dict[int, Numbers],
    accounts: int,
) -> list[tuple[Tested, Numbers, float]]:
    """Return (strongest candidate, members, q-value) of each campaign: selected candidates of one operator are one campaign."""
    taken = np.zeros(accounts, dtype=bool)
    found: list[tuple[list[int], Numbers]] = []
    for place in selection.kept:
        one, bearing = tested[place], bearers[place]
        least = max(min(len(one.candidate.members), LEAST_MEMBERS), len(one.candidate.members) / 2)
        if len(bearing) < least:
            continue  # the claims are about most members of the candidate; a few do not inherit them
        if _stands_as_one_customer(one, bearing, float(selection.needed[place])):
            continue
        mine = bearing[~taken[bearing]]
        kin = [number for number, (_, members) in enumerate(found) if _one_operator(one, members, bearing)]
        taken[mine] = True
        if kin:
            places, members = found[kin[0]]
            found[kin[0]] = ([*places, place], np.union1d(members, mine))
        elif len(mine) >= least:
            found.append(([place], mine))
        else:
            taken[mine] = False
    campaigns = []
    for places, members in found:
        one, kept = tested[places[0]], _mostly_bearing(members, places, tested, standing)
        if len(kept) >= min(len(one.candidate.members), LEAST_MEMBERS):  # fewer are nothing that was tested
            campaigns.append((one, kept, float(selection.q_values[places[0]])))
    return campaigns


def _mostly_bearing(members: Numbers, places: list[int], tested: list[Tested], standing: dict[int, Numbers]) -> Numbers:
    """Return those who bear the evidence of at least half of the campaign's candidates that they belong to.

    Candidates of one operator lie in each other; who is in step with the others in one of many is so by chance. They need not send
    the text of each: one operator has several.
    """
    belongs, bears = np.zeros(len(members)), np.zeros(len(members))
    for place in places:
        belongs += np.isin(members, tested[place].candidate.members)
        bears += np.isin(members, standing[place])
    kept: Numbers = members[2 * bears >= belongs]
    return kept


def _stands_as_one_customer(one: Tested, standing: Numbers, needed: float) -> bool:
    """Tell whether those who bear the evidence openly are one customer, and nothing speaks against that customer's own product.

    A candidate with bystanders need not be asked about that explanation; what is left of it must be.
    """
    if len(standing) < 2 or not openly_one_customer(one.candidate.table, standing):
        return False
    (own,) = weigh(one.results, (OWN_PRODUCT,), needed)
    return own.log_e < needed


def _one_operator(one: Tested, found: Numbers, standing: Numbers) -> bool:
    """Tell whether a selected candidate is of a campaign already found: half of the smaller is in both, or both carry a rare value."""
    if min(len(found), len(standing)) < 2:
        return False
    both = len(np.intersect1d(found, standing, assume_unique=True))
    return 2 * both >= min(len(found), len(standing)) or _of_one_operator(one.candidate.table, found, standing)


def _of_one_operator(table: AttributeTable, left: Numbers, right: Numbers) -> bool:
    """Tell whether a rare value is on at least half of the members of each."""
    common = np.intersect1d(_usual(table, left), _usual(table, right))
    return bool((table.degrees[common] <= SPREAD * (len(left) + len(right))).any())


def _usual(table: AttributeTable, members: Numbers) -> Numbers:
    """Return the values that at least half of the members carry."""
    values, counts = np.unique(table.held_by(members)[1], return_counts=True)
    usual: Numbers = values[2 * counts >= len(members)]
    return usual


def _shown(candidate: Candidate, members: Numbers) -> Candidate:
    """Return the candidate as it is shown: these members, and as its text what many of them and few others carry."""
    table = candidate.table
    text = [int(kind) for kind in (*TEXT_KINDS, Kind.SYSTEM)]
    values, counts = np.unique(table.held_by(members)[1], return_counts=True)
    wide = (counts >= max(2.0, WIDE_SHARE * len(members))) & (table.degrees[values] <= SPREAD * len(members))
    own = candidate.group.places[np.isin(candidate.group.places, values)]
    places = np.union1d(own, values[wide])
    places = places[np.isin(table.kinds[places], text)]
    group = Group(members=members, seed="text" if len(places) else candidate.group.seed, places=places)
    return build_candidate(
        group, candidate.accounts, table, candidate.study, candidate.background, candidate.input_digest
    )


def _senders(shown: Candidate) -> Numbers:
    """Return the members that send the campaign's text, at least `LEAST_SENT` as much of it as the median member does.

    A text on few of everybody's exchanges is missing from a small sample by chance.
    """
    members = shown.members
    if shown.group.seed != "text":
        return members
    place = np.searchsorted(members, shown.study.numbers[shown.rows])
    rows = np.bincount(place, minlength=len(members))
    sent = np.bincount(place, weights=shown.harvest, minlength=len(members))
    share = sent / np.maximum(rows, 1)
    usual = float(np.median(share))
    kept = share >= LEAST_SENT * usual
    for seldom in np.flatnonzero(~kept):
        kept[seldom] = binomial_lower_log_p(int(sent[seldom]), int(rows[seldom]), usual) > SENT_BY_CHANCE
    senders: Numbers = members[kept]
    return senders


def _campaign(
    one: Tested,
    shown: Candidate,
    finding: Finding,
    reason: str,
    q_value: float,
    days: _MemberDays,
    files: tuple[str, ...],
) -> Campaign:
    candidate, accounts, members = shown, shown.accounts, shown.members
    ids = tuple(sorted(accounts.ids[number] for number in members))
    results = sorted(
        one.results.values(), key=lambda result: (-result.log_e if isinstance(result, Claim) else math.inf, result.name)
    )
    exchanges = int(accounts.exchanges[members].sum())
    timeline, models = days.of(members)
    return Campaign(
        id=campaign_id(ids),
        finding=finding,
        members=ids,
        finding_reason=reason,
        log_e=one.log_e,
        q_value=q_value,
        claims=tuple(result for result in results if isinstance(result, Claim)),
        inconclusive=tuple(result for result in results if isinstance(result, Inconclusive)),
        explanations=one.explanations,
        exhibits=exhibits(candidate, files) if finding in FLAGGED_FINDINGS else (),
        links=links(candidate),
        capability=capability(candidate),
        exchanges=exchanges,
        harvest_exchanges=round(exchanges * float(candidate.harvest.mean())) if len(candidate.harvest) else 0,
        first_seen_us=int(accounts.first_us[members].min()),
        last_seen_us=int(accounts.last_us[members].max()),
        days=len(timeline),
        rate_per_account_day=float(
            np.median(accounts.exchanges[members] / np.maximum(accounts.active_days[members], 1))
        ),
        timeline=timeline,
        models=models,
    )


class _MemberDays:
    """Exchanges per (account, day, model) of the accounts under study."""

    def __init__(self, rows: pa.Table, accounts: Accounts) -> None:
        """Order the rows by account number."""
        numbers = np.searchsorted(accounts.hashes, rows["account"].to_numpy())
        order = np.argsort(numbers, kind="stable")
        self._numbers = numbers[order]
        self._days = rows["day"].to_numpy()[order]
        self._exchanges = rows["exchanges"].to_numpy()[order]
        encoded = rows["model"].combine_chunks().dictionary_encode()
        if isinstance(encoded, pa.ChunkedArray):
            encoded = encoded.combine_chunks()
        self._names: list[str] = encoded.dictionary.to_pylist()
        self._models = encoded.indices.fill_null(-1).to_numpy()[order]

    def of(self, members: Numbers) -> tuple[tuple[tuple[int, int], ...], tuple[tuple[str, int], ...]]:
        """Return (day, exchanges) and (model, exchanges) of these accounts."""
        starts = np.searchsorted(self._numbers, members, side="left")
        ends = np.searchsorted(self._numbers, members, side="right")
        rows = np.concatenate([np.arange(start, end) for start, end in zip(starts, ends, strict=True)]).astype(np.int64)
        days, inverse = np.unique(self._days[rows], return_inverse=True)
        per_day = np.bincount(inverse, weights=self._exchanges[rows]).astype(np.int64)
        models = self._models[rows]
        known = models >= 0
        per_model = np.bincount(models[known], weights=self._exchanges[rows][known], minlength=len(self._names)).astype(
            np.int64
        )
        ranked: Iterable[tuple[str, int]] = sorted(
            ((name, int(count)) for name, count in zip(self._names, per_model, strict=True) if count),
            key=lambda pair: (-pair[1], pair[0]),
        )
        return tuple(zip(days.tolist(), per_day.tolist(), strict=True)), tuple(ranked)[:MOST_MODELS]
