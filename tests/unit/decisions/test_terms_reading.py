"""Terms as YAML: every word is what it says, hostile files end in a message, and problems are all told at once."""

from __future__ import annotations

import pytest
import terms_samples as samples
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.decisions.errors import TermsProblemsError
from stillwatch.decisions.terms.lint import read_terms
from stillwatch.records.decision import Action, WhenStale
from stillwatch.records.terms import ClauseMode, Condition, Operator


def test_a_clause_is_read_as_it_stands() -> None:
    terms = samples.read(
        samples.clause(
            "no-training", "{harvesting: true, accounts: {above: 1}, region: {none_of: [DE, NO]}}",
            more="    when_stale: closed\n    notice_days: 3\n    cure_days: 14\n    duration_days: 60\n",
        )
    )  # fmt: skip
    (one,) = terms.clauses
    assert (one.id, one.number, one.action, one.mode, one.when_stale) == (
        "no-training",
        "1.1",
        Action.BLOCK,
        ClauseMode.ENFORCE,
        WhenStale.CLOSED,
    )
    assert (one.notice_days, one.cure_days, one.duration_days) == (3, 14, 60)
    assert one.conditions == (
        Condition(fact="harvesting", operator=Operator.IS, values=(True,)),
        Condition(fact="accounts", operator=Operator.ABOVE, values=(1,)),
        Condition(fact="region", operator=Operator.NONE_OF, values=("DE", "NO")),
    )
    assert terms.version == "1"
    assert terms.appeal == "appeals@example.com"


def test_every_clause_begins_in_record_mode() -> None:
    text = samples.clause("no-training", "{harvesting: true}").replace("    mode: enforce\n", "")
    assert samples.read(text).clauses[0].mode is ClauseMode.RECORD


def test_the_digest_is_of_the_text_alone() -> None:
    one = samples.read(samples.clause("a", "{harvesting: true}"))
    other = samples.read(samples.clause("b", "{harvesting: true}"))
    assert one.text_digest == other.text_digest
    assert one.facts_digest != other.facts_digest


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"\xff\xfe", "no UTF-8"),
        (b"", "empty"),
        (b"- a\n- b\n", "expected a mapping"),
        (b"a: &x [1]\nb: *x\n", "anchors and aliases"),
        (b"a: !!python/object/apply:os.system ['x']\n", "tags are not read"),
        (b"a: 1\na: 2\n", "a second time"),
        (b"a: 1\n---\nb: 1\n", "second document"),
        (b"a: [" * 40 + b"]" * 40, "nested over 12 deep"),
        (b"a: {b: [}", "no YAML"),
        (b"a: '" + b"x" * (1 << 20) + b"'", "at most 1,048,576"),
        (b"terms: \x00", "no YAML"),
        (b'terms: "\\UFFFFFFFF"', "escape in quotes"),
        (b'terms: "\\ud800"', "cannot be printed"),
        (b'terms: "\\e[31m"', "cannot be printed"),
        ('terms: "\u202egnp.exe"'.encode(), "cannot be printed"),
        (b"a: [" + b"1," * 60_000 + b"]", "over 50,000 values"),
    ],
)
def test_a_hostile_file_ends_in_a_message(content: bytes, says: str) -> None:
    with pytest.raises(TermsProblemsError, match=says):
        read_terms(content, None, "hostile.yaml")


def test_all_problems_are_told_at_once_in_the_order_of_lines() -> None:
    text = (
        samples.HEAD
        + samples.clause("a", "{harvestin: true}")
        + samples.clause("b", "{accounts: {above: many}}", action="slow")
    )
    with pytest.raises(TermsProblemsError) as caught:
        read_terms(text.encode(), None, "sample.yaml")
    message = str(caught.value)
    assert message.startswith("sample.yaml cannot be used: ")
    places = [line.split(":")[1] for line in message.splitlines() if line.startswith("sample.yaml:")]
    assert [int(one) for one in places] == sorted(int(one) for one in places)
    assert "did you mean 'harvesting'?" in message
    assert "action got 'slow'" in message
    assert "accounts is a whole number" in message


def test_a_second_text_is_refused_and_a_missing_one_too() -> None:
    clause = samples.clause("a", "{harvesting: true}")
    with pytest.raises(TermsProblemsError, match="stands here twice"):
        read_terms((samples.HEAD.replace("wording:", "text: x.md\nwording:") + clause).encode(), b"", "sample.yaml")
    with pytest.raises(TermsProblemsError, match="contract text is missing"):
        read_terms(b"terms: a\nversion: '1'\ntitle: A\nappeal: x\nclauses:\n" + clause.encode(), None, "sample.yaml")


@settings(max_examples=300, deadline=None)
@given(
    content=st.one_of(
        st.binary(max_size=200),
        st.text(
            alphabet=st.sampled_from(list("abcdefilmnorstuwx:-[]{},\"'|>&*!%@#\n \t\\0123456789~?<=\u2028")),
            max_size=200,
        ).map(str.encode),
    )
)
def test_any_bytes_end_in_a_message(content: bytes) -> None:
    with pytest.raises(TermsProblemsError):
        read_terms(content, None, "any.yaml")


@settings(max_examples=150, deadline=None)
@given(place=st.integers(0, 10_000), insert=st.text(alphabet="[]{}:-,'\" \n#&*!", min_size=1, max_size=3))
def test_terms_that_were_broken_anywhere_are_read_or_refused(place: int, insert: str) -> None:
    text = samples.HEAD + samples.clause("a", "{harvesting: true, accounts: {above: 1}}") + samples.licence("a")
    at = place % len(text)
    message = ""
    try:
        clauses = read_terms((text[:at] + insert + text[at:]).encode(), None, "broken.yaml").clauses
    except TermsProblemsError as error:
        clauses, message = (), str(error)
    assert clauses or "hint: " in message
