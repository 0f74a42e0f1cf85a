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
    random vocabulary entry, 10 % stay. Labels are the wordpieces of the chosen words, [PAD] (0, no label) for those of
    the others; both are cut and framed alike, so [CLS] and [SEP] are always labels, and a random entry of another
    number of pieces moves what follows it away from its labels.
    """
    masked: list[int] = []
    labels: list[int] = []
    for word in text.split():
        if min(len(masked), len(labels)) >= tokenizer.context_length:
            break  # the rest is cut
        pieces = tokenizer.pieces(word)
        chance = draw.random() / ratio if ratio else 1.0
        labels += pieces if chance < 1 else [tokenizer.pad] * len(pieces)
        if chance < 0.8:
            masked += [tokenizer.mask] * len(pieces)
        elif chance < 0.9:
            masked += tokenizer.pieces(draw.choice(tokenizer.words))
        else:
            masked += pieces
    return tokenizer.framed(masked), tokenizer.framed(labels)
