"""Membership: which accounts of a selected candidate bear the evidence themselves.

A campaign's claims are about most of its members. An account that merely used the same text, address or parameters must not be
flagged by their company. Takes a selected candidate. Gives the members that stand out in what speaks against ordinary use, and
that bear one of the claims of one hand that speak: a rare payment, address, network or organisation in common with such a member, the
common conduct, or a batch of registrations.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from stillwatch.detection.campaigns.candidate import LEAST_EXCHANGES, Candidate
from stillwatch.detection.campaigns.claims.conduct import Conduct, conduct_p_values
from stillwatch.detection.campaigns.claims.registration import NEAR_US
from stillwatch.detection.campaigns.explanations import ONE_HAND, ORDINARY_USE, Result
from stillwatch.detection.links.kinds import Kind
from stillwatch.records.claim import Claim
from stillwatch.records.sketch import CAPABILITY_SIGNS

Numbers = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

DEALT_OUT = "one stream dealt out"
SPEAKING = math.log(20.0)
"""log e from which a claim of one hand is looked at for its bearers."""
STANDING = 0.2
"""A member stands out when at most this share of reference accounts do as much."""
IN_STEP = 0.02
"""Largest p-value of common conduct with which a member bears that claim, or one of synchrony: coincidences belong to pairs."""
TYING_KINDS = (int(Kind.PAYMENT), int(Kind.IP), int(Kind.NETWORK), int(Kind.ORGANIZATION))
LEAST_TIE = 0.25
"""Members among the carriers of a value that ties them: with fewer, strangers share it too."""


def standing_members(candidate: Candidate, results: dict[str, Result], conduct: Conduct, needed: float) -> Numbers:
    """Return the members that bear the evidence, ascending; all of them when the candidate is one account.

    Args:
        candidate: The selected group.
        results: Its claims by name.
        conduct: How every account sends.
        needed: log e that the candidate needed to be selected.
    """
    members = candidate.members
    if len(members) == 1:
        return members
    sufficient = _sufficient(results, needed)
    harvests = _harvests(candidate, sufficient)
    spoken = {name for name in ONE_HAND if _speaks(results.get(name))}
    nobody = np.zeros(len(members), dtype=bool)
    of_harvesters = members if DEALT_OUT in sufficient else members[harvests]
    in_step = _in_step(candidate, of_harvesters, conduct) if spoken & {"common conduct", "synchrony"} else nobody
    # Who shares an address with the dealers of a stream need not work on it; only the clock tells.
    tied = _tied(candidate, members[harvests]) if "infrastructure lift" in spoken else nobody
    batch = (
        _in_batch(candidate.accounts.created_us[members], harvests) if "registration in batches" in spoken else nobody
    )
    kept = harvests & (in_step | tied | batch)
    if DEALT_OUT in sufficient:
        kept |= in_step
    standing: Numbers = members[kept]
    return standing


def _sufficient(results: dict[str, Result], needed: float) -> set[str]:
    """Return the names of the claims against ordinary use that reject it alone; the strongest one at least."""
    claims = [claim for name in ORDINARY_USE.tests if isinstance(claim := results.get(name), Claim)]
    strongest = max(claims, key=lambda claim: (claim.log_e, claim.name)).name
    return {strongest, *(claim.name for claim in claims if claim.log_e - math.log(len(claims)) >= needed)}


def _speaks(result: Result | None) -> bool:
    return isinstance(result, Claim) and result.log_e >= SPEAKING


def _harvests(candidate: Candidate, names: set[str]) -> Mask:
    """[m] members that stand out in one of these claims against ordinary use.

    That a stream is dealt out speaks of how the group works, not of what a member asks for.
    """
    found = np.zeros(len(candidate.members), dtype=bool)
    for name in sorted(names - {DEALT_OUT}):
        signed, known = _counts(candidate, name)
        others = candidate.outsiders[known[candidate.outsiders] >= LEAST_EXCHANGES]
        line = float(np.quantile(signed[others] / known[others], 1.0 - STANDING))
        found |= signed[candidate.members] / np.maximum(known[candidate.members], 1) > line
    return found


def _counts(candidate: Candidate, name: str) -> tuple[Numbers, Numbers]:
    """Return ([accounts] exchanges with the sign, [accounts] exchanges with the column) of a test against ordinary use."""
    accounts = candidate.accounts
    if name == "output harvest":
        histogram = accounts.histograms["outputs"].astype(np.int64)
        return histogram[:, candidate.background.rich_bin :].sum(axis=1), histogram.sum(axis=1)
    if name == "capability concentration":
        place = int(np.argmax(accounts.capabilities[candidate.members].sum(axis=0)))
        return accounts.capabilities[:, place], accounts.prompts
    if name == "concealed reasoning":
        return accounts.capabilities[:, len(CAPABILITY_SIGNS) - 1], accounts.prompts
    return accounts.extraction, accounts.prompts


def _tied(candidate: Candidate, harvesting: Numbers) -> Mask:
    """[m] members that share a rare identity value with a harvesting member."""
    table = candidate.table
    owner, held = table.held_by(candidate.members)
    usable = np.isin(table.kinds[held], TYING_KINDS)
    owner, held = owner[usable], held[usable]
    by_harvester = np.isin(candidate.members[owner], harvesting)
    values, counts = np.unique(held[by_harvester], return_counts=True)
    tied = np.zeros(len(candidate.members), dtype=bool)
    tying = values[(counts >= 2) & (counts >= LEAST_TIE * table.degrees[values])]
    tied[owner[np.isin(held, tying)]] = True
    return tied


def _in_step(candidate: Candidate, harvesting: Numbers, conduct: Conduct) -> Mask:
    """[m] members whose conduct is as near to the harvesting members' as only `IN_STEP` of customers' is."""
    busy = conduct.exchanges[candidate.members] >= LEAST_EXCHANGES
    members = candidate.members[busy]
    near = np.zeros(len(candidate.members), dtype=bool)
    if len(members) > 1:
        views = conduct_p_values(conduct, members, np.intersect1d(members, harvesting))[0]
        near[busy] = np.min(views, axis=0) * len(views) <= IN_STEP  # Bonferroni over the views
    return near


def _in_batch(times: npt.NDArray[np.float64], harvests: Mask) -> Mask:
    """[m] members that registered within minutes of another harvesting member."""
    batch = np.zeros(len(times), dtype=bool)
    order = np.argsort(times, kind="stable")
    order = order[~np.isnan(times[order]) & harvests[order]]
    near = np.flatnonzero(np.diff(times[order]) <= NEAR_US)
    batch[order[near]] = True
    batch[order[near + 1]] = True
    return batch
