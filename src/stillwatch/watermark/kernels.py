"""The decorator of every kernel of the marks, and the care for its compiled copies.

Takes a function that numba can compile. Gives it compiled at its first call, without the interpreter lock, and kept on disk
next to its source. numba looks at a kernel's own file only to see whether a kept copy is still good, although the copy holds
the code of every kernel that it calls, from other files too; so copies older than any source file here are removed first.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from numba import njit

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
