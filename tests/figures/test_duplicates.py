"""Perceptual hashes, all near pairs, and groups that don't chain."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pmcoa_build.figures.duplicates import groups, near_pairs, phash, thumbnail, thumbnails_match


def brute_force(hashes: np.ndarray, limit: int) -> list[tuple[int, int]]:
    return [(i, j) for i in range(len(hashes)) for j in range(i + 1, len(hashes))
            if int(hashes[i] ^ hashes[j]).bit_count() <= limit]


@st.composite
def clustered(draw: st.DrawFn) -> np.ndarray:
    """Hashes around a few centres, so that there are pairs at every distance, and equal ones."""
    centres = draw(st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=4))
    flips = st.lists(st.integers(0, 63), max_size=7)
    rows = draw(st.lists(st.tuples(st.sampled_from(centres), flips), max_size=40))
    return np.array([centre ^ sum({1 << bit for bit in bits}) for centre, bits in rows], dtype=np.uint64)


@settings(max_examples=150, deadline=None)
@given(clustered(), st.integers(0, 8))
def test_near_pairs_equal_brute_force(hashes: np.ndarray, limit: int) -> None:
    assert [tuple(pair) for pair in near_pairs(hashes, limit).tolist()] == brute_force(hashes, limit)


def test_near_pairs_of_a_dense_cluster() -> None:
    rng = np.random.default_rng(5)
    base = np.full(600, 0x0123456789ABCDEF, np.uint64)
    for _ in range(3):
        base ^= np.uint64(1) << rng.integers(0, 64, 600).astype(np.uint64)
    assert [tuple(pair) for pair in near_pairs(base).tolist()] == brute_force(base, 4)


def test_near_pairs_of_nothing() -> None:
    assert near_pairs(np.empty(0, np.uint64)).shape == (0, 2)


def scene(seed: int, size: tuple[int, int] = (300, 220)) -> Image.Image:
    coarse = np.random.default_rng(seed).integers(0, 256, (7, 9, 3)).astype(np.uint8)
    return Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)


def test_phash_survives_scaling_and_tells_scenes_apart() -> None:
    hashes = [phash(np.asarray(scene(seed))) for seed in range(6)]
    smaller = [phash(np.asarray(scene(seed).resize((160, 120), Image.Resampling.LANCZOS))) for seed in range(6)]
    for one, other in zip(hashes, smaller, strict=True):
        assert (one ^ other).bit_count() <= 4
    assert min((hashes[i] ^ hashes[j]).bit_count() for i in range(6) for j in range(i)) > 10
    assert all(0 <= value < 2**64 for value in hashes)


@pytest.mark.parametrize("level", [0, 100, 255])
def test_flat_images_hash_alike(level: int) -> None:
    assert phash(np.full((50, 70, 3), level, np.uint8)) == phash(np.full((9, 9, 3), level, np.uint8))


def test_thumbnails() -> None:
    one, other = thumbnail(np.asarray(scene(1))), thumbnail(np.asarray(scene(2)))
    assert len(one) == 32 * 32 * 3
    assert thumbnails_match(one, one)
    smaller = scene(1).resize((150, 110))
    assert thumbnails_match(one, thumbnail(np.asarray(smaller)))
    assert not thumbnails_match(one, other)
    assert not thumbnails_match(one, one[:-1])


def test_the_same_scan_with_another_lesion_is_no_duplicate() -> None:
    scan = np.full((256, 256, 3), 90, np.uint8)
    scan[40:216, 40:216] = 160
    lesion = scan.copy()
    lesion[120:150, 60:90] = 230
    assert not thumbnails_match(thumbnail(scan), thumbnail(lesion))


def test_groups_are_stars_not_chains() -> None:
    chain = np.array([(0, 1), (1, 2), (2, 3)])
    assert groups(["a", "b", "c", "d"], chain) == {"a": ["a", "b"], "c": ["c", "d"]}


def test_the_smallest_id_is_the_centre() -> None:
    assert groups(["z", "m", "b"], np.array([(0, 1), (0, 2), (1, 2)])) == {"b": ["b", "m", "z"]}


@given(st.lists(st.tuples(st.integers(0, 14), st.integers(0, 14)).filter(lambda p: p[0] != p[1]), max_size=40),
       st.randoms(use_true_random=False))
def test_groups_hold_only_confirmed_pairs(pairs: list, random) -> None:
    ids = [f"id{n:02}" for n in range(15)]
    random.shuffle(ids)
    found = groups(ids, np.array(pairs).reshape(-1, 2))
    linked = {frozenset((ids[a], ids[b])) for a, b in pairs}
    members = [member for group in found.values() for member in group]
    assert len(members) == len(set(members))
    for centre, group in found.items():
        assert group[0] == centre == min(group)
        assert all(frozenset((centre, member)) in linked for member in group[1:])
    shuffled = pairs.copy()
    random.shuffle(shuffled)
    assert groups(ids, np.array([(b, a) for a, b in shuffled]).reshape(-1, 2)) == found
