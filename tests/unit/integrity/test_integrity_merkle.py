"""Merkle trees: the published vectors of RFC 6962's tree, tiles against the definition, and proofs that any change breaks."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Collection, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.integrity import merkle
from stillwatch.integrity.errors import ConsistencyProofError, InclusionProofError, TreeError
from stillwatch.records.ledger import TilePlace

# The eight leaves, and the roots and proofs over them, of the tests of Certificate Transparency's reference implementation
# (certificate-transparency/cpp/merkletree/merkle_tree_test.cc; also transparency-dev/merkle).
LEAVES = [bytes.fromhex(leaf) for leaf in (
    "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f",
)]  # fmt: skip
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
# (index from 0, size, hashes)
INCLUSION = [
    (0, 1, []),
    (0, 8, ["96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"]),
    (5, 8, ["bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"]),
    (2, 3, ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"]),
    (1, 5, ["6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"]),
]  # fmt: skip
CONSISTENCY = [
    (1, 1, []),
    (1, 8, ["96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"]),
    (6, 8, ["0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"]),
    (2, 5, ["5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"]),
]  # fmt: skip


class Tiles:
    """A tree in memory, by tiles; counts what is read."""

    def __init__(self) -> None:
        self.size = 0
        self.stored: dict[TilePlace, bytes] = {}
        self.reads = 0

    def read(self, places: Collection[TilePlace]) -> Mapping[TilePlace, bytes]:
        self.reads += len(places)
        return {place: self.stored[place] for place in places if place in self.stored}

    def append(self, hashes: list[bytes]) -> None:
        for place, content in merkle.grow(self.size, hashes, self.read).items():
            assert content.startswith(self.stored.get(place, b""))
            self.stored[place] = content
        self.size += len(hashes)


def hashes_of(count: int) -> list[bytes]:
    return [merkle.leaf_hash(b"leaf %d" % number) for number in range(count)]


def tree_of(leaves: list[bytes]) -> Tiles:
    tiles = Tiles()
    tiles.append(leaves)
    return tiles


def defined_root(leaves: list[bytes]) -> bytes:
    """The definition of RFC 6962, 2.1, word by word."""
    if not leaves:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return leaves[0]
    middle = 1
    while middle * 2 < len(leaves):
        middle *= 2
    return hashlib.sha256(b"\x01" + defined_root(leaves[:middle]) + defined_root(leaves[middle:])).digest()


def test_roots_are_the_published_ones() -> None:
    leaves = [merkle.leaf_hash(leaf) for leaf in LEAVES]
    tiles = tree_of(leaves)
    assert [merkle.root(size, tiles.read).hex() for size in range(9)] == ROOTS
    assert [merkle.root_of_leaves(leaves[:size]).hex() for size in range(9)] == ROOTS


@pytest.mark.parametrize(("index", "size", "hashes"), INCLUSION)
def test_inclusion_proofs_are_the_published_ones(index: int, size: int, hashes: list[str]) -> None:
    leaves = [merkle.leaf_hash(leaf) for leaf in LEAVES]
    proof = merkle.inclusion_proof(index, size, tree_of(leaves).read)
    assert [value.hex() for value in proof] == hashes
    merkle.verify_inclusion(leaves[index], index, size, proof, bytes.fromhex(ROOTS[size]))


@pytest.mark.parametrize(("old", "new", "hashes"), CONSISTENCY)
def test_consistency_proofs_are_the_published_ones(old: int, new: int, hashes: list[str]) -> None:
    proof = merkle.consistency_proof(old, new, tree_of([merkle.leaf_hash(leaf) for leaf in LEAVES]).read)
    assert [value.hex() for value in proof] == hashes
    merkle.verify_consistency(old, new, bytes.fromhex(ROOTS[old]), bytes.fromhex(ROOTS[new]), proof)


@given(st.lists(st.integers(0, 700), max_size=6))
def test_tiles_give_the_defined_root_however_they_were_filled(batches: list[int]) -> None:
    leaves = hashes_of(sum(batches))
    tiles, start = Tiles(), 0
    for count in batches:
        tiles.append(leaves[start : start + count])
        start += count
    assert merkle.root(len(leaves), tiles.read) == defined_root(leaves) == merkle.root_of_leaves(leaves)
    assert tiles.stored == tree_of(leaves).stored


@pytest.mark.parametrize("size", [65_535, 65_536, 65_537, 66_049])
def test_proofs_across_three_levels_of_tiles(size: int) -> None:
    leaves = hashes_of(66_049)
    tiles = tree_of(leaves)
    whole = merkle.root(size, tiles.read)
    assert whole == merkle.root_of_leaves(leaves[:size])
    for index in (0, 255, 256, 65_279, 65_280, size - 1):
        tiles.reads = 0
        proof = merkle.inclusion_proof(index, size, tiles.read)
        assert tiles.reads <= 6
        merkle.verify_inclusion(leaves[index], index, size, proof, whole)
    for old in (1, 256, 257, 65_280, 65_535):
        proof = merkle.consistency_proof(old, size, tiles.read)
        merkle.verify_consistency(old, size, merkle.root_of_leaves(leaves[:old]), whole, proof)


def test_every_entry_of_every_tree_up_to_64_is_shown_and_at_no_other_place() -> None:
    leaves = hashes_of(64)
    tiles = tree_of(leaves)
    for size in range(1, 65):
        whole = merkle.root(size, tiles.read)
        for index in range(size):
            proof = merkle.inclusion_proof(index, size, tiles.read)
            merkle.verify_inclusion(leaves[index], index, size, proof, whole)
            other = (index + 1) % size
            if other != index:
                with pytest.raises(InclusionProofError):
                    merkle.verify_inclusion(leaves[index], other, size, proof, whole)


def test_consistency_holds_between_all_pairs_of_sizes_up_to_64() -> None:
    leaves = hashes_of(64)
    tiles = tree_of(leaves)
    roots = [merkle.root(size, tiles.read) for size in range(65)]
    for old, new in itertools.combinations_with_replacement(range(65), 2):
        proof = merkle.consistency_proof(old, new, tiles.read)
        merkle.verify_consistency(old, new, roots[old], roots[new], proof)
        if 0 < old < new:
            for wrong_old, wrong_new in ((roots[old - 1], roots[new]), (roots[old], roots[new - 1])):
                with pytest.raises(ConsistencyProofError):
                    merkle.verify_consistency(old, new, wrong_old, wrong_new, proof)


@given(st.data())
def test_any_changed_byte_index_or_size_breaks_an_inclusion_proof(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 300))
    index = data.draw(st.integers(0, size - 1))
    leaves = hashes_of(size)
    tiles = tree_of(leaves)
    proof, whole = merkle.inclusion_proof(index, size, tiles.read), merkle.root(size, tiles.read)
    merkle.verify_inclusion(leaves[index], index, size, proof, whole)
    parts = [leaves[index], whole, *proof]
    part = data.draw(st.integers(0, len(parts) - 1))
    place, bit = data.draw(st.integers(0, 31)), data.draw(st.integers(0, 7))
    changed = bytearray(parts[part])
    changed[place] ^= 1 << bit
    parts[part] = bytes(changed)
    with pytest.raises(InclusionProofError, match=r"expected root [0-9a-f]{64}, got [0-9a-f]{64}"):
        merkle.verify_inclusion(parts[0], index, size, parts[2:], parts[1])
    wrong = data.draw(st.integers(-2, size + 2).filter(lambda value: value != index))
    with pytest.raises(InclusionProofError):
        merkle.verify_inclusion(leaves[index], wrong, size, proof, whole)
    for bad in (proof[:-1], (*proof, whole), (b"", *proof[1:])):
        if bad != proof:
            with pytest.raises(InclusionProofError):
                merkle.verify_inclusion(leaves[index], index, size, bad, whole)


@given(st.data())
def test_another_size_is_refused_or_shows_the_same_place(data: st.DataObject) -> None:
    """A size that does not change the shape of the path cannot be told by it: the root of the signed checkpoint tells."""
    size = data.draw(st.integers(2, 300))
    index = data.draw(st.integers(0, size - 1))
    wrong = data.draw(st.integers(1, 400).filter(lambda value: value != size))
    leaves = hashes_of(size)
    tiles = tree_of(leaves)
    proof = merkle.inclusion_proof(index, size, tiles.read)
    with pytest.raises(InclusionProofError):
        merkle.verify_inclusion(leaves[index], index, wrong, proof, merkle.root_of_leaves(hashes_of(wrong)))


@given(st.data())
def test_any_changed_byte_breaks_a_consistency_proof(data: st.DataObject) -> None:
    new = data.draw(st.integers(2, 300))
    old = data.draw(st.integers(1, new - 1))
    tiles = tree_of(hashes_of(new))
    parts = [
        merkle.root(old, tiles.read),
        merkle.root(new, tiles.read),
        *merkle.consistency_proof(old, new, tiles.read),
    ]
    merkle.verify_consistency(old, new, parts[0], parts[1], parts[2:])
    part, place = data.draw(st.integers(0, len(parts) - 1)), data.draw(st.integers(0, 31))
    changed = [*parts]
    changed[part] = bytes(value ^ (at == place) for at, value in enumerate(parts[part]))
    with pytest.raises(ConsistencyProofError):
        merkle.verify_consistency(old, new, changed[0], changed[1], changed[2:])
    for bad in (parts[2:-1], [*parts[2:], parts[0]]):
        with pytest.raises(ConsistencyProofError):
            merkle.verify_consistency(old, new, parts[0], parts[1], bad)


def test_trees_of_no_entries_and_of_equal_size() -> None:
    leaf = hashes_of(1)[0]
    merkle.verify_consistency(0, 1, merkle.EMPTY_ROOT, leaf, ())
    merkle.verify_consistency(1, 1, leaf, leaf, ())
    for old, new, one, other, proof in (
        (0, 1, leaf, leaf, ()),
        (1, 1, leaf, merkle.EMPTY_ROOT, ()),
        (1, 1, leaf, leaf, (leaf,)),
        (2, 1, leaf, leaf, ()),
        (-1, 1, leaf, leaf, ()),
        (1, 2, leaf, b"short", ()),
        (3, 7, leaf, leaf, ()),
    ):
        with pytest.raises(ConsistencyProofError):
            merkle.verify_consistency(old, new, one, other, proof)


def test_what_the_tree_does_not_hold_is_refused_with_the_reason() -> None:
    tiles = tree_of(hashes_of(10))
    for call, says in (
        (lambda: merkle.inclusion_proof(10, 10, tiles.read), r"got entry 10 of a tree of 10 entries, expected 0 to 9"),
        (lambda: merkle.inclusion_proof(-1, 10, tiles.read), r"got entry -1"),
        (lambda: merkle.inclusion_proof(3, 20, tiles.read), r"tile 0 of level 0: got 320 bytes, expected at least 512"),
        (lambda: merkle.consistency_proof(5, 4, tiles.read), r"got trees of 5 and 4 entries"),
        (lambda: merkle.root(-1, tiles.read), r"got a tree of -1 entries"),
        (lambda: merkle.root(300, tiles.read), r"tile 0 of level 1: got 0 bytes"),
        (lambda: merkle.grow(2**63 - 1, hashes_of(1), tiles.read), r"cannot take 1 more"),
        (lambda: merkle.grow(300, hashes_of(1), tiles.read), r"the store is damaged"),
    ):
        with pytest.raises(TreeError, match=says):
            call()
