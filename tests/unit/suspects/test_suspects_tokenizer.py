"""Tokenizer screen and identity: tokenizers trained on the spot, forged counts, and what an answer says of itself."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import sentencepiece
from observing import concluded, prompt_file, refused, said, setting_of
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from stillwatch.records.claim import Claim, Inconclusive
from stillwatch.records.suspect import ControlRole, Observation, Query
from stillwatch.suspects.errors import MaterialError, PlanError
from stillwatch.suspects.identity import IdentityLeak
from stillwatch.suspects.token_counts import compare_counts, count_probes, made_up_from, read_tokenizer
from stillwatch.suspects.tokenizer_screen import TokenizerScreen

TEXT = [
    f"The {word} number {number} is 第{number}个 the establishment of naïve encoders 🙂 return x{number} + {number * 7919}\n\t{word}()"
    for number, word in enumerate(
        ["distillation", "harvest", "teacher", "student", "account", "verdict", "reading"] * 40
    )
]

NOISE = np.random.default_rng(0)


def train_bpe(path: Path, size: int, text: list[str]) -> Path:
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    made.train_from_iterator(
        text,
        trainers.BpeTrainer(vocab_size=size, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False),
    )
    made.save(str(path))
    return path


def train_word_pieces(path: Path) -> Path:
    made = Tokenizer(models.WordPiece(unk_token="[UNK]"))  # noqa: S106  # a piece of text
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.train_from_iterator(
        TEXT, trainers.WordPieceTrainer(vocab_size=400, special_tokens=["[UNK]"], show_progress=False)
    )
    made.save(str(path))
    return path


@pytest.fixture(scope="module")
def tokenizers(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("tokenizers")
    corpus = folder / "corpus.txt"
    corpus.write_text("\n".join(TEXT), encoding="utf-8")
    sentencepiece.SentencePieceTrainer.train(
        input=str(corpus),
        model_prefix=str(folder / "pieces"),
        vocab_size=400,
        byte_fallback=True,
        minloglevel=2,
        num_threads=1,
    )
    return {
        "ours": train_bpe(folder / "ours.json", 600, TEXT),
        "later bpe": train_bpe(folder / "later.json", 600, TEXT[:60]),
        "larger bpe": train_bpe(folder / "larger.json", 900, TEXT),
        "bytes": train_bpe(folder / "bytes.json", 256, TEXT),
        "word pieces": train_word_pieces(folder / "words.json"),
        "pieces": folder / "pieces.model",
    }


def test_probes_are_drawn_by_the_seed_and_keep_their_beginnings() -> None:
    probes = count_probes(60, np.random.default_rng(1))
    assert probes == count_probes(60, np.random.default_rng(1))
    assert probes != count_probes(60, np.random.default_rng(2))
    assert all(one.longer.startswith(one.text) and one.longer != one.text for one in probes)
    assert len({one.longer for one in probes}) == 60


@pytest.mark.parametrize("family", ["ours", "later bpe", "larger bpe", "bytes", "word pieces", "pieces"])
def test_the_true_family_gives_all_differences_whatever_the_template_adds(
    tokenizers: dict[str, Path], family: str
) -> None:
    counts = {name: read_tokenizer(path) for name, path in tokenizers.items()}
    probes = count_probes(60, np.random.default_rng(3))
    overhead = 11
    told = [(counts[family](one.text) + overhead, counts[family](one.longer) + overhead) for one in probes]
    matched = compare_counts(probes, told, counts)
    assert (matched[0].family, matched[0].exact) == (family, 60)
    assert matched[1].exact < 60


@pytest.mark.parametrize(
    ("measure", "count"),
    [
        ("characters", lambda text: len(text) // 4 + 7),
        ("bytes", lambda text: round(len(text.encode()) / 3.5)),
        ("words", lambda text: len(text.split()) + 4),
        ("nothing", lambda _: 17),
    ],
)
def test_counts_made_up_from_the_length_are_seen(measure: str, count: Callable[[str], int]) -> None:
    probes = count_probes(60, np.random.default_rng(4))
    assert made_up_from(probes, [(count(one.text), count(one.longer)) for one in probes]) == measure


def test_counts_of_a_tokenizer_are_not_a_line(tokenizers: dict[str, Path]) -> None:
    probes = count_probes(60, np.random.default_rng(5))
    for name, path in tokenizers.items():
        count = read_tokenizer(path)
        # A tokenizer of bytes is honest, and a line in bytes.
        expected = "bytes" if name == "bytes" else None
        assert made_up_from(probes, [(count(one.text), count(one.longer)) for one in probes]) == expected


def test_a_file_that_is_no_tokenizer_is_refused(tmp_path: Path) -> None:
    for name, message in (("x.txt", "got the ending"), ("x.json", "JSONDecodeError"), ("x.model", "cannot be read")):
        (tmp_path / name).write_text("nothing", encoding="utf-8")
        with pytest.raises(MaterialError, match=message):
            read_tokenizer(tmp_path / name)


class TestPlanned:
    """The screen as a plan runs it."""

    def run(self, tokenizers: dict[str, Path], counted: Callable[[str], int | None]):
        own = read_tokenizer(tokenizers["ours"])

        def reply(query: Query) -> Observation:
            tokens = counted(query.prompt) if query.party == "suspect" else own(query.prompt) + 5
            return said(query, "x", prompt_tokens=tokens, model="model-1 fp-1")

        setting = setting_of(
            TokenizerScreen(),
            parameters={"families": [name for name in tokenizers if name != "ours"], "probes": 40},
            materials=tokenizers,
            controls={"our host": ControlRole.OWN},
        )
        return concluded(TokenizerScreen(), setting, reply)

    def test_our_tokenizer(self, tokenizers: dict[str, Path]) -> None:
        own = read_tokenizer(tokenizers["ours"])
        found = self.run(tokenizers, lambda text: own(text) + 9)
        claim = found.stated[0].claim
        assert isinstance(claim, Claim)
        assert (claim.statistic, claim.n, claim.log_p, claim.log_e) == (40.0, 40, None, 0.0)
        assert not found.stated[0].against
        assert found.controls[0].as_expected
        assert "bore 1 names" in found.stated[1].claim.statement

    def test_a_tokenizer_of_bytes_is_no_forgery_where_it_is_a_family(self, tokenizers: dict[str, Path]) -> None:
        found = self.run(tokenizers, lambda text: len(text.encode()) + 3)
        assert "counts as bytes does" in found.stated[0].claim.statement

    def test_another_tokenizer_speaks_against_and_is_named(self, tokenizers: dict[str, Path]) -> None:
        other = read_tokenizer(tokenizers["pieces"])
        found = self.run(tokenizers, lambda text: other(text) + 9)
        assert "counts as pieces does, which speaks against" in found.stated[0].claim.statement

    @pytest.mark.parametrize(
        ("forged", "reason"),
        [
            (lambda text: len(text) // 4, "follow from characters alone"),
            (lambda _: None, "0 texts were counted"),
            (lambda text: len(text) + int(NOISE.integers(0, 9)), "counted in several ways"),
        ],
    )
    def test_forged_counts_are_inconclusive(
        self, tokenizers: dict[str, Path], forged: Callable[[str], int | None], reason: str
    ) -> None:
        claim = TestPlanned.once(self, tokenizers, forged)
        assert isinstance(claim, Inconclusive)
        assert reason in claim.reason

    def once(self, tokenizers: dict[str, Path], forged: Callable[[str], int | None]):
        return self.run(tokenizers, forged).stated[0].claim


IDENTITY_CONTROLS = {f"control-{number}": ControlRole.NEGATIVE for number in range(6)}


class TestIdentity:
    """Who a suspect says that it is."""

    def run(
        self,
        folder: Path,
        text: str,
        controls: dict[str, ControlRole] | None = None,
        names: tuple[str, ...] = ("Stillbird",),
    ):
        def reply(query: Query) -> Observation:
            if query.party == "control-5":
                return refused(query)
            return said(query, text if query.party == "suspect" else "I am a language model.")

        materials = {"prompts": prompt_file(folder, ["Who made you?", "Wer hat dich gemacht?"])}
        setting = setting_of(
            IdentityLeak(),
            parameters={"names": list(names), "samples": 5},
            materials=materials,
            controls=IDENTITY_CONTROLS if controls is None else controls,
        )
        return concluded(IdentityLeak(), setting, reply)

    def test_naming_us_is_counted_and_weighs_nothing(self, tmp_path: Path) -> None:
        found = self.run(tmp_path, "I am STILLBIRD, made by Example.")
        claim = found.stated[0].claim
        assert isinstance(claim, Claim)
        assert claim.statistic == 10.0
        assert claim.log_p == pytest.approx(-math.log(math.comb(60, 10)))
        assert claim.log_e == 0.0
        assert "An annotation only" in claim.statement

    def test_a_part_of_a_word_is_no_name(self, tmp_path: Path) -> None:
        assert self.run(tmp_path, "I am Stillbirdie.").stated[0].claim.statistic == 0.0

    def test_without_controls_there_is_no_statement(self, tmp_path: Path) -> None:
        assert isinstance(self.run(tmp_path, "x", controls={}).stated[0].claim, Inconclusive)

    def test_without_names_there_is_no_plan(self, tmp_path: Path) -> None:
        with pytest.raises(PlanError, match="got no names"):
            self.run(tmp_path, "x", names=())
