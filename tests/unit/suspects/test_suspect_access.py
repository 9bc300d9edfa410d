"""Access: the interfaces are read as their makers write them, keys stay where they are, and what answers is the one that was asked."""

from __future__ import annotations

import asyncio
import base64
import datetime as dt
import hashlib
import ipaddress
import json
import ssl
from pathlib import Path

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from practised_endpoint import Ticking, ask, model, party, probes

from stillwatch.records.suspect import Ability, Answer, Budget, Party, Query, Scored, Unanswered
from stillwatch.simulation.suspect_server import Misbehaviour, SuspectServer, serving
from stillwatch.suspects.access.opening import interface_of
from stillwatch.suspects.access.recorded import RecordedAnswers
from stillwatch.suspects.access.weights import OpenWeights
from stillwatch.suspects.errors import AccessSettingError
from stillwatch.suspects.journal import Journal

PLAIN = Query(id="t/suspect/1", test="t", party="suspect", prompt="The old mill", max_tokens=12, top_logprobs=3)
SCORED = Query(
    id="t/suspect/2", test="t", party="suspect", prompt="The old", continuation=" mill  was\nquiet", top_logprobs=3
)


def received(folder: Path) -> list[dict]:
    found = [json.loads(line) for line in (folder / "journal.jsonl").read_bytes().splitlines()]
    return [line["raw"] for line in found if line["kind"] == "received"]


@pytest.mark.parametrize("settings", [{"style": "chat", "scores": "no"}, {}], ids=str)
def test_openai_answers(settings, tmp_path: Path) -> None:
    with serving(SuspectServer(model())) as address:
        observed, _ = ask([PLAIN], party(address, **settings), tmp_path)
    answer = observed[PLAIN.id]
    assert isinstance(answer, Answer)
    assert "".join(token.text for token in answer.tokens) == answer.text
    assert (answer.finish, answer.prompt_tokens, answer.completion_tokens) == ("length", 12, 12)
    assert all(len(token.alternatives) == 3 for token in answer.tokens)
    assert answer.model == "suspect-1 fp_1"


def test_openai_scores_are_those_of_the_model(tmp_path: Path) -> None:
    learnt = model()
    with serving(SuspectServer(learnt)) as address:
        observed, _ = ask([SCORED], party(address), tmp_path)
    scored = observed[SCORED.id]
    assert isinstance(scored, Scored)
    assert "".join(token.text for token in scored.tokens) == SCORED.continuation
    expected = sum(one.log_prob for one in learnt.score(SCORED.prompt, SCORED.continuation or ""))
    assert scored.log_prob == pytest.approx(expected, abs=1e-9)
    assert scored.prompt_tokens == scored.shown_tokens == len(SCORED.prompt + (SCORED.continuation or ""))


def test_anthropic_answers_and_scores_nothing(tmp_path: Path) -> None:
    with serving(SuspectServer(model())) as address:
        asked = Party(name="suspect", kind="anthropic", settings={"address": address, "model": "m"})
        observed, _ = ask([PLAIN], asked, tmp_path)
    answer = observed[PLAIN.id]
    assert isinstance(answer, Answer)
    assert (answer.finish, answer.prompt_tokens, answer.completion_tokens, answer.tokens) == ("length", 12, 12, ())
    assert Ability.SCORE not in interface_of(asked).abilities


def test_the_interfaces_read_what_their_makers_document() -> None:
    """Bodies after the references of both makers, fields that we do not read included."""
    openai = interface_of(party("http://x", style="chat", scores="no"))
    body = {
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "gpt-x", "service_tier": "default",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": None, "refusal": "No."}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11},
    }  # fmt: skip
    refused = openai.read(PLAIN, body, 1)
    assert isinstance(refused, Unanswered)
    assert refused.reason == "refused"
    anthropic = interface_of(Party(name="suspect", kind="anthropic", settings={"address": "http://x", "model": "m"}))
    body = {
        "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-x", "stop_reason": "end_turn", "stop_sequence": None,
        "content": [{"type": "thinking", "thinking": "hm", "signature": "s"}, {"type": "text", "text": "Hello."}],
        "usage": {"input_tokens": 9, "output_tokens": 2, "cache_read_input_tokens": 0},
    }  # fmt: skip
    answer = anthropic.read(PLAIN, body, 1)
    assert isinstance(answer, Answer)
    assert (answer.text, answer.finish, answer.prompt_tokens) == ("Hello.", "stop", 9)


def test_what_is_impossible_can_be_written_down() -> None:
    interface = interface_of(party("http://x", style="completions"))
    body = {
        "choices": [
            {"text": "a", "finish_reason": "stop", "logprobs": {"tokens": ["a"], "token_logprobs": [float("-inf")]}}
        ]
    }
    answer = interface.read(PLAIN, body, 1)
    assert isinstance(answer, Answer)
    assert answer.tokens[0].log_prob == -1e6


def test_a_key_is_sent_and_written_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = tmp_path / "key"
    key.write_text("sk-secret-1234\n", encoding="utf-8")
    monkeypatch.setenv("SUSPECT_KEY", "sk-other-5678")
    seen = []

    class Listening(SuspectServer):
        async def handle(self, request):
            seen.append(request.headers.get("Authorization") or request.headers.get("x-api-key"))
            return await super().handle(request)

    with serving(Listening(model())) as address:
        ask([PLAIN], party(address, key_file=str(key)), tmp_path)
        again = Party(
            name="b", kind="anthropic", settings={"address": address, "model": "m", "key_variable": "SUSPECT_KEY"}
        )
        ask([Query(id="t/b/1", test="t", party="b", prompt="The old mill")], again, tmp_path)
    assert seen == ["Bearer sk-secret-1234", "sk-other-5678"]
    assert b"secret" not in (tmp_path / "journal.jsonl").read_bytes()
    assert b"5678" not in (tmp_path / "journal.jsonl").read_bytes()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"address": "ftp://x"}, "http://"),
        ({"model": ""}, "model is missing"),
        ({"tries": "many"}, "tries is a str"),
        ({"api_key": "sk-1"}, "there is no setting 'api_key'"),
        ({"key_file": "/nowhere/key"}, "cannot be read"),
        ({"key_variable": "NOT_SET_ANYWHERE"}, "holds no key"),
        ({"style": "voice"}, "expected chat or completions"),
        ({"certificates": "/nowhere.pem"}, "holds no certificates"),
    ],
)
def test_a_party_that_is_said_wrongly_is_refused(settings, message, tmp_path: Path) -> None:
    given = {"address": "http://127.0.0.1:9", "model": "m", "tries": 1, **settings}
    asked = Party(name="suspect", kind="openai", settings=given)
    with pytest.raises(AccessSettingError, match=message):
        ask([PLAIN], asked, tmp_path)


def test_a_limit_is_waited_for_and_nothing_is_lost(tmp_path: Path) -> None:
    server = SuspectServer(model(), misbehaves=(Misbehaviour.RATE_LIMITS,))
    with serving(server) as address:
        asked = party(address, tries=8)
        queries = probes(asked)[:40]
        observed, journal = ask(queries, asked, tmp_path)
    assert {one.id for one in queries} == set(observed)
    assert not any(isinstance(one, Unanswered) for one in observed.values())
    assert set(server.answered.values()) == {1}
    assert journal.requests.total() == server.requests > 40


def test_a_redirect_is_not_followed(tmp_path: Path) -> None:
    asked_elsewhere = []

    class Elsewhere(SuspectServer):
        async def handle(self, request):
            if "moved" in request.path:
                asked_elsewhere.append(request.path)
            return web.Response(status=307, headers={"Location": "/v1/moved"})

    with serving(Elsewhere(model())) as address:
        observed, _ = ask([PLAIN], party(address), tmp_path)
    assert observed[PLAIN.id].reason == "refused"
    assert observed[PLAIN.id].detail == "status 307"
    assert asked_elsewhere == []


def test_requests_are_paced(tmp_path: Path) -> None:
    loop = asyncio.new_event_loop()
    with serving(SuspectServer(model())) as address:
        asked = party(address, requests_per_minute=600)
        begun = loop.time()
        ask(probes(asked)[:6], asked, tmp_path)
        took = loop.time() - begun
    loop.close()
    assert took >= 0.5


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, bytes]:
    """A certificate for this machine with its key in one file, and its digest's bytes."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path / "server.pem"
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file.write_bytes(made.public_bytes(pem) + private)
    return file, made.public_bytes(serialization.Encoding.DER)


def test_the_certificate_that_was_shown_is_kept(certificate, tmp_path: Path) -> None:
    file, shown = certificate
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    with serving(SuspectServer(model()), context) as address:
        asked = party(address, certificates=str(file))
        ask(probes(asked)[:3], asked, tmp_path)
    peers = {raw["tls_peer"] for raw in received(tmp_path)}
    assert peers == {f"sha256:{hashlib.sha256(shown).hexdigest()}"}


def test_a_certificate_that_is_not_trusted_ends_the_try(certificate, tmp_path: Path) -> None:
    file, _ = certificate
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    with serving(SuspectServer(model()), context) as address:
        observed, _ = ask([PLAIN], party(address, tries=1), tmp_path)
    assert observed[PLAIN.id].reason == "unreachable"


def test_recorded_answers_are_taken_in_their_order(tmp_path: Path) -> None:
    lines = [
        {"prompt": "a", "answers": ["one", "two"]},
        {"prompt": "a", "continuation": "b c", "tokens": [["b", -1.5], [" c", None]]},
    ]
    file = tmp_path / "recorded.jsonl"
    file.write_text("\n".join(json.dumps(one) for one in lines), encoding="utf-8")
    asked = Party(name="suspect", kind="recorded", settings={"file": "recorded.jsonl"})
    queries = [Query(id=f"t/{number}", test="t", party="suspect", prompt="a") for number in range(3)]
    queries.append(Query(id="t/s", test="t", party="suspect", prompt="a", continuation="b c"))
    observed = _alone(RecordedAnswers, asked, file, queries, tmp_path)
    assert [observed["t/0"].text, observed["t/1"].text] == ["one", "two"]
    assert observed["t/2"].reason == "cannot"
    assert observed["t/s"].log_prob == -1.5
    assert observed["t/s"].mean_log_prob == -1.5


def _alone(kind, asked, path, queries, folder):
    async def run():
        with Journal(folder / "alone.jsonl", "sha256:plan", Budget(requests=99, seconds=99), Ticking()) as journal:
            access = kind(asked, path, journal, Ticking())
            async for _ in access.answer([one for one in queries if one.continuation is None]):
                pass
            async for _ in access.score([one for one in queries if one.continuation is not None]):
                pass
            await access.close()
            return journal.observed

    return asyncio.run(run())


def test_open_weights_write_and_score(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    tokenizers = pytest.importorskip("tokenizers")
    letters = "abcdefgh \n"
    vocabulary = {"<s>": 0, "</s>": 1, **{letter: place + 2 for place, letter in enumerate(letters)}}
    raw = tokenizers.Tokenizer(tokenizers.models.BPE(vocab=vocabulary, merges=[]))
    marks = {"bos_token": "<s>", "eos_token": "</s>"}
    raw.decoder = tokenizers.decoders.Fuse()
    transformers.PreTrainedTokenizerFast(tokenizer_object=raw, **marks).save_pretrained(tmp_path / "model")
    torch.manual_seed(3)
    configured = transformers.LlamaConfig(
        vocab_size=len(vocabulary), hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2,
        num_key_value_heads=2, max_position_embeddings=64, bos_token_id=0, eos_token_id=1,
    )  # fmt: skip
    net = transformers.LlamaForCausalLM(configured)
    net.save_pretrained(tmp_path / "model")
    asked = Party(name="suspect", kind="weights", settings={"folder": "model"})
    queries = [
        Query(id="t/w", test="t", party="suspect", prompt="ab", max_tokens=5, temperature=1.0, top_logprobs=2),
        Query(id="t/s", test="t", party="suspect", prompt="ab", continuation="cde", top_logprobs=2),
        Query(id="t/l", test="t", party="suspect", prompt="a", continuation="bcdefgh"),
    ]
    observed = _alone(OpenWeights, asked, tmp_path / "model", queries, tmp_path)
    ids = torch.tensor([[0, *(vocabulary[letter] for letter in "abcde")]])
    with torch.no_grad():
        table = torch.log_softmax(net(input_ids=ids).logits.double(), dim=-1)[0]
    expected = [float(table[place, ids[0, place + 1]]) for place in (2, 3, 4)]
    assert [token.log_prob for token in observed["t/s"].tokens] == pytest.approx(expected, abs=1e-5)
    assert "".join(token.text for token in observed["t/s"].tokens) == "cde"
    assert observed["t/w"].completion_tokens == len(observed["t/w"].tokens) <= 5
    assert "".join(token.text for token in observed["t/l"].tokens) == "bcdefgh"


def test_raw_answers_can_be_read_again(tmp_path: Path) -> None:
    with serving(SuspectServer(model())) as address:
        observed, _ = ask([PLAIN], party(address), tmp_path)
    (raw,) = received(tmp_path)
    body = json.loads(base64.b64decode(raw["body"]))
    assert body["choices"][0]["text"] == observed[PLAIN.id].text
