"""Answers of visual question answering, made comparable as the field does.

The rules of `preprocess_answer` in aioz-ai/MICCAI19-MedVQA (`tools/compute_softscore.py`), which came from the VQA
challenge (visualqa.org) and which M3AE's `normalize_word` shares, but for the table of English contractions: no answer
of VQA-RAD or SLAKE is changed by it.
"""

from __future__ import annotations

import re

_PUNCTUATION = ';/[]"{}()=+\\_-><@`,?!'
_COMMA_IN_NUMBER = re.compile(r"\d,\d")
_LONE_PERIOD = re.compile(r"\.(?!\d)")
_ARTICLES = frozenset(("a", "an", "the"))
_NUMBERS = {word: str(value) for value, word in enumerate(
    ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"))} | {"none": "0"}


def normalise(answer: object) -> str:
    """An answer (text or a number) in lower case without articles, punctuation and number words.

    A punctuation mark beside a space vanishes, one between letters becomes a space; "x-ray" is "xray".
    """
    raw = text = str(answer)
    drop_all = _COMMA_IN_NUMBER.search(raw) is not None
    for mark in _PUNCTUATION:
        beside_space = f"{mark} " in raw or f" {mark}" in raw
        text = text.replace(mark, "" if beside_space or drop_all else " ")
    words = [_NUMBERS.get(word, word) for word in _LONE_PERIOD.sub("", text).lower().split()]
    return " ".join(word for word in words if word not in _ARTICLES).replace("x ray", "xray")
