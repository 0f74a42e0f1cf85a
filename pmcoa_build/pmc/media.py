"""Names of media files: which of PMC's objects a figure's href means, and which names are safe to use.

The JSON lists an article's media flat and says nothing of figures; the XML names files with or without extension,
in another case, or with folders (PMC1424221.2: `JCB9806103.f1` is `jcb9806103.f1.jpg`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import unquote

RASTER_EXTENSIONS: tuple[str, ...] = ("jpg", "jpeg", "png", "tif", "tiff", "gif", "webp", "bmp")
"""Image formats in the order of preference; nothing else is ever stripped (`.f1` and `.g001` belong to the name)."""

_RASTER = re.compile(rf"\.({'|'.join(RASTER_EXTENSIONS)})$", re.IGNORECASE)
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f/\\:*?\"<>|\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_DEVICE = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?", re.IGNORECASE)
MAX_NAME_BYTES = 255
"""Longest file name of common file systems, in bytes of UTF-8."""


def is_raster(name: str) -> bool:
    """Whether the name ends as an image does that could be decoded."""
    return _RASTER.search(name) is not None


def is_safe_name(name: str) -> bool:
    """Whether a name from the network may become a file: one visible part, valid on any system, at most 255 bytes."""
    return (
        bool(name)
        and not name.startswith(".")
        and name == name.strip()
        and not name.endswith(".")
        and _UNSAFE.search(name) is None
        and len(name.encode()) <= MAX_NAME_BYTES
        and _DEVICE.fullmatch(name) is None
    )


def is_safe_href(href: str) -> bool:
    """Whether what a figure names could be a media file: a safe name, with folders before it that lead nowhere else."""
    absolute = href.strip().startswith("/")
    return not absolute and "\\" not in href and ".." not in href.split("/") and is_safe_name(_basename(href))


def match_media(href: str, names: Sequence[str]) -> str | None:
    """The one of `names` that a figure's href means; None if there is none.

    Folders and URL parts are dropped, percent escapes decoded, case ignored. The exact name wins; else names with
    the same stem, where only raster extensions count as such, the preferred extension first, then the order given.
    A name that is no image never stands in for another extension.
    """
    base = _basename(href)
    if not base:
        return None
    wanted = base.casefold()
    exact = [name for name in names if name.casefold() == wanted]
    if exact:
        return base if base in exact else exact[0]
    stem = _stem(wanted)
    same = [name for name in names if is_raster(name) and _stem(name.casefold()) == stem]
    return min(same, key=_rank, default=None)


def _basename(href: str) -> str:
    path = href.strip()
    if "://" in path:
        path = path.split("?", 1)[0].split("#", 1)[0]
    return unquote(path).replace("\\", "/").rsplit("/", 1)[-1].strip()


def _stem(name: str) -> str:
    return _RASTER.sub("", name)


def _rank(name: str) -> int:
    match = _RASTER.search(name)
    return RASTER_EXTENSIONS.index(match[1].lower()) if match else len(RASTER_EXTENSIONS)
