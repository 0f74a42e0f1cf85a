"""Why a unit was left out: the only vocabulary for losses, in every stage and every report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Outcome = Literal["filtered", "dead"]
Scope = Literal["article", "figure", "image", "panel"]


@dataclass(frozen=True)
class Reason:
    """One way to lose a unit.

    `filtered` = left out on purpose; `dead` = could not be done. `retryable` ones become due again by
    themselves, after growing waits; the others when their input changes or by `retry`. `advice` is what the
    user can do, as a sentence.
    """

    code: str
    outcome: Outcome
    retryable: bool
    advice: str


def _table(*rows: tuple[str, Outcome, bool, str]) -> dict[str, Reason]:
    return {code: Reason(code, outcome, retryable, advice) for code, outcome, retryable, advice in rows}


REASONS: dict[str, Reason] = _table(
    # articles: left out on purpose
    ("license-not-allowed", "filtered", False, "Add the licence to [select] licenses if your use allows it."),
    ("retracted", "filtered", False, "Set [select] retracted = \"flag\" to keep retracted articles, marked."),
    ("version-superseded", "filtered", False, "Set [select] versions = \"all\" to keep every version."),
    ("language-not-allowed", "filtered", False, "Add the language to [select] languages."),
    ("no-fulltext", "filtered", False, "The publisher gives PMC no full text of this article; nothing can be done."),
    # network
    ("http-403", "dead", False, "The server refuses this object; check the source and the contact address."),
    ("http-404", "dead", True, "The object is not there (yet); the next snapshot may have it."),
    ("http-429", "dead", True, "Lower [source] requests_per_second."),
    ("http-5xx", "dead", True, "The server was overloaded; run again later."),
    ("http-error", "dead", False, "The server answered with a status that makes no sense for an object."),
    ("connection", "dead", True, "The connection failed; run again later."),
    ("timeout", "dead", True, "The object came too slowly; run again later."),
    ("truncated", "dead", True, "The object arrived cut short; run again later."),
    ("md5-mismatch", "dead", True, "The bytes do not match the published MD5; run again later."),
    ("md5-missing", "dead", False, "The metadata give no MD5 for the object, so it is not trusted."),
    ("redirect-refused", "dead", False, "The server redirected to another host; check [source] url."),
    ("name-unsafe", "dead", False, "The object's name is not safe to use; nothing was fetched."),
    # metadata and XML
    ("json-malformed", "dead", False, "The article's JSON cannot be read; report it to PMC."),
    ("xml-missing", "dead", False, "The article's JSON names no XML."),
    ("xml-empty", "dead", False, "The XML file is empty; report it to PMC."),
    ("xml-malformed", "dead", False, "The XML is not well-formed; report it to PMC."),
    ("xml-entity", "dead", False, "The XML uses entities that are not safe to expand; report it to PMC."),
    ("xml-not-jats", "dead", False, "The file is not a JATS article; report it to PMC."),
    # figures (the `reasons` of the screen table)
    ("article-license", "filtered", False, "The article's licence is not in [select] licenses."),
    ("figure-rights", "filtered", False, "It is under other rights; [screen] figure_rights = \"flag\" keeps it."),
    ("no-caption", "filtered", False, "The figure has no caption; nothing can be learnt from it."),
    ("no-graphic", "filtered", False, "The figure names no image (a video or an empty figure)."),
    ("no-media", "filtered", False, "PMC may not pass on this article's media."),
    ("media-missing", "filtered", False, "The XML names an image that PMC's metadata do not list."),
    ("no-term", "filtered", False, "The caption has none of [screen] terms."),
    # images
    ("shared-graphic", "filtered", False, "Another figure of the article already brought this image."),
    ("image-not-image", "dead", False, "The file is not an image."),
    ("image-truncated", "dead", False, "The image file is cut short."),
    ("image-too-large", "dead", False, "The image has more than 64 megapixels."),
    ("image-unsupported", "dead", False, "The image is of a kind that cannot be decoded."),
    # panels and pairs
    ("panel-too-small", "filtered", False, "Lower [panels] min_side to keep small panels."),
    ("kind-not-wanted", "filtered", False, "Add the kind to [panels] kinds."),
    ("no-subcaption", "filtered", False, "No text could be given to this panel."),
    ("correction", "filtered", False, "A person's correction drops this panel."),
    ("duplicate", "filtered", False, "A near-identical panel is already in the dataset."),
    ("split-conflict", "filtered", False, "The panel's duplicates are in another split, which it may not join."),
    ("benchmark", "filtered", False, "The panel belongs to a benchmark named in [shards] exclude."),
    ("rights-unknown", "filtered", False, "The article's licence does not allow passing the panel on."),
    # anything
    ("worker-killed", "dead", True, "The unit killed its worker process, alone (memory or a crash in a library)."),
    ("unexpected-error", "dead", True, "A bug: please report it with the detail shown."),
)


def get(code: str) -> Reason:
    """The reason of that code. Raises KeyError for a code outside the vocabulary."""
    return REASONS[code]
