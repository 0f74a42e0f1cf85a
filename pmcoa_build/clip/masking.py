"""Masking by whitespace word for masked language modelling, as the released code does it (`training/dataset/utils.py`).

The draws depend on (seed, sample id, epoch) alone: order, workers and restarts cannot change them.
"""

from __future__ import annotations

import random

from pmcoa_build.clip.tokenizer import Tokenizer

RATIO = 0.15


def generator(seed: int, sample: str, epoch: int, purpose: str) -> random.Random:
    """Random numbers of one sample in one epoch, for one purpose (`mask`, `crop`)."""
    return random.Random(f"{seed}/{epoch}/{purpose}/{sample}")


def mask(text: str, tokenizer: Tokenizer, draw: random.Random, ratio: float = RATIO) -> tuple[list[int], list[int]]:
    """Masked ids and label ids, both of the context length.

    Each word is chosen with probability `ratio`; 80 % of those become [MASK] for each of their wordpieces, 10 % a
    random vocabulary entry, 10 % stay. The label text is the chosen words, with one [PAD] for each wordpiece of the
    others, tokenised again; so [CLS] and [SEP] are always labels, and 0 ([PAD]) is no label.
    """
    masked: list[str] = []
    labels: list[str] = []
    for word in text.split():
        chance = draw.random() / ratio if ratio else 1.0
        length = tokenizer.word_length(word)
        if chance >= 1:
            masked.append(word)
            labels += ["[PAD]"] * length
            continue
        labels.append(word)
        if chance < 0.8:
            masked += ["[MASK]"] * length
        else:
            masked.append(draw.choice(tokenizer.words) if chance < 0.9 else word)
    return tokenizer.encode(" ".join(masked)), tokenizer.encode(" ".join(labels))
