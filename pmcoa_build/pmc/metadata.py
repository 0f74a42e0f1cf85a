"""The JSON that PMC keeps beside each article version: identifiers, licence, retraction, files with their MD5.

Field names and oddities as served (README.txt of the bucket): `pdf_url` and `media_urls` may be absent, null or [];
URLs look like `s3://pmc-oa-opendata/PMC10009416.1/gr1.jpg?md5=<32 hex>`. Of a URL only key and MD5 are used: the
host is always ours.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pmcoa_build import ids
from pmcoa_build.errors import UnitLost
from pmcoa_build.pmc.media import is_safe_name

BUCKET = "pmc-oa-opendata"

_URL = re.compile(r"s3://([^/]+)/([^?#]*)(?:\?(?:[^#]*&)?md5=([0-9a-fA-F]{32})(?:&[^#]*)?|\?[^#]*)?")
_PMCID = re.compile(r"(?:PMC)?([1-9][0-9]{0,9})")


@dataclass(frozen=True, slots=True)
class Object:
    """One object of the bucket: its file name, its key (`PMC10009416.1/gr1.jpg`), its MD5 in lower-case hex or None."""

    name: str
    key: str
    md5: str | None


@dataclass(frozen=True, slots=True)
class Metadata:
    """One article version. What the JSON leaves out, gives as null or as [] is None, False or ()."""

    pmcid: int
    version: int
    pmid: int | None
    doi: str | None
    title: str
    citation: str
    is_pmc_openaccess: bool
    is_manuscript: bool
    is_historical_ocr: bool
    is_retracted: bool
    license_code: str | None
    xml: Object | None
    media: tuple[Object, ...]
    unsafe: tuple[str, ...]
    """Media URLs that were dropped because of their key or name, as they stood, at most 200 characters each."""

    @property
    def article(self) -> str:
        """The article id, such as `PMC10009416.1`."""
        return ids.article_id(self.pmcid, self.version)

    @property
    def is_preprint(self) -> bool:
        """Whether the citation names a preprint server (PMC's JSON has no field for it)."""
        return _PREPRINT.match(self.citation) is not None


_PREPRINT = re.compile(
    r"\s*(bioRxiv|medRxiv|arXiv|ChemRxiv|agriRxiv|PsyArXiv|SocArXiv|Res(earch)? Sq(uare)?|SSRN|(OSF )?Preprints)\b",
    re.IGNORECASE,
)


def parse_metadata(data: bytes) -> Metadata:
    """Read one `PMC….json`. Raises UnitLost("json-malformed") for anything that is not such a record."""
    try:
        record = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise UnitLost("json-malformed", str(error)) from None
    if not isinstance(record, dict):
        raise UnitLost("json-malformed", f"a JSON object was expected, not {type(record).__name__}")
    pmcid, version = _pmcid(record.get("pmcid")), _integer(record.get("version"))
    if pmcid is None or version is None or not 1 <= version <= 9999:
        raise UnitLost("json-malformed", "pmcid or version is missing or wrong")
    prefix = ids.article_id(pmcid, version) + "/"
    media, unsafe = _media(record.get("media_urls"), prefix)
    return Metadata(
        pmcid=pmcid,
        version=version,
        pmid=_integer(record.get("pmid")),
        doi=_text(record.get("doi")) or None,
        title=_text(record.get("title")),
        citation=_text(record.get("citation")),
        is_pmc_openaccess=record.get("is_pmc_openaccess") is True,
        is_manuscript=record.get("is_manuscript") is True,
        is_historical_ocr=record.get("is_historical_ocr") is True,
        is_retracted=record.get("is_retracted") is True,
        license_code=_text(record.get("license_code")) or None,
        xml=_object(record.get("xml_url"), prefix),
        media=media,
        unsafe=unsafe,
    )


def best_versions(versions: Sequence[Metadata], policy: Literal["best", "latest", "all"]) -> list[Metadata]:
    """Which versions to keep of each article, ordered by (pmcid, version).

    "best": not retracted before retracted, published before manuscript before preprint, then the highest number
    (numbers do not rank quality: PMC11370360.1 and .2). "latest": the highest number. "all": all of them.
    """
    ordered = sorted(versions, key=lambda one: (one.pmcid, one.version))
    if policy == "all":
        return ordered
    chosen: dict[int, Metadata] = {}
    for one in ordered:
        rival = chosen.get(one.pmcid)
        if rival is None or policy == "latest" or _quality(one) >= _quality(rival):
            chosen[one.pmcid] = one
    return list(chosen.values())


def _quality(one: Metadata) -> tuple[bool, int, int]:
    stage = 0 if one.is_preprint else 1 if one.is_manuscript else 2
    return (not one.is_retracted, stage, one.version)


def _media(urls: Any, prefix: str) -> tuple[tuple[Object, ...], tuple[str, ...]]:
    """The safe objects, and the rest. Of names that are equal ignoring case, which file is meant is not sure: none."""
    found: dict[str, dict[Object, str]] = {}
    unsafe: list[str] = []
    for url in urls if isinstance(urls, list) else []:
        told = str(url).encode("utf-8", "replace").decode()[:200]
        entry = _object(url, prefix)
        if entry is None:
            unsafe.append(told)
        else:
            found.setdefault(entry.name.casefold(), {})[entry] = told
    kept: list[Object] = []
    for same in found.values():
        if len({entry.name for entry in same}) == 1:
            kept.append(next(iter(same)))
        else:
            unsafe += same.values()
    return tuple(kept), tuple(unsafe)


def _object(url: Any, prefix: str) -> Object | None:
    """Key and MD5 of a URL; None if it lies outside this article version of PMC's bucket or its name is not safe."""
    match = _URL.fullmatch(url) if isinstance(url, str) else None
    if match is None or match[1] != BUCKET or not match[2].startswith(prefix):
        return None
    name = match[2][len(prefix):]
    if not is_safe_name(name):
        return None
    return Object(name=name, key=match[2], md5=match[3].lower() if match[3] else None)


def _pmcid(value: Any) -> int | None:
    match = _PMCID.fullmatch(str(value).strip()) if isinstance(value, (str, int)) else None
    return int(match[1]) if match else None


def _integer(value: Any) -> int | None:
    """An integer, also from digits in a string; None for anything else."""
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,18}", value.strip()):
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _text(value: Any) -> str:
    return " ".join(value.encode("utf-8", "replace").decode().split()) if isinstance(value, str) else ""
