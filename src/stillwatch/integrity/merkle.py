"""Merkle trees of an append-only log: roots and proofs over stored tiles, and their verification.

Takes leaf hashes, and a reader of tiles. Gives the tiles that an append changes, roots, inclusion and consistency proofs;
and verification that returns nothing or raises. Pure functions of bytes: nothing is stored or read here.

Hashing is that of RFC 6962, section 2.1, with SHA-256: a leaf is `SHA-256(0x00 || data)`, a node `SHA-256(0x01 || left ||
right)`, and the empty tree `SHA-256()`. The two prefixes keep a node from being passed off as a leaf. Stored are tiles, as in
C2SP tlog-tiles: tile (level, number) holds up to 256 hashes of complete subtrees of 256**level leaves, side by side. So a
proof at n entries reads O(log n) tiles, at most six at 10**7 entries, and hashes O(256 log n) nodes, however large the log.

Verification is that of RFC 9162, sections 2.1.3.2 and 2.1.4.2. A proof shows that bytes stand at an index of the tree with that
root; whether the root is the log's is what the signature of a checkpoint shows, and when it was, what a time stamp shows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple

from stillwatch.integrity.errors import ConsistencyProofError, InclusionProofError, TreeError
from stillwatch.records.ledger import TilePlace

HASH_BYTES = 32
TILE_HEIGHT = 8
TILE_WIDTH = 1 << TILE_HEIGHT
"""Hashes in a full tile (C2SP tlog-tiles)."""
EMPTY_ROOT = hashlib.sha256().digest()
LARGEST_SIZE = 2**63 - 1
"""Entries that a tree may hold: what both stores count with."""

_sha256 = hashlib.sha256


ReadTiles = Callable[[Collection[TilePlace]], Mapping[TilePlace, bytes]]
"""Gives the hashes of each tile that is stored, end to end; more than were there at the size asked for do no harm."""


class _Subtree(NamedTuple):
    """A complete subtree of 2**level leaves that begins at leaf number * 2**level."""

    level: int
    number: int


def leaf_hash(data: bytes) -> bytes:
    """Return the hash of a leaf (RFC 6962, 2.1), 32 bytes."""
    return _sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of a node from those of its children (RFC 6962, 2.1), 32 bytes."""
    return _sha256(b"\x01" + left + right).digest()


def root_of_leaves(leaves: Sequence[bytes]) -> bytes:
    """Return the root over all leaf hashes: the definition of RFC 6962, 2.1, in time linear in the leaves."""
    if not leaves:
        return EMPTY_ROOT
    level = list(leaves)
    while len(level) > 1:
        paired = [node_hash(left, right) for left, right in zip(level[::2], level[1::2], strict=False)]
        level = paired + level[len(paired) * 2 :]  # a last node without a sibling rises as it is
    return level[0]


def grow(size: int, leaves: Sequence[bytes], read: ReadTiles) -> dict[TilePlace, bytes]:
    """Give the tiles that appending leaves changes, whole as they are afterwards.

    Args:
        size: entries before.
        leaves: leaf hashes, 32 bytes each.
        read: reads the tiles as they were; asked for the last tile of a level only.

    Returns:
        Place to hashes. Every tile that was there begins with what it held before.

    Raises:
        TreeError: where a tile that belongs to a tree of `size` entries is missing or short, or the tree would be too large.
    """
    if size + len(leaves) > LARGEST_SIZE:
        raise TreeError(f"a tree of {size} entries cannot take {len(leaves)} more; it holds at most {LARGEST_SIZE}")
    changed: dict[TilePlace, bytes] = {}
    level, fresh = 0, b"".join(leaves)
    while fresh:
        index, held = divmod(size >> (TILE_HEIGHT * level), TILE_WIDTH)
        hashes = (_stored(TilePlace(level, index), held, read) if held else b"") + fresh
        fresh = b""
        for start in range(0, len(hashes), TILE_WIDTH * HASH_BYTES):
            tile = hashes[start : start + TILE_WIDTH * HASH_BYTES]
            changed[TilePlace(level, index)] = tile
            index += 1
            if len(tile) == TILE_WIDTH * HASH_BYTES:
                fresh += _fold(tile)
        level += 1
    return changed


def root(size: int, read: ReadTiles) -> bytes:
    """Return the root of the tree of the first `size` entries, 32 bytes.

    Raises:
        TreeError: where tiles of such a tree are missing or short.
    """
    _check_size(size)
    if size == 0:
        return EMPTY_ROOT
    (whole,) = _hashes([(0, size)], read)
    return whole


def inclusion_proof(index: int, size: int, read: ReadTiles) -> tuple[bytes, ...]:
    """Return the audit path of an entry (RFC 6962, 2.1.1): from the leaf's sibling up.

    Args:
        index: of the entry, from 0.
        size: of the tree that the proof is for; over `index`.
        read: reads stored tiles.

    Raises:
        TreeError: where the entry is not in that tree, or tiles are missing.
    """
    _check_size(size)
    if not 0 <= index < size:
        raise TreeError(f"got entry {index} of a tree of {size} entries, expected 0 to {size - 1}")
    begin, end, spans = 0, size, []
    while end - begin > 1:
        middle = begin + _largest_power_below(end - begin)
        if index < middle:
            spans.append((middle, end))
            end = middle
        else:
            spans.append((begin, middle))
            begin = middle
    return tuple(_hashes(spans[::-1], read))


def consistency_proof(old: int, new: int, read: ReadTiles) -> tuple[bytes, ...]:
    """Return the proof that the tree of `new` entries continues that of `old` (RFC 6962, 2.1.2).

    Args:
        old: entries of the smaller tree, from 0; the proof is empty for 0 and for `new`.
        new: entries of the larger tree.
        read: reads stored tiles.

    Raises:
        TreeError: where `old` is over `new`, or tiles are missing.
    """
    _check_size(new)
    if not 0 <= old <= new:
        raise TreeError(
            f"got trees of {old} and {new} entries, expected the first to be at most as large as the second"
        )
    if old in {0, new}:
        return ()
    begin, end, spans, whole = 0, new, [], True
    while end != old:
        middle = begin + _largest_power_below(end - begin)
        if old <= middle:
            spans.append((middle, end))
            end = middle
        else:
            spans.append((begin, middle))
            begin, whole = middle, False
    if not whole:
        spans.append((begin, end))
    return tuple(_hashes(spans[::-1], read))


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], expected_root: bytes) -> None:
    """Check that a leaf hash stands at an index of a tree (RFC 9162, 2.1.3.2).

    Args:
        leaf: hash of the leaf, 32 bytes.
        index: of the entry, from 0.
        size: of the tree.
        proof: the audit path, from the leaf's sibling up.
        expected_root: root of the tree, from a checkpoint that was verified.

    Raises:
        InclusionProofError: where it does not, saying what was expected and got.
    """
    if not 0 <= index < size:
        raise InclusionProofError(f"inclusion proof: got entry {index} of a tree of {size}, expected 0 to {size - 1}")
    _check_hashes((leaf, expected_root, *proof), InclusionProofError, "inclusion proof")
    # The lowest levels have siblings on both sides; above, only nodes to the left remain on the right edge.
    inner = (index ^ (size - 1)).bit_length()
    length = inner + (index >> inner).bit_count()
    if len(proof) != length:
        raise InclusionProofError(
            f"inclusion proof has the wrong length: expected {length} hashes for entry {index} of {size}, got {len(proof)}"
        )
    node = leaf
    for height, sibling in enumerate(proof):
        on_the_left = height >= inner or index >> height & 1
        node = node_hash(sibling, node) if on_the_left else node_hash(node, sibling)
    if node != expected_root:
        raise InclusionProofError(
            f"inclusion proof of entry {index} of {size}: expected root {expected_root.hex()}, got {node.hex()}"
        )


def verify_consistency(old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> None:
    """Check that a larger tree continues a smaller one (RFC 9162, 2.1.4.2).

    Args:
        old: entries of the smaller tree.
        new: entries of the larger tree.
        old_root: root of the smaller tree.
        new_root: root of the larger tree.
        proof: as `consistency_proof` gives it.

    Raises:
        ConsistencyProofError: where it does not, saying what was expected and got.
    """
    if not 0 <= old <= new:
        raise ConsistencyProofError(
            f"consistency proof: got sizes {old} and {new}, expected the first to be the smaller"
        )
    _check_hashes((old_root, new_root, *proof), ConsistencyProofError, "consistency proof")
    if old in {0, new}:
        _check_trivial(old, new, old_root, new_root, proof)
        return
    path = list(proof)
    if old & (old - 1) == 0:  # a complete tree is a node of the larger one, and is left out of the proof
        path.insert(0, old_root)
    if not path:
        raise ConsistencyProofError(f"consistency proof from {old} to {new} is empty, expected hashes")
    place, last = old - 1, new - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    old_node = new_node = path[0]
    for sibling in path[1:]:
        if last == 0:
            raise ConsistencyProofError(f"consistency proof from {old} to {new} is too long: {len(proof)} hashes")
        if place & 1 or place == last:
            old_node, new_node = node_hash(sibling, old_node), node_hash(sibling, new_node)
            while place and not place & 1:
                place, last = place >> 1, last >> 1
        else:
            new_node = node_hash(new_node, sibling)
        place, last = place >> 1, last >> 1
    if last:
        raise ConsistencyProofError(f"consistency proof from {old} to {new} is too short: {len(proof)} hashes")
    for size, expected, got in ((old, old_root, old_node), (new, new_root, new_node)):
        if expected != got:
            raise ConsistencyProofError(
                f"consistency proof from {old} to {new}: expected root {expected.hex()} at {size}, got {got.hex()}"
            )


def _check_trivial(old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> None:
    """Check a proof from nothing, or to the same size: it has no hashes, and the roots speak for themselves."""
    if proof:
        raise ConsistencyProofError(f"consistency proof from {old} to {new}: expected no hashes, got {len(proof)}")
    if old == 0 and old_root != EMPTY_ROOT:
        raise ConsistencyProofError(
            f"consistency proof: expected root {EMPTY_ROOT.hex()} of the empty tree, got {old_root.hex()}"
        )
    if old == new and old_root != new_root:
        raise ConsistencyProofError(
            f"consistency proof: two trees of {old} entries have roots {old_root.hex()} and {new_root.hex()}"
        )


def _check_hashes(hashes: Sequence[bytes], kind: type[InclusionProofError | ConsistencyProofError], what: str) -> None:
    for value in hashes:
        if len(value) != HASH_BYTES:
            raise kind(f"{what}: got a hash of {len(value)} bytes, expected {HASH_BYTES}")


def _check_size(size: int) -> None:
    if not 0 <= size <= LARGEST_SIZE:
        raise TreeError(f"got a tree of {size} entries, expected 0 to {LARGEST_SIZE}")


def _largest_power_below(count: int) -> int:
    """Return the largest power of two smaller than `count`, which is at least 2 (the k of RFC 6962)."""
    return 1 << ((count - 1).bit_length() - 1)


def _complete_subtrees(begin: int, end: int) -> list[_Subtree]:
    """Cut a span of leaves into complete subtrees, largest first; `begin` is a multiple of each one's size."""
    found = []
    while begin < end:
        level = (end - begin).bit_length() - 1
        found.append(_Subtree(level, begin >> level))
        begin += 1 << level
    return found


def _hashes(spans: Sequence[tuple[int, int]], read: ReadTiles) -> list[bytes]:
    """Return the hash over each span of leaves, all their tiles read in one call."""
    parts = [_complete_subtrees(begin, end) for begin, end in spans]
    wanted = {_tile_of(subtree)[0] for subtrees in parts for subtree in subtrees}
    tiles = read(wanted) if wanted else {}
    found = []
    for subtrees in parts:
        hashes = [_subtree_hash(subtree, tiles) for subtree in subtrees]
        node = hashes.pop()
        while hashes:
            node = node_hash(hashes.pop(), node)
        found.append(node)
    return found


def _tile_of(subtree: _Subtree) -> tuple[TilePlace, int, int]:
    """Return the tile that holds a subtree, and its hashes there: first and number."""
    tile_level, height = divmod(subtree.level, TILE_HEIGHT)
    index, first = divmod(subtree.number << height, TILE_WIDTH)
    return TilePlace(tile_level, index), first, 1 << height


def _subtree_hash(subtree: _Subtree, tiles: Mapping[TilePlace, bytes]) -> bytes:
    place, first, count = _tile_of(subtree)
    hashes = tiles.get(place, b"")[first * HASH_BYTES : (first + count) * HASH_BYTES]
    if len(hashes) != count * HASH_BYTES:
        raise _missing(place, first + count, len(tiles.get(place, b"")))
    return _fold(hashes)


def _fold(hashes: bytes) -> bytes:
    """Return the root of a power of two of hashes that stand end to end."""
    while len(hashes) > HASH_BYTES:
        hashes = b"".join(
            [
                _sha256(b"\x01" + hashes[start : start + 2 * HASH_BYTES]).digest()
                for start in range(0, len(hashes), 2 * HASH_BYTES)
            ]
        )
    return hashes


def _stored(place: TilePlace, count: int, read: ReadTiles) -> bytes:
    """Return the first hashes of a stored tile."""
    hashes = read((place,)).get(place, b"")
    if len(hashes) < count * HASH_BYTES:
        raise _missing(place, count, len(hashes))
    return hashes[: count * HASH_BYTES]


def _missing(place: TilePlace, expected: int, got: int) -> TreeError:
    return TreeError(
        f"tile {place.number} of level {place.level}: got {got} bytes, expected at least {expected * HASH_BYTES}; "
        "the store is damaged, or the tree was never that large"
    )
