"""What pictures are made of: warps, light on relief, cells by nearest seed, branching lines, false colours."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pmcoa_build.figures.synth.imagery import Field, Image, Rng, noise

Points = NDArray[np.float64]
AnyField = NDArray[np.floating[Any]]


def warp(rng: Rng, image: Any, strength: float) -> Any:
    """The picture (or field) bent smoothly, by up to about `strength` of its shorter side."""
    import cv2

    height, width = image.shape[:2]
    side = min(width, height)
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    shifts = (noise(rng, width, height, side / 3) * strength * side * 0.5 for _ in range(2))
    return cv2.remap(image, x + next(shifts), y + next(shifts), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def clouds(rng: Rng, width: int, height: int, cell: float, octaves: int = 3) -> Field:
    """Noise of several sizes together, deviation near 1: the largest features are of about `cell` pixels."""
    layers = [noise(rng, width, height, max(1.0, cell / 2**i)) * 0.6**i for i in range(octaves)]
    spread = np.sqrt(sum(0.36**i for i in range(octaves)))
    total: Field = (np.sum(layers, axis=0) / spread).astype(np.float32)
    return total


def step(field: AnyField, soft: float = 0.1) -> Field:
    """0 below zero, 1 above, with a soft edge."""
    edge: Field = np.clip(field / soft + 0.5, 0, 1).astype(np.float32)
    return edge


def light(relief: Field, depth: float = 1.0) -> Field:
    """Brightness 0 to 1 of a relief lit from the upper left; heights in pixels."""
    import cv2

    across = cv2.Sobel(relief, cv2.CV_32F, 1, 0) * np.float32(depth / 8)
    down = cv2.Sobel(relief, cv2.CV_32F, 0, 1) * np.float32(depth / 8)
    shaded: Field = np.clip((0.75 + 0.45 * across + 0.45 * down) / np.sqrt(1 + across**2 + down**2), 0, 1)
    return shaded


def territories(rng: Rng, width: int, height: int, count: int) -> tuple[NDArray[np.int32], Field]:
    """(territory of each pixel, distance to its border's middle 0 to 1 from the seed): cells that fill the plane."""
    import cv2

    seeds = np.full((height, width), 255, np.uint8)
    seeds[rng.integers(0, height, count), rng.integers(0, width, count)] = 0
    reach, labels = cv2.distanceTransformWithLabels(seeds, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    return labels, (reach / max(float(reach.max()), 1)).astype(np.float32)


def borders(labels: NDArray[np.int32]) -> Field:
    """1 where neighbouring pixels belong to different territories."""
    edge = np.zeros(labels.shape, np.float32)
    edge[:-1] = labels[:-1] != labels[1:]
    edge[:, :-1] = np.maximum(edge[:, :-1], labels[:, :-1] != labels[:, 1:])
    return edge


def branches(rng: Rng, start: tuple[float, float], heading: float, length: float,
             depth: int) -> list[tuple[Points, int]]:
    """A tree of wandering lines: (points, depth left) of each branch; the first is the trunk."""
    turns = heading + np.cumsum(rng.normal(0, 0.16, 10))
    path = np.array(start) + np.cumsum(np.stack([np.cos(turns), np.sin(turns)], axis=1), axis=0) * length / 10
    found = [(np.vstack([start, path]), depth)]
    if depth > 0:
        for _ in range(int(rng.integers(2, 4))):
            at = path[int(rng.integers(3, 10))]
            found += branches(rng, (at[0], at[1]), float(turns[-1] + rng.normal(0, 0.75)),
                              length * rng.uniform(0.5, 0.9),
                              depth - 1)
    return found


def tree(rng: Rng, width: int, height: int, start: tuple[float, float], heading: float, depth: int = 3) -> Field:
    """A branching thing (vessel, neuron) drawn as 0 to 1 from a start in pixels."""
    import cv2

    canvas = np.zeros((height, width), np.uint8)
    side = min(width, height)
    for path, left in branches(rng, start, heading, side * rng.uniform(0.3, 0.5), depth):
        cv2.polylines(canvas, [np.round(path).astype(np.int32)], False, 255, max(1, round(side * 0.008 * (left + 0.6))),
                      cv2.LINE_AA)
    return (canvas / 255).astype(np.float32)


def false_colour(field: Field, name: str) -> Image:
    """A field of 0 to 1 in one of OpenCV's colour maps, such as JET, HOT or INFERNO."""
    import cv2

    level = np.clip(field * 255, 0, 255).astype(np.uint8)
    return np.ascontiguousarray(cv2.applyColorMap(level, getattr(cv2, f"COLORMAP_{name}"))[:, :, ::-1])


def specks(rng: Rng, width: int, height: int, chance: Field, radius: float, tries: int) -> Field:
    """0 to 1: ellipses of about `radius` pixels scattered where `chance` (0 to 1, height x width) allows."""
    import cv2

    canvas = np.zeros((height, width), np.uint8)
    x, y = rng.integers(0, width, tries), rng.integers(0, height, tries)
    kept = np.flatnonzero(rng.random(tries) < chance[y, x])
    long, flat = rng.uniform(0.8, 1.5, tries), rng.uniform(0.55, 1, tries)
    turn, level = rng.uniform(0, 180, tries), rng.integers(130, 256, tries)
    for i in kept:
        axes = (max(1, round(radius * long[i])), max(1, round(radius * flat[i])))
        cv2.ellipse(canvas, (int(x[i]), int(y[i])), axes, turn[i], 0, 360, int(level[i]), -1, cv2.LINE_AA)
    return (canvas / 255).astype(np.float32)


def grain(rng: Rng, image: Any, strength: float) -> Image:
    """Sensor noise of a deviation in grey levels, the same in all channels."""
    height, width = image.shape[:2]
    level = rng.standard_normal((height, width)).astype(np.float32) * np.float32(strength)
    noisy: Image = np.clip(image + level[:, :, None], 0, 255).astype(np.uint8)
    return noisy
