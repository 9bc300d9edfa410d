"""The verifier on hostile input: whatever a bundle holds, the answer is a step and a reason, never another error."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sample_case as sample
import time_stamping_authority
from test_bundle_tampering import checkpoint_names, records, resigned

from stillwatch.evidence import verify
from stillwatch.integrity.canonical import canonical_bytes
from stillwatch.integrity.signed_note import cosign, parse_note
from stillwatch.integrity.signing import SignatureType, SignerKey

pytestmark = pytest.mark.skipif(
    time_stamping_authority.missing() is not None, reason=str(time_stamping_authority.missing())
)
WITNESS = SignerKey(name="witness.example/w1", type=SignatureType.COSIGNATURE, seed=bytes(range(1, 33)))
HOSTILE: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    2**70,
    1.5,
    "",
    "x",
    "../x",
    "\U0001f600",
    [],
    [[]],
    {},
    {"a": {}},
    ["00"] * 100,
    [{}],
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return sample.make_sample(tmp_path_factory.mktemp("whole")).files()


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Give the path of every value of a document, the document itself left out."""
    found = [path] if path else []
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, one in inner:
        found += places(one, (*path, name))
    return found


def test_any_value_in_any_place_of_any_document_ends_in_a_step_and_a_reason(whole: dict[str, bytes]) -> None:
    rng = random.Random(20261125)
    names = ["case.json", "ledger/consistency.json", records(whole)[0], records(whole)[2], "manifest.json"]
    failed = 0
    for _ in range(2_000):
        name = rng.choice(names)
        document = json.loads(whole[name])
        path = rng.choice(places(document))
        inner = document
        for step in path[:-1]:
            inner = inner[step]
        inner[path[-1]] = rng.choice(HOSTILE)
        changed = {**whole, name: canonical_bytes(document)}
        files = resigned(changed) if name != "manifest.json" else changed
        failed += sample.outcome(files) > 0
    assert failed > 1_000


def answer(reply: bytes, note: bytes, roots: Any) -> tuple[int, int]:
    """Give the step that fails and no time, or no step and the time."""
    try:
        return 0, verify.check_time_stamp(reply, note, 1, roots, []).time_us
    except verify.VerificationError as error:
        return error.step, 0


@pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")  # of its serial number
@pytest.mark.filterwarnings("ignore:Attribute's length:UserWarning")  # of a name in a certificate that was changed
def test_any_change_of_a_token_ends_in_step_8_or_in_the_same_time(whole: dict[str, bytes]) -> None:
    rng = random.Random(8)
    name = max(one for one in whole if one.endswith(".tsr"))
    note = whole[checkpoint_names(whole)[-1]]
    roots = verify._certificates(sample.authority().root.read_bytes())
    before = verify.check_time_stamp(whole[name], note, 1, roots, [])
    accepted = 0
    for _ in range(3_000):
        reply = bytearray(whole[name])
        for _ in range(rng.choice((1, 1, 1, 3, 10))):
            reply[rng.randrange(len(reply))] = rng.randrange(256)
        content = bytes(reply[: rng.choice((len(reply), len(reply), rng.randrange(len(reply))))])
        step, time_us = answer(content, note, roots)
        assert (step, time_us) in {(8, 0), (0, before.time_us)}
        accepted += step == 0
    assert accepted < 100  # some bytes of a reply are not signed, such as the text of its status


def test_a_certificate_without_a_positive_serial_number_is_no_noise(whole: dict[str, bytes]) -> None:
    name = max(one for one in whole if one.endswith(".tsr"))
    signed = verify._signed_data(verify._children(verify._only(whole[name]))[1])
    version, number = verify._children(verify._children(verify._only(signed["certificates"][0]))[0][2])[:2]
    assert number[0] == 0x02
    for first in (0x00, 0x80):  # nought, as some roots that are in use have, and below
        serial = bytes([first, *bytes(len(number[2]) - 1)])
        changed = whole[name].replace(version[1] + number[1], version[1] + number[1][: -len(number[2])] + serial)
        assert changed != whole[name]
        assert sample.outcome(resigned({**whole, name: changed})) == 8  # without a warning, which would be an error


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe", b"[]", b"null", b'{"a":1', b'{"a":1e999}', b'{"\\ud800":1}', b"1" * 10_000]
)
def test_documents_that_are_none_are_named(whole: dict[str, bytes], content: bytes) -> None:
    for name in ("manifest.json", "case.json", records(whole)[0]):
        files = {**whole, name: content}
        assert sample.outcome(files if name == "manifest.json" else resigned(files)) in {1, 4, 7}


def test_deep_documents_are_refused_without_a_crash(whole: dict[str, bytes]) -> None:
    deep = b'{"a":' * 100_000 + b"1" + b"}" * 100_000
    assert sample.outcome(resigned({**whole, "case.json": deep})) == 7


def test_a_witness_that_is_asked_for_must_have_cosigned(tmp_path: Path) -> None:
    made = sample.make_sample(tmp_path)
    trust = replace(sample.trust(), witnesses=(WITNESS.verifier.text(),))
    with pytest.raises(verify.VerificationError, match="did not cosign the last checkpoint"):
        verify.verify_bundle(made.files(), trust)
    last = made.ledger.checkpoints()[-1]
    line = cosign(parse_note(last.note), WITNESS, 1_780_000_000).line()
    made.ledger.add_cosignature(last.size, line, WITNESS.verifier)
    files = made.files()
    found = verify.verify_bundle(files, trust)
    assert "cosigned by witness.example/w1 at 2026-05-28T20:26:40Z" in found.established[2]
    name = f"ledger/witnesses/{last.size:012d}.txt"
    other = cosign(parse_note(made.ledger.checkpoints()[0].note), WITNESS, 1_780_000_000).line().encode()
    with pytest.raises(verify.VerificationError, match="does not verify") as caught:
        verify.verify_bundle(resigned({**files, name: other}), trust)
    assert caught.value.step == 2
    with pytest.raises(verify.VerificationError, match="no Ed25519 key of its kind"):
        verify.verify_bundle(files, replace(trust, witnesses=(sample.LOG.verifier.text(),)))
