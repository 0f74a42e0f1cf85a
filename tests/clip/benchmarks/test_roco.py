"""ROCO retrieval from drawn files in its formats."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pmcoa_build.clip.benchmarks import roco
from pmcoa_build.clip.benchmarks.store import Protocol
from pmcoa_build.clip.benchmarks.subject import Subject, encode_images, encode_texts
from pmcoa_build.clip.images import crop
from pmcoa_build.clip.retrieval import retrieval, roco_pool
from pmcoa_build.errors import RunFailed, UsageError
from tests.clip.benchmarks.made_up import drawn_pairs, write_jsonl, write_roco


def protocols(folder: Path, subject: Subject, seed: int = 0) -> list[Protocol]:
    return list(roco.protocols(folder, subject, seed, lambda _: None))


def scores(protocol: Protocol) -> dict[str, float]:
    return {score.metric: score.value for score in protocol.compute()}


def test_both_protocols_equal_the_pairs_scored_one_by_one(subject: Subject, tmp_path: Path) -> None:
    clean, authors = protocols(write_roco(tmp_path), subject, seed=5)
    pairs = [pair for number, pair in enumerate(drawn_pairs(40)) if number not in (3, 7, 11)]
    image = encode_images(subject, [np.stack([crop(data, 32, None) for data, _ in pairs])])
    text = encode_texts(subject, [caption for _, caption in pairs])
    assert scores(clean) == pytest.approx({**retrieval(image, text), "captions_without_image": 3})
    rows = roco_pool(37, 5)
    scale = subject.net.logit_scale.exp().item()
    twins = retrieval(image[rows], text[rows], "argsort", scale)
    assert scores(authors)["image_to_text_R@10"] == pytest.approx(twins["image_to_text_R@10"], abs=0.01)
    assert {score.n for score in clean.compute()} == {37, 40}  # pairs scored, captions listed
    assert {score.n for score in authors.compute()} == {1920, 40}
    assert [clean.name, authors.name] == ["retrieval-clean-test", "retrieval-roco-test"]


def test_the_clean_pool_is_2000_pairs_each_once(
    subject: Subject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    captions = write_jsonl(tmp_path, drawn_pairs(1))
    captions.write_text("".join(json.dumps({"image": "0.png", "caption": f"{n}"}) + "\n" for n in range(2300)))
    pools = list[list[str]]()

    def features(pairs: list[roco.Pair], _: Subject) -> tuple[np.ndarray, np.ndarray]:
        pools.append([pair.caption for pair in pairs])
        angles = np.linspace(0, 3, len(pairs))
        unit = np.stack([np.cos(angles), np.sin(angles)], 1)
        return unit, unit

    monkeypatch.setattr(roco, "_features", features)
    monkeypatch.setattr(roco, "readable", lambda _: True)
    for seed in (1, 1, 2):
        assert scores(protocols(captions, subject, seed)[0])["image_to_text_R@1"] == 1
    assert [len(set(pool)) for pool in pools] == [2000] * 3 and pools[0] == pools[1] != pools[2]


def csv(keys: str, separator: str) -> str:
    return keys.replace(",", separator) + f'\n0.png{separator}"one, two"\nsub/1.png{separator}three\n'


@pytest.mark.parametrize(("name", "content"), [
    ("test.csv", csv("image,caption", ",")),
    ("test.csv", "\ufeff" + csv("filepath,title", "\t")),
    ("test.jsonl", '{"image": "0.png", "caption": "one, two"}\n\n{"image": "sub/1.png", "caption": "three"}\n'),
])
@pytest.mark.parametrize("inside", [".", "images"])
def test_the_tables_that_the_released_code_reads(
    name: str, content: str, inside: str, subject: Subject, tmp_path: Path
) -> None:
    for image in ("0.png", "sub/1.png"):
        path = tmp_path / inside / image
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (40, 30)).save(path)
    (tmp_path / name).write_text(content, "utf-8")
    found = roco.read_pairs(tmp_path / name)
    assert [pair.caption for pair in found] == ["one, two", "three"]
    assert [pair.image.resolve() for pair in found] == [(tmp_path / inside / image).resolve()
                                                        for image in ("0.png", "sub/1.png")]
    assert len(protocols(tmp_path, subject)) == len(protocols(tmp_path / name, subject)) == 2


@pytest.mark.parametrize("part", ["data/test/radiology/captions.txt", "data/test/radiology", "data/test", "data", "."])
def test_any_folder_of_the_repository_will_do(part: str, subject: Subject, tmp_path: Path) -> None:
    write_roco(tmp_path)
    assert len({protocol.data for protocol in protocols(tmp_path / part, subject)}) == 1


def test_the_identity_changes_with_a_caption_and_with_an_image(subject: Subject, tmp_path: Path) -> None:
    radiology = write_roco(tmp_path) / "data" / "test" / "radiology"
    ids = [protocols(tmp_path, subject)[0].data]
    with (radiology / "captions.txt").open("a") as file:
        file.write("ROCO_00040\t One more.\n")
    ids.append(protocols(tmp_path, subject)[0].data)
    Image.new("RGB", (50, 50)).save(radiology / "images" / "ROCO_00000.jpg")
    ids.append(protocols(tmp_path, subject)[0].data)
    assert len(set(ids)) == 3


def test_what_is_left_out_is_said(subject: Subject, tmp_path: Path) -> None:
    said = list[str]()
    list(roco.protocols(write_roco(tmp_path), subject, 0, said.append))
    assert said == ["roco: 37 pairs; 3 captions without a readable image are left out"]


@pytest.mark.parametrize(("name", "content", "kind", "says"), [
    ("notes.md", "", UsageError, "holds nothing of ROCO"),
    ("captions.txt", "ROCO_1\tone\nROCO_2\ttwo\n", RunFailed, "Of the 2 captions in .*, 0 have an image"),
    ("captions.txt", "ROCO_1 one\n", UsageError, "line 1 has no tab"),
    ("test.csv", "picture,words\na,b\n", UsageError, "image and caption .* are missing"),
    ("test.jsonl", "{\n", UsageError, "cannot be read as captions"),
    ("test.jsonl", "[1]\n", UsageError, "image and caption .* are missing"),
])
def test_what_is_not_roco(
    name: str, content: str, kind: type[Exception], says: str, subject: Subject, tmp_path: Path
) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(kind, match=says):
        protocols(tmp_path, subject)


def test_a_cut_image_is_named(subject: Subject, tmp_path: Path) -> None:
    image = write_roco(tmp_path) / "data" / "test" / "radiology" / "images" / "ROCO_00000.jpg"
    image.write_bytes(image.read_bytes()[:-300])
    with pytest.raises(RunFailed, match=r"ROCO_00000.jpg cannot be decoded"):
        scores(protocols(tmp_path, subject)[0])
