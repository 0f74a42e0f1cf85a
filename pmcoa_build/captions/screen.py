"""Which captions speak of biomedical images: diagnostic terms and modalities, as whole words.

After the keyword step of PMC-OA (arXiv 2303.07240; captions kept by terms of UMLS semantic type T060, Diagnostic
Procedure). The paper's list was not published; `terms/diagnostic.txt` is drawn up anew.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from importlib import resources
from pathlib import Path

from pmcoa_build.errors import UsageError

_WORD = re.compile(r"[^\W_]+(?:&[^\W_]+)?")
Section = tuple[str, list[str]]


class Screen:
    """Finds terms in captions. `terms`: "none" (finds nothing, keeps everything), "diagnostic", or a file's path.

    A term is matched as whole words; spaces and hyphens are alike; a plural s on its last word is allowed. A word that
    is written in capitals in the term ("CT", "US") has to be in capitals in the caption; other words match in either
    case. Raises UsageError for a file that cannot be read or holds no term.
    """

    def __init__(self, terms: str) -> None:
        self.keeps_all = terms == "none"
        listed = [] if self.keeps_all else [term for _, section in _sections(_read(terms), terms) for term in section]
        if not listed and not self.keeps_all:
            raise UsageError(f"The term file {terms} holds no term.")
        self._matcher = _Matcher((term, term) for term in listed)

    def find(self, caption: str) -> list[str]:
        """The distinct terms of a caption, as listed, in the order in which they stand."""
        return self._matcher.find(caption)

    def keeps(self, caption: str) -> bool:
        """Is the caption wanted?"""
        return self.keeps_all or bool(self.find(caption))


def screen_terms(spec_value: str) -> Screen:
    """The matcher for the spec's `[screen] terms`."""
    return Screen(spec_value)


def modalities(caption: str) -> list[str]:
    """Kinds of image that a caption names ("ct", "mri", "histology", "plot", …), in the order in which they stand."""
    return _modality_matcher().find(caption)


class _Matcher:
    """Terms indexed by their first word; one pass over a text's words finds all."""

    def __init__(self, terms: Iterable[tuple[str, str]]) -> None:
        self._index: dict[str, list[tuple[list[str], list[str], str]]] = {}
        for term, name in terms:
            words = _WORD.findall(term)
            lower = [word.lower() for word in words]
            keys = (lower[0],) if len(lower) > 1 else (lower[0], *_plurals(lower[0]))
            for key in keys:
                self._index.setdefault(key, []).append((words, lower, name))

    def find(self, text: str) -> list[str]:
        words = _WORD.findall(text)
        lower = [word.lower() for word in words]
        found: dict[str, None] = {}
        for at, word in enumerate(lower):
            for term, term_lower, name in self._index.get(word, ()):
                if name not in found and _matches(words, lower, at, term, term_lower):
                    found[name] = None
        return list(found)


def _plurals(word: str) -> tuple[str, ...]:
    return (f"{word}s", f"{word[:-1]}ies") if word.endswith("y") else (f"{word}s", f"{word}es")


def _matches(words: list[str], lower: list[str], at: int, term: list[str], term_lower: list[str]) -> bool:
    if at + len(term) > len(words):
        return False
    last = len(term) - 1
    for offset, (want, want_lower) in enumerate(zip(term, term_lower, strict=True)):
        got = lower[at + offset]
        if got != want_lower and not (offset == last and got in _plurals(want_lower)):
            return False
        if sum(c.isupper() for c in want) > 1 and not words[at + offset].startswith(want):
            return False
    return True


def _read(terms: str) -> str:
    if terms == "diagnostic":
        return _bundled("diagnostic.txt")
    try:
        return Path(terms).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"The term file {terms} cannot be read: {error}.") from error


def _bundled(name: str) -> str:
    return (resources.files("pmcoa_build.captions") / "terms" / name).read_text("utf-8")


def _sections(text: str, name: str) -> list[Section]:
    """Terms under their `## name` headings, without comments and empty lines. UsageError for a line without words."""
    sections: list[Section] = [("", [])]
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if line.startswith("## "):
            sections.append((line[3:].strip(), []))
        elif line and not line.startswith("#"):
            if not _WORD.search(line):
                raise UsageError(f"Line {number} of the term file {name} holds no word: {line!r}.")
            sections[-1][1].append(line)
    return sections


@lru_cache(maxsize=1)
def _modality_matcher() -> _Matcher:
    sections = _sections(_bundled("modalities.txt"), "modalities.txt")
    return _Matcher((term, modality) for modality, terms in sections for term in terms)
