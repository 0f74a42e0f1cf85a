"""Masking by word: what must hold for every text, and the shares over many."""

from __future__ import annotations

import random

from hypothesis import example, given, settings
from hypothesis import strategies as st
from tokenizers import BertWordPieceTokenizer

from pmcoa_build.clip.masking import generator, mask
from pmcoa_build.clip.tokenizer import BUNDLED, VOCABULARY, load_tokenizer

PAD, CLS, SEP, MASK = 0, 2, 3, 4
TOKENIZER = load_tokenizer(BUNDLED, 24)
WORDS = st.lists(
    st.sampled_from(["axial", "ct", "of", "the", "hyperglycaemic", "left", "lung", "12", "(arrow),", "x"]), max_size=20
)


class OnePiece(random.Random):
    """Draws only random words of one piece: others move what follows, as in the released code."""

    def choice(self, _: object) -> str:  # type: ignore[override]
        return "heart"


def released(text: str, draw: random.Random, ratio: float, context: int) -> tuple[list[int], list[int]]:
    """The released masking, written down from `base_masker` and `encode_mlm`: texts of words, then tokenised whole."""
    backend = BertWordPieceTokenizer(str(VOCABULARY), lowercase=True)
    whole = BertWordPieceTokenizer(str(VOCABULARY), lowercase=True)
    whole.enable_truncation(context)
    whole.enable_padding(length=context)
    masked: list[str] = []
    labels: list[str] = []
    for word in text.split():
        length = len(backend.encode(word).ids) - 2
        chance = draw.random()
        if chance >= ratio:
            masked.append(word)
            labels += ["[PAD]"] * length
            continue
        labels.append(word)
        if chance / ratio < 0.8:
            masked += ["[MASK]"] * length
        else:
            masked.append(draw.choice(TOKENIZER.words) if chance / ratio < 0.9 else word)
    return whole.encode(" ".join(masked)).ids, whole.encode(" ".join(labels)).ids


@settings(deadline=None, max_examples=150)
@given(text=st.one_of(st.text(max_size=120), WORDS.map(" ".join)), seed=st.integers(0, 10**6),
       ratio=st.sampled_from([0.15, 0.5, 1.0]))
@example(text="", seed=0, ratio=0.15)
@example(text="Deoxyribonucleohistone-immunoprecipitation " * 9, seed=1, ratio=0.5)
@example(text="[MASK] of [PAD]s\u2028\u00a0naïve\u0301 \u0301x 細胞 \x00 \u200b e\u0301[SEP]", seed=2, ratio=0.5)
def test_masks_are_the_released_ones(text: str, seed: int, ratio: float) -> None:
    theirs = released(text, random.Random(seed), ratio, 24)
    assert mask(text, TOKENIZER, random.Random(seed), ratio) == theirs


@settings(deadline=None, max_examples=60)
@given(words=WORDS, seed=st.integers(0, 50), epoch=st.integers(0, 3))
def test_masks_depend_on_seed_sample_and_epoch_alone(words: list[str], seed: int, epoch: int) -> None:
    text = " ".join(words)
    first = mask(text, TOKENIZER, generator(seed, "panel", epoch, "mask"))
    mask("something else", TOKENIZER, generator(seed, "other", epoch, "mask"))
    assert mask(text, TOKENIZER, generator(seed, "panel", epoch, "mask")) == first


@settings(deadline=None, max_examples=100)
@given(words=WORDS, seed=st.integers(0, 500))
def test_every_mask_is_a_label_and_unlabelled_places_are_untouched(words: list[str], seed: int) -> None:
    text = " ".join(word for word in words if TOKENIZER.word_length(word) == 1)
    ids, labels = mask(text, TOKENIZER, OnePiece(seed), 0.5)
    whole = TOKENIZER.encode(text)
    assert len(ids) == len(labels) == len(whole) == 24
    for got, label, true in zip(ids, labels, whole, strict=True):
        assert label in (PAD, true)
        assert label != PAD or got == true


@settings(deadline=None, max_examples=50)
@given(words=WORDS)
def test_without_masking_the_text_stays_whole_and_only_the_ends_are_labels(words: list[str]) -> None:
    text = " ".join(words)
    ids, labels = mask(text, TOKENIZER, random.Random(0), 0.0)
    assert ids == TOKENIZER.encode(text)
    assert sorted(label for label in labels if label) == [CLS, SEP]


def test_shares_are_15_percent_and_80_10_10() -> None:
    tokenizer = load_tokenizer(BUNDLED, 2003)
    text = " ".join(["lung"] * 2000)
    pairs = [pair for seed in range(10)
             for pair in zip(*mask(text, tokenizer, OnePiece(seed)), strict=True) if pair[1] not in (PAD, CLS, SEP)]
    masked = sum(got == MASK for got, _ in pairs)
    kept = sum(got == label for got, label in pairs)
    assert 0.14 < len(pairs) / 20000 < 0.16
    assert 0.78 < masked / len(pairs) < 0.82
    assert 0.085 < kept / len(pairs) < 0.115


def test_all_pieces_of_a_word_are_masked_together() -> None:
    tokenizer = load_tokenizer(BUNDLED, 64)
    pieces = tokenizer.word_length("hyperglycaemic")
    assert pieces > 1
    counts = {mask("hyperglycaemic " * 4, tokenizer, random.Random(seed), 0.3)[0].count(MASK) for seed in range(40)}
    assert counts >= {pieces, 2 * pieces}
    assert {count % pieces for count in counts} == {0}
