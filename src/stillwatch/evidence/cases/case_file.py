"""CaseFile: the items of a case, sorted under the elements that have to be shown, with what is missing.

Takes opened items, each with the fields that may be shown. Gives statements, each with its label and the ledger's entries that it rests on,
and a gap for whatever is not there. A statement never holds an account id or text of a prompt: those stand in exhibits, which can be
withheld. Nothing is weighed or scored here; conclusions are the claims', and the reader's.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from stillwatch.evidence.cases import elements as forms
from stillwatch.evidence.cases.elements import CLAIM_ELEMENTS, ELEMENTS, ElementForm
from stillwatch.evidence.cases.errors import CaseItemError
from stillwatch.evidence.cases.timeline import release_timeline
from stillwatch.evidence.incident_report.wording import counted, day_text, power_of_ten, time_text
from stillwatch.records.case import (
    Alternative,
    Case,
    CaseFile,
    CustodyStep,
    Element,
    Gap,
    ItemKind,
    Label,
    OpenedItem,
    Statement,
)
from stillwatch.records.claim import Claim, Inconclusive, Question

ElementStatement = tuple[ElementForm, Statement]
MICROSECONDS_PER_DAY = 86_400_000_000


def build_case_file(
    case: Case,
    items: Sequence[OpenedItem],
    custody: Sequence[CustodyStep],
    *,
    made_us: int,
    version: str,
    shared: bool,
) -> CaseFile:
    """Build the file of a case.

    Args:
        case: as the store lists it.
        items: all items, by number, with the fields that may be shown.
        custody: every act on the case, in order.
        made_us: present time, microseconds UTC.
        version: of stillwatch.
        shared: whether fields that name persons or show text are withheld.

    Raises:
        CaseItemError: where an item's field is of another form than its kind has.
    """
    harvest = _harvest(items)
    releases = _releases(items)
    tested = _timelines(items, harvest)
    statements = [pair for item in items for pair in _statements_of(item)]
    statements += [pair for one, entries in tested if isinstance(one, Claim) for pair in (_of_claim(one, entries),)]
    claims = [
        *(claim for item in items for claim in claims_of(item)),
        *(one for one, _ in tested if isinstance(one, Claim)),
    ]
    inconclusive = [one for item in items for one in _inconclusive_of(item)]
    inconclusive += [one for one, _ in tested if isinstance(one, Inconclusive)]
    return CaseFile(
        case_id=case.id,
        title=str(items[0].fields.get("title", "")) if items else "",
        status=case.status,
        made_us=made_us,
        version=version,
        shared=shared,
        erased=case.erased,
        elements=tuple(_element(form, statements, items, inconclusive) for form in ELEMENTS),
        claims=tuple(claims),
        inconclusive=tuple(inconclusive),
        alternatives=tuple(one for item in items for one in _alternatives_of(item)),
        gaps=_gaps(case, items, shared=shared),
        custody=tuple(custody),
        harvest=harvest,
        releases=releases,
        exhibits=tuple(item for item in items if item.kind is ItemKind.EXCHANGE),
        notes=tuple(item for item in items if item.kind is ItemKind.NOTE),
    )


def claims_of(item: OpenedItem) -> tuple[Claim, ...]:
    """Return the claims of an item.

    Args:
        item: of any kind.

    Raises:
        CaseItemError: where a claim is none.
    """
    if item.kind is ItemKind.CLAIM and "claim" in item.fields:
        return (read_claim(item.fields["claim"], item.number),)
    listed = item.fields.get("claims", ()) if item.kind in {ItemKind.CAMPAIGN, ItemKind.REPORT} else ()
    return tuple(read_claim(one, item.number) for one in _list(listed))


def read_claim(fields: object, number: int) -> Claim:
    """Build a claim from its JSON.

    Args:
        fields: names and values; infinities as `inf`.
        number: of the item, for the message.

    Raises:
        CaseItemError: where it is none.
    """
    try:
        given = dict(fields)  # type: ignore[call-overload]
        names = [name for name in Claim.__slots__ if name in given]
        kept = {name: given[name] for name in names}
        kept["question"] = Question(kept["question"])
        kept["log_p"] = None if kept["log_p"] is None else float(kept["log_p"])
        kept["log_e"] = float(kept["log_e"])
        kept["assumptions"] = tuple(kept["assumptions"])
        return Claim(**kept)
    except (TypeError, ValueError, KeyError) as error:
        raise CaseItemError(
            f"item {number}: a claim is of another form than `stillwatch` writes: got {type(error).__name__}"
        ) from error


def _element(
    form: ElementForm,
    statements: Iterable[ElementStatement],
    items: Sequence[OpenedItem],
    inconclusive: Sequence[Inconclusive],
) -> Element:
    """Gather what there is for an element, and say what is not there."""
    own = tuple(statement for of, statement in statements if of is form)
    gaps = []
    if not own:
        hidden = any(form in _KINDS_OF_ELEMENT.get(item.kind, ()) and item.withheld for item in items)
        why = (
            "the fields that would say it are withheld or erased" if hidden else "nothing was added to the case for it"
        )
        gaps.append(Gap(what=form.nothing, why=why, needed=form.needed))
    if form is forms.TERMS:
        gaps += _unmatched_terms(items)
    gaps += [
        Gap(what=f"{one.name.capitalize()} could not be tested.", why=one.reason, needed=one.needed)
        for one in inconclusive
        if _form_of(one.name, one.question) is form
    ]
    return Element(
        key=form.key,
        title=form.title,
        question=form.question,
        basis=form.basis,
        statements=own,
        gaps=tuple(dict.fromkeys(gaps)),
    )


def _unmatched_terms(items: Sequence[OpenedItem]) -> list[Gap]:
    """Say whose acceptance is missing, and which acceptances are of strangers; nothing where the accounts are withheld."""
    members = {
        str(one) for item in items if item.kind is ItemKind.CAMPAIGN for one in _list(item.fields.get("members"))
    }
    accepted = {
        str(item.fields["account_id"]) for item in items if item.kind is ItemKind.TERMS and "account_id" in item.fields
    }
    gaps = []
    if accepted and members - accepted:
        gaps.append(
            Gap(
                what=f"Of {len(members - accepted):,} of {len(members):,} accounts of the campaigns no acceptance is in the case.",
                why="none was added",
                needed=forms.TERMS.needed,
            )
        )
    if members and accepted - members:
        gaps.append(
            Gap(
                what=f"{counted(len(accepted - members), 'acceptance is', 'acceptances are')} of accounts that no campaign of the case holds.",
                why="the files that were added name them",
                needed="a campaign that holds them, or another file",
            )
        )
    return gaps


_KINDS_OF_ELEMENT: Mapping[ItemKind, tuple[ElementForm, ...]] = {
    ItemKind.CAMPAIGN: (forms.VOLUME, forms.CAPABILITY, forms.COORDINATION, forms.ACCOUNT),
    ItemKind.TERMS: (forms.TERMS,),
    ItemKind.EXCHANGE: (forms.ACT,),
    ItemKind.DECISION: (forms.GATE,),
    ItemKind.RELEASES: (forms.TIMELINE,),
    ItemKind.REPORT: (forms.COPY,),
}


def _form_of(name: str, question: Question) -> ElementForm:
    """Return the element that a claim speaks to."""
    if name in CLAIM_ELEMENTS:
        return CLAIM_ELEMENTS[name]
    return {
        Question.COORDINATION: forms.COORDINATION,
        Question.EXTRACTION: forms.CAPABILITY,
        Question.ATTRIBUTION: forms.COORDINATION,
    }.get(question, forms.COPY)


def _of_claim(claim: Claim, entries: tuple[int, ...], form: ElementForm | None = None) -> ElementStatement:
    """Say a claim, with its error rate."""
    error = f"e = {power_of_ten(claim.log_e)}"
    if claim.log_p is not None:
        error = f"p = {power_of_ten(claim.log_p)}, {error}"
    text = f"{claim.name.capitalize()}: {claim.statement} ({error}, n = {claim.n:,} {claim.n_unit})"
    return (
        form or _form_of(claim.name, claim.question),
        Statement(text=text, label=Label.DERIVED, entries=entries, method=claim.method),
    )


def _statements_of(item: OpenedItem) -> list[ElementStatement]:
    """Give the statements that an item makes."""
    maker = _MAKERS.get(item.kind)
    return maker(item) if maker is not None else []


def _of_campaign(item: OpenedItem) -> list[ElementStatement]:
    fields, entries = item.fields, (item.entry_index,)
    found = [_of_claim(claim, entries) for claim in claims_of(item)]
    accounts = fields.get("accounts")
    if isinstance(accounts, int) and "exchanges" in fields:
        observed = (
            f"{counted(_whole(fields, 'exchanges', item), 'exchange', 'exchanges')} of {counted(accounts, 'account', 'accounts')} from "
            f"{time_text(_whole(fields, 'first_seen_us', item))} to {time_text(_whole(fields, 'last_seen_us', item))}, on "
            f"{counted(_whole(fields, 'days', item), 'day', 'days')}."
        )
        found.insert(0, (forms.VOLUME, Statement(text=observed, label=Label.OBSERVED, entries=entries)))
        found.append(
            (
                forms.ACCOUNT,
                Statement(
                    text=f"The campaign has {counted(accounts, 'account', 'accounts')}; their ids stand in the record, and are withheld where this "
                    "version is for sharing.",
                    label=Label.OBSERVED,
                    entries=entries,
                ),
            )
        )
    if "finding" in fields and "q_value" in fields:
        q = fields["q_value"]
        rate = power_of_ten(math.log(q)) if isinstance(q, float) and q > 0 else "0"
        found.append(
            (
                forms.COORDINATION,
                Statement(
                    text=f"Finding: {fields['finding']}. {fields.get('finding_reason', '')} The campaign's q-value is {rate}: the smallest "
                    "false-discovery rate over campaigns at which it is still reported.",
                    label=Label.DERIVED,
                    entries=entries,
                    method="campaign-selection/v1",
                ),
            )
        )
    if fields.get("capability"):
        found.append(
            (
                forms.CAPABILITY,
                Statement(
                    text=f"Capability aimed at, by the signs in the prompts: {fields['capability']}.",
                    label=Label.DERIVED,
                    entries=entries,
                    method="prompt-intent/v1",
                ),
            )
        )
    return found


def _of_exchange(item: OpenedItem) -> list[ElementStatement]:
    fields = item.fields
    if "time_us" not in fields:
        return []
    model = f" to {fields['model']}" if fields.get("model") else ""
    text = (
        f"Exhibit {item.number}: an exchange{model} at {time_text(_whole(fields, 'time_us', item))} shows: {fields.get('claim', 'the act')}. "
        "Its record commits to its place in the logs, by digest."
    )
    return [(forms.ACT, Statement(text=text, label=Label.OBSERVED, entries=(item.entry_index,)))]


def _of_terms(item: OpenedItem) -> list[ElementStatement]:
    fields = item.fields
    if "terms_version" not in fields:
        return []
    accepted = f" on {time_text(_whole(fields, 'accepted_us', item))}" if "accepted_us" in fields else ""
    clauses = f" It holds the clauses {', '.join(map(str, _list(fields['clauses'])))}." if fields.get("clauses") else ""
    text = f"An account accepted the terms {fields['terms_version']}{accepted}.{clauses}"
    return [(forms.TERMS, Statement(text=text, label=Label.OBSERVED, entries=(item.entry_index,)))]


def _of_decision(item: OpenedItem) -> list[ElementStatement]:
    fields = item.fields
    if "action" not in fields:
        return []
    if "decision" in fields:
        return [(forms.GATE, Statement(text=_decided(item), label=Label.OBSERVED, entries=(item.entry_index,)))]
    clause = f" under clause {fields['clause']}" if fields.get("clause") else ""
    when = f" on {time_text(_whole(fields, 'decided_us', item))}" if "decided_us" in fields else ""
    gate = f" The gate that was evaded: {fields['gate']}." if fields.get("gate") else ""
    text = f"Decision: {fields['action']}{clause}{when}.{gate}"
    return [(forms.GATE, Statement(text=text, label=Label.OBSERVED, entries=(item.entry_index,)))]


def _decided(item: OpenedItem) -> str:
    """Say a decision of the ledger, as far as its fields may be shown."""
    fields = item.fields
    members, clauses = _list(fields.get("members", ())), ", ".join(map(str, _list(fields.get("clauses", ()))))
    whom = f" about {len(members)} accounts" if members else ""
    text = (
        f"Decision {fields['decision']}{whom} of campaign {fields.get('campaign_id', 'of this case')}: {fields['action']}"
        f"{f' under {clauses}' if clauses else ''}, from {time_text(_whole(fields, 'from_us', item))}, proposed as entry "
        f"{fields.get('proposed_entry')} of the log"
    )
    if fields.get("approved_entry") is not None:
        text += f" and approved by somebody else as entry {fields['approved_entry']}"
    older = ", ".join(map(str, _list(fields.get("supersedes", ()))))
    count = len(_list(fields.get("evaluations", ())))
    return f"{text}.{f' It supersedes {older}.' if older else ''}{f' {count} evaluations can be made again.' if count else ''}"


def _of_report(item: OpenedItem) -> list[ElementStatement]:
    entries = (item.entry_index,)
    found = [_of_claim(claim, entries, forms.COPY) for claim in claims_of(item)]
    if not found and item.fields.get("about"):
        text = f"A report about {item.fields['about']} is in the record; it holds no claim that can be checked here."
        found.append((forms.COPY, Statement(text=text, label=Label.ATTESTED, entries=entries)))
    return found


def _of_lone_claim(item: OpenedItem) -> list[ElementStatement]:
    return [_of_claim(claim, (item.entry_index,)) for claim in claims_of(item)]


def _of_statement(item: OpenedItem) -> list[ElementStatement]:
    form = next((one for one in ELEMENTS if one.key == item.fields.get("element")), None)
    if form is None or "text" not in item.fields:
        return []
    return [(form, Statement(text=str(item.fields["text"]), label=Label.ATTESTED, entries=(item.entry_index,)))]


def _of_releases(item: OpenedItem) -> list[ElementStatement]:
    listed = _release_days(item)
    if not listed:
        return []
    what = ", ".join(f"{name} on {day_text(day)}" for day, name in listed[:12])
    more = f" and {len(listed) - 12} more" if len(listed) > 12 else ""
    source = f" (source: {item.fields['source']})" if item.fields.get("source") else ""
    text = f"{item.fields.get('suspect', 'The suspect')} released {what}{more}{source}."
    return [(forms.TIMELINE, Statement(text=text, label=Label.ATTESTED, entries=(item.entry_index,)))]


def _of_run(item: OpenedItem) -> list[ElementStatement]:
    fields = item.fields
    if "input_digest" not in fields:
        return []
    sealed = (
        f" Its logs and results were sealed as entry {fields['sealed_entry']} of the log."
        if "sealed_entry" in fields
        else ""
    )
    text = (
        f"The logs were read by stillwatch {fields.get('version', '')} at a promised false-discovery rate of {fields.get('fdr', 'unknown')}; the digest of "
        f"the input is {str(fields['input_digest'])[:16]}..., of the output {str(fields.get('output_digest', ''))[:16]}....{sealed}"
    )
    return [(forms.VOLUME, Statement(text=text, label=Label.OBSERVED, entries=(item.entry_index,)))]


_MAKERS: Mapping[ItemKind, Callable[[OpenedItem], list[ElementStatement]]] = {
    ItemKind.RUN: _of_run,
    ItemKind.CAMPAIGN: _of_campaign,
    ItemKind.EXCHANGE: _of_exchange,
    ItemKind.TERMS: _of_terms,
    ItemKind.DECISION: _of_decision,
    ItemKind.REPORT: _of_report,
    ItemKind.CLAIM: _of_lone_claim,
    ItemKind.STATEMENT: _of_statement,
    ItemKind.RELEASES: _of_releases,
}


def _inconclusive_of(item: OpenedItem) -> list[Inconclusive]:
    """Give the tests of a campaign that could not be run, or of a run that could not run them for anybody."""
    if item.kind not in {ItemKind.CAMPAIGN, ItemKind.RUN}:
        return []
    found = []
    for one in _list(item.fields.get("inconclusive", item.fields.get("tests_not_run", ()))):
        try:
            question = Question(one["question"]) if "question" in one else Question.EXTRACTION
            found.append(
                Inconclusive(
                    name=str(one["name"]), question=question, reason=str(one["reason"]), needed=str(one["needed"]),
                    method=str(one.get("method", "")),
                )
            )  # fmt: skip
        except (TypeError, KeyError, ValueError) as error:
            raise CaseItemError(
                f"item {item.number}: a test that was not run is of another form: got {type(error).__name__}"
            ) from error
    return found


def _alternatives_of(item: OpenedItem) -> list[Alternative]:
    """Give the innocent explanations that were weighed for a campaign."""
    found = []
    for one in _list(item.fields.get("explanations", ())) if item.kind is ItemKind.CAMPAIGN else []:
        try:
            outcome = "rejected" if one["rejected"] else "stands" if one.get("tested", True) else "not tested"
            found.append(
                Alternative(name=str(one["name"]), says=str(one["says"]), outcome=outcome, remark=str(one["remark"]))
            )
        except (TypeError, KeyError) as error:
            raise CaseItemError(
                f"item {item.number}: an explanation is of another form: got {type(error).__name__}"
            ) from error
    return found


def _harvest(items: Sequence[OpenedItem]) -> tuple[tuple[int, int], ...]:
    """Add up the harvest of all campaigns by day."""
    days: Counter[int] = Counter()
    for item in items:
        if item.kind is ItemKind.CAMPAIGN:
            for pair in _list(item.fields.get("timeline", ())):
                if not isinstance(pair, list) or len(pair) != 2 or not all(isinstance(one, int) for one in pair):
                    raise CaseItemError(
                        f"item {item.number}: the timeline is of another form, expected pairs of day and count"
                    )
                days[pair[0]] += pair[1]
    return tuple(sorted(days.items()))


def _releases(items: Sequence[OpenedItem]) -> tuple[tuple[int, str], ...]:
    return tuple(sorted(one for item in items if item.kind is ItemKind.RELEASES for one in _release_days(item)))


def _release_days(item: OpenedItem) -> list[tuple[int, str]]:
    """Give (day, name) of the releases of an item."""
    found = []
    for one in _list(item.fields.get("releases", ())):
        if not isinstance(one, dict) or not isinstance(one.get("released_us"), int):
            raise CaseItemError(f"item {item.number}: a release is of another form, expected model and released_us")
        found.append((one["released_us"] // MICROSECONDS_PER_DAY, str(one.get("model", ""))))
    return sorted(found)


def _timelines(
    items: Sequence[OpenedItem], harvest: tuple[tuple[int, int], ...]
) -> list[tuple[Claim | Inconclusive, tuple[int, ...]]]:
    """Test the harvest against each suspect's releases."""
    campaigns = tuple(item.entry_index for item in items if item.kind is ItemKind.CAMPAIGN)
    tested: list[tuple[Claim | Inconclusive, tuple[int, ...]]] = []
    for item in items:
        days = [day for day, _ in _release_days(item)] if item.kind is ItemKind.RELEASES else []
        if days:
            tested.append((release_timeline(harvest, days), (*campaigns, item.entry_index)))
    return tested


def _gaps(case: Case, items: Sequence[OpenedItem], *, shared: bool) -> tuple[Gap, ...]:
    """Say what is missing from the case as a whole."""
    gaps = []
    if case.erased:
        gaps.append(
            Gap(
                what="The fields of this case were erased: its key was destroyed.",
                why="personal data was to be erased",
                needed="nothing can bring them back; the commitments in the ledger show that they were there",
            )
        )
    if shared:
        hidden = sum(len(item.withheld) for item in items)
        gaps.append(
            Gap(
                what=f"{counted(hidden, 'field is', 'fields are')} withheld in this version for sharing; the record commits to each.",
                why="they name persons or show text",
                needed="the full version, from whoever exported this one",
            )
        )
    if not any(item.kind is ItemKind.RUN for item in items):
        gaps.append(
            Gap(
                what="No detection run is in the case, so version, settings and digest of the logs are not stated.",
                why="no run was added",
                needed="stillwatch case add CASE --run DIR",
            )
        )
    if any(item.kind is ItemKind.RUN and item.fields and "sealed_entry" not in item.fields for item in items):
        gaps.append(
            Gap(
                what="A detection run of this case was not sealed when it was made: its logs could have been changed before they were added here.",
                why="the run was made without a ledger",
                needed="stillwatch detect --ledger URL --actor NAME, from the next run on",
            )
        )
    gaps.append(
        Gap(
            what="Who stands behind the accounts is not shown here: accounts, not persons or firms, are what the logs name.",
            why="logs hold no identity",
            needed="payment and identity records of the provider, or discovery",
        )
    )
    gaps.append(
        Gap(
            what="What happened outside the logs that were read was not looked for: other providers, offline copies, missing days.",
            why="only these logs were read",
            needed="the logs of other providers, or indicators shared with them",
        )
    )
    return tuple(gaps)


def _whole(fields: Mapping[str, Any], name: str, item: OpenedItem) -> int:
    """Return a whole number of an item."""
    value = fields.get(name)
    if isinstance(value, bool) or not isinstance(value, int):
        raise CaseItemError(f"item {item.number}: field {name!r} is of another form, expected a whole number")
    return value


def _list(value: Any) -> list[Any]:
    """Return a list; anything else has no members."""
    return list(value) if isinstance(value, list | tuple) else []
