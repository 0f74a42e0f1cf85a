"""Text to token ids: a BERT tokenizer from the Hub or a folder, or the small one bundled with the project."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from pmcoa_build.errors import UsageError

BUNDLED = "bundled"
VOCABULARY = Path(__file__).parent / "vocab.txt"
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
"""In the order of PubMedBERT's vocabulary: [PAD] is 0, [CLS] is 2."""


class Tokenizer:
    """WordPiece with BERT's uncased normalisation. `words`: the vocabulary without special tokens, in id order."""

    def __init__(self, backend: Any, context_length: int) -> None:
        ids: dict[str, int] = backend.get_vocab()
        missing = [token for token in SPECIAL if token not in ids]
        if missing or ids["[PAD]"] != 0:
            raise UsageError(f"The text model's vocabulary is not BERT's: it must begin with [PAD] and hold {SPECIAL}.")
        backend.no_truncation()
        backend.no_padding()
        self._backend = backend
        self.size = max(ids.values()) + 1
        self.words = [word for word in sorted(ids, key=ids.__getitem__) if word not in SPECIAL]
        self.pad, _, self._cls, self._sep, self.mask = (ids[token] for token in SPECIAL)
        self.context_length = context_length
        self.pieces = lru_cache(maxsize=65536)(self._pieces)

    def _pieces(self, text: str) -> tuple[int, ...]:
        """Ids of a text alone, whole. BERT's pieces never span whitespace: those of a text are those of its words."""
        return tuple(self._backend.encode(text, add_special_tokens=False).ids)

    def word_length(self, word: str) -> int:
        """In how many wordpieces a word is written."""
        return len(self.pieces(word))

    def framed(self, pieces: Sequence[int]) -> list[int]:
        """[CLS], the pieces, [SEP], cut and padded with 0 to the context length."""
        ids = [self._cls, *pieces[: self.context_length - 2], self._sep]
        return ids + [self.pad] * (self.context_length - len(ids))

    def encode(self, text: str) -> list[int]:
        """Ids of [CLS], the text, [SEP], cut and padded with 0 to the context length."""
        return self.framed(self._pieces(text))


def load_tokenizer(text_model: str, context_length: int) -> Tokenizer:
    """The tokenizer of `text_model` ("bundled", a Hub name or a folder). Raises UsageError where it cannot be had."""
    if text_model == BUNDLED:
        from tokenizers import BertWordPieceTokenizer

        return Tokenizer(BertWordPieceTokenizer(str(VOCABULARY), lowercase=True)._tokenizer, context_length)
    from pmcoa_build.clip.text import without_torchvision

    with without_torchvision():
        from transformers import AutoTokenizer

    try:
        backend = AutoTokenizer.from_pretrained(text_model, use_fast=True).backend_tokenizer
    except (OSError, ValueError) as error:
        sentence = str(error).strip().splitlines()[0]
        raise UsageError(f"The tokenizer of {text_model!r} cannot be loaded: {sentence}") from None
    return Tokenizer(backend, context_length)
