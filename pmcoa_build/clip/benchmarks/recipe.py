"""What a head is tuned on, and how."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple


class Example(NamedTuple):
    """An image, one or more texts with it, and which output is right (-1: none).

    With one text the outputs are a list of answers; with several, one output for each text.
    """

    image: Path
    texts: tuple[str, ...]
    target: int


class Recipe(NamedTuple):
    """Passes over the training examples, and examples in a step; the rest of the recipe is the same for all.

    The epochs of a small set hold several passes, so that at least `steps` steps are made in all.
    """

    epochs: int
    batch_size: int
    steps: int = 400
