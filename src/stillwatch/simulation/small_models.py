"""Small language models: a teacher, students that are trained on its answers, and their scores, on one core.

Takes token sequences (lists of vocabulary indices) and seeds. Gives Llama models of the transformers library, sampled answers, and token
log-probabilities (natural). A model is either read from a llama2.c file, or new, with random weights; both are ordinary
`LlamaForCausalLM`, so that `save_pretrained` makes open weights of them.

The same seed gives the same weights and answers on one machine and one version of torch; across processors the last digits of floats
differ, and so may an answer. Needs the extra `models`; torch is imported when a function is called, and held to one thread, since
matrices this small gain nothing from more. Cost on one core of 2.5 GHz: the 260K model samples some 20,000 tokens/s in batches.
"""

from __future__ import annotations

import math
import struct
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from stillwatch.simulation.errors import ModelFileError, SettingsError

if TYPE_CHECKING:
    import torch
    from transformers import LlamaForCausalLM

UNKNOWN, BEGIN, END = 0, 1, 2
"""Tokens of a llama2.c vocabulary that stand for no text. The stories model says BEGIN where a story ends."""
FIRST_BYTE = 3
"""Token of byte 0; the other 255 follow."""
_HEADER = struct.Struct("<7i")
_NOT_COUNTED = -100
"""Target that torch's cross entropy leaves out."""

Tokens = Sequence[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenExchange:
    """A prompt and the answer to it, as tokens."""

    prompt: tuple[int, ...]
    """At least one token."""
    answer: tuple[int, ...]
    """At least one token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Size of a new model."""

    vocabulary: int = 512
    """Tokens."""
    width: int = 48
    """Features of a token; a multiple of `heads`, evenly."""
    layers: int = 2
    heads: int = 4
    inner: int = 128
    """Features inside a feed-forward block."""
    context: int = 256
    """Most tokens of prompt and answer."""


class Vocabulary:
    """Pieces of text and their numbers, in the manner of llama2.c's `tok.bin` (byte-pair merges, best score first)."""

    __slots__ = ("_numbers", "_pieces", "_scores")

    def __init__(self, pieces: Sequence[bytes], scores: Sequence[float]) -> None:
        self._pieces = tuple(pieces)
        self._scores = tuple(scores)
        # A byte's own piece is its token only where no learnt piece has that text.
        self._numbers = {piece: number for number, piece in enumerate(self._pieces) if number >= FIRST_BYTE + 256}

    def __len__(self) -> int:
        """Return the number of tokens."""
        return len(self._pieces)

    def encode(self, text: str) -> tuple[int, ...]:
        """Give the tokens of a text, without BEGIN.

        A text begins with a space, as the vocabulary was learnt. Time is quadratic in the text's length.
        """
        tokens: list[int] = []
        for character in " " + text:
            piece = character.encode()
            number = self._numbers.get(piece)
            tokens += [number] if number is not None else [FIRST_BYTE + byte for byte in piece]
        while True:
            best, place, merged = -math.inf, -1, -1
            for index in range(len(tokens) - 1):
                number = self._numbers.get(self._pieces[tokens[index]] + self._pieces[tokens[index + 1]], -1)
                if number >= 0 and self._scores[number] > best:
                    best, place, merged = self._scores[number], index, number
            if place < 0:
                return tuple(tokens)
            tokens[place : place + 2] = [merged]

    def decode(self, tokens: Tokens) -> str:
        """Give the text of tokens; bytes that are no UTF-8 become the replacement character."""
        said = b"".join(self._pieces[token] for token in tokens if token >= FIRST_BYTE)
        return said.decode(errors="replace").removeprefix(" ")


def read_vocabulary(path: Path, tokens: int) -> Vocabulary:
    """Read llama2.c's `tok.bin`: the longest piece's length, then for each token its score, its length and its bytes.

    Args:
        path: of the file.
        tokens: that it holds; the file itself does not say.

    Raises:
        ModelFileError: where it cannot be read, is too short or too long.
    """
    data = _read(path)
    pieces, scores, place = [], [], 4
    try:
        for _ in range(tokens):
            score, length = struct.unpack_from("<fi", data, place)
            pieces.append(data[place + 8 : place + 8 + length])
            scores.append(score)
            place += 8 + length
    except struct.error:
        raise ModelFileError(
            f"{path}: got {len(pieces)} tokens, expected {tokens}; give the vocabulary of the model"
        ) from None
    if place != len(data):
        raise ModelFileError(f"{path}: got {len(data)} bytes, expected {place} for {tokens} tokens")
    # Bytes are written out as `<0x0A>`; here they are what they stand for.
    pieces[FIRST_BYTE : FIRST_BYTE + 256] = [bytes([byte]) for byte in range(256)]
    return Vocabulary(pieces, scores)


def read_model(path: Path) -> LlamaForCausalLM:
    """Read a model in llama2.c's first format: seven integers, then float32 weights in a fixed order.

    Args:
        path: of the file, such as `stories260K.bin`.

    Returns:
        The model, ready to score and sample.

    Raises:
        ModelFileError: where it cannot be read, or has another size than its header says.
    """
    torch = _torch()
    data = _read(path)
    if len(data) < _HEADER.size:
        raise ModelFileError(f"{path}: got {len(data)} bytes, expected a header of {_HEADER.size}")
    width, inner, layers, heads, shared_heads, signed_vocabulary, context = _HEADER.unpack_from(data)
    if min(width, inner, layers, heads, shared_heads, abs(signed_vocabulary), context) < 1:
        raise ModelFileError(f"{path}: got a size below 1 in the header; is it a llama2.c model?")
    vocabulary, size = abs(signed_vocabulary), width // heads
    kept = size * shared_heads
    sizes = [
        ("model.embed_tokens.weight", (vocabulary, width)),
        ("input_layernorm", (layers, width)),
        ("self_attn.q_proj", (layers, width, width)),
        ("self_attn.k_proj", (layers, kept, width)),
        ("self_attn.v_proj", (layers, kept, width)),
        ("self_attn.o_proj", (layers, width, width)),
        ("post_attention_layernorm", (layers, width)),
        ("mlp.gate_proj", (layers, inner, width)),
        ("mlp.down_proj", (layers, width, inner)),
        ("mlp.up_proj", (layers, inner, width)),
        ("model.norm.weight", (width,)),
        ("turns", (context, size)),  # cosines and sines of the rotary embedding, which transformers computes
    ]
    if signed_vocabulary < 0:  # llama2.c's way to say that the classifier has weights of its own
        sizes.append(("lm_head.weight", (vocabulary, width)))
    numbers = np.frombuffer(data, dtype="<f4", offset=_HEADER.size)
    if numbers.size != sum(math.prod(shape) for _, shape in sizes):
        raise ModelFileError(
            f"{path}: got {numbers.size} weights, expected {sum(math.prod(shape) for _, shape in sizes)} from its header"
        )
    state: dict[str, Any] = {}
    place = 0
    for name, shape in sizes:
        count = math.prod(shape)
        block = torch.tensor(numbers[place : place + count].reshape(shape))
        place += count
        if len(shape) > 1 and shape[0] == layers and not name.startswith(("model.", "lm_head", "turns")):
            for layer in range(layers):
                weights = _half_turned(block[layer], size) if name.endswith(("q_proj", "k_proj")) else block[layer]
                state[f"model.layers.{layer}.{name}.weight"] = weights
        elif name != "turns":
            state[name] = block
    state.setdefault("lm_head.weight", state["model.embed_tokens.weight"])
    shape_ = Shape(vocabulary=vocabulary, width=width, layers=layers, heads=heads, inner=inner, context=context)
    model = _model(shape_, shared_heads, tied=signed_vocabulary > 0)
    model.load_state_dict(state)
    return model


def new_model(shape: Shape, seed: int, *, spread: float = 0.02) -> LlamaForCausalLM:
    """Make a model with random weights.

    Args:
        shape: its size.
        seed: of the weights.
        spread: standard deviation of the weights. With the usual 0.02 it says every token about as often; with some 0.5 it
            has strong habits of its own, and so can be a teacher that nobody had to train.

    Raises:
        SettingsError: for a width that the heads do not divide evenly.
    """
    torch = _torch()
    if shape.width % (2 * shape.heads):
        raise SettingsError(
            f"got width {shape.width} for {shape.heads} heads, expected a multiple of {2 * shape.heads}"
        )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return _model(shape, shape.heads, tied=False, spread=spread)


def copy_of(model: LlamaForCausalLM) -> LlamaForCausalLM:
    """Give a model with the same weights, which can be trained on its own."""
    twin = type(model)(model.config).eval()
    twin.load_state_dict(model.state_dict())
    return twin


def train(
    model: LlamaForCausalLM,
    exchanges: Sequence[TokenExchange],
    *,
    epochs: int,
    seed: int,
    batch: int = 32,
    rate: float = 3e-3,
) -> float:
    """Train a model in place on answers, given their prompts.

    Args:
        model: changed in place.
        exchanges: at least one; the loss is that of the answers' tokens, and of the END after each.
        epochs: times that each exchange is seen.
        seed: of the order.
        batch: exchanges in one step.
        rate: largest learning rate of AdamW; it falls to nothing along a half cosine.

    Returns:
        Mean loss of the last epoch, nats per token; 0 for no epoch.
    """
    torch = _torch()
    if not exchanges:
        raise SettingsError("got no exchange to train on, expected at least one")
    rng = np.random.default_rng(seed)
    optimiser = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=0.0, foreach=True)
    steps = epochs * math.ceil(len(exchanges) / batch)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, max(steps, 1))
    mean = 0.0
    model.train()
    for _ in range(epochs):
        order, losses = rng.permutation(len(exchanges)), []
        for start in range(0, len(order), batch):
            tokens, targets = _batch([exchanges[index] for index in order[start : start + batch]], ending=True)
            logits = model(input_ids=tokens[:, :-1], use_cache=False).logits
            loss = torch.nn.functional.cross_entropy(
                logits.reshape(-1, logits.shape[-1]), targets.reshape(-1), ignore_index=_NOT_COUNTED
            )
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            losses.append(loss.item())
        mean = math.fsum(losses) / len(losses)
    model.eval()
    return mean


def sample(
    model: LlamaForCausalLM,
    prompts: Sequence[Tokens],
    *,
    most: int,
    seed: int,
    temperature: float = 1.0,
    batch: int = 512,
    change: Callable[[torch.Tensor, torch.Tensor], torch.Tensor] | None = None,
) -> list[tuple[int, ...]]:
    """Draw one answer to each prompt from a model's own distribution; say a prompt twice for two answers.

    Args:
        model: the teacher.
        prompts: each of at least one token; those of one length are drawn side by side.
        most: tokens at which an answer is cut.
        seed: of all draws.
        temperature: above 0; 1 is the model's own distribution.
        batch: answers drawn side by side.
        change: what changes the scores before each draw, as a logits processor does: takes the tokens so far [rows, length] and the
            logits [rows, vocabulary], and gives logits.

    Returns:
        Answers in the order of the prompts, without the BEGIN or END that ended them, each of at least one token: the first token
        is drawn among those that end nothing.
    """
    torch = _torch()
    generator = torch.Generator().manual_seed(seed)
    by_length: dict[int, list[int]] = defaultdict(list)
    for index, prompt in enumerate(prompts):
        by_length[len(prompt)].append(index)
    answers: list[tuple[int, ...]] = [()] * len(prompts)
    for _, members in sorted(by_length.items()):
        for start in range(0, len(members), batch):
            chosen = members[start : start + batch]
            given = torch.tensor([list(prompts[index]) for index in chosen])
            drawn = _continue(model, given, most, temperature, generator, change)
            for index, row in zip(chosen, drawn.tolist(), strict=True):
                stops = [place for place, token in enumerate(row) if token in (BEGIN, END)]
                answers[index] = tuple(row[: stops[0]] if stops else row)
    return answers


def score(
    model: LlamaForCausalLM, exchanges: Sequence[TokenExchange], *, batch: int = 256
) -> list[NDArray[np.float64]]:
    """Give the log-probability of each token of each answer, given its prompt and the answer so far.

    Args:
        model: the suspect.
        exchanges: prompts and answers.
        batch: exchanges scored side by side.

    Returns:
        For each exchange the natural log-probabilities of its answer's tokens, [answer length].
    """
    torch = _torch()
    scores: list[NDArray[np.float64]] = [np.empty(0)] * len(exchanges)
    # Alike lengths side by side, so that little is computed for padding.
    order = sorted(range(len(exchanges)), key=lambda index: len(exchanges[index].prompt) + len(exchanges[index].answer))
    with torch.inference_mode():
        for start in range(0, len(order), batch):
            chosen = order[start : start + batch]
            tokens, targets = _batch([exchanges[index] for index in chosen], ending=False)
            logits = model(input_ids=tokens[:, :-1], use_cache=False).logits
            counted = targets != _NOT_COUNTED
            losses = torch.nn.functional.cross_entropy(logits[counted], targets[counted], reduction="none").double()
            parts = torch.split(-losses, counted.sum(dim=1).tolist())
            for index, part in zip(chosen, parts, strict=True):
                scores[index] = part.numpy()
    return scores


def mean_scores(model: LlamaForCausalLM, exchanges: Sequence[TokenExchange]) -> NDArray[np.float64]:
    """Give the mean token log-probability of each answer, nats, [exchanges]."""
    return np.array([float(part.mean()) for part in score(model, exchanges)])


def reworded(
    model: LlamaForCausalLM, exchanges: Sequence[TokenExchange], *, share: float, seed: int, batch: int = 256
) -> list[TokenExchange]:
    """Have a model rewrite a share of the tokens of each answer, as somebody does who covers up where a text is from.

    Args:
        model: draws the new tokens, each given the prompt and the answer as it was up to there.
        exchanges: left as they are.
        share: chance that a token is drawn anew, in [0, 1]; it may come out as it was.
        seed: of what is drawn anew, and as what.
        batch: exchanges read side by side.

    Returns:
        Exchanges with the same prompts, and answers of the same lengths.
    """
    torch = _torch()
    generator, rng = torch.Generator().manual_seed(seed), np.random.default_rng(seed)
    changed = []
    with torch.inference_mode():
        for start in range(0, len(exchanges), batch):
            chosen = exchanges[start : start + batch]
            tokens, targets = _batch(chosen, ending=False)
            logits = model(input_ids=tokens[:, :-1], use_cache=False).logits
            logits[..., [BEGIN, END]] = -torch.inf
            counted = targets != _NOT_COUNTED
            drawn = torch.multinomial(torch.softmax(logits[counted], dim=-1), 1, generator=generator)[:, 0]
            parts = torch.split(drawn, counted.sum(dim=1).tolist())
            for one, part in zip(chosen, parts, strict=True):
                anew = rng.random(len(one.answer)) < share
                answer = np.where(anew, part.numpy(), np.array(one.answer))
                changed.append(TokenExchange(prompt=one.prompt, answer=tuple(answer.tolist())))
    return changed


def _torch() -> Any:
    """Import torch, on one thread.

    Raises:
        SettingsError: where it is not installed.
    """
    try:
        import torch  # noqa: PLC0415  # large, and only needed where models are
    except ModuleNotFoundError as error:
        raise SettingsError("small models need torch; install the extra: pip install 'stillwatch[models]'") from error
    torch.set_num_threads(1)
    return torch


def _model(shape: Shape, shared_heads: int, *, tied: bool, spread: float = 0.02) -> LlamaForCausalLM:
    from transformers import LlamaConfig, LlamaForCausalLM  # noqa: PLC0415

    config = LlamaConfig(
        vocab_size=shape.vocabulary,
        hidden_size=shape.width,
        intermediate_size=shape.inner,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shared_heads,
        head_dim=shape.width // shape.heads,
        max_position_embeddings=shape.context,
        rms_norm_eps=1e-5,
        tie_word_embeddings=tied,
        initializer_range=spread,
        attn_implementation="sdpa",
    )
    return LlamaForCausalLM(config).eval()


def _half_turned(weights: torch.Tensor, size: int) -> torch.Tensor:
    """Reorder the rows of each head: llama2.c turns neighbouring features together, transformers the two halves."""
    width = weights.shape[1]
    return weights.view(-1, size // 2, 2, width).transpose(1, 2).reshape(-1, width)


def _batch(exchanges: Sequence[TokenExchange], *, ending: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """Lay exchanges side by side, padded on the right, where a causal model does not look back from.

    Returns:
        Tokens [exchanges, longest], and the token to be predicted at each place but the last [exchanges, longest - 1].
    """
    torch = _torch()
    rows = [(*one.prompt, *one.answer, *((END,) if ending else ())) for one in exchanges]
    longest = max(map(len, rows))
    tokens = np.full((len(rows), longest), END, dtype=np.int64)
    targets = np.full((len(rows), longest - 1), _NOT_COUNTED, dtype=np.int64)
    for index, (row, one) in enumerate(zip(rows, exchanges, strict=True)):
        tokens[index, : len(row)] = row
        targets[index, len(one.prompt) - 1 : len(row) - 1] = row[len(one.prompt) :]
    return torch.from_numpy(tokens), torch.from_numpy(targets)


def _continue(
    model: LlamaForCausalLM,
    given: torch.Tensor,
    most: int,
    temperature: float,
    generator: torch.Generator,
    change: Callable[[torch.Tensor, torch.Tensor], torch.Tensor] | None,
) -> torch.Tensor:
    """Draw `most` tokens after each prompt, [prompts, most]; what follows an END is to be cut."""
    torch = _torch()
    kept: list[Any] = []
    drawn, held, done = given, None, torch.zeros(len(given), dtype=torch.bool)
    with torch.inference_mode():
        for place in range(most):
            out = model(input_ids=drawn, cache=held, use_cache=True)
            held = out.cache
            logits = out.logits[:, -1] / temperature
            if place == 0:
                logits[:, [BEGIN, END]] = -torch.inf
            if change is not None:
                logits = change(torch.cat([given, *kept], dim=1), logits)
            drawn = torch.multinomial(torch.softmax(logits, dim=-1), 1, generator=generator)
            kept.append(drawn)
            done |= (drawn[:, 0] == BEGIN) | (drawn[:, 0] == END)
            if bool(done.all()):
                break
    return torch.cat(kept, dim=1)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelFileError(f"{path}: cannot be read ({error.strerror}); give the path of a llama2.c file") from error
