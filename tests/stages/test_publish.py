"""What the gallery is given to show."""

from __future__ import annotations

import pytest

from pmcoa_build.build import Build
from stages.publish import _lost_figures, _reasons
from tests.stages import bucket
from tests.stages.conftest import SmallBuild
from tests.stages.test_updates import TO_DATASET


def test_figures_are_lost_by_what_happened_to_their_images(small: SmallBuild, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = bucket.image
    monkeypatch.setattr(bucket, "image", lambda seed, panels: b"GIF89a" if seed == 101 else drawn(seed, panels=panels))
    bucket.write_bucket(small.root / "bucket")
    assert small.run(*TO_DATASET, "--set=run.max_dead_fraction=1") == 0
    build: Build = small.open()
    lost = _reasons(build)
    assert lost["PMC2000001.1/g2.png"].startswith("image-")
    assert _lost_figures(build, lost) == {"PMC2000001.1/F2": lost["PMC2000001.1/g2.png"]}
    gallery = (small.root / "builds" / "small" / "dataset" / "gallery.html").read_text()
    assert gallery.count("<article ") == 6 and f"left out: {lost['PMC2000001.1/g2.png']}" in gallery
    assert "All figures of the build are shown here" in gallery
