"""A second opinion on captions that the rules cannot divide: what a model is asked, and when its answer counts.

Nothing here asks anybody. An answer counts if every text of it stands in the caption word for word and all labels are
there; white space may differ, and the caption's own is taken. So nothing that a model made up ever becomes a text.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from typing import Any

from pmcoa_build.captions.labels import base
from pmcoa_build.captions.matching import SURE, PanelView, named
from pmcoa_build.captions.positions import is_place
from pmcoa_build.captions.split import Part, SplitCaption

LONGEST = 8_000
"""Characters of the longest caption that is asked about."""

_LARGEST = 1_000_000
"""Bytes of the longest reply that is read."""

_LABEL = re.compile(r"[A-Za-z]\d{0,2}|[ivx]{2,4}|\d{1,2}|[A-Za-z][ivx]{1,4}")

_TASK = """You divide the caption of a scientific figure among its panels. Answer with one JSON object and nothing else:
{"preamble": "...", "parts": [{"labels": ["A"], "text": ["...", "..."]}], "tail": "..."}
preamble: what stands before the first panel and belongs to all, such as the title. tail: what stands at the end and
belongs to all, such as statistics and abbreviations. parts: for each panel its label and the pieces of the caption that
describe it; one part with several labels where a piece is for all of them. Copy every piece exactly, character by
character; do not rephrase, shorten, translate or correct. Leave the labels themselves out of the pieces. If the caption
does not tell its panels apart, give an empty list of parts."""


def doubtful(panels: Sequence[PanelView], split: SplitCaption, caption: str) -> tuple[str, ...] | None:
    """The labels that an opinion on this caption has to cover; None where none is needed.

    It is needed where several panels were found and no labels in the caption, or where labels are printed on the page
    that the caption, as the rules divide it, does not have.
    """
    surely = [panel.printed_label or "" for panel in panels if (panel.label_score or 0.0) >= SURE]
    printed = tuple(dict.fromkeys(label for label in surely if _LABEL.fullmatch(label)))
    unknown = [label for label in printed if named(label, split.labels) is None]
    if not caption.strip() or len(caption) > LONGEST or not (unknown or (len(panels) > 1 and not split.labels)):
        return None
    spoken = tuple(label for label in split.labels if not is_place(label) and named(label, printed) is None)
    return (*printed, *spoken)


def question(model: str, caption: str, labels: Sequence[str]) -> bytes:
    """The body of a request to `/chat/completions`."""
    seen = f"Labels printed on the panels: {', '.join(labels)}." if labels else "No labels were read on the panels."
    messages = [{"role": "system", "content": _TASK}, {"role": "user", "content": f"{seen}\n\nCaption:\n{caption}"}]
    return json.dumps({"model": model, "temperature": 0, "messages": messages}).encode()


def key(model: str, caption: str, labels: Sequence[str]) -> str:
    """What an answer is remembered by: the same question has the same key."""
    return hashlib.sha256(question(model, caption, labels)).hexdigest()[:32]


def read_answer(body: bytes, caption: str, labels: Sequence[str]) -> SplitCaption:
    """The caption as the reply divides it. Raises ValueError with the reason why the answer does not count."""
    answer = _json_of(_content(body))
    given = answer.get("parts")
    if not isinstance(given, list):
        raise ValueError("the answer has no list of parts")
    groups: dict[tuple[tuple[int, int], ...], list[str]] = {}
    for one in given:
        spans = tuple(sorted({_found(piece, caption) for piece in _pieces(one)}))
        groups.setdefault(spans, []).extend(label for label in _labels(one) if label not in groups.get(spans, ()))
    parts = [
        Part(tuple(names), list(spans), " ".join(caption[start:end] for start, end in spans))
        for spans, names in groups.items()
    ]
    split = SplitCaption(_block(answer, "preamble", caption), parts, _block(answer, "tail", caption))
    if len({part.text for part in parts}) < 2:
        raise ValueError("the answer does not tell the panels apart")
    missing = [label for label in labels if named(label, split.labels) is None and not _subs(label, split.labels)]
    if missing:
        raise ValueError(f"labels are missing: {', '.join(missing)}")
    return split


def _content(body: bytes) -> str:
    """What the model said. Raises ValueError."""
    if len(body) > _LARGEST:
        raise ValueError("the reply is too long")
    try:
        content = json.loads(body)["choices"][0]["message"]["content"]
    except (ValueError, RecursionError, KeyError, IndexError, TypeError):
        raise ValueError("the reply is no chat completion") from None
    if not isinstance(content, str):
        raise ValueError("the reply has no text")
    return content


def _json_of(content: str) -> dict[str, Any]:
    """The JSON object of an answer, which may be fenced, or come after the model's thoughts. Raises ValueError."""
    said = content.rpartition("</think>")[2]
    start, end = said.find("{"), said.rfind("}")
    try:
        answer = json.loads(said[start : end + 1]) if start >= 0 else None
    except (ValueError, RecursionError):
        raise ValueError("the answer is not JSON") from None
    if not isinstance(answer, dict):
        raise ValueError("the answer is not JSON")
    return answer


def _labels(part: Any) -> list[str]:
    labels = part.get("labels")
    named_so = [labels] if isinstance(labels, str) else labels
    if not isinstance(named_so, list) or not named_so or not all(isinstance(label, str) for label in named_so):
        raise ValueError("a part of the answer has no labels")
    bare = [label.strip().strip("().:") for label in named_so]
    if wrong := [label for label in bare if not _LABEL.fullmatch(label)]:
        raise ValueError(f"{wrong[0][:40]!r} is no label")
    return bare


def _pieces(part: Any) -> list[str]:
    text = part.get("text") if isinstance(part, dict) else None
    pieces = [text] if isinstance(text, str) else text
    if not isinstance(pieces, list) or not pieces or not all(isinstance(p, str) and p.strip() for p in pieces):
        raise ValueError("a part of the answer has no text")
    return pieces


def _found(piece: str, caption: str) -> tuple[int, int]:
    """Where a piece stands in the caption, whatever its white space. Raises ValueError if it does not."""
    words = piece.split() if len(piece) <= 2 * len(caption) else ["\0"]
    match = re.search(r"\s+".join(re.escape(word) for word in words), caption)
    if match is None:
        raise ValueError(f"not in the caption: {piece.strip()[:80]!r}")
    return match.span()


def _block(answer: dict[str, Any], name: str, caption: str) -> str:
    """Preamble or tail, which may be left out."""
    said = answer.get(name)
    if said is None or said == "":
        return ""
    if not isinstance(said, str) or not said.strip():
        raise ValueError(f"the {name} of the answer is no text")
    start, end = _found(said, caption)
    return caption[start:end]


def _subs(label: str, labels: Sequence[str]) -> bool:
    """Are there sub-labels of this letter ("A1", "A2" for "A")?"""
    return any(base(other).lower() == label.lower() for other in labels)
