"""Perceptual hashes, thumbnails, and groups that don't chain."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pmcoa_build.figures.duplicates import THUMBNAIL, held, phash, stars, thumbnail, thumbnails_match
from pmcoa_build.figures.neighbours import find_neighbours


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


def values(image: Image.Image) -> np.ndarray:
    return np.frombuffer(thumbnail(np.asarray(image)), np.uint8)


def test_thumbnails() -> None:
    one = values(scene(1))
    assert len(one) == THUMBNAIL
    others = np.stack([one, values(scene(1).resize((150, 110))), values(scene(2))])
    assert thumbnails_match(one, others).tolist() == [True, True, False]
    assert thumbnails_match(one, others[:0]).tolist() == []


def test_the_same_scan_with_another_lesion_is_no_duplicate() -> None:
    scan = np.full((256, 256, 3), 90, np.uint8)
    scan[40:216, 40:216] = 160
    lesion = scan.copy()
    lesion[120:150, 60:90] = 230
    assert not thumbnails_match(values(Image.fromarray(scan)), values(Image.fromarray(lesion))[None])[0]


@given(st.lists(st.integers(0, 30), min_size=30, max_size=33), st.randoms(use_true_random=False))
def test_a_thumbnail_matches_where_all_but_1_percent_are_close(steps: list[int], random) -> None:
    other = np.zeros(THUMBNAIL, np.uint8)
    other[random.sample(range(THUMBNAIL), len(steps))] = steps
    assert thumbnails_match(np.zeros(THUMBNAIL, np.uint8), other[None])[0] == (sum(s > 12 for s in steps) <= 30)


def grouped(hashes: list[int], count: int | None = None, confirm=None) -> list[int]:
    near = find_neighbours(np.array(hashes, np.uint64))
    return stars(near, len(hashes) if count is None else count, confirm).tolist()


def test_groups_are_stars_not_chains() -> None:
    assert grouped([0, 0b1111, 0b11111111, 0b111111111111]) == [0, 0, 2, 2]


def test_equal_hashes_are_a_group_and_the_first_is_its_centre() -> None:
    assert grouped([7, 2**40 + 56, 7, 7, 2**63 + 2**20]) == [0, -1, 0, 0, -1]


def test_only_what_is_confirmed_is_a_member() -> None:
    assert grouped([0, 0, 1, 1], confirm=lambda place, others: others % 2 == place % 2) == [0, 1, 0, 1]


def test_hashes_beyond_the_count_are_in_no_group_but_are_held() -> None:
    hashes = [0, 0b1111, 2**50, 2**60, 0b11, 0b11, 2**60 + 1]
    assert grouped(hashes, 4) == [0, 0, 0, 0]
    far = [0, 2**20 - 1, 0b11, 0b11, 2**20 - 2]
    assert grouped(far, 2) == [-1, -1]
    assert held(find_neighbours(np.array(far, np.uint64)), 2).tolist() == [0, 2]


@given(st.lists(st.sampled_from([0, 1, 3, 15, 31, 127, 255, 2**40 - 1]), max_size=30), st.integers(0, 2**16))
def test_groups_are_those_of_the_plain_rule(hashes: list[int], salt: int) -> None:
    """The first that is free takes its free, confirmed neighbours."""
    same = lambda a, b: hash((salt, min(a, b), max(a, b))) % 4 > 0  # noqa: E731
    expected = [-1] * len(hashes)
    free = [True] * len(hashes)
    for a in range(len(hashes)):
        if free[a]:
            free[a] = False
            near = [b for b in range(len(hashes)) if (hashes[a] ^ hashes[b]).bit_count() <= 4]
            taken = [b for b in near if free[b] and same(a, b)]
            for b in [a, *taken] if taken else []:
                free[b], expected[b] = False, a
    confirm = lambda place, others: np.array([same(place, int(b)) for b in others])  # noqa: E731
    assert grouped(hashes, confirm=confirm) == expected
