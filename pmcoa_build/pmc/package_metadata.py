"""What an old package says of its article: which file is what, and the JSON that PMC's bucket would have for it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pmcoa_build.errors import UnitLost
from pmcoa_build.ids import article_id
from pmcoa_build.licenses import license_of
from pmcoa_build.pmc.filelist import Listed
from pmcoa_build.pmc.jats import parse_tree
from pmcoa_build.pmc.jats_meta import read_front
from pmcoa_build.pmc.jats_text import Element
from pmcoa_build.pmc.metadata import BUCKET
from pmcoa_build.pmc.package import File

_FILE = 1000
"""Bytes that a file takes in memory besides its own."""


@dataclass(frozen=True)
class PackedArticle:
    """The files of a package by the name that they have in the bucket, and which of them are the article's media.

    Of an image that lies there as .jpg and as .gif the .gif is a thumbnail: a file, but not of the media.
    """

    files: dict[str, File]
    media: list[str]

    @property
    def weight(self) -> int:
        """Bytes held in memory, roughly."""
        return sum(_FILE + len(file.data or b"") for file in self.files.values())


def arranged(pmcid: int, files: dict[str, File]) -> PackedArticle:
    """Sort out the files of a package. Raises UnitLost xml-missing, or package-damaged for several XMLs."""
    name = article_id(pmcid, 1)
    xmls = [one for one in files if one.lower().endswith(".nxml")]
    if not xmls:
        raise UnitLost("xml-missing", f"the package of PMC{pmcid} has no .nxml")
    if len(xmls) > 1:
        raise UnitLost("package-damaged", f"the package of PMC{pmcid} has {len(xmls)} .nxml files")
    stem = xmls[0][:-len(".nxml")].casefold()
    pdf = next((one for one in files if one.casefold() == f"{stem}.pdf"), None)
    own = {f"{name}.xml": files[xmls[0]]} | ({f"{name}.pdf": files[pdf]} if pdf else {})
    others = {one: file for one, file in files.items() if one not in (xmls[0], pdf, *own, f"{name}.json")}
    names = {one.casefold() for one in others}
    return PackedArticle(others | own, sorted(one for one in others if not _is_thumbnail(one.casefold(), names)))


def _is_thumbnail(name: str, names: set[str]) -> bool:
    stem, _, extension = name.rpartition(".")
    return extension == "gif" and not names.isdisjoint({f"{stem}.jpg", f"{stem}.jpeg"})


_MANUSCRIPT = b"<?properties manuscript?>"
"""What PMC wrote into the XML of author manuscripts."""


def metadata_json(pmcid: int, article: PackedArticle, xml: bytes, listed: Listed) -> bytes:
    """The JSON as PMC's bucket would have it; the same bytes for the same package and list.

    Raises UnitLost: xml-empty, xml-malformed, xml-entity, xml-not-jats, package-damaged (another article's XML).
    """
    name = article_id(pmcid, 1)
    root = next(parse_tree(xml).iter("{*}article"), None)
    if root is None:
        raise UnitLost("xml-not-jats", f"no JATS article in the package of PMC{pmcid}")
    front = read_front(root)
    if front.pmcid not in (None, f"PMC{pmcid}"):
        raise UnitLost("package-damaged", f"the package of PMC{pmcid} has the XML of {front.pmcid}")
    mid = next((one.text for one in _meta(root, "article-id") if one.get("pub-id-type") == "manuscript"), None)
    license_ = license_of(listed.license)

    def url(file: str) -> str:
        return f"s3://{BUCKET}/{name}/{file}?md5={article.files[file].md5}"

    record: dict[str, Any] = {
        "pmcid": f"PMC{pmcid}",
        "version": 1,
        "pmid": listed.pmid or front.pmid,
        "doi": front.doi,
        "mid": mid,
        "title": front.title,
        "citation": listed.citation or " ".join(f"{part}." for part in (front.journal, front.year) if part),
        "is_pmc_openaccess": True,
        "is_manuscript": bool(mid) or _MANUSCRIPT in xml or _states(root, "pmc-prop-manuscript"),
        "is_historical_ocr": front.is_scanned,
        "is_retracted": bool(listed.retracted) or _is_retracted(root),
        "license_code": (license_.code if license_ else None) if listed.license else front.license_code,
    }
    if f"{name}.pdf" in article.files:
        record["pdf_url"] = url(f"{name}.pdf")
    record["xml_url"] = url(f"{name}.xml")
    record["media_urls"] = [url(file) for file in article.media]
    return (json.dumps(record, ensure_ascii=False) + "\n").encode("utf-8", "replace")


def _meta(root: Element, name: str) -> Iterator[Element]:
    """Elements of that name in the article's own front matter."""
    found: Iterator[Element] = root.iterfind(f"{{*}}front/{{*}}article-meta//{{*}}{name}")
    return found


def _states(root: Element, name: str) -> bool:
    """Whether a property that PMC adds says yes."""
    return any(one.findtext("{*}meta-name") == name and one.findtext("{*}meta-value") in ("yes", "true", "1")
               for one in _meta(root, "custom-meta"))


def _is_retracted(root: Element) -> bool:
    """Whether the article is a retracted one, not the notice of another's retraction (`retracted-article` there)."""
    kind = root.get("article-type")
    forward = any(one.get("related-article-type") == "retraction-forward" for one in _meta(root, "related-article"))
    return kind == "retracted-article" or (forward and kind != "retraction")
