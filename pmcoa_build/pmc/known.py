"""What earlier runs learnt of article versions, so that nothing is asked for twice, and how they changed since.

The memo of an article in stage `articles`: for each of its versions the JSON as it was fetched last, and every state
in which the version has been seen. It serves runs under another spec (no JSON is asked for again), articles that
changed between inventory and fetch (the next inventory brings nothing new), and `diff` (a retraction, another licence).
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace

from pmcoa_build.errors import UnitLost
from pmcoa_build.pmc.metadata import Metadata, parse_metadata

_MOST_STATES = 50
"""States kept of one version; the oldest go first."""


@dataclass(frozen=True)
class State:
    """An article version as it was once: ETag (MD5 of its JSON), licence, retraction, MD5 of the XML, and a digest of
    the names and MD5s of its media."""

    etag: str
    license_code: str | None
    is_retracted: bool
    xml_md5: str | None
    media: str


@dataclass(frozen=True)
class Text:
    """What an XML says of itself, and a selection may depend on: language ("" if none is stated) and licence code."""

    language: str
    license_code: str | None


@dataclass(frozen=True)
class Seen:
    """What is known of one version.

    `data`: its JSON; `asked`: the ETag that the snapshot gave when it was fetched, which may be older; `states`: oldest
    first, the last is that of `data`; `text`: of its XML, None where that has not been read.
    """

    data: bytes
    asked: str
    states: tuple[State, ...]
    text: Text | None = None

    @functools.cached_property
    def metadata(self) -> Metadata:
        """The JSON, read."""
        return parse_metadata(self.data)

    @property
    def etag(self) -> str:
        """MD5 of the JSON."""
        return self.states[-1].etag

    def answers(self, etag: str) -> bool:
        """Whether a snapshot that lists the version with this ETag leaves nothing to ask."""
        return etag in (self.asked, self.etag)


def saw(before: Seen | None, article: str, asked: str, data: bytes) -> Seen:
    """What is known after a fetch of an article's JSON. Raises UnitLost json-malformed."""
    metadata = parse_metadata(data)
    if metadata.article != article:
        raise UnitLost("json-malformed", f"it describes {metadata.article}")
    state = _state(hashlib.md5(data, usedforsecurity=False).hexdigest(), metadata)
    if before is None:
        return Seen(data, asked, (state,))
    states = (*(old for old in before.states if old.etag != state.etag), state)[-_MOST_STATES:]
    same_text = before.states[-1].xml_md5 == state.xml_md5
    return replace(before, data=data, asked=asked, states=states, text=before.text if same_text else None)


def _state(etag: str, metadata: Metadata) -> State:
    media = sorted((item.name, item.md5 or "") for item in metadata.media)
    digest = hashlib.md5(json.dumps(media).encode(), usedforsecurity=False).hexdigest()
    xml = metadata.xml.md5 if metadata.xml else None
    return State(etag, metadata.license_code, metadata.is_retracted, xml, digest)


KINDS = ("retracted", "retraction lifted", "licence", "media", "text", "other metadata", "not read")
"""How a listed version can change, the gravest first."""


def changes(seen: Seen | None, old_etag: str, new_etag: str) -> list[str]:
    """What changed of a version whose ETag differs between two snapshots, in words of KINDS.

    "not read": one of the two states was never fetched. Where the version had changed again by the time it was fetched,
    it was never seen as the snapshot has it, and what was fetched in its place stands for it.
    """
    states = {state.etag: state for state in seen.states} if seen else {}
    if seen:
        states.setdefault(seen.asked, seen.states[-1])
    old, new = states.get(old_etag), states.get(new_etag)
    if old is None or new is None:
        return ["not read"]
    found = {
        "retracted": new.is_retracted and not old.is_retracted,
        "retraction lifted": old.is_retracted and not new.is_retracted,
        "licence": old.license_code != new.license_code,
        "media": old.media != new.media,
        "text": old.xml_md5 != new.xml_md5,
    }
    return [kind for kind, is_so in found.items() if is_so] or ["other metadata"]


def dump(seen: Mapping[str, Seen]) -> bytes:
    """The memo of one article: version id -> what is known of it."""
    told = {
        article: {"json": one.data.decode("utf-8", "surrogateescape"), "asked": one.asked,
                  "text": asdict(one.text) if one.text else None, "states": [asdict(state) for state in one.states]}
        for article, one in sorted(seen.items())
    }
    return json.dumps(told, separators=(",", ":")).encode() if told else b""


def load(memo: bytes) -> dict[str, Seen]:
    """The inverse of `dump`."""
    told = json.loads(memo) if memo else {}
    return {
        article: Seen(one["json"].encode("utf-8", "surrogateescape"), one["asked"],
                      tuple(State(**state) for state in one["states"]), Text(**one["text"]) if one["text"] else None)
        for article, one in told.items()
    }
