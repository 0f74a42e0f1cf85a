"""open_clip's own way from tar files to batches, which `bench/loader.py` measures ours beside."""

from __future__ import annotations

import io
import tarfile
from argparse import Namespace
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pmcoa_build.figures.yolo import mend_torchvision

NEEDED = "pip install open_clip_torch webdataset pandas"


def why_not() -> str:
    """Why open_clip's training data cannot be read here; empty where it can."""
    try:
        mend_torchvision()
        import open_clip_train.data  # noqa: F401
    except (ImportError, RuntimeError) as error:
        return f"{NEEDED} first ({error})"
    return ""


def write_tars(folder: Path, images: Sequence[bytes], texts: Sequence[str], count: int = 4) -> str:
    """The pairs as `count` WebDataset tar files; returns their names as a brace expression."""
    for number in range(count):
        with tarfile.open(folder / f"{number}.tar", "w") as tar:
            for at in range(number, len(images), count):
                for name, data in (("jpg", images[at]), ("txt", texts[at].encode())):
                    entry = tarfile.TarInfo(f"{at:06d}.{name}")
                    entry.size = len(data)
                    tar.addfile(entry, io.BytesIO(data))
    return f"{folder}/{{0..{count - 1}}}.tar"


def stream(tars: str, size: int, crop_scale: tuple[float, float], batch: int, workers: int) -> Iterator[Any]:
    """Batches (pixels float32 (B, 3, S, S), ids (B, 77)) of open_clip's training loader, without end.

    Its transform, with our crop scale, and its tokenizer of RN50.
    """
    import open_clip
    from open_clip.transform import AugmentationCfg
    from open_clip_train.data import get_wds_dataset

    arguments = Namespace(
        train_data=tars, train_num_samples=10**9, train_data_upsampling_factors=None, dataset_resampled=False,
        batch_size=batch, workers=workers, world_size=1, seed=0,
    )
    transform = open_clip.image_transform(size, is_train=True, aug_cfg=AugmentationCfg(scale=crop_scale))
    tokenizer = open_clip.get_tokenizer("RN50")
    return iter(get_wds_dataset(arguments, transform, True, tokenizer=tokenizer).dataloader)
