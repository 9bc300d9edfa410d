"""One stream dealt out: accounts that present themselves as strangers work off one stream of prompts, each prompt once.

What a harvest asks for need not show in its words: bare items of a data set read like anybody's questions. How it is worked off
does show. Null: the members use the model as other customers do. Other customers do not send in step and divide one set of prompts
without repeats; a firm that runs one job over several accounts says so by its organisation, or pays with one card for accounts that
work from one place under its own mail domain (`links/openness.py`). The e-value is the smallest of those against a common clock by chance, against a common set, against
repeated prompts and against ordinary bulk work: it is an e-value when any one of them is true. Where one organisation is declared, that it
is one customer's is one more such null: accounts that each pay with a purse of their own speak against it.

It does not show what the answers are for. A report that rests on it says so.
"""

from __future__ import annotations

from collections.abc import Mapping

from stillwatch.detection.campaigns.candidate import Candidate
from stillwatch.detection.campaigns.claims.stating import Procedure
from stillwatch.detection.links.openness import declares_one_organization, pays_in_its_own_name
from stillwatch.records.claim import Claim, Inconclusive, Question
from stillwatch.statistics.e_values import mean_log_e, minimum_log_e

CLOCK = ("synchrony", "common conduct")
"""A batch of registrations is no clock: who takes on workers, or imports customers, registers them together."""
EACH_ONCE = ("sharding without replacement", "no repetition", "not ordinary work")
OWNERS = ("purses of their own",)
LEAST_MEMBERS = 4

PROCEDURE = Procedure(
    name="one stream dealt out",
    question=Question.EXTRACTION,
    null_hypothesis="The members use the model as other customers do, each for itself, or one customer openly runs one job.",
    assumptions=("the smallest e-value of claims whose own assumptions hold",),
    method="one-stream-dealt-out/v5",
)


def dealt_out_claim(candidate: Candidate, results: Mapping[str, Claim | Inconclusive]) -> Claim | Inconclusive:
    """Combine the claims on how the stream is worked off; `results` holds all other claims of the candidate."""
    if len(candidate.members) < LEAST_MEMBERS:
        return PROCEDURE.cannot(f"{len(candidate.members)} members", f"{LEAST_MEMBERS} members")
    if pays_in_its_own_name(candidate.table, candidate.members):
        return PROCEDURE.cannot(
            "one payment, one network and one mail domain of their own is on most members: the job is open",
            "nothing more",
        )
    needed = (*EACH_ONCE, *OWNERS) if declares_one_organization(candidate.table, candidate.members) else EACH_ONCE
    clock = [claim.log_e for name in CLOCK if isinstance(claim := results.get(name), Claim)]
    once = [claim.log_e for name in needed if isinstance(claim := results.get(name), Claim)]
    if not clock or len(once) < len(needed):
        return PROCEDURE.cannot(
            "tests of the common clock, of repeated prompts or of a declared organisation's payments could not run",
            "prompts and times, and payments where an organisation is declared",
        )
    log_e = minimum_log_e([mean_log_e(clock), *once])
    accounts = candidate.accounts
    return PROCEDURE.from_log_e(
        log_e,
        statement=(
            f"{len(candidate.members)} accounts that do not show whose they are send in step, and"
            f" {int(accounts.exchanges[candidate.members].sum())} requests hold hardly any prompt twice."
        ),
        statistic_name="members",
        statistic=len(candidate.members),
        n=len(candidate.members),
        n_unit="accounts",
        input_digest=candidate.input_digest,
    )
