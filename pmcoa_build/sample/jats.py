"""JATS as publishers write it and PMC passes it on: one article to XML.

Shapes met in PMC's files and kept here: figures in `<floats-group>`, after or inside the citing paragraph; several
graphics in one figure; `<alternatives>`; figure supplements nested or in a `<fig-group>`; graphical abstracts;
sub-articles with figures of their own; pictures that are no figures (inline, table, formula, supplement, video).
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from pmcoa_build.sample.captions import Caption
from pmcoa_build.sample.cast import Part
from pmcoa_build.sample.dialects import DIALECTS, license_xml
from pmcoa_build.sample.figures import Drawing, Panel

_NAMESPACES = 'xmlns:xlink="http://www.w3.org/1999/xlink" xmlns:mml="http://www.w3.org/1998/Math/MathML"'
_DOCTYPE = (
    '<!DOCTYPE article PUBLIC "-//NLM//DTD JATS (Z39.96) Journal Archiving and Interchange DTD with MathML3 v1.3 '
    '20210610//EN" "JATS-archivearticle1-3-mathml3.dtd">\n'
)


@dataclass(frozen=True)
class Graphic:
    """A picture of a figure: its href in the XML, its name in the bucket ("" if it isn't there), what it shows."""

    href: str
    media: str
    drawing: Drawing | None
    panels: tuple[Panel, ...]


@dataclass(frozen=True)
class Figure:
    """A `<fig>`. `role` says where it stands or how it is wrapped; `rights` is the notice, if other rights hold."""

    xml_id: str | None
    label: str | None
    caption: Caption | None
    graphics: tuple[Graphic, ...]
    role: Literal["plain", "abstract", "nested", "grouped", "video", "alternatives"] = "plain"
    attrib: str = ""
    permissions: str = ""
    rights: str | None = None
    outcome: str = "kept"


@dataclass(frozen=True)
class Manuscript:
    """What an article says, before it becomes XML."""

    part: Part
    title: str
    authors: tuple[tuple[str, str], ...]
    pmid: int | None
    doi: str | None
    day: str
    figures: tuple[Figure, ...]
    sentences: tuple[str, ...]
    language: str = "en"
    extras: dict[str, str] = field(default_factory=dict)


def figure_xml(figure: Figure, titled: bool, bare_text: bool, inner: str = "") -> str:
    """One `<fig>`; `inner` is nested before its end."""
    head = f' id="{figure.xml_id}"' if figure.xml_id else ""
    kind = ' fig-type="video"' if figure.role == "video" else ""
    parts = [f"<fig{head}{kind} position=\"float\">"]
    if figure.label:
        parts.append(f"<label>{figure.label}</label>")
    parts.append(_caption_xml(figure.caption, titled, bare_text))
    graphics = [f'<graphic xlink:href="{graphic.href}"/>' for graphic in figure.graphics]
    if figure.role == "alternatives":
        film = '<media mimetype="video" xlink:href="movie1.mp4"/>'
        graphics = [f"<alternatives>{graphic}{film}</alternatives>" for graphic in graphics]
    if figure.role == "video":
        graphics = ['<media mimetype="video" mime-subtype="mp4" xlink:href="movie1.mp4"/>']
    parts += graphics
    parts += [f"<attrib>{figure.attrib}</attrib>" if figure.attrib else "", figure.permissions, inner, "</fig>"]
    return "".join(parts)


def _caption_xml(caption: Caption | None, titled: bool, bare_text: bool) -> str:
    if caption is None:
        return ""
    if bare_text:
        return f"<caption>{' '.join(filter(None, (caption.title, caption.body)))}</caption>"
    if titled and caption.title:
        return f"<caption><title>{caption.title}</title><p>{caption.body}</p></caption>"
    return f"<caption><p>{' '.join(filter(None, (caption.title, caption.body)))}</p></caption>"


def article_xml(paper: Manuscript) -> bytes:
    """The whole file, UTF-8."""
    dialect = DIALECTS[paper.part.dialect]
    floats = [f for f in paper.figures if f.role != "abstract"]
    blocks = _blocks(floats, dialect.titled, dialect.bare_text)
    body = _body(paper, blocks if dialect.standing != "floats" else [], inside=dialect.standing == "inside")
    floats_group = f"<floats-group>{''.join(blocks)}</floats-group>" if dialect.standing == "floats" and blocks else ""
    kind = "retracted-article" if "retracted" in paper.part.oddities else "research-article"
    text = (
        '<?xml version="1.0" encoding="UTF-8"?>\n' + _DOCTYPE
        + f'<article {_NAMESPACES} article-type="{kind}" dtd-version="1.3" xml:lang="{paper.language}">'
        + _front(paper) + body + _back(paper) + floats_group + _sub_article(paper) + "</article>\n"
    )
    if "unwell-formed" in paper.part.oddities:
        text = text.replace("</body>", "</sec></bdy>")
    return text.encode()


def _blocks(figures: Sequence[Figure], titled: bool, bare_text: bool) -> list[str]:
    """Figures as they stand in the text; a nested or grouped one goes with the figure before it."""
    blocks: list[str] = []
    index = 0
    while index < len(figures):
        figure, index = figures[index], index + 1
        follower = figures[index] if index < len(figures) and figures[index].role in ("nested", "grouped") else None
        if follower is None:
            blocks.append(figure_xml(figure, titled, bare_text))
            continue
        index += 1
        child = figure_xml(follower, titled, bare_text)
        if follower.role == "nested":
            blocks.append(figure_xml(figure, titled, bare_text, inner=f"<p>{child}</p>"))
        else:
            blocks.append(f"<fig-group>{figure_xml(figure, titled, bare_text)}{child}</fig-group>")
    return blocks


def _front(paper: Manuscript) -> str:
    part, dialect = paper.part, DIALECTS[paper.part.dialect]
    ids = [("pmcid", f"PMC{part.pmcid}"), ("pmcid-ver", part.article), ("doi", paper.doi), ("pmid", paper.pmid)]
    old = part.dialect == "jcb"
    if old:
        ids[0] = ("pmc", str(part.pmcid))
    year, month, day = paper.day.split("-")
    names = "".join(f'<contrib contrib-type="author"><name><surname>{last}</surname><given-names>{first}</given-names>'
                    "</name></contrib>" for first, last in paper.authors)
    graphical = "".join(
        f'<abstract abstract-type="graphical"><title>Graphical abstract</title>{figure_xml(f, False, False)}</abstract>'
        for f in paper.figures if f.role == "abstract")
    retracted = "retracted" in part.oddities
    notice = '<related-article related-article-type="retraction-forward" id="ra1"/>' if retracted else ""
    return (
        f'<front><journal-meta><journal-id journal-id-type="nlm-ta">{dialect.abbreviation}</journal-id>'
        f"<journal-title-group><journal-title>{dialect.journal}</journal-title></journal-title-group>"
        f"<issn pub-type=\"epub\">0000-0000</issn>"
        f"<publisher><publisher-name>{dialect.publisher}</publisher-name></publisher></journal-meta><article-meta>"
        + "".join(f'<article-id pub-id-type="{name}">{value}</article-id>' for name, value in ids if value)
        + f"<title-group><article-title>{html.escape(paper.title, quote=False)}</article-title></title-group>"
        f"<contrib-group>{names}</contrib-group><pub-date pub-type=\"epub\"><day>{day}</day><month>{month}</month>"
        f"<year>{year}</year></pub-date>{notice}"
        + license_xml(part.license, part.dialect, waiver="data-waiver" in part.oddities)
        + f"<abstract><p>{paper.extras.get('abstract', 'We drew what we describe.')}</p></abstract>{graphical}"
        "</article-meta></front>"
    )


def _body(paper: Manuscript, blocks: Sequence[str], *, inside: bool) -> str:
    """Sentences in paragraphs of three; figure k stands in or after paragraph k."""
    paragraphs = [" ".join(paper.sentences[i : i + 3]) for i in range(0, len(paper.sentences), 3)]
    while len(paragraphs) < len(blocks):
        paragraphs.append("Further findings are shown.")
    out = []
    for index, text in enumerate(paragraphs):
        block = blocks[index] if index < len(blocks) else ""
        out.append(f"<p>{text} {block}</p>" if inside and block else f"<p>{text}</p>{block}")
    half = max(1, len(out) // 2)
    heads = ("Introducción", "Resultados") if paper.language == "es" else ("Introduction", "Results")
    return (
        f'<body><sec sec-type="intro"><title>{heads[0]}</title>{"".join(out[:half])}</sec>'
        f'<sec sec-type="results"><title>{heads[1]}</title>{"".join(out[half:])}{paper.extras.get("body", "")}</sec>'
        "</body>"
    )


def _back(paper: Manuscript) -> str:
    supplement = DIALECTS[paper.part.dialect].supplement.format(tag=tag_of(paper.part))
    return (
        '<back><sec sec-type="supplementary-material"><title>Supplementary</title><supplementary-material id="s1">'
        f'<label>Additional file 1</label><media xlink:href="{supplement}"><caption><p>Click here for additional data '
        "file.</p></caption></media></supplementary-material></sec>"
        "<ack><p>We thank nobody, for nobody was examined.</p></ack><ref-list><ref id=\"r1\"><label>1</label>"
        "<mixed-citation>Doe J. Drawn findings. <italic>J Drawn Biol</italic>. 2020.</mixed-citation></ref></ref-list>"
        "</back>"
    )


def _sub_article(paper: Manuscript) -> str:
    if "sub-article" not in paper.part.oddities:
        return ""
    return (
        '<sub-article article-type="reply" id="sa1"><front-stub><title-group><article-title>Author response'
        '</article-title></title-group></front-stub><body><p>See '
        '<xref ref-type="fig" rid="sa1fig1">Author response image 1</xref>.</p>'
        '<fig id="sa1fig1"><label>Author response image 1.</label><caption><p>CT shown to the reviewers.</p></caption>'
        f'<graphic xlink:href="elife-{tag_of(paper.part)}-sa1-fig1.jpg"/></fig></body></sub-article>'
    )


def tag_of(part: Part) -> str:
    """Five digits that name the article in its file names."""
    return f"{10_000 + 7 * part.index:05}"
