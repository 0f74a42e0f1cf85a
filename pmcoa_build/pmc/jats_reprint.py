"""Does a caption or a rights note say that the figure, or a panel of it, comes from another source?

Rules, not a model: the phrases by which journals credit what is not the authors' own. A trigger word is found first;
then the words around it decide. A verb of taking over (reproduced, adapted, redrawn, modified …) counts where a
source follows it: a reference, a name with a year, a URL, a named collection; so "adapted to the dark", "modified from
baseline" and "reproduced in three experiments" do not. Permission and courtesy count unless patients or a board gave
the one and reagents were given by the other. Numbers taken from elsewhere ("data from [3]") are no picture.
"""

from __future__ import annotations

import re
from collections.abc import Callable

CITED = "\ufdd2"
"""The caller leaves it where the text cites the reference list, as a superscript number is no longer seen to be one.
A noncharacter: Unicode keeps it out of any interchange of text."""

_STEMS = """
    permis courtes cortes reprint reprod republish redraw re-draw redraft adapt adopted modified modificad modifié
    modificat modifiz simplif copied excerpt reused re-used replot recreated re-created taken_f taken_d taken_w
    extracted_f traced_f revised_f cited_f extraíd extraid extrait borrow sourced downloaded retriev cropped_f
    previously_p first_p first_a based_on inspired_by source: sources: source_: fonte fuente quelle © copyright credit
    identical_to creative cc_by cc-by wiki pixabay flickr shutterstock openstreetmap phylopic servier freepik kindly
    generously graciously retirad tomad obtid obtenid redesenh redibuj autori adatt riprod tratt concession redessin
    repris tiré d'après d’après genehmigung entnommen verändert abgewandelt
    digiti originat originally_p originally_a from_ref from_the_ref from_[ from_the_[ (from
"""


def _in_ascii(text: str) -> bytes:
    """With ? for any other character: lowered ten times as fast."""
    return text.encode("ascii", "replace")


def _grouped(stems: str) -> str:
    """One alternation of all stems, by first letter, so that a word costs as many trials as there are letters."""
    by_letter: dict[str, list[str]] = {}
    for stem in (word.replace("_", " ") for word in stems.split()):
        by_letter.setdefault(re.escape(stem[0]), []).append(re.escape(stem[1:]))
    return "|".join(f"{first}(?:{'|'.join(rest)})" for first, rest in sorted(by_letter.items()))


_QUICK = re.compile(rf" (?:{_grouped(_in_ascii(_STEMS.replace('©', '')).decode())}|from(?:  |)[0-9])".encode())
"""Much faster than `_STEM`, as it starts with one letter and reads bytes; lets a little more through."""
_STEM = re.compile(rf"[ (\[\"“/](?:{_grouped(_STEMS)}|from (?:the )?{CITED})")
"""Where a trigger may start, in lower-case text with a blank before it."""

_TRIGGER = re.compile(
    r"(?P<strong>\b(?:reprinted|reproduced|reproductions?|republished|re-?drawn|re-?drafted|adapted"
    r"|replotted|excerpted|adap[a-z]{0,3}tad[oa]s?|reproduzid[oa]s?|reproducid[oa]s?|redesenhad[oa]s?|redibujad[oa]s?"
    r"|modificad[oa]s?"
    r"|adapté?e?s?|reproduite?s?|redessinée?s?|modifiée?s?|adattat[oaie]|riprodott[oaie]|modificat[oaie]|adaptiert"
    r"|modifiziert|verändert|abgewandelt)\b)"
    r"|(?P<weak>\b(?:modified|modifications?|adopted|simplified|copied|re-?used|recreated|re-created|taken"
    r"|borrowed|traced|revised|cited"
    r"|sourced|downloaded|retrieved|cropped|digiti[sz]ed|tratt[oaie]|entnommen|tirée?s?|extraite?s?"
    r"|extra[ií]d[oa]s?|retirad[oa]s?|tomad[oa]s?|obtid[oa]s?|obtenid[oa]s?|reprise?s?)\b)"
    r"|(?P<picked>\b(?:extracted|originates?)\b)"
    r"|(?P<based>\b(?:based on|inspired by)\b)"
    r"|(?P<permission>\bpermi(?:ssions?|so|ssão)\b|\bautori[sz]a(?:tion|ção|ción)\b|\bgenehmigung\b|\bconcessione\b)"
    r"|(?P<courtesy>\bcourtesy\b|\bcortes[ií]a\b|\b(?:kindly|generously|graciously) (?:provided|supplied"
    r"|contributed)\b)"
    r"|(?P<published>\b(?:originally|previously|first) (?:published|appeared|printed)\b)"
    r"|(?P<source>\b(?:sources?|fonte|fuente|quelle)\s*:)"
    r"|(?P<credit>\bcredits?\b|\bd['’]après\s+\w|\bidentical to the (?:original|copyrighted)\b)"
    r"|(?P<copyright>©|\bcopyright\b)"
    r"|(?P<licence>\bcreative commons\b|\bcc[ -]by\b)"
    r"|(?P<place>\bwiki(?:media|pedia|commons)\b|\bpixabay\b|\bflickr\b|\bshutterstock\b|\bopenstreetmap\b"
    r"|\bphylopic\b"
    r"|\bservier\b|\bfreepik\b)"
    r"|(?P<origin>\(?\bfrom\b)",
    re.IGNORECASE,
)

_NAME = r"[A-ZÀ-ÖØ-Þ](?:[^\W\d_]|['’\-])*[a-zß-ÿ](?:[^\W\d_]|['’\-])*"
"""A surname, not the code of a strain."""
_YEAR = r"\b(?:1[6-9]|20)\d\d\b"
_REFERENCE = (
    rf"(?:[\[(]?\s?{CITED}|\[\d{{1,3}}\s*[\],;–-](?!\s?(?:\w|dir|zone|axis|pla))"
    rf"|(?i:\b(?:refs?|references?)\b)\.?\s*[\[(]?[\d{CITED}])"
)
_PLACE = (
    r"(?i:\bwiki(?:media|pedia|commons)|\bpixabay|\bflickr|\bunsplash|\bshutterstock|\bfreepik|\bservier|\bbiorender"
    r"|\bopen ?street ?map|\bgoogle (?:earth|maps?)|\bopenclipart|\bphylopic|\bpublic domain|\bmuseum|\btextbook"
    r"|\bunpublished|\b(?:our|previous|prior|earlier|published|original|another) (?:\w+ ){0,2}(?:work|papers?"
    r"|publications?"
    r"|stud(?:y|ies)|reports?|articles?|sources?|figures?|images?)\b)"
)
_SOURCE = (
    rf"(?:{_REFERENCE}|\(\d{{1,3}}\)|\bet al\b|(?i:https?:|www\.|\bdoi\b)|{_YEAR}|©|(?i:\bcopyright\b)"
    rf"|{_NAME},? (?:and|&|y|e|und|et|con) (?:\w+ )?{_NAME}|{_PLACE}"
    r"|(?i:\bfig(?:ure|s|\.)?s?\s?\w+ (?:of|in|from)\b))"
)
_WITHIN = r"(?:(?!\.\s+[A-Z(])[^;])"
"""Any character up to the end of the clause; a point within initials or "ref." does not end it."""

_STRONG = re.compile(
    rf"{_WITHIN}{{0,25}}?(?i:\b(?:from|after|based on|according to|following|nach|aus|d[eoa]s?|del|du|des"
    rf"|d['’]|dal\w*)"
    r"(?![^\W\d]))"
    rf"(?:{_WITHIN}{{0,80}}?{_SOURCE}|(?<=from)\d|[\s:]+(?:the |an? )?"
    rf"(?!Tables?\b|Fig(?:ure)?s?\b|Panels?\b|Movie|Supp)(?:{_NAME}|[\"“‘'\[]))"
)
_WORDS = rf"\s*(?:[(\[]?[\w'’\-]+,?\s+){{0,5}}?[\[(\"“‘]?{_SOURCE}"
_BASED = re.compile(rf"(?!\s\d){_WORDS}")
_WEAK = re.compile(
    rf"(?:\s+(?!method|protocol|procedure|version)\w+)?\s+"
    rf"(?i:from|after|according to|de|do|da|del|dos|das|du|aus|of|en|em)(?!\w){_WORDS}"
)
_PICTURES = re.compile(
    r"\b(?:figures?|figs?|images?|pictures?|photo\w*|illustrations?|drawings?|diagrams?|schem(?:es?|as?|atics?"
    r"|ata)|maps?|plates?"
    r"|micrographs?|sketch(?:es)?|panels?|silhouettes?|artwork|graphics?|cartoons?|radiographs?|icons?|logos?"
    r"|screenshots?"
    r"|portraits?|renderings?|boundar(?:y|ies)|fotos?|imagens?|imagen|imágenes|figuras?|abbildung\w*|bild\w*"
    r"|mapas?)\b",
    re.IGNORECASE,
)
_NUMBERS = re.compile(
    r"\b(?:data|datasets?|statistics|datos|dados|values?|sequences?|measurements?|parameters?|strains?|cells?|samples?|populations?"
    r"|estimates?|rates?"
    r"|tissues?|patients?|mice|animals?|areas?|results?|information|coordinates|predictions?|concentrations?"
    r"|genes?|isolates?)\b"
    r"[^.;]{0,60}$",
    re.IGNORECASE,
)
_METHODS = re.compile(
    r"\b(?:tasks?|protocols?|methods?|questionnaires?|scales?|paradigms?|procedures?|stimuli|primers?|algorithms?"
    r"|equations?|formula[es]?|criteria|classifications?|definitions?|assays?|approach(?:es)?)"
    r"\s+(?:(?:was|were|is|are|has been|have been)\s+)?$",
    re.IGNORECASE,
)
"""How things were done may be adapted from others without a picture being theirs."""
_OWN = re.compile(
    r"\s*(?:(?:the|our|os?|as?|los|las|própri\w+|propi\w+|d[oa]s?)\s+)*(?:own|unpublished|authors?|autor\w*|this|present"
    r"|current|data|survey\w*"
    r"|field|research|self|study|prepared|created|compiled|elabora\w*|calculat\w*|dados|datos|pesquisa\w*|acervo"
    r"|arquivo"
    r"|produ[zç]\w*|eigene\w*|encuesta\w*|investigaci\w*|cria\w*|organiza\w*|própri\w*|propi\w*)\b",
    re.IGNORECASE,
)
_OTHER_SOURCE = re.compile(r"\b(?:data|light|energy|power|radiation|ion|food|carbon)\s*$", re.IGNORECASE)
_NOUN_AFTER = re.compile(r"\s+(?!in\b|by\b|as\b|at\b|on\b|under\b|with\b|elsewhere\b|online\b|and\b|or\b)[A-Za-z]")
"""The "previously published structure" is no picture."""
_SOURCE_SOON = re.compile(rf"[^;]{{0,80}}?{_SOURCE}")
_ORIGIN = re.compile(rf"\s+(?:the\s+)?{_REFERENCE}")
_BRACKETED = re.compile(
    rf"(?<=[(\[])from\s+(?!(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*\b)"
    rf"(?:{_REFERENCE}|{_NAME}(?:\s+et al\b|\s+(?:and|&)\s+{_NAME}|,?\s+\(?{_YEAR}))"
)
_GRANTED = re.compile(
    r"(?:with|by|under|used|com|con|avec|mit|per gentile|su)\s+(?:[\w'’]+\s+){0,3}(?:l['’])?$|(?:reprint|reproduc"
    r"|reus)\w*[^.;]{0,60}$",
    re.IGNORECASE,
)
_GRANTED_BY = re.compile(
    r"\s+(?:from|of|by|granted|obtained|(?:to|for) (?:re|use|publish)|de|do|da|del)\b", re.IGNORECASE
)
_NOT_GRANTED = re.compile(
    r"\bwithout\b|\bno (?:further )?permission|\b(?:patients?|participants?|parents?|subjects?|guardians?"
    r"|volunteers?|individuals?"
    r"|famil(?:y|ies)|ethic\w*|consent|informed|animals?|landowners?|committee|ministry|government|collect\w*)\b",
    re.IGNORECASE,
)
_GIVEN_THINGS = re.compile(
    r"\b(?:strains?|plasmids?|antibod\w+|mice|mouse|cells?|lines?|constructs?|vectors?|reagents?|specimens?"
    r"|samples?|compounds?"
    r"|data|software|code|materials?|virus\w*|protein)\b[^.;]{0,40}$",
    re.IGNORECASE,
)
_FOREIGN_COPYRIGHT = re.compile(
    rf"(?!\s*(?:the\s+)?authors?\b)(?:\s+(?:by\s+)?(?-i:{_NAME}\s+{_NAME})|[^.;]{{0,40}}(?:{_YEAR}|\b(?:ltd|inc|press|publish\w*|society|elsevier"
    rf"|springer|wiley|ieee|acs|aaas"
    r"|google|openstreetmap)\b))",
    re.IGNORECASE,
)
_LICENSED = re.compile(r"(?:licen[cs]e[ds]?\b[^.;]{0,40}|\bunder\b[^.;]{0,30}|[,(]\s*)$", re.IGNORECASE)
_FROM_PLACE = re.compile(r"\b(?:from|by|via|source|courtesy|credit|of|at|on|in)\b[^.;]{0,40}$|\w:\s*$", re.IGNORECASE)


def may_be_reprint(text: str) -> bool:
    """Whether `is_reprint` is worth asking, for a text without `CITED` marks: one quick look for a trigger."""
    lowered = _in_ascii(f" {text}").lower()
    spaced = lowered.replace(b"(", b" ").replace(b"[", b" ")  # "from [3]" becomes the one double blank
    return _QUICK.search(spaced) is not None or b"(from" in lowered or "©" in text


def is_reprint(text: str, *, rights: bool = False) -> bool:
    """Whether the text credits a third party for the figure or a panel of it.

    `text` may hold `CITED` marks. In a rights note (`rights`), copyright and licence alone are no such credit.
    """
    lowered = " " + text.replace("İ", "I").lower()  # the one letter that would grow
    for stem in _STEM.finditer(lowered):
        trigger = _TRIGGER.match(text, stem.start())  # the text lacks the blank in front: this is behind the lead
        kind = trigger.lastgroup if trigger else None
        if trigger and kind and not (rights and kind in _MERE_RIGHTS) and _CHECKS[kind](text, trigger):
            return True
    return False


_MERE_RIGHTS = ("copyright", "licence")


def _before(text: str, trigger: re.Match[str], reach: int = 80) -> str:
    """What stands before the trigger in its sentence, at most `reach` characters."""
    return re.split(r"[.;]\s", text[max(0, trigger.start() - reach):trigger.start()])[-1]


def _strong(text: str, trigger: re.Match[str]) -> bool:
    return _STRONG.match(text, trigger.end()) is not None and _METHODS.search(_before(text, trigger, 40)) is None


def _weak(text: str, trigger: re.Match[str]) -> bool:
    before = _before(text, trigger).rpartition("(")[2]
    return (_WEAK.match(text, trigger.end()) is not None and _NUMBERS.search(before) is None
            and _METHODS.search(before) is None)


def _picked(text: str, trigger: re.Match[str]) -> bool:
    """What is mostly said of samples and numbers."""
    return _weak(text, trigger) and _PICTURES.search(_before(text, trigger)) is not None


def _based(text: str, trigger: re.Match[str]) -> bool:
    before = _before(text, trigger, 50)
    return (_BASED.match(text, trigger.end()) is not None and _PICTURES.search(before) is not None
            and _NUMBERS.search(before + text[trigger.end():trigger.end() + 30] + " ") is None)


def _permission(text: str, trigger: re.Match[str]) -> bool:
    before = _before(text, trigger)
    after = re.split(r"[.;]\s", text[trigger.end():trigger.end() + 80])[0]
    granted = _GRANTED.search(before) is not None or _GRANTED_BY.match(after) is not None
    return granted and _NOT_GRANTED.search(f"{before} {after}") is None


def _courtesy(text: str, trigger: re.Match[str]) -> bool:
    before = _before(text, trigger)
    if trigger[0].lower().startswith("c"):
        return _GIVEN_THINGS.search(before) is None
    return _PICTURES.search(before) is not None


def _published(text: str, trigger: re.Match[str]) -> bool:
    before = _before(text, trigger)
    return (_PICTURES.search(before) is not None and _NUMBERS.search(before) is None
            and _NOUN_AFTER.match(text, trigger.end()) is None)


def _source(text: str, trigger: re.Match[str]) -> bool:
    before = _before(text, trigger)
    if _OTHER_SOURCE.search(before) or _NUMBERS.search(before.rpartition("(")[2]) or _OWN.match(text, trigger.end()):
        return False
    return _SOURCE_SOON.match(text, trigger.end()) is not None


def _credit(text: str, trigger: re.Match[str]) -> bool:
    if not trigger[0].lower().startswith("credit"):
        return True
    named = text[trigger.end():trigger.end() + 1] == ":" or _PICTURES.search(_before(text, trigger, 20)) is not None
    return named and _OWN.match(text, trigger.end() + 1) is None


def _copyright(text: str, trigger: re.Match[str]) -> bool:
    return _FOREIGN_COPYRIGHT.match(text, trigger.end()) is not None


def _licence(text: str, trigger: re.Match[str]) -> bool:
    return _LICENSED.search(_before(text, trigger)) is not None


def _place(text: str, trigger: re.Match[str]) -> bool:
    return _FROM_PLACE.search(_before(text, trigger)) is not None


def _origin(text: str, trigger: re.Match[str]) -> bool:
    """ "Diagram … from ref. 60", "(from Smith et al.)"; not "data from ref. 60"."""
    if _BRACKETED.match(text, trigger.end() - len("from")):
        return True
    before = _before(text, trigger, 50)
    return (_ORIGIN.match(text, trigger.end()) is not None and _PICTURES.search(before) is not None
            and _NUMBERS.search(before) is None)


_CHECKS: dict[str, Callable[[str, re.Match[str]], bool]] = {
    "strong": _strong, "weak": _weak, "picked": _picked, "based": _based, "permission": _permission,
    "courtesy": _courtesy, "published": _published, "source": _source, "credit": _credit, "copyright": _copyright,
    "licence": _licence, "place": _place, "origin": _origin,
}
