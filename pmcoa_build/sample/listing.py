"""ListObjectsV2 over the sample's folder, as S3 answers it
(https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html)."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from urllib.parse import quote
from xml.sax.saxutils import escape

from pmcoa_build.sample.bucket import BUCKET

SERVED = re.compile(r"PMC\d+\.\d+/[^/]+|metadata/[^/]+\.json|inventory-reports/.+|README\.txt")
"""What is in the bucket; the truth beside it is not."""
_NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"

Describe = Callable[[Path], tuple[str, str, int]]


class BadRequest(ValueError):
    """A parameter that S3 refuses."""


def keys(root: Path, prefix: str) -> list[str]:
    """All keys with that prefix, in the order of their UTF-8 bytes."""
    folder = root / prefix.rpartition("/")[0]
    if ".." in prefix or not folder.is_dir():
        return []
    found = (path.relative_to(root).as_posix() for path in folder.rglob("*") if path.is_file())
    return sorted((key for key in found if key.startswith(prefix) and SERVED.fullmatch(key)), key=str.encode)


def list_objects(root: Path, query: Mapping[str, str], describe: Describe) -> bytes:
    """The XML reply. `describe` gives (ETag, last modified, size) of a file. Raises BadRequest."""
    prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
    most = _max_keys(query.get("max-keys", "1000"))
    token = query.get("continuation-token")
    after = _decode(token) if token is not None else query.get("start-after", "")
    contents, common, more = _page(root, prefix, delimiter, after, most)
    said = _encoder(query.get("encoding-type", ""))
    parts = [f"<Name>{BUCKET}</Name><Prefix>{said(prefix)}</Prefix>"]
    if query.get("start-after"):
        parts.append(f"<StartAfter>{said(query['start-after'])}</StartAfter>")
    if token is not None:
        parts.append(f"<ContinuationToken>{escape(token)}</ContinuationToken>")
    if more:
        last = max([*contents, *common], key=str.encode)
        parts.append(f"<NextContinuationToken>{_encode(last)}</NextContinuationToken>")
    parts.append(f"<KeyCount>{len(contents) + len(common)}</KeyCount><MaxKeys>{most}</MaxKeys>")
    if delimiter:
        parts.append(f"<Delimiter>{said(delimiter)}</Delimiter>")
    if query.get("encoding-type"):
        parts.append("<EncodingType>url</EncodingType>")
    parts.append(f"<IsTruncated>{'true' if more else 'false'}</IsTruncated>")
    for key in contents:
        etag, modified, size = describe(root / key)
        parts.append(f"<Contents><Key>{said(key)}</Key><LastModified>{modified}</LastModified>"
                     f"<ETag>{escape(etag, _QUOTES)}</ETag><Size>{size}</Size>"
                     "<StorageClass>STANDARD</StorageClass></Contents>")
    parts += [f"<CommonPrefixes><Prefix>{said(name)}</Prefix></CommonPrefixes>" for name in common]
    body = "".join(parts)
    head = '<?xml version="1.0" encoding="UTF-8"?>\n'
    return f'{head}<ListBucketResult xmlns="{_NAMESPACE}">{body}</ListBucketResult>'.encode()


_QUOTES = {'"': "&quot;"}


def _page(root: Path, prefix: str, delimiter: str, after: str, most: int) -> tuple[list[str], list[str], bool]:
    """Keys and rolled-up prefixes of one page, and whether there is more."""
    contents: list[str] = []
    common: list[str] = []
    for key, rolled in _rolled(root, prefix, delimiter, after):
        if len(contents) + len(common) == most:
            return contents, common, most > 0
        (common if rolled else contents).append(key)
    return contents, common, False


def _rolled(root: Path, prefix: str, delimiter: str, after: str) -> Iterator[tuple[str, bool]]:
    """(key, False) or (common prefix, True), each once, in order, beyond `after`."""
    last = after if delimiter and after.endswith(delimiter) else ""
    for key in keys(root, prefix):
        if key.encode() <= after.encode() or (last and key.startswith(last)):
            continue
        head, mark, _ = key[len(prefix) :].partition(delimiter) if delimiter else (key, "", "")
        if not mark:
            yield key, False
            continue
        last = prefix + head + mark
        yield last, True


def _max_keys(text: str) -> int:
    if not text.isdecimal():
        raise BadRequest("Provided max-keys not an integer or within integer range")
    return min(int(text), 1000)


def _encode(key: str) -> str:
    return base64.urlsafe_b64encode(key.encode()).decode()


def _decode(token: str) -> str:
    try:
        return base64.b64decode(token.encode(), altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeError):
        raise BadRequest("The continuation token provided is incorrect") from None


def _encoder(encoding: str) -> Callable[[str], str]:
    if encoding == "url":
        return lambda text: quote(text, safe="/")
    return escape
