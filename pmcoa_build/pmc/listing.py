"""What lies below a prefix: the reply of S3's ListObjectsV2, page by page.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import quote

from lxml import etree

from pmcoa_build.errors import UnitLost


@dataclass(frozen=True)
class Entry:
    """One object. `size` in bytes; `etag` without quotes (the MD5, 32 hex digits, of an object put in one part);
    `last_modified` as `2026-01-08T11:47:59.000Z`."""

    key: str
    size: int
    etag: str
    last_modified: str


@dataclass(frozen=True)
class Listing:
    """Objects below a prefix, by key, and, where a delimiter was given, the "folders" (each ends with it)."""

    keys: list[Entry] = field(default_factory=list)
    prefixes: list[str] = field(default_factory=list)


def list_pages(get: Callable[[str], bytes], prefix: str, delimiter: str) -> Listing:
    """All pages of a listing; `get` fetches `?list-type=2&…` relative to the bucket.

    Raises UnitLost http-error for a reply that is no listing, or whose pages do not end.
    """
    query = f"?list-type=2&prefix={quote(prefix, safe='')}"
    query += f"&delimiter={quote(delimiter, safe='')}" if delimiter else ""
    listing, token, seen = Listing(), "", {""}
    while True:
        page = get(query + (f"&continuation-token={quote(token, safe='')}" if token else ""))
        token = _add_page(page, prefix, listing)
        if not token:
            break
        if token in seen:
            raise UnitLost("http-error", f"the listing of {prefix!r} does not end")
        seen.add(token)
    return Listing(sorted(listing.keys, key=lambda entry: entry.key), sorted(set(listing.prefixes)))


def _add_page(page: bytes, prefix: str, listing: Listing) -> str:
    """Add a page's objects and prefixes; gives the token of the next page, "" on the last."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(page, parser)
    except (etree.XMLSyntaxError, ValueError):
        root = None
    if root is None or etree.QName(root).localname != "ListBucketResult":
        raise UnitLost("http-error", "the reply is no ListObjectsV2 listing")
    fields: dict[str, str] = {}
    for node in root:
        if not isinstance(node.tag, str):
            continue
        name = etree.QName(node).localname
        values = {etree.QName(child).localname: child.text or "" for child in node if isinstance(child.tag, str)}
        if name == "Contents":
            key = values.get("Key", "")
            if key.startswith(prefix) and not key.endswith("/"):
                listing.keys.append(Entry(key, _size(values.get("Size", "")), values.get("ETag", "").strip('"'),
                                          values.get("LastModified", "")))
        elif name == "CommonPrefixes" and values.get("Prefix", "").startswith(prefix):
            listing.prefixes.append(values["Prefix"])
        else:
            fields[name] = node.text or ""
    if fields.get("IsTruncated", "").lower() != "true":
        return ""
    token = fields.get("NextContinuationToken", "")
    if not token:
        raise UnitLost("http-error", f"the listing of {prefix!r} is cut without a continuation token")
    return token


def _size(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise UnitLost("http-error", f"a listing with size {text[:40]!r}")
    return int(text[:19])
