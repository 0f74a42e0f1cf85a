"""Which stretch of a caption belongs to which label, once its markers are known.

Sentence by sentence. A marker before its clause leads ("(A) Lateral view. (B) …", "in (A) dorsal and (B) ventral
view"), one after it trails ("Lateral view (A) and …"). What stands before or after a list of marked items in the same
sentence is shared by all of them; a sentence without markers goes on with the labels of the one before.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from pmcoa_build.captions.sequence import Sequence

Span = tuple[int, int]

_VERB = (
    r"shows?|showed|showing|shown|demonstrat\w+|reveal\w*|indicat\w+|depict\w*|display\w*|represent\w*|illustrat\w+|"
    r"confirm\w*|includ\w+|is|are|was|were|has|have|had|suggest\w*|exhibit\w*|present\w*|highlight\w*|compar\w+"
)
_PREPOSITION = (
    r"in|of|by|with|without|from|for|on|at|to|via|between|after|before|during|under|using|against|through|into|over|as|per|"
    r"versus|than|following"
)
_DOING = (
    r"receiving|expressing|lacking|containing|carrying|bearing|predicting|diagnosing|detecting|measuring|assessing|"
    r"comparing"
)
JOINED = re.compile(
    rf"(?:[,:;(]|\b(?!before|after|during|without)(?:{_PREPOSITION}|and|or|the|an?|either|both|show\w*|is|are|while|"
    r"whereas|vs))\W*$",
    re.I,
)
TRAILED = re.compile(rf"\s*(?:(?P<list>[,;.:)]|$|(?:and|or|vs|versus|while|whereas)\b)|(?:{_VERB}|{_PREPOSITION})\b)")
NOTHING = re.compile(r"[\s.,;:)\]]*$")
_CUT_LEFT = re.compile(r"(?:[\s,;:.)\]|\u2013\u2014]+|-\s)*+(?:(?:and|or)\b)?[\s,;:]*")
_WORDED = re.compile(r"[^\W_]")
_LOOSE_ENDS = " \t\n\r\v\f\u00a0\u2002\u2003\u2009\u200a\u202f\u3000,;:([-\u2013\u2014"
_CONJUNCTIONS = (" and", " or", " while", " whereas")
SPLIT = re.compile(r"(?:[,;]\s*(?:and|or|while|whereas|but)?|\b(?:and|or|while|whereas|but))\s+")
GOES_ON = re.compile(rf"\s*(?:{_VERB}|with|without|in|at|of|from|on|for|after|before)\b")
PREPOSITION_END = re.compile(rf"\b(?!before|after|during|without)(?:{_PREPOSITION})\s*$")
LEAD_IN = re.compile(
    rf"(?P<word>\b(?:{_PREPOSITION}|and|given|{_DOING}|{_VERB}|magnifications?|bars?)(?:,\s*|\s+)|"
    r"[=:]\s*)(?P<article>(?:the|an?)\s+)?",
    re.I,
)
"""What may end a lead-in that all marked items share: "Expression of", "Scale bar ="."""
OWN_START = re.compile(rf"(?:(?P<article>the|an?)|(?P<word>{_PREPOSITION}))\s", re.I)
OWN_PHRASE = re.compile(rf"\S+\s+\S+\s+(?:\S+\s+)*?(?:{_PREPOSITION})\s\S+\s\S", re.I)
WORD = re.compile(r"\s*\w")
SHARED_REST = re.compile(
    r"\s*\S+\s+((?:(?:cells?|groups?|mice|rats|animals|plants|samples|patients|tumou?rs|tissues|strains|images|sections|"
    r"cohorts|levels|neurons|embryos|larvae|conditions|scans|views|stages|phases|lines|stains?|staining)\b)|"
    r"(?:in|from|after|during|at|on|between|under)\s)"
)
"""What stands behind the last of one-word items: "(a) sham, (b) vehicle and (c) drug groups", "… (c) IL-6 in serum"."""
LOCATED = re.compile(r"\s*(?:in|on|at|for|with)\s*(?:the\s*)?$", re.I)
"""What leads a list whose sentence follows: "In (A) dorsal and (B) ventral view, the horn is visible"."""
CONTRAST = re.compile(r"\W*(?:but|while|whereas|with)\b")
MOMENT = re.compile(r"\s*(?:before|after|during|without|with)\b")
VIEW = re.compile(
    r"(?:[\w-]+(?:al|ic|ed|ive|ous|ar|or|ior|ary|ine)|left|right|top|bottom|front|back|side|low|high|strong|weak|mild|WT|KO|"
    r"early|late|first|second|upper|lower|male|female|before|after|during)$",
    re.I,
)
"""Words that qualify a noun which may stand behind the last item only: "(A) dorsal and (B) ventral views"."""


@dataclass
class Clauses:
    """Spans by label, of the preamble and of the tail."""

    preamble: list[Span] = field(default_factory=list)
    tail: list[Span] = field(default_factory=list)
    of: dict[str, list[Span]] = field(default_factory=dict)

    def give(self, labels: tuple[str, ...], start: int, end: int, text: str) -> None:
        """Add a trimmed span to each label that has not got it already."""
        span = trim(text, start, end)
        if span is not None:
            for label in labels:
                known = self.of.setdefault(label, [])
                if not (known and any(first <= span[0] and span[1] <= last for first, last in known[-8:])):
                    known.append(span)


def trim(text: str, start: int, end: int) -> Span | None:
    """The span without separators and conjunctions at its ends; None where no word is left."""
    cut = _CUT_LEFT.match(text, start, end)
    start = cut.end() if cut else start
    kept = text[start:end].rstrip(_LOOSE_ENDS)
    if kept.endswith(_CONJUNCTIONS):
        for word in _CONJUNCTIONS:
            if kept.endswith(word):
                kept = kept[: -len(word)].rstrip(_LOOSE_ENDS)
    end = start + len(kept)
    return (start, end) if kept[:1].isalnum() or _WORDED.search(kept) else None


def sentences(text: str, starts: list[int], sequence: Sequence) -> list[Span]:
    """The caption cut at its sentence starts and at the markers that open a clause; not at the items of a group with
    one lead-in ("(A–C) Diagrams of: (A) genes; (B) hits and (C) both", "Effects on: (A) weight; (B) length")."""
    dotted = {m.end + 1 for m in sequence.markers if m.style in ("inner", "loose")}  # "stains: A. Silver; B. Iron"
    cuts = {0, *starts} - dotted
    group: tuple[str, ...] = ()
    listed = False
    for marker in sequence.markers:
        before = text[max(0, marker.start - 3) : marker.start].rstrip()[-1:] if marker.start not in cuts else ""
        listed = before == ":" or (listed and before == ";")
        if listed:
            continue
        if marker.opens and (marker.start in cuts or not set(marker.labels) < set(group)):
            cuts.add(marker.start)
            group = marker.labels
    edges = sorted(cuts)
    return list(zip(edges, [*edges[1:], len(text)], strict=True))
