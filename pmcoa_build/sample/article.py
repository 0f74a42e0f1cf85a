"""One article of the sample: its figures with all their oddities, its sentences, and which of them cite what."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pmcoa_build.figures.synth.imagery import Rng, pick, rng_of
from pmcoa_build.sample.captions import Caption, compose, plain
from pmcoa_build.sample.cast import Part
from pmcoa_build.sample.dialects import DIALECTS
from pmcoa_build.sample.figures import Page, Panel, choose_page, choose_panels, draw
from pmcoa_build.sample.jats import Figure, Graphic, Manuscript, tag_of

_FIRST = ("Ada", "Bo", "Chidi", "Dana", "Emeka", "Fatima", "Goran", "Hana", "Ines", "Jun", "Kofi", "Lena")
_LAST = ("Abel", "Brandt", "Castillo", "Díaz", "Eriksen", "Fischer", "García", "Huang", "Ito", "Jónsson", "Kaya",
         "Lund")
_SUBTITLES = ("a drawn case series", "a drawn cohort", "one drawn case")
_REPRINTS = (
    "Reproduced with permission from Doe et al. (2015), © Elsewhere Press.",
    "Adapted from ref. [1] with permission of the publisher.",
    "Reprinted from J Drawn Biol 2012;4:17, with permission.",
)


_FORMS = {1: "png", 3: "grey.jpg", 4: "cmyk.jpg", 5: "palette.png"}


@dataclass(frozen=True)
class _Plan:
    """What one figure is to show, before it is drawn."""

    panels: tuple[Panel, ...]
    page: Page
    caption: Caption
    key: tuple[object, ...]


def write_article(part: Part, seed: int) -> Manuscript:
    """The article; the same for the same part and seed."""
    rng = rng_of(seed, "article", part.content)
    alphabet = str(rng.choice(["upper", "lower", "roman", "digit"], p=[0.62, 0.3, 0.05, 0.03]))
    figures = _figures(part, seed, rng, alphabet)
    first = figures[0].graphics[0].panels[0].modality if figures and figures[0].graphics[0].panels else None
    topic = pick(rng, first.heading) if first else "Notes on drawing"
    authors = tuple((pick(rng, _FIRST), pick(rng, _LAST)) for _ in range(int(rng.integers(2, 7))))
    return Manuscript(
        part=part,
        title=f"{topic} in sample {part.index}: {pick(rng, _SUBTITLES)}",
        authors=authors,
        pmid=None if part.index % 9 == 4 else 98_000_000 + part.index,
        doi=None if part.index % 17 == 8 else f"10.5555/drawn.{tag_of(part)}",
        day=f"2026-{1 + part.index % 9:02}-{1 + part.index % 28:02}",
        figures=figures,
        sentences=_sentences(part, rng, figures),
        language="es" if "spanish" in part.oddities else "en",
        extras={"body": _not_figures(part) if part.index % 3 == 0 else ""},
    )


def _figures(part: Part, seed: int, rng: Rng, alphabet: str) -> tuple[Figure, ...]:
    if "no-figures" in part.oddities:
        return ()
    count = 2 if "spanish" in part.oddities else int(rng.integers(5, 7))
    figures: list[Figure] = []
    if "graphical-abstract" in part.oddities:
        figures.append(_graphical_abstract(part, seed))
    for k in range(1, count + 1):
        figures.append(_figure(part, seed, k, alphabet))
        if k == 2 and "supplement-figures" in part.oddities:
            figures.append(_supplement(part, seed, alphabet))
    if "video" in part.oddities:
        figures.append(Figure("video1", "Video 1.", Caption("", "Endoscopy video of the drawn case.", "", "", (),
                                                            "none"), (),
                              role="video", outcome="no-graphic"))
    return tuple(figures)


def _plan(part: Part, seed: int, k: int, alphabet: str) -> _Plan:
    """What figure k shows: its own, or the one that three articles share."""
    key: tuple[object, ...] = ("figure", part.content, k)
    theme, count = None, None
    if k == 2 and part.oddities & {"shared-figure", "near-figure"}:
        key, theme, count, alphabet = ("shared",), "same", 2, "upper"
    if k == 1:
        theme = "mixed" if part.index % 2 else "same"
    if k == 3 and "several-graphics" in part.oddities:
        theme, count = "same", 6
    rng = rng_of(seed, *key)
    panels = choose_panels(rng, theme, count)
    while form_of(part, k) == "grey.jpg" and any(panel.modality.kind != "radiology" for panel in panels):
        panels = choose_panels(rng, "same")
    if "spanish" in part.oddities:
        panels = [replace(panel, clause=f"Hallazgo {i} en la exploración") for i, panel in enumerate(panels, 1)]
    page = choose_page(rng, panels, alphabet)
    if form_of(part, k) == "png":
        page = replace(page, width=min(page.width, 620))
    if count == 6:
        page = replace(page, printed=True, layout="grid")
    return _Plan(tuple(panels), page, compose(rng, panels, page), key)


def _figure(part: Part, seed: int, k: int, alphabet: str) -> Figure:
    plan, dialect, tag = _plan(part, seed, k, alphabet), DIALECTS[part.dialect], tag_of(part)
    figure = Figure(
        xml_id=dialect.figure_id.format(tag=tag, k=k),
        label=dialect.label.format(k=k),
        caption=plan.caption,
        graphics=_graphics(part, seed, k, plan),
        outcome=_screened(plan.panels),
        attrib="Drawings: the authors." if (part.index + k) % 11 == 0 else "",
    )
    return _with_oddities(figure, part, k)


def _with_oddities(figure: Figure, part: Part, k: int) -> Figure:
    odd = part.oddities
    if k == 2:
        figure = replace(figure, label=None if "no-label" in odd else figure.label,
                         xml_id=None if "no-id" in odd else figure.xml_id,
                         role="alternatives" if "alternatives" in odd else "plain")
        if "html-image" in odd:
            figure = replace(figure, outcome="image-not-image")
    if k == 4 and "repeated-id" in odd:
        figure = replace(figure, xml_id="fig1")
    if k == 1 and "truncated-image" in odd:
        figure = replace(figure, outcome="image-truncated")
    if k == 4 and "preprint" in odd:
        figure = replace(figure, label="Extended Data Fig. 1.")
    return _with_rights(figure, part) if k == 3 else figure


def _with_rights(figure: Figure, part: Part) -> Figure:
    """Figure 3 is the one with other rights, without a caption or without its file."""
    odd = part.oddities
    if "no-caption" in odd:
        return replace(figure, caption=None, outcome="no-caption")
    if "media-missing" in odd:
        graphic = replace(figure.graphics[0], media="")
        return replace(figure, graphics=(graphic,), outcome="media-missing")
    if "reprint" in odd and figure.caption is not None:
        notice = _REPRINTS[part.index % len(_REPRINTS)]
        caption = replace(figure.caption, body=f"{figure.caption.body} {notice}",
                          tail=f"{figure.caption.tail} {notice}".strip())
        return replace(figure, caption=caption, rights=notice, outcome="figure-rights")
    if "figure-permissions" in odd:
        notice = "Not covered by the article's licence; reprinted with permission of Elsewhere Press."
        permissions = ("<permissions><copyright-statement>© 2015 Elsewhere Press</copyright-statement>"
                       f"<license><license-p>{notice}</license-p></license></permissions>")
        return replace(figure, permissions=permissions, rights=notice, outcome="figure-rights")
    return figure


def _graphics(part: Part, seed: int, k: int, plan: _Plan) -> tuple[Graphic, ...]:
    """The picture, or the two pictures of a figure that comes in pieces."""
    if k != 3 or "several-graphics" not in part.oddities:
        return (_graphic(part, seed, k, "", plan),)
    half = len(plan.panels) // 2
    pieces = [replace(plan, panels=plan.panels[:half], page=replace(plan.page, labels=plan.page.labels[:half])),
              replace(plan, panels=plan.panels[half:], page=replace(plan.page, labels=plan.page.labels[half:]))]
    return tuple(_graphic(part, seed, k, letter, piece) for letter, piece in zip("ab", pieces, strict=True))


def _graphic(part: Part, seed: int, k: int, letter: str, plan: _Plan) -> Graphic:
    dialect, tag = DIALECTS[part.dialect], tag_of(part)
    stem = dialect.media.format(tag=tag, k=k) + letter
    if "preprint" in part.oddities:
        stem = f"nihpp-2026.01.{tag}v1-f{k:04}"
    extension = "png" if form_of(part, k).endswith("png") else "jpg"
    href = stem if dialect.bare_href else f"{stem}.{extension}"
    if dialect.upper_href:
        href = href.replace("jcb", "JCB")
    drawing = None
    if part.license != "TDM":
        revised = part.revision if k == 1 and "new-image" in part.oddities else 0
        drawing = draw(rng_of(seed, "draw", *plan.key, letter, revised), plan.panels, plan.page)
    return Graphic(href, "" if part.license in ("TDM", None) else f"{stem}.{extension}", drawing, plan.panels)


def form_of(part: Part, k: int) -> str:
    """The format of figure k: JPEG but for the articles that show them all."""
    return _FORMS.get(k, "jpg") if "formats" in part.oddities else "jpg"


def _graphical_abstract(part: Part, seed: int) -> Figure:
    rng = rng_of(seed, "abstract", part.content)
    panels = choose_panels(rng, "drawings", 1)
    page = choose_page(rng, panels, "upper")
    drawing = draw(rng, panels, page)
    return Figure("undfig1", None, None, (Graphic("fx1.jpg", "" if part.license in ("TDM", None) else "fx1.jpg",
                                                  drawing,
                                                  tuple(panels)),), role="abstract", outcome="no-caption")


def _supplement(part: Part, seed: int, alphabet: str) -> Figure:
    """eLife's figure supplement: a figure within the figure, or beside it in a group."""
    rng = rng_of(seed, "supplement", part.content)
    panels = choose_panels(rng, "same", int(rng.integers(2, 5)))
    page = choose_page(rng, panels, alphabet)
    plan = _Plan(tuple(panels), page, compose(rng, panels, page), ("supplement", part.content))
    graphic = _graphic(part, seed, 2, "-figsupp1", plan)
    return Figure("fig2s1", "Figure 2—figure supplement 1.", plan.caption, (graphic,),
                  role="grouped" if part.index % 2 else "nested", outcome=_screened(panels))


def _screened(panels: Sequence[Panel]) -> str:
    """Whether the default terms find something in a caption of these panels."""
    return "kept" if any(panel.modality.diagnostic for panel in panels) else "no-term"


def _sentences(part: Part, rng: Rng, figures: Sequence[Figure]) -> tuple[str, ...]:
    """Sentences that cite the figures: one by one, with panel letters, several at once, as a range."""
    if "spanish" in part.oddities:
        return tuple(f'Los resultados se muestran en la <xref ref-type="fig" rid="{f.xml_id}">Figura {i}</xref>.'
                     for i, f in enumerate(figures, 1))
    said = ['All findings were drawn by rule, never seen in a patient <xref ref-type="bibr" rid="r1">[1]</xref>.']
    cited = [f for f in figures if f.xml_id and f.role not in ("abstract", "video")]
    for index, figure in enumerate(cited, 1):
        panel = figure.graphics[0].panels[0]
        clause = html.escape(panel.clause, quote=False)
        form = pick(rng, (
            '{clause} (<xref ref-type="fig" rid="{id}">Fig. {n}A</xref>).',
            'As <xref ref-type="fig" rid="{id}">Figure {n}</xref> shows, the finding was this: {clause}.',
            'The extent is given in <xref ref-type="fig" rid="{id}">Fig. {n}</xref>, <italic>p</italic> &lt; 0.05.',
        ))
        said.append(form.format(clause=clause, id=figure.xml_id, n=index))
        said.append(pick(rng, ("No patient was harmed by it.", "The second reader agreed (κ = 0.9).",
                               "It grew by 3 cm<sup>3</sup>.")))
    if len(cited) >= 3:
        a, b, c = (f.xml_id for f in cited[:3])
        said.append(f'Both readings are compared in <xref ref-type="fig" rid="{a} {b}">Figures 1 and 2</xref>.')
        said.append(f'See also <xref ref-type="fig" rid="{a}">Figs. 1</xref>–<xref ref-type="fig" rid="{c}">3</xref>.')
    if part.revision and "new-image" not in part.oddities and cited:
        said.append(f'Since the correction <xref ref-type="fig" rid="{cited[0].xml_id}">Figure 1</xref> is read anew.')
    return tuple(said)


def _not_figures(part: Part) -> str:
    """Pictures that are no figures: in a line, in a table, in a formula."""
    tag = tag_of(part)
    return (
        f'<p>The sign <inline-graphic xlink:href="drawn-{tag}-i1.jpg"/> marks a finding.</p>'
        f'<table-wrap id="t1"><label>Table 1</label><caption><p>Cohort.</p></caption>'
        f'<graphic xlink:href="drawn-{tag}-t001.jpg"/></table-wrap>'
        f'<disp-formula id="e1"><graphic xlink:href="drawn-{tag}-e001.jpg"/></disp-formula>'
    )


def not_figure_media(part: Part) -> tuple[str, ...]:
    """Names of the pictures of `_not_figures` and of a sub-article, as the bucket lists them."""
    tag = tag_of(part)
    names = tuple(f"drawn-{tag}-{kind}.jpg" for kind in ("i1", "t001", "e001")) if part.index % 3 == 0 else ()
    return (*names, f"elife-{tag}-sa1-fig1.jpg") if "sub-article" in part.oddities else names


def caption_text(caption: Caption | None) -> str | None:
    """The whole caption as plain text; None without one."""
    return None if caption is None else plain(f"{caption.title} {caption.body}")
