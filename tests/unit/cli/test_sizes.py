"""Sizes on the command line."""

from __future__ import annotations

import pytest

from stillwatch.cli.errors import OptionError
from stillwatch.cli.options import bytes_of


@pytest.mark.parametrize(
    ("text", "size"),
    [("4GB", 4 * 10**9), ("512MiB", 2**29), ("1.5 GiB", 3 * 2**29), ("1000", 1_000), ("2k", 2_000), ("1tb", 10**12)],
)
def test_sizes(text: str, size: int) -> None:
    assert bytes_of(text, "--memory") == size


@pytest.mark.parametrize("text", ["", "GB", "-1GB", "1 XB", "0", "1e9", "4 G B"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(OptionError, match=r"--memory got .*, expected a size such as 4GB"):
        bytes_of(text, "--memory")
