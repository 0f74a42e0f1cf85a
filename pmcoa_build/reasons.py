"""Why a unit was left out: the only vocabulary for losses, in every stage and every report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Outcome = Literal["filtered", "dead"]
Retry = Literal["never", "later", "next-snapshot"]


@dataclass(frozen=True)
class Reason:
    """One way to lose a unit.

    `filtered` = left out on purpose; `dead` = could not be done. What is lost becomes due again when its input changes
    or by `retry`; by itself `later`, after growing waits, or once with the `next-snapshot`. `advice` is what the user
    can do, as a sentence.
    """

    code: str
    outcome: Outcome
    retry: Retry
    advice: str

    @property
    def retryable(self) -> bool:
        """Whether the unit is tried again without being asked for."""
        return self.retry != "never"


def _table(*rows: tuple[str, Outcome, Retry, str]) -> dict[str, Reason]:
    return {code: Reason(code, outcome, retry, advice) for code, outcome, retry, advice in rows}


REASONS: dict[str, Reason] = _table(
    # articles: left out on purpose
    ("license-not-allowed", "filtered", "never", "Add the licence to [select] licenses if your use allows it."),
    ("retracted", "filtered", "never", "Set [select] retracted = \"flag\" to keep retracted articles, marked."),
    ("version-superseded", "filtered", "never", "Set [select] versions = \"all\" to keep every version."),
    ("language-not-allowed", "filtered", "never", "Add the language to [select] languages."),
    ("no-fulltext", "filtered", "never", "The publisher gives PMC no full text of this article; nothing can be done."),
    # network
    ("http-403", "dead", "never", "The server refuses this object; check the source and the contact address."),
    ("http-404", "dead", "next-snapshot", "The object is not there (yet); the next snapshot may have it."),
    ("http-429", "dead", "later", "Lower [source] requests_per_second."),
    ("http-5xx", "dead", "later", "The server was overloaded; run again later."),
    ("http-error", "dead", "never", "The server answered with a status that makes no sense for an object."),
    ("connection", "dead", "later", "The connection failed; run again later."),
    ("timeout", "dead", "later", "It came too slowly, or took longer than [run] unit_seconds; run again later."),
    ("truncated", "dead", "later", "The object arrived cut short; run again later."),
    ("md5-mismatch", "dead", "later", "The bytes do not match the published MD5; run again later."),
    ("md5-missing", "dead", "never", "The metadata give no MD5 for the object, so it is not trusted."),
    ("redirect-refused", "dead", "never", "The server redirected to another host; check [source] url."),
    ("name-unsafe", "dead", "never", "The object's name is not safe to use; nothing was fetched."),
    # PMC's old packages
    ("package-damaged", "dead", "never", "The article's package cannot be read; put a sound copy in its place."),
    ("package-too-large", "dead", "never", "The package inflates beyond reason; put a sound copy in its place."),
    # metadata and XML
    ("json-malformed", "dead", "never", "The article's JSON cannot be read; report it to PMC."),
    ("xml-missing", "dead", "never", "The article's JSON names no XML."),
    ("xml-empty", "dead", "never", "The XML file is empty; report it to PMC."),
    ("xml-malformed", "dead", "never", "The XML is not well-formed; report it to PMC."),
    ("xml-entity", "dead", "never", "The XML uses entities that are not safe to expand; report it to PMC."),
    ("xml-not-jats", "dead", "never", "The file is not a JATS article; report it to PMC."),
    # figures (the `reasons` of the screen table)
    ("figure-rights", "filtered", "never", "It is under other rights; [screen] figure_rights = \"flag\" keeps it."),
    ("no-caption", "filtered", "never", "The figure has no caption; nothing can be learnt from it."),
    ("no-graphic", "filtered", "never", "The figure names no image (a video or an empty figure)."),
    ("no-media", "filtered", "never", "PMC may not pass on this article's media."),
    ("media-missing", "filtered", "never", "The XML names an image that PMC's metadata do not list."),
    ("no-term", "filtered", "never", "The caption has none of [screen] terms."),
    # images
    ("shared-graphic", "filtered", "never", "Another figure of the article already brought this image."),
    ("image-not-image", "dead", "never", "The file is not an image."),
    ("image-truncated", "dead", "never", "The image file is cut short."),
    ("image-too-large", "dead", "never", "The image has more than 64 megapixels."),
    ("image-unsupported", "dead", "never", "The image is of a kind that cannot be decoded."),
    ("image-changed", "dead", "never", "The image at the source is not the one that the dataset was made from."),
    # panels and pairs
    ("panel-too-small", "filtered", "never", "Lower [panels] min_side to keep small panels."),
    ("kind-not-wanted", "filtered", "never", "Add the kind to [panels] kinds."),
    ("no-subcaption", "filtered", "never", "No text could be given to this panel."),
    ("correction", "filtered", "never", "A person's correction drops this panel."),
    ("opinion-refused", "filtered", "never", "No verbatim division came from [align] llm_model; the rules' stands."),
    ("opinion-failed", "dead", "never", "No answer came from [align] llm_url; the rules' own division stands."),
    ("correction-unmatched", "filtered", "never", "No panel lies where a person corrected one; look at it again."),
    ("duplicate", "filtered", "never", "A near-identical panel is already in the dataset."),
    ("split-conflict", "filtered", "never", "The panel's duplicates are in another split, which it may not join."),
    ("benchmark", "filtered", "never", "The panel belongs to a benchmark named in [shards] exclude."),
    # anything
    ("worker-killed", "dead", "later", "It kills the process that computes it; run again later, if that was chance."),
    ("out-of-memory", "dead", "never", "Raise [run] memory_mb or take fewer workers, then use `retry`."),
    ("unexpected-error", "dead", "later", "A bug: please report it with the detail shown."),
)


def get(code: str) -> Reason:
    """The reason of that code. Raises KeyError for a code outside the vocabulary."""
    return REASONS[code]
