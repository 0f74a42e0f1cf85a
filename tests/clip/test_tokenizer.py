"""The bundled vocabulary, and tokenizers loaded from a folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pmcoa_build.clip.tokenizer import BUNDLED, VOCABULARY, load_tokenizer
from pmcoa_build.clip.vocabulary import build_vocabulary
from pmcoa_build.errors import UsageError


def test_the_committed_vocabulary_is_what_the_function_makes() -> None:
    tokens = VOCABULARY.read_text("utf-8").splitlines()
    assert tokens == build_vocabulary()
    assert len(tokens) == len(set(tokens)) <= 3000
    assert tokens[:5] == ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def test_any_text_in_latin_letters_is_spelt_without_unknowns() -> None:
    tokenizer = load_tokenizer(BUNDLED, 48)
    ids = tokenizer.encode("Zyxwvut qPCR of Caenorhabditis (5 µm), naïve—β-catenin; 37.5°C")
    assert len(ids) == 48
    assert ids[0] == 2
    assert 3 in ids
    assert 1 not in ids


def test_long_text_is_cut_with_the_separator_last() -> None:
    ids = load_tokenizer(BUNDLED, 8).encode("one two three four five six seven eight nine ten")
    assert len(ids) == 8
    assert ids[-1] == 3


def test_a_bert_folder_gives_its_own_ids(tmp_path: Path) -> None:
    (tmp_path / "vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\ncell\n##s\n")
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}))
    tokenizer = load_tokenizer(str(tmp_path), 6)
    assert tokenizer.encode("Cells [MASK]") == [2, 5, 6, 4, 3, 0]
    assert tokenizer.words == ["cell", "##s"]
    assert tokenizer.pieces("cells") == (5, 6)
    assert tokenizer.word_length("cells") == 2


def test_a_folder_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nothing-here"):
        load_tokenizer(str(tmp_path / "nothing-here"), 8)
