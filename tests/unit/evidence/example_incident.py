"""An incident made by hand from records: two pools, a whale, and candidates that were left alone.

The figures are invented; they only have to look like what the record types promise.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence

from stillwatch.evidence.incident_report import (
    ColumnPresence,
    ExhibitText,
    IncidentReport,
    RunFacts,
)
from stillwatch.evidence.incident_report import TestNotRun as Untested
from stillwatch.records.campaign import Campaign, Exhibit, Explanation, Finding, Link
from stillwatch.records.claim import Claim, Inconclusive, Question

FIRST_DAY = 20_565  # 22 Apr 2026
DAY_US = 86_400_000_000
VOLUME = tuple((FIRST_DAY + day, 3_100 + 700 * ((day * 7) % 5) - 900 * ((day % 7) > 4)) for day in range(45))


def account(group: str, number: int) -> str:
    """Give an account id that carries no information."""
    return "acct_" + hashlib.sha256(f"{group}/{number}".encode()).hexdigest()[:12]


def campaign_id(members: Sequence[str]) -> str:
    """Give a campaign id as records promise it."""
    return "c-" + hashlib.sha256("\n".join(members).encode()).hexdigest()[:12]


def claim(name: str, question: Question, statement: str, *, log_p: float | None, log_e: float, n: int) -> Claim:
    """Give a claim with the parts that every claim has."""
    return Claim(
        name=name,
        question=question,
        statement=statement,
        null_hypothesis="The accounts chose what they send independently of each other.",
        statistic_name="shared shapes",
        statistic=float(n) / 3.0,
        log_p=log_p,
        log_e=log_e,
        n=n,
        n_unit="exchanges",
        assumptions=("Hours of an account are exchangeable within its own days.", "Reference accounts are honest."),
        method=f"{name.replace(' ', '-')}/v1",
        seed=7,
        input_digest="blake2b:4f0c1d2e",
    )


def explanation(name: str, says: str, *, log_e: float, against: tuple[str, ...], remark: str) -> Explanation:
    """Give an explanation that is rejected when its e-value is at least a thousand."""
    return Explanation(
        name=name, says=says, log_e=log_e, rejected=log_e >= math.log(1_000), against=against, remark=remark
    )


def link(kind: str, value: str, carriers: Sequence[str], *, members: int, accounts: int, seen: int = 3_000) -> Link:
    """Give a link."""
    return Link(
        kind=kind,
        value=value,
        members=members,
        accounts=accounts,
        rarity=math.log(seen / accounts),
        carriers=tuple(sorted(carriers)[:60]),
    )


def pool() -> Campaign:
    """A pool of 214 accounts with one injected text, that sends little per account."""
    members = tuple(sorted(account("pool", number) for number in range(214)))
    return Campaign(
        id=campaign_id(members),
        finding=Finding.OPERATOR,
        members=members,
        finding_reason="All 214 accounts send one rare constant text, work through one prompt set without overlap, and "
        "no customer traffic of their own is seen.",
        log_e=math.log(3.2e15),
        q_value=1.3e-13,
        claims=(
            claim(
                "injected span",
                Question.COORDINATION,
                "One 24-word text stands in 41,208 of 41,730 exchanges of these accounts and in none of other accounts.",
                log_p=-212.4,
                log_e=190.0,
                n=41_730,
            ),
            claim(
                "sharding without replacement",
                Question.COORDINATION,
                "38,911 distinct prompts were sent by 214 accounts with 12 repeats; 1,904 would be expected by chance.",
                log_p=-96.1,
                log_e=88.0,
                n=38_923,
            ),
            claim(
                "reasoning elicitation",
                Question.EXTRACTION,
                "97.1% of exchanges ask for the full reasoning; 6.3% do in the rest of the traffic.",
                log_p=-480.0,
                log_e=455.0,
                n=41_730,
            ),
            claim(
                "round-the-clock rhythm",
                Question.COORDINATION,
                "The accounts were active in 1,061 of 1,080 hours.",
                log_p=math.log(0.012),
                log_e=math.log(4.1),
                n=1_080,
            ),
        ),
        inconclusive=(
            Inconclusive(
                name="output harvest",
                question=Question.EXTRACTION,
                reason="The logs have no answer text.",
                needed="The column `response`.",
                method="output-harvest/v1",
            ),
        ),
        explanations=(
            explanation(
                "plug-in fleet",
                "We sell a plug-in; every customer's key sends our template.",
                log_e=math.log(3.2e15),
                against=("sharding without replacement", "reasoning elicitation"),
                remark="Customers of a plug-in repeat each other's questions; these accounts hardly ever do.",
            ),
            explanation(
                "public benchmark",
                "Independent researchers run one public harness.",
                log_e=math.log(8.0e22),
                against=("sharding without replacement",),
                remark="Independent runs of a benchmark send the same items; these accounts divide them.",
            ),
            explanation(
                "one firm with many seats",
                "We are one company; our staff share a network and a card.",
                log_e=math.log(5.5e31),
                against=("injected span", "reasoning elicitation"),
                remark="Staff have tasks of their own; 99% of this traffic is one task.",
            ),
        ),
        exhibits=tuple(
            Exhibit(
                claim="injected span" if number % 2 else "reasoning elicitation",
                account_id=members[number],
                exchange_id=f"req_{number:06d}",
                time_us=(FIRST_DAY + number) * DAY_US + 43_200_000_000,
                source_file="traffic-00000.parquet" if number % 3 else "logs/2026-04-22.jsonl",
                source_offset=1_048_576 * number + 17,
                source_length=0 if number % 3 else 2_311,
            )
            for number in range(12)
        ),
        links=(
            link("span", "9f31c2ab", members, members=214, accounts=214),
            link("parameters", "77e0a1d4", members, members=209, accounts=262),
            link("payment", "3fa20b11", members[:41], members=41, accounts=41),
            link("payment", "c0d19e5b", members[41:80], members=39, accounts=39),
            link("network", "0a55f3e2", members[30:58], members=28, accounts=31),
            link("tls", "be1204aa", members[:60], members=60, accounts=540),
            link("email domain", "51d7730c", members[100:131], members=31, accounts=44),
            link("user agent", "e8f1c6d9", members[60:100], members=40, accounts=1_100),
        ),
        capability="multi-step reasoning in mathematics",
        exchanges=41_730,
        harvest_exchanges=41_208,
        first_seen_us=FIRST_DAY * DAY_US + 61_000_000,
        last_seen_us=(FIRST_DAY + 44) * DAY_US + 86_300_000_000,
        days=45,
        rate_per_account_day=26.0,
        timeline=tuple((FIRST_DAY + day, 400 + 22 * day + 60 * (day % 3)) for day in range(45)),
        models=(("m-large", 39_870), ("m-large-thinking", 1_860)),
    )


def reseller() -> Campaign:
    """Accounts that resell others' traffic and carry a harvest in it."""
    members = tuple(sorted(account("reseller", number) for number in range(23)))
    return Campaign(
        id=campaign_id(members),
        finding=Finding.RESELLER,
        members=members,
        finding_reason="62% of the traffic is many people's ordinary use; the rest is one harvest that the accounts divide.",
        log_e=math.log(4.4e6),
        q_value=7.0e-5,
        claims=(
            claim(
                "template lift",
                Question.COORDINATION,
                "Three templates cover 38% of the traffic of these accounts and 0.02% of the rest.",
                log_p=-31.0,
                log_e=24.0,
                n=9_912,
            ),
            claim(
                "rubric grading",
                Question.EXTRACTION,
                "31% of exchanges ask for a score by rubric; 1.1% do in the rest of the traffic.",
                log_p=None,
                log_e=15.3,
                n=9_912,
            ),
        ),
        inconclusive=(),
        explanations=(
            explanation(
                "legitimate router",
                "We route requests of our own customers.",
                log_e=math.log(4.4e6),
                against=("template lift",),
                remark="A router's customers do not divide one prompt set among the router's accounts.",
            ),
        ),
        exhibits=(
            Exhibit(
                claim="template lift",
                account_id=members[0],
                exchange_id=None,
                time_us=(FIRST_DAY + 9) * DAY_US + 1,
                source_file="traffic-00001.parquet",
                source_offset=88_121,
                source_length=0,
            ),
        ),
        links=(
            link("prefix", "d3c04a77", members[:19], members=19, accounts=19),
            link("payment", "aa71e02f", members[:9], members=9, accounts=9),
            link("payment", "15b8ce90", members[9:17], members=8, accounts=8),
            link("ip", "6e6e0f31", members[4:12], members=8, accounts=8),
        ),
        capability="grading of answers",
        exchanges=9_912,
        harvest_exchanges=3_767,
        first_seen_us=(FIRST_DAY + 6) * DAY_US,
        last_seen_us=(FIRST_DAY + 40) * DAY_US,
        days=35,
        rate_per_account_day=12.3,
        timeline=tuple((FIRST_DAY + 6 + day, 70 + 13 * (day % 6)) for day in range(35)),
        models=(("m-large", 9_912),),
    )


def whale() -> Campaign:
    """One account that harvests alone."""
    members = (account("whale", 0),)
    return Campaign(
        id=campaign_id(members),
        finding=Finding.OPERATOR,
        members=members,
        finding_reason="One account sends a new task every 11 seconds for 9 days and never asks back.",
        log_e=math.log(2.0e5),
        q_value=1.5e-3,
        claims=(
            claim(
                "task synthesis",
                Question.EXTRACTION,
                "94% of 6,120 exchanges ask for new tasks with solutions.",
                log_p=-22.0,
                log_e=12.2,
                n=6_120,
            ),
        ),
        inconclusive=(),
        explanations=(
            explanation(
                "nightly batch job",
                "It is our nightly job over our own documents.",
                log_e=12.2,
                against=("task synthesis",),
                remark="No document is sent; each exchange asks for a task to be made.",
            ),
        ),
        exhibits=(),
        links=(),
        capability="task synthesis",
        exchanges=6_120,
        harvest_exchanges=5_770,
        first_seen_us=(FIRST_DAY + 20) * DAY_US,
        last_seen_us=(FIRST_DAY + 28) * DAY_US,
        days=9,
        rate_per_account_day=680.0,
        timeline=tuple((FIRST_DAY + 20 + day, 641) for day in range(9)),
        models=(),
    )


def left_alone(finding: Finding, size: int, reason: str, name: str, says: str) -> Campaign:
    """Give a candidate that was not flagged."""
    members = tuple(sorted(account(finding.value, number) for number in range(size)))
    return Campaign(
        id=campaign_id(members),
        finding=finding,
        members=members,
        finding_reason=reason,
        log_e=0.4,
        q_value=1.0,
        claims=(
            claim(
                "template lift",
                Question.COORDINATION,
                "One template covers 99% of the traffic.",
                log_p=-40.0,
                log_e=33.0,
                n=5_000,
            ),
        ),
        inconclusive=(),
        explanations=(explanation(name, says, log_e=0.4, against=(), remark="Nothing in the logs speaks against it."),),
        exhibits=(),
        links=(link("prefix", "00ff00ff", members, members=size, accounts=size),),
        capability="",
        exchanges=120 * size,
        harvest_exchanges=0,
        first_seen_us=FIRST_DAY * DAY_US,
        last_seen_us=(FIRST_DAY + 44) * DAY_US,
        days=45,
        rate_per_account_day=2.7,
        timeline=(),
        models=(("m-small", 120 * size),),
    )


def considered() -> tuple[Campaign, ...]:
    """One candidate of each finding that is never flagged."""
    return (
        left_alone(
            Finding.LOOK_ALIKE,
            312,
            "One template on 312 accounts, but each has its own users and hours, and nothing is harvested.",
            "plug-in fleet",
            "Every customer of our plug-in sends its template with a key of their own.",
        ),
        left_alone(
            Finding.UNRESOLVED,
            7,
            "Seven accounts in step; prompts are cut, so harvest could not be tested.",
            "scheduled jobs",
            "The same cron defaults start at the same minute.",
        ),
        left_alone(
            Finding.VICTIM,
            2,
            "Ordinary use from the account's own network and, from elsewhere, the traffic of a flagged pool.",
            "stolen key",
            "Our key was stolen.",
        ),
        left_alone(
            Finding.LICENSED, 4, "An agreement in the accounts file covers it.", "licence", "We have an agreement."
        ),
    )


def incident(*, texts: tuple[ExhibitText, ...] = ()) -> IncidentReport:
    """Give the whole incident."""
    campaigns = (pool(), reseller(), whale())
    return IncidentReport(
        run=RunFacts(
            version="0.1.0",
            engine="duckdb",
            fdr=0.01,
            input_digest="blake2b:" + "ab12" * 16,
            output_digest="",
            command="stillwatch detect 'world/traffic-*' --accounts world/accounts.parquet --out case --fdr 0.01",
            files=12,
            exchanges=151_204,
            accounts=3_000,
            flagged_accounts=sum(len(campaign.members) for campaign in campaigns),
            candidates=41,
            quarantined=3,
            duplicates=118,
            first_seen_us=FIRST_DAY * DAY_US,
            last_seen_us=(FIRST_DAY + 44) * DAY_US + 86_399_000_000,
            tests_not_run=(
                Untested(name="output harvest", reason="no exchange has answer text", needed="the column `response`"),
                Untested(
                    name="pivot to a new model", reason="no release calendar was given", needed="`--releases FILE`"
                ),
            ),
            columns=(
                ColumnPresence(name="prompt", share=1.0),
                ColumnPresence(name="ip", share=0.998),
                ColumnPresence(name="payment_id", share=0.73),
                ColumnPresence(name="response", share=0.0),
            ),
        ),
        campaigns=campaigns,
        considered=considered(),
        volume=VOLUME,
        texts=texts,
    )
