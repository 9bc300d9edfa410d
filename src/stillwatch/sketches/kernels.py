"""The decorator of every kernel, and the care for its compiled copies.

Takes a function that numba can compile. Gives it compiled at its first call, without the interpreter lock, and kept on
disk next to its source. numba looks at a kernel's own file only to see whether a kept copy is still good, although the
copy holds the code of every kernel that it calls, from other files too. So a copy older than any source file of this
package is removed before a kernel is loaded: a stale one would give hashes of another version without a word.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from numba import njit

_FOLDER: Final = Path(__file__).parent


def drop_stale_kernels(folder: Path) -> int:
    """Remove compiled copies that are older than the newest source file of a folder.

    Args:
        folder: Folder of sources; the copies are in its `__pycache__`.

    Returns:
        Number of files removed; 0 as well where the folder may not be written.
    """
    newest = max((source.stat().st_mtime for source in folder.glob("*.py")), default=0.0)
    removed = 0
    for copy in folder.glob("__pycache__/*.nb[ic]"):
        try:
            if copy.stat().st_mtime < newest:
                copy.unlink()
                removed += 1
        except OSError:
            continue  # another process was first, or only its owner may remove it
    return removed


drop_stale_kernels(_FOLDER)

kernel = njit(nogil=True, cache=True)
"""Compile at the first call, keep the copy, release the interpreter lock."""

inlined = njit(nogil=True, cache=True, forceinline=True)
"""The same, made part of every kernel that calls it: a call per row would count references to each array it is given."""
