"""The decorator of every kernel of the marks, and the care for its compiled copies.

Takes a function that numba can compile. Gives it compiled at its first call, without the interpreter lock, and kept on disk
next to its source. numba looks at a kernel's own file only to see whether a kept copy is still good, although the copy holds
the code of every kernel that it calls, from other files too; so copies older than any source file here are removed first.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
from numba import njit

LOG_2: Final = 0.6931471805599453
_FOLDER: Final = Path(__file__).parent


def drop_stale_kernels(folder: Path) -> int:
    """Remove compiled copies, here and one folder below, that are older than the newest source file.

    Args:
        folder: folder of sources; the copies are in the `__pycache__` beside each source.

    Returns:
        Number of files removed; 0 as well where the folder may not be written.
    """
    sources = [*folder.glob("*.py"), *folder.glob("*/*.py")]
    newest = max((source.stat().st_mtime for source in sources), default=0.0)
    removed = 0
    for copy in [*folder.glob("__pycache__/*.nb[ic]"), *folder.glob("*/__pycache__/*.nb[ic]")]:
        try:
            if copy.stat().st_mtime < newest:
                copy.unlink()
                removed += 1
        except OSError:
            continue  # another process was first, or only its owner may remove it
    return removed


drop_stale_kernels(_FOLDER)

kernel: Any = njit(nogil=True, cache=True, error_model="numpy")
"""Compile at the first call, keep the copy, release the interpreter lock."""

inlined: Any = njit(nogil=True, cache=True, error_model="numpy", forceinline=True)
"""The same, made part of every kernel that calls it, so that loops over it become vector instructions."""


@inlined
def log_product(factors: Any) -> Any:
    """Give log of the product of positive normal numbers `[n]`, n a multiple of 16 up to 1,024, by one logarithm.

    Exponents are added and mantissas, each in [1, 2), are multiplied in a fixed order, so that nothing overflows or underflows. Overwrites the numbers.
    """
    exponents = np.int64(0)
    for place in range(len(factors)):
        bits = np.float64(factors[place]).view(np.int64)
        exponents += bits >> np.int64(52)
        factors[place] = np.int64((bits & np.int64(0xFFFFFFFFFFFFF)) | np.int64(0x3FF << 52)).view(np.float64)
    for place in range(16, len(factors), 16):
        for lane in range(16):
            factors[lane] *= factors[place + lane]
    mantissa = 1.0
    for lane in range(16):
        mantissa *= factors[lane]
    return np.log(mantissa) + np.float64(exponents - 1023 * len(factors)) * LOG_2
