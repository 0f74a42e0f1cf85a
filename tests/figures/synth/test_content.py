from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from pmcoa_build.figures.kinds import DRAWINGS, IMAGES
from pmcoa_build.figures.synth import samples
from pmcoa_build.figures.synth.content import PAINTERS, SHARES, Painter
from pmcoa_build.figures.synth.imagery import rng_of
from pmcoa_build.figures.synth.marks import mark

SIZES = ((150, 110), (104, 131))


def test_kinds_have_their_shares() -> None:
    total: Counter[str] = Counter()
    for painter in PAINTERS:
        total[painter.kind] += painter.weight  # type: ignore[assignment]
    assert set(total) == set(SHARES) == {*IMAGES, *DRAWINGS}
    assert all(total[kind] == pytest.approx(share) for kind, share in SHARES.items())
    assert sum(SHARES.values()) == pytest.approx(1)


def test_names_are_unique_and_aspects_sound() -> None:
    assert len({painter.name for painter in PAINTERS}) == len(PAINTERS)
    assert all(0.3 <= p.aspect[0] < p.aspect[1] <= 3 and p.weight > 0 for p in PAINTERS)


@pytest.mark.parametrize("painter", PAINTERS, ids=lambda p: p.name)
def test_every_painter_fills_the_size_that_was_asked_for(painter: Painter) -> None:
    width, height = SIZES[len(painter.name) % 2]
    image = painter.draw(rng_of(1, painter.name), width, height)
    assert image.shape == (height, width, 3)
    assert image.dtype == np.uint8
    assert image.std() > 2


@pytest.mark.parametrize("painter", [p for p in PAINTERS if p.single], ids=lambda p: p.name)
def test_pictures_of_all_magnifications(painter: Painter) -> None:
    for seed, (width, height) in enumerate(((60, 50), (40, 90), (130, 60), (70, 70), (320, 240))):
        assert painter.draw(rng_of(seed, painter.name, "again"), width, height).shape == (height, width, 3)


@pytest.mark.parametrize("painter", PAINTERS[::6], ids=lambda p: p.name)
def test_the_seed_alone_decides(painter: Painter) -> None:
    one, same, other = (painter.draw(rng_of(seed, painter.name), 120, 100) for seed in (2, 2, 3))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


@pytest.mark.parametrize("kind", ["microscopy", "radiology", "photo"])
def test_marks_change_a_part_of_a_picture(kind: str) -> None:
    ground = np.full((120, 160, 3), 90, np.uint8)
    changed = []
    for seed in range(12):
        marked = ground.copy()
        mark(rng_of(seed, kind), marked, kind)
        changed.append(float((marked != ground).any(axis=2).mean()))
    assert max(changed) > 0
    assert max(changed) < 0.5


def test_real_pictures_are_read_where_they_are_and_left_out_where_not(monkeypatch: pytest.MonkeyPatch) -> None:
    assert samples.sources("radiology") >= 1
    assert all(picture.dtype == np.uint8 and picture.shape[2] == 3 for picture in samples.pictures("radiology"))
    assert samples.part_of("radiology")(rng_of(1), 90, 70).shape == (70, 90, 3)
    monkeypatch.setattr(samples, "find_spec", lambda name: None)
    assert all(samples.sources(kind) == 0 for kind in ("microscopy", "radiology", "photo"))
