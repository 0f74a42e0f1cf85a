"""Which stretch of a caption belongs to which label, once its markers are known.

Sentence by sentence. A marker before its clause leads ("(A) Lateral view. (B) …", "in (A) dorsal and (B) ventral
view"), one after it trails ("Lateral view (A) and …"). What stands before or after a list of marked items in the same
sentence is shared by all of them; a sentence without markers goes on with the labels of the one before.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from pmcoa_build.captions.markers import Marker
from pmcoa_build.captions.sequence import Sequence

Span = tuple[int, int]

_VERB = (r"shows?|showed|showing|shown|demonstrat\w+|reveal\w*|indicat\w+|depict\w*|display\w*|represent\w*|illustrat\w+|"
         r"confirm\w*|is|are|was|were|has|have|had|suggest\w*|exhibit\w*|present\w*|highlight\w*|compar\w+")
_PREPOSITION = (r"in|of|by|with|without|from|for|on|at|to|via|between|after|before|during|under|using|against|through|into|"
                r"over|as|per|versus|than|following")
_JOINED = re.compile(rf"(?:[,:;(]|\b(?:{_PREPOSITION}|and|or|the|an?|either|both|show\w*|is|are|while|whereas|vs))\W*$", re.I)
_TRAILED = re.compile(rf"\s*(?:[,;.:)]|$|(?:and|or|vs|versus|while|whereas|{_VERB}|{_PREPOSITION})\b)")
_NOTHING = re.compile(r"[\s.,;:)\]]*$")
_CUT_LEFT = re.compile(r"(?:[\s,;:.)\]|\u2013\u2014]|-\s)*(?:(?:and|or)\b)?[\s,;:]*")
_SPLIT = re.compile(r"(?:[,;]\s*(?:and|or|while|whereas|but)?|\b(?:and|or|while|whereas|but))\s+")
_GOES_ON = re.compile(rf"\s*(?:{_VERB}|with|without|in|at|of|from|on|for|after|before)\b")
_LEAD_IN = re.compile(rf"(?:\b(?:{_PREPOSITION}|and|{_VERB})\s+|[=:]\s*)(?:the\s+|an?\s+)?", re.I)
_ABBREVIATIONS = re.compile(r"\s*(?:Abbreviations?|Abbr|Key|Labels?|Legend)\b|\s*(?:[A-Za-z]{1,8}\s*[,=:]\s*[^,;=]{2,60}[;,.]\s*){2}")
_GENERIC = {
    "scale": re.compile(r"\s*(?:All\s+|The\s+|In\s+all\s+\w+,?\s+)?(?:(?:horizontal |vertical |white |black )?(?:scale[\s-]*)?bars?\b|"
                        r"(?:original )?magnifications?\b|scales?\b|mag\.)", re.I),
    "statistics": re.compile(r"\s*(?:\W*\s*[pP]\s*[<=\u2264>]|[*#\u2020\u2021\u00a7]|n\s*[=\u2265]|NS\b|n\.s\.|(?:all\s+|the\s+)?(?:data|values?|results?|"
                             r"error bars?|bars|points|numbers|experiments?|statistic\w*|significan\w+|asterisks?|means?|"
                             r"means? ?\u00b1)\b(?:(?!\.\s).){0,60}?\b(?:are|is|were|was|represent\w*|indicat\w*|denot\w*|show\w*|express\w*|from|"
                             r"\u00b1|\+/-|sd|sem|p)\b|(?:unpaired|paired|student|two-way|one-way|anova|differences?)\b)", re.I),
    "abbreviations": _ABBREVIATIONS,
    "see": re.compile(r"\s*(?:See\s+(?:also|text|main|supp)|For\s+(?:details|more|further|abbreviations|controls|interpretation)|"
                      r"Reproduced|Adapted|Reprinted|Modified|Images? (?:courtesy|were)|Please|Source data|Dashed|Colou?r)", re.I),
}
VIEW = re.compile(r"(?:\w+(?:al|ic|ed|ive|ous|ar|or|ior|ary|ine)|left|right|top|bottom|front|back|side|low|high|strong|weak|mild|WT|KO|"
                  r"early|late|first|second|upper|lower|male|female)$", re.I)


@dataclass
class Clauses:
    """Spans by label, of the preamble and of the tail."""

    preamble: list[Span] = field(default_factory=list)
    tail: list[Span] = field(default_factory=list)
    of: dict[str, list[Span]] = field(default_factory=dict)

    def give(self, labels: tuple[str, ...], start: int, end: int, text: str) -> None:
        """Add a trimmed span to each label."""
        span = trim(text, start, end)
        if span is not None:
            for label in labels:
                self.of.setdefault(label, []).append(span)


def trim(text: str, start: int, end: int) -> Span | None:
    """The span without separators and conjunctions at its ends; None where no word is left."""
    cut = _CUT_LEFT.match(text, start, end)
    start = cut.end() if cut else start
    while end > start and (text[end - 1].isspace() or text[end - 1] in ",;:([-\u2013\u2014"):
        end -= 1
    for word in (" and", " or"):
        if text.endswith(word, start, end):
            end -= len(word)
    while end > start and (text[end - 1].isspace() or text[end - 1] in ",;:("):
        end -= 1
    return (start, end) if any(c.isalnum() for c in text[start:end]) else None


def sentences(starts: list[int], sequence: Sequence, length: int) -> list[Span]:
    """The caption cut at its sentence starts and at the markers that open a clause."""
    cuts = sorted({*starts, *(m.start for m in sequence.markers if m.opens)})
    return list(zip(cuts, [*cuts[1:], length], strict=True))
