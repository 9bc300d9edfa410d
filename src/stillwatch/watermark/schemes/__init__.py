"""Schemes: one module per mark, each bit-compatible with the code that it names.

Takes the name of a scheme with its version, and parameters. Gives a `Scheme`. Promises that a version scores the same for ever, and
that each is compared with the named code itself in `tests/vectors`.
"""

from __future__ import annotations

from collections.abc import Callable

from stillwatch.watermark.errors import SchemeError
from stillwatch.watermark.scheme import Parameters, Scheme
from stillwatch.watermark.schemes.green_bernoulli import GreenBernoulli
from stillwatch.watermark.schemes.kgw_published import KgwPublished
from stillwatch.watermark.schemes.kgw_transformers import KgwTransformers
from stillwatch.watermark.schemes.sglang_dual import SglangDual
from stillwatch.watermark.schemes.sglang_gumbel import SglangGumbel
from stillwatch.watermark.schemes.synthid_fixed import SynthIdFixed
from stillwatch.watermark.schemes.synthid_shipped import SynthIdShipped
from stillwatch.watermark.schemes.unigram import Unigram
from stillwatch.watermark.schemes.vllm_dual import VllmDual
from stillwatch.watermark.schemes.vllm_gumbel import VllmGumbel

SCHEMES: dict[str, Callable[[Parameters], Scheme]] = {
    "sglang-gumbel@murmur3-v1": SglangGumbel.of,
    "sglang-dual@murmur3-v1": SglangDual.of,
    "vllm-gumbel@philox4x32-10-v1": VllmGumbel.of,
    "vllm-dual@philox4x32-10-v1": VllmDual.of,
    "green-bernoulli@v1": GreenBernoulli.of,
    "kgw-transformers@v1": KgwTransformers.of,
    "kgw-published@v1": KgwPublished.of,
    "synthid-shipped@v1": SynthIdShipped.of,
    "synthid-fixed@v1": SynthIdFixed.of,
    "unigram@v1": Unigram.of,
}
"""Every scheme by `name@version`, and what makes it from parameters."""


def open_scheme(name: str, parameters: Parameters) -> Scheme:
    """Make a scheme.

    Args:
        name: `name@version`.
        parameters: what the scheme's module documents; anything else is refused.

    Returns:
        The scheme.

    Raises:
        SchemeError: for an unknown name, an unknown parameter, or one out of range.
    """
    make = SCHEMES.get(name)
    if make is None:
        raise SchemeError(f"scheme: got {name!r}, expected one of {', '.join(SCHEMES)}")
    scheme = make(parameters)
    unknown = sorted(set(parameters) - set(scheme.parameters))
    if unknown:
        raise SchemeError(
            f"scheme {name}: got parameter {unknown[0]!r}, expected {', '.join(sorted(scheme.parameters)) or 'none'}"
        )
    return scheme
