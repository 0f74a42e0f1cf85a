"""Kinds of sentence that usually speak of all panels when they stand at the end of a caption."""

from __future__ import annotations

import re

_SAYS = (
    r"(?:are|is|were|was|represent\w*|indicat\w*|denot\w*|show\w*|express\w*|depict\w*|mark\w*|from|"
    r"\u00b1|\+/-|sd|sem|p)"
)
SCALE = (
    r"(?i:(?:all |the |in all \w+,? )?(?:(?:(?:horizontal|vertical|white|black) )?(?:scale[\s-]*)?bars?\b|"
    r"(?:(?:original|objective) )?magnifications?\b|scales?\b|mag\.))"
)
"""Pattern of a sentence of scale bars, from its first word on."""
_KINDS = {
    "scale": SCALE,
    "statistics": (
        r"(?i:(?:[a-z] )?\W*+p\s*[<=\u2264>]|p[ -]values?\b|[*#\u2020\u2021\u00a7]|n\s*[=\u2265]|ns\b|n\.s\.|"
        r"presented are\b|"
        r"(?:all |the )?(?:data|values?|results?|error bars?|bars|points|numbers|experiments?|"
        r"statistic\w*|significan\w+|asterisks?|means?|medians?|simple regressions?|"
        r"(?:different |lowercase |small |capital )*letters|(?:all )?(?:of )?(?:the )?graphs|"
        r"(?:box(?:es)?|box and whiskers?|whiskers?|violin) ?(?:plots?)?)"
        rf"\b(?:(?!\.\s).){{0,60}}?\b{_SAYS}\b|"
        r"(?:unpaired|paired|student|repeated measures|two-way|one-way|anova|differences? between)\b)"
    ),
    "abbreviations": (
        r"(?:(?i:(?:\w++ )?abbreviations?|abbr|key|legend)\b|"
        r"(?:[^\W_][\w/+-]{0,12}+\s*+[,=:]\s*[^,;=]{2,60}[;,.]\s*){2}|"
        r"[A-Z][A-Za-z0-9-]{1,9}+(?:, | indicates )[a-z][^;,.]{3,60}(?:\.?\s*$|;))"
    ),
    "see": (
        r"(?i:see (?:also|text|main|supp)|for (?:details|more|further|clarity|abbreviations|controls|interpretation)|"
        r"(?:additional |further )?(?:details|information) (?:\w++ ){0,2}(?:described|given|provided|found)|"
        r"additional (?:details|information)|data information|the online version|"
        r"(?:the )?(?:raw|source) data|reproduced|adapted|reprinted|"
        r"modified (?:from|with)|images? (?:courtesy|were)|please|copyright|"
        r"dashed|shad\w++ areas?[,:]|(?:the )?[xy][- ]ax[ie]s|"
        r"(?:all |the )*(?:\w++ )?(?:images?|sections?|pictures?|micrographs?|blots?|plots?|graphs?|traces?) "
        r"(?:shown )?(?:are|were) representative|"
        r"(?:the )?(?:\w++ ){0,2}(?:\w++ and \w++ )?(?:lines?|circles?|dots|colou?rs?|shad\w++ areas?|areas?)"
        r" (?:indicate|represent|show|denote|mark)s?\b)"
    ),
}
_GENERIC = re.compile(rf"\s*+(?:{'|'.join(f'(?P<{kind}>{pattern})' for kind, pattern in _KINDS.items())})")


def generic_kind(text: str, start: int) -> str:
    """ "scale", "statistics", "abbreviations" or "see" for sentences that usually speak of all panels; else ""."""
    match = _GENERIC.match(text, start)
    return (match and match.lastgroup) or ""
