"""Real pictures from the test files of packages, read where those are installed (extra `detector`), never copied here.

Sources, all free to use: scikit-image's `data` (CC0, public domain or no known restrictions: cell by D. Root,
immunohistochemistry of the CMMI, microaneurysms by A. Maier, retina, cat, coffee, coins, camera, rocket); pydicom's
test files (MIT: CT, MR, echocardiography); nibabel's test data (MIT: MR slices); an MR slice of matplotlib's samples.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from pmcoa_build.figures.synth.imagery import Image, Rng, pick

_SKIMAGE = {"microscopy": ("ihc.png", "cell.png"), "radiology": (),
            "photo": ("retina.jpg", "microaneurysms.png", "chelsea.png", "coffee.png", "coins.png", "camera.png",
                      "rocket.jpg")}
_DICOM = ("693_J2KI.dcm", "CT_small.dcm", "J2K_pixelrep_mismatch.dcm", "examples_overlay.dcm",
          "examples_ybr_color.dcm", "MR_small.dcm")
_VOLUME, _MR = "example4d.nii.gz", "s1045.ima.gz"


def _folder(package: str, *parts: str) -> Path | None:
    """A folder inside an installed package, found without importing it; None where it is not there."""
    found = find_spec(package)
    if found is None or found.origin is None:
        return None
    folder = Path(found.origin).parent.joinpath(*parts)
    return folder if folder.is_dir() else None


def _levels(values: Any) -> Image:
    """Any array (height x width, or x 3) as uint8 RGB, stretched between its 1st and 99.5th percentile."""
    level = np.asarray(values, np.float64)
    low, high = np.percentile(level, (1, 99.5))
    scaled = (np.clip((level - low) / max(high - low, 1e-6), 0, 1) * 255).astype(np.uint8)
    return np.repeat(scaled[:, :, None], 3, axis=2) if scaled.ndim == 2 else np.ascontiguousarray(scaled[:, :, :3])


def _photographs(folder: Path, names: tuple[str, ...]) -> list[Image]:
    import cv2

    read = (cv2.imread(str(folder / name)) for name in names if (folder / name).exists())
    return [np.ascontiguousarray(image[:, :, ::-1]) for image in read if image is not None]


def _scans(folder: Path) -> list[Image]:
    import pydicom

    found = []
    for name in _DICOM:
        if (folder / name).exists():
            values = pydicom.dcmread(folder / name, force=True).pixel_array
            found.append(_levels(values[0] if values.ndim == 4 else values))
    return found


def _slices(folder: Path) -> list[Image]:
    import nibabel

    if not (folder / _VOLUME).exists():
        return []
    volume = np.asarray(nibabel.load(folder / _VOLUME).dataobj, np.float64)[..., 0]
    return [_levels(np.rot90(volume[:, :, int(at * volume.shape[2])])) for at in (0.3, 0.45, 0.6, 0.7)]


def _own() -> list[Image]:
    """The MR slice of matplotlib's sample data: 256 x 256 pixels of 16 bits."""
    import gzip

    import matplotlib

    path = Path(matplotlib.get_data_path()) / "sample_data" / _MR
    if not path.exists():
        return []
    with gzip.open(path) as stream:
        return [_levels(np.frombuffer(stream.read(), "<u2").reshape(256, 256))]


@lru_cache(maxsize=4)
def pictures(kind: str) -> tuple[Image, ...]:
    """All real pictures of a kind (microscopy, radiology, photo) that the installed packages hold, uint8 RGB."""
    found: list[Image] = []
    if folder := _folder("skimage", "data"):
        found += _photographs(folder, _SKIMAGE[kind])
    if kind == "radiology":
        found += _own()
        if folder := _folder("pydicom", "data", "test_files"):
            found += _scans(folder)
        if folder := _folder("nibabel", "tests", "data"):
            found += _slices(folder)
    return tuple(found)


def sources(kind: str) -> int:
    """How many files of the kind the installed packages hold; opens none."""
    places = [(_folder("skimage", "data"), _SKIMAGE[kind])]
    if kind == "radiology":
        places += [(_folder("matplotlib", "mpl-data", "sample_data"), (_MR,)),
                   (_folder("pydicom", "data", "test_files"), _DICOM),
                   (_folder("nibabel", "tests", "data"), (_VOLUME,))]
    return sum((folder / name).exists() for folder, names in places if folder for name in names)


def part_of(kind: str) -> Callable[[Rng, int, int], Image]:
    """The draw of some part of a real picture of the kind, turned, mirrored and in another contrast."""

    def draw(rng: Rng, width: int, height: int) -> Image:
        import cv2

        image = np.rot90(pick(rng, pictures(kind)), int(rng.integers(0, 4)) if kind == "microscopy" else 0)
        tall, wide = image.shape[:2]
        scale = min(wide / width, tall / height) * rng.uniform(0.45, 1)
        cut_w, cut_h = max(8, int(width * scale)), max(8, int(height * scale))
        x, y = int(rng.integers(0, max(1, wide - cut_w + 1))), int(rng.integers(0, max(1, tall - cut_h + 1)))
        part = np.ascontiguousarray(image[y : y + cut_h, x : x + cut_w])
        part = cv2.resize(part, (width, height), interpolation=cv2.INTER_CUBIC if scale < 1 else cv2.INTER_AREA)
        level = np.clip((np.arange(256) / 255) ** rng.uniform(0.7, 1.4) * rng.uniform(0.85, 1.15) * 255, 0, 255)
        turned = part[:, ::-1] if rng.random() < 0.5 else part
        return np.ascontiguousarray(cv2.LUT(np.ascontiguousarray(turned), level.astype(np.uint8)))

    return draw
