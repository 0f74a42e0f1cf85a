"""Questions about pictures of one colour, in the forms that VQA-RAD, SLAKE and PMC-VQA are published in."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tests.clip.conftest import COLOURS

COUNTS = {"train": 24, "validation": 8, "test": 12}
"""Pictures in each split."""
_NAMES = tuple(COLOURS)[:4]


def draw_picture(path: Path, colour: str, rng: np.random.Generator) -> None:
    """A noisy picture of that colour, 48 x 40."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = rng.normal(0, 20, (40, 48, 3))
    Image.fromarray(np.clip(noise + COLOURS[colour], 0, 255).astype(np.uint8)).save(path)


def _colours(rng: np.random.Generator, count: int) -> list[str]:
    return [_NAMES[at % len(_NAMES)] for at in rng.permutation(count)]


def write_slake(folder: Path, validation: str = "validation", seed: int = 0) -> Path:
    """An open and a closed question in English for each picture, and one in Chinese."""
    rng, number = np.random.default_rng(seed), 0
    for split, count in COUNTS.items():
        rows: list[dict[str, Any]] = []
        for colour in _colours(rng, count):
            number += 1
            name = f"xmlab{number}/source.jpg"
            draw_picture(folder / "imgs" / name, colour, rng)
            for language, question, answer, kind in (
                ("en", "What colour is the picture?", colour.title(), "OPEN"),
                ("en", "Is the picture red?", "Yes" if colour == "red" else "No", "CLOSED"),
                ("zh", "图像是什么颜色?", "红", "OPEN"),
            ):
                rows.append({"img_id": number, "img_name": name, "question": question, "answer": answer,
                             "q_lang": language, "location": "", "modality": "", "answer_type": kind,
                             "base_type": "vqa", "triple": ["vhead", "_", "_"], "qid": len(rows),
                             "content_type": "Color"})
        path = folder / f"{validation if split == 'validation' else split}.json"
        path.write_text(json.dumps(rows, ensure_ascii=False), "utf-8")
    return folder


def rad_rows(folder: Path, seed: int = 0) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Training and test rows in the columns of OSF's file, their pictures drawn into its image folder."""
    rng, found = np.random.default_rng(seed), []
    for split in ("train", "test"):
        rows: list[dict[str, Any]] = []
        for number, colour in enumerate(_colours(rng, COUNTS[split])):
            name = f"synpic{split}{number}.jpg"
            draw_picture(folder / "VQA_RAD Image Folder" / name, colour, rng)
            closed = number % 2 == 1
            rows.append({
                "qid": number, "phrase_type": "test_freeform" if split == "test" else "freeform",
                "qid_linked_id": "", "image_case_url": "", "image_name": name, "image_organ": "HEAD",
                "evaluation": "given", "question": "Is the picture red?" if closed else "What colour is it?",
                "question_rephrase": "NULL", "question_relation": "NULL", "question_frame": "NULL",
                "question_type": "COLOR", "answer": ("Yes" if colour == "red" else "No") if closed else colour,
                "answer_type": "CLOSED" if closed else "OPEN",
            })
        found.append(rows)
    return found[0], found[1]


def write_rad(folder: Path) -> Path:
    """OSF's form."""
    train, test = rad_rows(folder)
    (folder / "VQA_RAD Dataset Public.json").write_text(json.dumps([*train, *test]), "utf-8")
    return folder


def pmc_rows(folder: Path, split: str, count: int, seed: int) -> list[dict[str, str]]:
    """Rows as in the second edition of `train.csv`, their pictures drawn into `images`."""
    rng, rows = np.random.default_rng(seed), []
    for number, colour in enumerate(_colours(rng, count)):
        name = f"PMC{split}{number}_F1.jpg"
        draw_picture(folder / "images" / name, colour, rng)
        offered = [str(choice) for choice in rng.permutation(_NAMES)]
        rows.append({"Figure_path": name, "Question": "What colour is seen?", "Answer": colour.title()}
                    | {f"Choice {letter}": f" {letter}:{choice.title()} "
                       for letter, choice in zip("ABCD", offered, strict=True)}
                    | {"Answer_label": "ABCD"[offered.index(colour)]})
    return rows


def write_csv(path: Path, rows: list[dict[str, str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def write_pmc(folder: Path) -> Path:
    """`train.csv` and `test.csv`."""
    for seed, (split, count) in enumerate((("train", 24), ("test", 12))):
        rows = pmc_rows(folder, split, count, seed)
        write_csv(folder / f"{split}.csv", rows)
    return folder
