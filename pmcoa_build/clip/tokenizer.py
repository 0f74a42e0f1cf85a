"""Text to token ids: a BERT tokenizer from the Hub or a folder, or the small one bundled with the project."""

from __future__ import annotations

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
        self._backend = backend
        self.size = max(ids.values()) + 1
        self.words = [word for word in sorted(ids, key=ids.__getitem__) if word not in SPECIAL]
        backend.enable_truncation(context_length)
        backend.enable_padding(pad_id=0, pad_token="[PAD]", length=context_length)
        self.context_length = context_length
        self.word_length = lru_cache(maxsize=65536)(self._word_length)

    def encode(self, text: str) -> list[int]:
        """Ids of [CLS], the text, [SEP], cut and padded with 0 to the context length."""
        ids: list[int] = self._backend.encode(text).ids
        return ids

    def _word_length(self, word: str) -> int:
        attended: list[int] = self._backend.encode(word).attention_mask
        return sum(attended) - 2


def load_tokenizer(text_model: str, context_length: int) -> Tokenizer:
    """The tokenizer of `text_model` ("bundled", a Hub name or a folder). Raises UsageError where it cannot be had."""
    if text_model == BUNDLED:
        from tokenizers import BertWordPieceTokenizer

        return Tokenizer(BertWordPieceTokenizer(str(VOCABULARY), lowercase=True)._tokenizer, context_length)
    from transformers import AutoTokenizer

    try:
        backend = AutoTokenizer.from_pretrained(text_model, use_fast=True).backend_tokenizer
    except (OSError, ValueError) as error:
        sentence = str(error).strip().splitlines()[0]
        raise UsageError(f"The tokenizer of {text_model!r} cannot be loaded: {sentence}") from None
    return Tokenizer(backend, context_length)
