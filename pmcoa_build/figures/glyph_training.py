"""Draw glyphs as they stand in figures and train the network that reads them: `train(folders of fonts, out)`.

Everything is drawn; no figure of a paper is used. Cells of a sheet get a ground (paper, tint, dark, noise, a blur, a
crop of a drawn panel, with or without a plate), a label or something that is none, then the sheet is saved as JPEG and
cut up by the very code that looks for letters in figures (glyphs._level). Labels are one character, also in brackets or
before a stop, or two or three next to each other. What is found where no character was drawn (holes of letters,
brackets, fragments, strokes) is the class "none".
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from pmcoa_build.figures import glyphs
from pmcoa_build.figures.boxes import Box, iou

GENERATOR = 3
"""Version of the drawn data, cutting by glyphs.py included; the card of the weights names theirs."""

NONE = len(glyphs.CLASSES)
_CELL, _COLUMNS, _ROWS = 96, 16, 12
_SYMBOLS = "()[]{}<>+-=*/|!?&%@#$~^_:;,.αβγδεθλμπσφωΔΣΩΨΦΓ→←↑↓↔•■▲●○□△◆×±°†‡§"
_FORMS, _FORM_SHARES = ("{}", "({})", "{})", "{}.", "{}:", "{},"), (0.66, 0.14, 0.08, 0.06, 0.03, 0.03)
_ROMAN = ("ii", "iii", "iv", "vi", "vii", "ix", "II", "III", "IV", "VI", "IX")
_SANS = ("LiberationSans", "NimbusSans", "FreeSans", "texgyreheros", "DejaVuSans", "Carlito", "OpenSans", "Roboto")
_SKIP = ("Mono", "cursor", "Light", "Thin", "Hairline", "Symbols", "D050000L", "Z003", "chorus", "NonUni", "Siz",
         "Display", "LastResort", "cmex", "cmsy", "cmmi")


def fonts_of(folders: Sequence[Path]) -> list[Path]:
    """Text fonts under the folders, by name: no monospaced, thin or symbol fonts."""
    found = [p for folder in folders for kind in ("*.ttf", "*.otf") for p in folder.rglob(kind)]
    return sorted((p for p in found if not any(word in p.name for word in _SKIP)), key=lambda p: p.name)


def _pictures(rng: np.random.Generator) -> list[np.ndarray]:
    """Drawn panels in grey, uint8, a few of each modality."""
    from pmcoa_build.figures.synth.blots import BLOTS
    from pmcoa_build.figures.synth.clinical import CLINICAL
    from pmcoa_build.figures.synth.microscopy import MICROSCOPY
    from pmcoa_build.figures.synth.radiology import RADIOLOGY

    modalities = (*RADIOLOGY, *MICROSCOPY, *CLINICAL, *BLOTS)
    drawn = [m.draw(m.choose(rng), rng, 300, 300) for m in modalities for _ in range(4)]
    return [picture.mean(axis=2).astype(np.uint8) for picture in drawn]


def _ground(rng: np.random.Generator, pictures: Sequence[np.ndarray]) -> np.ndarray:
    """The ground of a cell, grey 0 to 255."""
    kind = str(rng.choice(["white", "tint", "dark", "noise", "blur", "picture"], p=[0.44, 0.08, 0.11, 0.05, 0.1, 0.22]))
    if kind == "white":
        return np.full((_CELL, _CELL), 255.0)
    if kind == "tint":
        return np.full((_CELL, _CELL), float(rng.integers(190, 252)))
    if kind == "dark":
        return np.full((_CELL, _CELL), float(rng.integers(0, 60)))
    if kind == "picture":
        picture = pictures[int(rng.integers(len(pictures)))]
        side = int(rng.integers(60, min(picture.shape) + 1))
        y, x = (int(rng.integers(0, edge - side + 1)) for edge in picture.shape)
        crop = Image.fromarray(picture[y : y + side, x : x + side])
        return np.asarray(crop.resize((_CELL, _CELL), Image.Resampling.BICUBIC), dtype=np.float64)
    side = int(rng.choice([4, 8, 16, 48]))
    low, high = (0, 110) if rng.random() < 0.6 else (130, 255)
    coarse = Image.fromarray(rng.integers(low, high, (_CELL // side + 1,) * 2).astype(np.uint8))
    cell = np.asarray(coarse.resize((_CELL, _CELL), Image.Resampling.BICUBIC), dtype=np.float64)
    return cell + rng.normal(0, 10, cell.shape) if kind == "noise" else cell


def _ink(rng: np.random.Generator, under: np.ndarray) -> int:
    """A grey that stands out from what is under the text."""
    if under.mean() < 128:
        return 255 if rng.random() < 0.8 else int(rng.integers(200, 255))
    return int(rng.choice([0, 0, 0, 30, 60, int(rng.integers(0, 100))]))


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


def _text(image: Image.Image, rng: np.random.Generator, fonts: dict[str, list[Path]], text: str,
          named: str) -> list[tuple[int, Box]]:
    """Write `text` in the middle of a cell, at times on a plate; class and box of each character of it in `named`."""
    group = fonts["sans"] if rng.random() < 0.7 else fonts["all"]
    font = ImageFont.truetype(group[int(rng.integers(len(group)))], int(np.exp(rng.uniform(np.log(8), np.log(56)))))
    draw = ImageDraw.Draw(image)
    left, top, right, bottom = draw.textbbox((0, 0), text, font=font)
    x = (_CELL - right - left) // 2 + int(rng.integers(-3, 4))
    y = (_CELL - bottom - top) // 2 + int(rng.integers(-3, 4))
    box = (x + left, y + top, x + right, y + bottom)
    if rng.random() < 0.15:
        pad = max(2, int(rng.uniform(0.1, 0.6) * (bottom - top)))
        shape = draw.rectangle if rng.random() < 0.7 else draw.ellipse
        shape((box[0] - pad, box[1] - pad, box[2] + pad, box[3] + pad), fill=int(rng.choice([255, 255, 0])))
    under = np.asarray(image)[max(int(box[1]), 0) : int(box[3]) + 1, max(int(box[0]), 0) : int(box[2]) + 1]
    draw.text((x, y), text, fill=_ink(rng, under), font=font)
    found = []
    for at, character in enumerate(text):
        if character in named:
            a, b, c, d = draw.textbbox((x + font.getlength(text[:at]), y), character, font=font)
            found.append((glyphs.CLASSES.index(character), (int(a), int(b), int(c), int(d))))
    return found


def _label(rng: np.random.Generator) -> str:
    """Two or three characters as labels have them: A1, ab, iv, 12."""
    kind = rng.choice(["numbered", "lettered", "roman", "digits"], p=[0.4, 0.2, 0.25, 0.15])
    upper, lower = glyphs.CLASSES[:26], glyphs.CLASSES[26:52]
    if kind == "roman":
        return str(rng.choice(_ROMAN))
    first = str(rng.choice(list(upper if rng.random() < 0.6 else lower)))
    second = str(rng.choice(list(lower if kind == "lettered" else glyphs.CLASSES[52:])))
    return (str(rng.integers(1, 4)) if kind == "digits" else first) + second


def _cell(rng: np.random.Generator, fonts: dict[str, list[Path]],
          pictures: Sequence[np.ndarray]) -> tuple[np.ndarray, list[tuple[int, Box]]]:
    """(cell, class and box of each of its characters)."""
    image = Image.fromarray(np.clip(_ground(rng, pictures), 0, 255).astype(np.uint8))
    what = rng.choice(["glyph", "symbol", "several", "strokes"], p=[0.66, 0.1, 0.1, 0.14])
    found: list[tuple[int, Box]] = []
    if what == "glyph":
        index = int(rng.integers(0, 52)) if rng.random() < 0.86 else int(rng.integers(52, NONE))
        name = glyphs.CLASSES[index]
        found = _text(image, rng, fonts, str(rng.choice(_FORMS, p=_FORM_SHARES)).format(name), name)
    elif what == "several":
        text = _label(rng)
        found = _text(image, rng, fonts, text, text)
    elif what == "symbol":
        _text(image, rng, fonts, str(rng.choice(list(_SYMBOLS))), "")
    else:
        _strokes(ImageDraw.Draw(image), rng, _ink(rng, np.asarray(image)))
    if rng.random() < 0.35:
        image = image.filter(ImageFilter.GaussianBlur(float(rng.uniform(0.3, 0.9))))
    return np.asarray(image), found


def _sheet(rng: np.random.Generator, fonts: dict[str, list[Path]],
           pictures: Sequence[np.ndarray]) -> tuple[np.ndarray, dict[tuple[int, int], list[tuple[int, Box]]]]:
    """A grey sheet of cells after JPEG, and the characters drawn in each (row, column)."""
    page = np.zeros((_ROWS * _CELL, _COLUMNS * _CELL), np.uint8)
    drawn = {}
    for row in range(_ROWS):
        for column in range(_COLUMNS):
            cell, found = _cell(rng, fonts, pictures)
            y, x = row * _CELL, column * _CELL
            page[y : y + _CELL, x : x + _CELL] = cell
            drawn[row, column] = [(index, (a + x, b + y, c + x, d + y)) for index, (a, b, c, d) in found]
    out = io.BytesIO()
    Image.fromarray(page).save(out, "JPEG", quality=int(rng.integers(60, 96)))
    return np.asarray(Image.open(out)), drawn


def draw_patches(fonts: Sequence[Path], count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """(patches float32 (count, SIDE, SIDE), classes int64 (count,)) of drawn glyphs and non-glyphs."""
    rng = np.random.default_rng(seed)
    sans = [p for p in fonts if p.name.startswith(_SANS)]
    groups = {"all": list(fonts), "sans": sans or list(fonts)}
    pictures = _pictures(rng)
    patches: list[np.ndarray] = []
    classes: list[int] = []
    while len(patches) < count:
        page, drawn = _sheet(rng, groups, pictures)
        for threshold, light in [(t, False) for t in glyphs._DARK] + [(t, True) for t in glyphs._LIGHT]:
            rows, _ = glyphs._level(page, threshold, light, 90)
            for row in rows[:, :4]:
                where = (int(row[1] + row[3]) // 2 // _CELL, int(row[0] + row[2]) // 2 // _CELL)
                shared, index = max([(iou(row, box), index) for index, box in drawn[where]], default=(0.0, NONE))
                found = index if shared > 0.6 else NONE
                if found == NONE and rng.random() < 0.4:
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
