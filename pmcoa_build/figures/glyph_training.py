"""Draw glyphs as they stand in figures and train the network that reads them: `train(folders of fonts, out)`.

Everything is drawn; no figure of a paper is used. Cells of a sheet get a ground (paper, tint, dark, noise, a picture-
like blur with or without a box), one glyph or something that is none, then the sheet is saved as JPEG and cut up by the
very code that looks for letters in figures (glyphs._level). What it finds where no glyph was drawn (holes of letters,
fragments, strokes) is the class "none".
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from pmcoa_build.figures import glyphs
from pmcoa_build.figures.boxes import iou

GENERATOR = 2
"""Version of the drawn data, cutting by glyphs.py included; the card of the weights names theirs."""

NONE = len(glyphs.CLASSES)
_CELL, _COLUMNS, _ROWS = 96, 16, 12
_SYMBOLS = "()[]{}<>+-=*/|!?&%@#$~^_:;,.αβγδεθλμπσφωΔΣΩΨΦΓ→←↑↓↔•■▲●○□△◆×±°†‡§"
_SANS = ("LiberationSans", "NimbusSans", "FreeSans", "texgyreheros", "DejaVuSans", "Carlito", "OpenSans", "Roboto")
_SKIP = ("Mono", "cursor", "Light", "Thin", "Hairline", "Symbols", "D050000L", "Z003", "chorus", "NonUni", "Siz",
         "Display", "LastResort", "cmex", "cmsy", "cmmi")


def fonts_of(folders: Sequence[Path]) -> list[Path]:
    """Text fonts under the folders, by name: no monospaced, thin or symbol fonts."""
    found = [p for folder in folders for kind in ("*.ttf", "*.otf") for p in folder.rglob(kind)]
    return sorted((p for p in found if not any(word in p.name for word in _SKIP)), key=lambda p: p.name)


def _ground(rng: np.random.Generator) -> tuple[np.ndarray, int]:
    """(cell, ink grey): the ground of a cell and a grey that stands out from it."""
    kind = str(rng.choice(["white", "tint", "dark", "noise", "picture", "box"], p=[0.5, 0.1, 0.13, 0.07, 0.12, 0.08]))
    if kind == "white":
        return np.full((_CELL, _CELL), 255.0), int(rng.choice([0, 0, 0, 30, 60, int(rng.integers(0, 120))]))
    if kind == "tint":
        return np.full((_CELL, _CELL), float(rng.integers(190, 252))), int(rng.integers(0, 70))
    if kind == "dark":
        return np.full((_CELL, _CELL), float(rng.integers(0, 60))), int(rng.integers(200, 256))
    side = int(rng.choice([4, 8, 16, 48]))
    low, high = (0, 110) if rng.random() < 0.6 else (130, 255)
    coarse = Image.fromarray(rng.integers(low, high, (_CELL // side + 1,) * 2).astype(np.uint8))
    cell = np.asarray(coarse.resize((_CELL, _CELL), Image.Resampling.BICUBIC), dtype=np.float64).copy()
    if kind == "noise":
        cell += rng.normal(0, 10, cell.shape)
    if kind == "box":
        cell[20:76, 20:76] = 255 if low == 0 else 0
        return cell, 0 if low == 0 else 255
    return cell, 255 if low == 0 else 0


def _strokes(draw: ImageDraw.ImageDraw, rng: np.random.Generator, ink: int) -> None:
    """Something of a letter's size that is none: parts of plots, arrows, outlines, blobs."""
    size, width = int(rng.integers(8, 44)), int(rng.integers(1, 5))
    x, y = (_CELL - size) // 2, (_CELL - size) // 2
    for _ in range(int(rng.integers(1, 5))):
        ends = [(int(x + a), int(y + b)) for a, b in rng.integers(0, size + 1, (int(rng.integers(2, 5)), 2))]
        shape = rng.choice(["line", "ellipse", "box", "arc", "cross", "polygon", "bar"])
        box = (x, y, x + size, y + int(size * rng.uniform(0.4, 1)))
        if shape == "line":
            draw.line(ends, fill=ink, width=width)
        elif shape == "ellipse":
            draw.ellipse(box, outline=ink, width=width, fill=ink if rng.random() < 0.3 else None)
        elif shape == "box":
            draw.rectangle(box, outline=ink, width=width)
        elif shape == "arc":
            draw.arc(box, int(rng.integers(0, 360)), int(rng.integers(0, 360)), fill=ink, width=width)
        elif shape == "polygon":
            draw.polygon(ends, fill=ink)
        elif shape == "bar":
            draw.rectangle((x + size // 2, y, x + size // 2 + width, y + size), fill=ink)
        else:
            draw.line((x, y + size // 2, x + size, y + size // 2), fill=ink, width=width)
            draw.line((x + size // 2, y, x + size // 2, y + size), fill=ink, width=width)


def _text(draw: ImageDraw.ImageDraw, rng: np.random.Generator, fonts: dict[str, list[Path]], text: str,
          ink: int) -> tuple[int, int, int, int]:
    """Write `text` in the middle of a cell; its box."""
    group = fonts["sans"] if rng.random() < 0.7 else fonts["all"]
    size = int(np.exp(rng.uniform(np.log(9), np.log(56))))
    font = ImageFont.truetype(group[int(rng.integers(len(group)))], size)
    left, top, right, bottom = draw.textbbox((0, 0), text, font=font)
    x = (_CELL - right - left) // 2 + int(rng.integers(-3, 4))
    y = (_CELL - bottom - top) // 2 + int(rng.integers(-3, 4))
    draw.text((x, y), text, fill=ink, font=font)
    return (int(x + left), int(y + top), int(x + right), int(y + bottom))


def _cell(rng: np.random.Generator, fonts: dict[str, list[Path]]) -> tuple[np.ndarray, int, tuple[int, ...] | None]:
    """(cell, class, box of the glyph or None)."""
    ground, ink = _ground(rng)
    image = Image.fromarray(np.clip(ground, 0, 255).astype(np.uint8))
    draw = ImageDraw.Draw(image)
    what = rng.choice(["glyph", "symbol", "pair", "strokes"], p=[0.7, 0.1, 0.06, 0.14])
    if what == "glyph":
        index = int(rng.integers(0, 52)) if rng.random() < 0.88 else int(rng.integers(52, NONE))
        box = _text(draw, rng, fonts, glyphs.CLASSES[index], ink)
    elif what == "strokes":
        index, box = NONE, None
        _strokes(draw, rng, ink)
    else:
        letters = "".join(rng.choice(list(glyphs.CLASSES), 2)) if what == "pair" else str(rng.choice(list(_SYMBOLS)))
        index, box = NONE, None
        _text(draw, rng, fonts, letters, ink)
    if rng.random() < 0.35:
        image = image.filter(ImageFilter.GaussianBlur(float(rng.uniform(0.3, 0.9))))
    return np.asarray(image), index, box


def _sheet(rng: np.random.Generator, fonts: dict[str, list[Path]]) -> tuple[np.ndarray, dict[tuple[int, int], Any]]:
    """A grey sheet of cells after JPEG, and what was drawn in each (row, column)."""
    page = np.zeros((_ROWS * _CELL, _COLUMNS * _CELL), np.uint8)
    drawn = {}
    for row in range(_ROWS):
        for column in range(_COLUMNS):
            cell, index, box = _cell(rng, fonts)
            y, x = row * _CELL, column * _CELL
            page[y : y + _CELL, x : x + _CELL] = cell
            drawn[row, column] = (index, None if box is None else tuple(np.add(box, (x, y, x, y))))
    out = io.BytesIO()
    Image.fromarray(page).save(out, "JPEG", quality=int(rng.integers(60, 96)))
    return np.asarray(Image.open(out)), drawn


def draw_patches(fonts: Sequence[Path], count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """(patches float32 (count, SIDE, SIDE), classes int64 (count,)) of drawn glyphs and non-glyphs."""
    rng = np.random.default_rng(seed)
    sans = [p for p in fonts if p.name.startswith(_SANS)]
    groups = {"all": list(fonts), "sans": sans or list(fonts)}
    patches: list[np.ndarray] = []
    classes: list[int] = []
    while len(patches) < count:
        page, drawn = _sheet(rng, groups)
        for threshold, light in [(t, False) for t in glyphs._DARK] + [(t, True) for t in glyphs._LIGHT]:
            rows, _ = glyphs._level(page, threshold, light, 90)
            for row in rows[:, :4]:
                where = (int(row[1] + row[3]) // 2 // _CELL, int(row[0] + row[2]) // 2 // _CELL)
                index, box = drawn[where]
                found = index if box is not None and iou(row, box) > 0.6 else NONE
                if found == NONE and rng.random() < 0.3:
                    continue
                patches.append(glyphs.glyph_patch(page, row, light))
                classes.append(found)
    return np.stack(patches[:count]), np.array(classes[:count], np.int64)


def _network() -> Any:
    from torch import nn

    def block(inputs: int, outputs: int) -> list[Any]:
        return [nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU(), nn.MaxPool2d(2)]

    return nn.Sequential(*block(1, 16), *block(16, 32), *block(32, 64), nn.Flatten(), nn.Dropout(0.2),
                         nn.Linear(64 * (glyphs.SIDE // 8) ** 2, 96), nn.ReLU(), nn.Linear(96, NONE + 1))


def train(folders: Sequence[Path], out: Path, *, count: int = 100_000, epochs: int = 6,
          seed: int = 0) -> dict[str, float]:
    """Draw, train and write the ONNX file `out`; the scores on freshly drawn glyphs.

    `folders` hold the fonts. Minutes on one CPU core; same seed, fonts and library versions give the same weights.
    """
    import torch

    fonts = fonts_of(folders)
    patches, classes = draw_patches(fonts, count, seed)
    torch.manual_seed(seed)
    torch.use_deterministic_algorithms(True)
    model = _network()
    steps = epochs * (count // 128)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=steps)
    data, target = torch.from_numpy(patches)[:, None], torch.from_numpy(classes)
    for _ in range(epochs):
        for rows in torch.randperm(count)[: count // 128 * 128].split(128):  # type: ignore[no-untyped-call]
            loss = torch.nn.functional.cross_entropy(model(_shaken(data[rows])), target[rows], label_smoothing=0.02)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
    model.eval()
    fresh, truth = draw_patches(fonts, 12_000, seed + 1)
    with torch.no_grad():
        guess = model(torch.from_numpy(fresh)[:, None]).argmax(1).numpy()
    _export(model, out)
    return _scores(guess, truth) | {"fonts": float(len(fonts))}


def _shaken(batch: Any) -> Any:
    """A batch shifted by up to two pixels, and a little noisy."""
    import torch

    down, right = (int(v) for v in torch.randint(-2, 3, (2,)))
    return torch.roll(batch, (down, right), (2, 3)) + 0.04 * torch.randn_like(batch)


def _export(model: Any, out: Path) -> None:
    """One ONNX file with the weights inside, any batch size."""
    import torch

    torch.onnx.export(model, (torch.zeros(1, 1, glyphs.SIDE, glyphs.SIDE),), str(out), input_names=["patches"],
                      output_names=["logits"], dynamic_axes={"patches": {0: "n"}, "logits": {0: "n"}}, dynamo=False)


def _scores(guess: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """Share of right letters (case aside: c and C are one), and of non-letters told as such."""
    names = np.array([c.lower() for c in glyphs.CLASSES] + [""])
    letters = truth < 52
    return {"letters_right": float((names[guess] == names[truth])[letters].mean()),
            "none_right": float((guess == truth)[truth == NONE].mean()),
            "none_share": float((truth == NONE).mean())}
