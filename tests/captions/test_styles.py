"""Captions of many styles (styles/*.txt), with what each label, the preamble and the tail should be.

A block is a caption and a line for each text: "A, B: text", ">preamble", "<tail"; these two are looked at where given.
A caption without such lines names no panels. ⍽ stands for a no-break space, ␣ for a thin one. Captions are made up in
the ways of the field. A block that starts with "?" is not solved yet.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pmcoa_build.captions.split import split_caption

STYLES = Path(__file__).parent / "styles"
SPACES = str.maketrans({"⍽": "\u00a0", "␣": "\u2009"})


def blocks() -> list[str]:
    texts = [path.read_text("utf-8").split("\n\n") for path in sorted(STYLES.glob("*.txt"))]
    return [b.strip("\n").translate(SPACES) for text in texts for b in text if not b.startswith("#")]


def expected(lines: list[str]) -> dict[str, str]:
    """Label (or ">", "<") -> text."""
    found: dict[str, str] = {}
    for line in lines:
        if line[0] in "<>":
            found[line[0]] = line[1:]
        else:
            names, _, text = line.partition(": ")
            found |= dict.fromkeys(names.split(", "), text)
    return found


def answer(caption: str, wanted: dict[str, str]) -> dict[str, str]:
    split = split_caption(caption)
    found = {label: split.for_label(label) for label in split.labels}
    return found | {sign: text for sign, text in ((">", split.preamble), ("<", split.tail)) if sign in wanted}


@pytest.mark.parametrize("block", [b for b in blocks() if b[0] != "?"], ids=lambda b: re.sub(r"\W+", " ", b[:60]))
def test_style(block: str) -> None:
    caption, *lines = block.splitlines()
    wanted = expected(lines)
    assert answer(caption, wanted) == wanted
