"""MedMNIST from drawn .npz files in the published format."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pmcoa_build.clip.benchmarks import finetune, medmnist
from pmcoa_build.clip.benchmarks.store import Protocol
from pmcoa_build.clip.benchmarks.subject import Subject
from pmcoa_build.errors import RunFailed, UsageError
from tests.clip.benchmarks.made_up import COUNTS, write_medmnist

TWELVE = ("pathmnist", "chestmnist", "dermamnist", "octmnist", "pneumoniamnist", "retinamnist", "breastmnist",
          "bloodmnist", "tissuemnist", "organamnist", "organcmnist", "organsmnist")


def quiet(_: str) -> None:
    pass


def scores(protocol: Protocol) -> dict[str, float]:
    found = protocol.compute()
    assert {score.n for score in found} == {COUNTS[2]}
    return {score.metric: score.value for score in found}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A grey binary set, a coloured ordinal one of 64 px, one with several labels, and a 3D one."""
    write_medmnist(tmp_path, "pneumoniamnist")
    write_medmnist(tmp_path, "retinamnist_64", side=64, channels=3, classes=5)
    write_medmnist(tmp_path, "chestmnist", labels=14)
    write_medmnist(tmp_path, "organmnist3d")
    return tmp_path


def test_all_quick_protocols_come_before_the_slow_ones(folder: Path, subject: Subject) -> None:
    said = list[str]()
    found = list(medmnist.protocols(folder, subject, 0, said.append))
    sets = ["chestmnist", "pneumoniamnist", "retinamnist_64"]
    assert [(protocol.name, protocol.data.partition(":")[0]) for protocol in found] == [
        (name, data) for name in ("zero-shot", "linear-probe", "fine-tune") for data in sets]
    assert said == ["medmnist: organmnist3d.npz is none of the 2D sets and is left out"]


@pytest.mark.parametrize("name", ["zero-shot", "linear-probe", "fine-tune"])
def test_every_kind_of_set_is_scored(
    name: str, folder: Path, subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finetune, "EPOCHS", 2)
    for protocol in medmnist.protocols(folder, subject, 0, quiet):
        if protocol.name == name:
            found = scores(protocol)
            assert set(found) == {"AUC", "ACC"} and all(0 <= value <= 1 for value in found.values())
            assert found == scores(protocol)  # nothing is drawn but by the seed


def test_a_probe_and_fine_tuning_find_the_bar(folder: Path, subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finetune, "EPOCHS", 60)
    weights = {name: tensor.clone() for name, tensor in subject.net.state_dict().items()}
    found = {protocol.name: scores(protocol)["AUC"]
             for protocol in medmnist.protocols(folder / "pneumoniamnist.npz", subject, 0, quiet)
             if protocol.name != "zero-shot"}
    assert found["linear-probe"] > 0.9 and found["fine-tune"] > 0.9
    assert all(weights[name].equal(tensor) for name, tensor in subject.net.state_dict().items())
    assert not subject.net.training


def test_every_set_has_phrases_for_every_label(tmp_path: Path) -> None:
    for name in TWELVE:
        (tmp_path / f"{name}_224.npz").touch()
    sets = medmnist.find_sets(tmp_path, quiet)
    assert sorted(found.path.stem for found in sets) == sorted(f"{name}_224" for name in TWELVE)
    assert all(len(found.names) == found.classes and all(found.names) for found in sets)


def test_tasks_and_labels_are_the_package_s(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))  # it makes a folder there when it is imported
    info = pytest.importorskip("medmnist.info", reason="the package medmnist is not installed").INFO
    assert {name for name in info if not name.endswith("3d")} == set(TWELVE) == set(medmnist._INFO)
    for name in TWELVE:
        assert medmnist._INFO[name]["task"] == info[name]["task"]
        assert medmnist._INFO[name]["labels"] == [label for _, label in sorted(
            info[name]["label"].items(), key=lambda item: int(item[0]))]


def change(path: Path, **arrays: np.ndarray | None) -> None:
    """Replace arrays of a file; None takes one away."""
    with np.load(path) as file:
        content = {name: file[name] for name in file.files}
    content = {name: array for name, array in {**content, **arrays}.items() if array is not None}
    np.savez(path, **content)


LABELS, PICTURES = np.zeros((16, 1), np.uint8), np.zeros((16, 28, 28), np.uint8)


@pytest.mark.parametrize(("arrays", "says"), [
    ({"test_labels": None}, "no file of MedMNIST: .*test_labels"),
    ({"test_labels": LABELS + 2}, "labels .* up to 2"),
    ({"test_labels": LABELS[:-1]}, r"labels \(15, 1\)"),
    ({"test_labels": np.zeros((16, 2), np.uint8)}, r"labels \(16, 2\)"),
    ({"test_images": PICTURES.astype(np.float32)}, "of float32"),
    ({"test_images": PICTURES[:, :20]}, r"images \(16, 20, 28\)"),
    ({"test_images": np.zeros((16, 28, 28, 28), np.uint8)}, r"images \(16, 28, 28, 28\)"),
    ({"test_images": PICTURES[:0], "test_labels": LABELS[:0]}, r"images \(0, 28, 28\)"),
])
def test_files_in_another_format(
    arrays: dict[str, np.ndarray | None], says: str, subject: Subject, tmp_path: Path
) -> None:
    change(write_medmnist(tmp_path, "pneumoniamnist"), **arrays)
    with pytest.raises(RunFailed, match=says):
        next(medmnist.protocols(tmp_path, subject, 0, quiet)).compute()


def test_a_file_that_is_cut(subject: Subject, tmp_path: Path) -> None:
    path = write_medmnist(tmp_path, "pneumoniamnist")
    for end in (0, 10, -10):
        content = path.read_bytes()
        path.write_bytes(content[:end])
        with pytest.raises(RunFailed, match="no file of MedMNIST"):
            next(medmnist.protocols(path, subject, 0, quiet)).compute()
        path.write_bytes(content)
    with path.open("wb") as file:
        np.save(file, PICTURES)  # one array, not a file of several
    with pytest.raises(RunFailed, match="no file of MedMNIST"):
        next(medmnist.protocols(path, subject, 0, quiet)).compute()


@pytest.mark.parametrize("name", [None, "organmnist3d", "mnist", "pneumoniamnist_32"])
def test_a_folder_with_none_of_the_sets(name: str | None, subject: Subject, tmp_path: Path) -> None:
    if name:
        write_medmnist(tmp_path, name)
    with pytest.raises(UsageError, match=r"holds no \.npz file of MedMNIST's 2D sets"):
        next(medmnist.protocols(tmp_path, subject, 0, quiet))
