"""Identifiers made from content, never from a counter.

    article  PMC10009416.1
    figure   PMC10009416.1/F3                            (position where the id is missing or repeated)
    image    PMC10009416.1/gr3.jpg
    panel    PMC10009416.1/gr3.jpg#xywh=12,30,410,388    (W3C media fragment: x, y, width, height in pixels)
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Sequence

_ARTICLE = re.compile(r"PMC([1-9][0-9]{0,9})\.([1-9][0-9]{0,3})")
_BOX = re.compile(r"/[^/]+#xywh=([0-9]{1,9}),([0-9]{1,9}),([0-9]{1,9}),([0-9]{1,9})$")
Box = tuple[int, int, int, int]


def article_id(pmcid: int, version: int) -> str:
    """`PMC<pmcid>.<version>`."""
    return f"PMC{pmcid}.{version}"


def parse_article_id(article: str) -> tuple[int, int]:
    """(pmcid, version) of `PMC10009416.1`. Raises ValueError for anything else."""
    match = _ARTICLE.fullmatch(article)
    if match is None:
        raise ValueError(f"{article!r} is not an article id such as PMC10009416.1")
    return int(match[1]), int(match[2])


def figure_ids(article: str, xml_ids: Sequence[str | None]) -> list[str]:
    """One id a figure, in document order; the 1-based position stands in for a missing or repeated XML id."""
    seen = Counter(xml_id for xml_id in xml_ids if xml_id)
    return [
        f"{article}/{xml_id}" if xml_id and seen[xml_id] == 1 else f"{article}/fig{position}~"
        for position, xml_id in enumerate(xml_ids, 1)
    ]


def image_id(article: str, media_name: str) -> str:
    """`<article>/<file name in the bucket>`."""
    return f"{article}/{media_name}"


def panel_id(image: str, box: Box) -> str:
    """`<image>#xywh=x,y,w,h` of a box (x0, y0, x1, y1) in whole pixels of the original image."""
    x0, y0, x1, y1 = box
    return f"{image}#xywh={x0},{y0},{x1 - x0},{y1 - y0}"


def article_of(any_id: str) -> str:
    """The article id at the head of any id."""
    return any_id.split("/", 1)[0]


def image_of(panel: str) -> str:
    """The image id at the head of a panel id."""
    return panel.rsplit("#", 1)[0]


def box_of(panel: str) -> Box:
    """The box (x0, y0, x1, y1) that a panel id ends with. Raises ValueError where it ends otherwise."""
    match = _BOX.search(panel)
    if match is None:
        raise ValueError(f"{panel!r} is not a panel id such as PMC10009416.1/gr3.jpg#xywh=12,30,410,388")
    x, y, width, height = map(int, match.groups())
    return x, y, x + width, y + height


def unit_interval(text: str, salt: str = "") -> float:
    """A number in [0, 1) that depends on `text` alone: for samples and splits that never move."""
    digest = hashlib.sha256(f"{salt}\0{text}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64
