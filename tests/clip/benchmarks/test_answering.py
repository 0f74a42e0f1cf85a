"""The head and its tuning: what it changes, what it repeats, how it goes about batches."""

from __future__ import annotations

import copy
import dataclasses

import numpy as np
import pytest
import torch

from pmcoa_build.clip.benchmarks import answering
from pmcoa_build.clip.benchmarks.answering import Answerer, guesses, most_similar, tune
from pmcoa_build.clip.benchmarks.recipe import Example, Recipe
from pmcoa_build.clip.benchmarks.subject import Subject
from pmcoa_build.errors import RunFailed
from tests.clip.benchmarks.made_up_vqa import draw_picture


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> list[Example]:
    folder, rng = tmp_path_factory.mktemp("pictures"), np.random.default_rng(0)
    found = []
    for number in range(12):
        path = folder / f"{number}.png"
        draw_picture(path, ("red", "blue", "green")[number % 3], rng)
        found.append(Example(path, ("What colour?",), number % 3))
    return found


def test_logits_have_a_place_for_each_text_and_output(subject: Subject) -> None:
    pixels, ids = torch.zeros(2, 3, 32, 32), torch.ones(2, 4, 16, dtype=torch.long)
    net = Answerer(subject.net, 1).eval()
    assert net(pixels, ids).shape == (2, 4)
    assert Answerer(subject.net, 7)(pixels, ids[:, :1]).shape == (2, 7)
    ids[1, 2, 3] = 5  # another text changes its own logit alone
    assert (net(pixels, ids) != net(pixels, torch.ones_like(ids))).nonzero().tolist() == [[1, 2]]


def test_a_seed_gives_the_same_network_and_the_subject_stays(subject: Subject, examples: list[Example]) -> None:
    before = {name: value.clone() for name, value in subject.net.state_dict().items()}
    state = torch.get_rng_state()
    first, second, third = (tune(subject, 3, examples, [], Recipe(2, 4, 1), seed=seed, say=print).state_dict()
                            for seed in (1, 1, 2))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["head.0.weight"], third["head.0.weight"])
    assert all(torch.equal(before[name], value) for name, value in subject.net.state_dict().items())
    assert torch.equal(state, torch.get_rng_state())
    changed = {name for name in before if not torch.equal(before[name], first[f"model.{name}"])}
    assert {"visual.conv1.weight", "fusion_module.resblocks.0.attn.in_proj_weight", "text_projection"} - changed == {
        "text_projection"}  # nothing that the head sees comes through it


def test_small_sets_are_passed_over_until_there_are_steps_enough(subject: Subject, examples: list[Example],
                                                                monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    monkeypatch.setattr(answering, "_step", lambda net, optimiser, batch: sizes.append(len(batch.targets)) or 0.0)
    tune(subject, 3, examples, [], Recipe(2, 5, 10), seed=0, say=print)
    assert sizes == [4] * 12  # 3 steps a pass, 2 passes an epoch
    sizes.clear()
    tune(subject, 3, examples, [], Recipe(2, 12, 1), seed=0, say=print)
    assert sizes == [6] * 4  # smaller batches than asked for, of a set so small
    sizes.clear()
    tune(subject, 3, examples * 20, [], Recipe(1, 12, 1), seed=0, say=print)
    assert sizes == [12] * 20


def test_the_best_epoch_of_the_validation_split_is_kept(subject: Subject, examples: list[Example],
                                                       monkeypatch: pytest.MonkeyPatch) -> None:
    rates = iter([0.2, 0.9, 0.9, 0.1])
    seen: list[torch.Tensor] = []

    def accuracy(given: object, wanted: object) -> float:
        return next(rates)

    def step(net: Answerer, optimiser: object, batch: object) -> float:
        with torch.no_grad():
            net.head[0].bias += 1
        seen.append(net.head[0].bias.detach().clone())
        return 0.0

    monkeypatch.setattr(answering, "_accuracy", accuracy)
    monkeypatch.setattr(answering, "_step", step)
    net = tune(subject, 3, examples, examples, Recipe(4, 12, 1), seed=0, say=print)
    assert torch.equal(net.head[0].bias, seen[3])  # two steps an epoch
    assert not net.training


def test_most_similar_is_the_text_nearest_to_the_image(subject: Subject, examples: list[Example]) -> None:
    texts = ("a red square", "a blue circle", "an x-ray", "left lung")
    asked = [example._replace(texts=texts) for example in examples]
    from pmcoa_build.clip.benchmarks.subject import encode_images, encode_texts
    from pmcoa_build.clip.images import crop

    pictures = np.stack([crop(example.image.read_bytes(), 32, None) for example in asked])
    wanted = (encode_images(subject, [pictures]) @ encode_texts(subject, texts).T).argmax(1)
    assert most_similar(subject, asked) == wanted.tolist()


def test_guesses_keep_the_order(subject: Subject, examples: list[Example]) -> None:
    net = tune(subject, 3, examples, [], Recipe(1, 12, 100), seed=0, say=print)
    given = guesses(net, subject, examples)
    assert given == guesses(net, subject, examples[::-1])[::-1]
    assert np.mean([guess == example.target for guess, example in zip(given, examples, strict=True)]) > 0.8
    assert guesses(net, subject, []) == []


@pytest.mark.parametrize("train", [0, 1])
def test_one_question_is_too_few(subject: Subject, examples: list[Example], train: int) -> None:
    with pytest.raises(RunFailed, match="too few"):
        tune(subject, 3, examples[:train], [], Recipe(1, 8), seed=0, say=print)


def test_a_model_that_gives_no_numbers_is_refused(subject: Subject, examples: list[Example]) -> None:
    net = copy.deepcopy(subject.net)
    with torch.no_grad():
        net.visual.conv1.weight.fill_(float("nan"))
    broken = dataclasses.replace(subject, net=net)
    with pytest.raises(RunFailed, match="not numbers"):
        most_similar(broken, examples)
    with pytest.raises(RunFailed, match="not numbers"):
        tune(broken, 3, examples, examples, Recipe(1, 8, 1), seed=0, say=print)
