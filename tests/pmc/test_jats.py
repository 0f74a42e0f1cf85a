"""Which figures an article has, their captions, labels and graphics: one minimal file a gotcha of JATS."""

from __future__ import annotations

import html

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pmcoa_build.pmc.jats import Article, parse_article
from tests.pmc.jats_xml import META, XLINK, figure, parse


def caption(inside: str) -> str | None:
    return figure(f"<caption>{inside}</caption>").caption


# --- which figures -----------------------------------------------------------------------------------------------


def ids(article: Article) -> list[str | None]:
    return [figure.xml_id for figure in article.figures]


@pytest.mark.parametrize(
    "place",
    [
        "<sec>{}</sec>",
        "<p>text {} more</p>",
        "<boxed-text>{}</boxed-text>",
        "<disp-quote>{}</disp-quote>",
        "<floats-wrap>{}</floats-wrap>",
        "<fig-group>{}</fig-group>",
    ],
)
def test_figures_anywhere_in_the_body_count(place: str) -> None:
    assert ids(parse(place.format("<fig id='f'/>"))) == ["f"]


@pytest.mark.parametrize("part", ["floats-group", "back"])
def test_figures_outside_the_body_count_in_document_order(part: str) -> None:
    assert ids(parse("<fig id='a'/>", after=f"<{part}><fig id='b'/></{part}>")) == ["a", "b"]


def test_graphical_abstract_counts() -> None:
    meta = "<article-meta><abstract><fig id='ga'/></abstract></article-meta>"
    assert ids(parse("<fig id='a'/>", meta=meta)) == ["ga", "a"]


@pytest.mark.parametrize("part", ["sub-article", "response"])
def test_figures_and_references_of_other_articles_do_not_count(part: str) -> None:
    other = f"<{part}><body><p><xref ref-type='fig' rid='m'>x</xref></p><fig id='s'/></body></{part}>"
    article = parse("<fig id='m'/>", after=other)
    assert ids(article) == ["m"]
    assert article.figures[0].n_mentions == 0
    assert ids(parse(f"<fig id='m'/><sec>{other}</sec><fig id='n'/>")) == ["m", "n"]


def test_what_is_no_figure() -> None:
    article = parse(
        "<p><inline-graphic xlink:href='i'/><graphic xlink:href='loose'/></p><table-wrap><graphic xlink:href='t'/>"
        "</table-wrap><disp-formula><graphic xlink:href='eq'/></disp-formula><boxed-text><graphic xlink:href='b'/>"
        "</boxed-text><supplementary-material><media xlink:href='s.mp4'/></supplementary-material>"
    )
    assert article.figures == []


def test_missing_and_repeated_ids_are_kept_apart() -> None:
    article = parse(
        "<fig id='a'><graphic xlink:href='1'/></fig><fig><graphic xlink:href='2'/></fig>"
        "<fig id='a'><graphic xlink:href='3'/></fig>"
    )
    assert [(f.xml_id, f.graphics) for f in article.figures] == [("a", ["1"]), (None, ["2"]), ("a", ["3"])]


def test_nested_figures_keep_their_own_parts() -> None:
    article = parse(
        "<fig id='o'><label>1</label><caption><p>Before <fig id='i'><label>1a</label><caption><p>Inner.</p></caption>"
        "<graphic xlink:href='inner'/></fig> after.</p></caption><graphic xlink:href='outer'/></fig>"
    )
    assert [(f.xml_id, f.label, f.caption, f.graphics) for f in article.figures] == [
        ("o", "1", "Before after.", ["outer"]),
        ("i", "1a", "Inner.", ["inner"]),
    ]


def test_figures_directly_in_a_figure() -> None:
    article = parse(
        "<fig id='o'><label>1</label><caption><p>Outer.</p></caption><graphic xlink:href='outer'/><fig id='i'><label>1a"
        "</label><caption><p>Inner.</p></caption><graphic xlink:href='inner'/></fig></fig>"
        "<p><xref ref-type='fig' rid='o i'>x</xref></p>"
    )
    assert [(f.xml_id, f.label, f.caption, f.graphics, f.n_mentions) for f in article.figures] == [
        ("o", "1", "Outer.", ["outer"], 1),
        ("i", "1a", "Inner.", ["inner"], 1),
    ]


@pytest.mark.parametrize(
    ("opening", "closing"),
    [
        ("<pmc-articleset>", "</pmc-articleset>"),
        (
            "<OAI-PMH xmlns='http://www.openarchives.org/OAI/2.0/'><GetRecord><record><metadata>",
            "</metadata></record></GetRecord></OAI-PMH>",
        ),
    ],
)
@pytest.mark.parametrize("namespace", ["", " xmlns='https://jats.nlm.nih.gov/ns/archiving/1.3/'"])
def test_wrappers_and_default_namespaces(opening: str, closing: str, namespace: str) -> None:
    inner = (
        f"<article {XLINK}{namespace}><front>{META}</front><body><p><xref ref-type='fig' rid='f'>Fig</xref> x.</p>"
        "<fig id='f'><label>1</label><caption><p>A<sub>2</sub></p></caption><graphic xlink:href='g'/></fig></body>"
        "</article>"
    )
    article = parse_article((opening + inner + closing).encode())
    assert article.pmcid == "PMC1"
    (found,) = article.figures
    assert (found.label, found.caption, found.graphics, found.n_mentions) == ("1", "A2", ["g"], 1)


def test_prefixed_namespace() -> None:
    article = parse_article(
        b"<j:article xmlns:j='https://jats.nlm.nih.gov' xmlns:x='http://www.w3.org/1999/xlink'><j:front>"
        b"<j:article-meta>"
        b"<j:article-id pub-id-type='pmc'>7</j:article-id></j:article-meta></j:front><j:body><j:p><j:xref "
        b"ref-type='fig'"
        b" rid='f'>x</j:xref>.</j:p><j:fig id='f'><j:label>1</j:label><j:caption><j:title>T</j:title><j:p>Pre<j:sub>2"
        b"</j:sub>fixed.</j:p></j:caption><j:graphic x:href='g'/></j:fig></j:body></j:article>"
    )
    (found,) = article.figures
    assert article.pmcid == "PMC7"
    assert (found.label, found.caption, found.graphics, found.mentions) == ("1", "T Pre2fixed.", ["g"], ["x."])


# --- captions and labels -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("xml", "text"),
    [
        ("Bare text, <italic>no</italic> p.", "Bare text, no p."),
        ("", ""),
        (
            "<title>T<sub>1</sub></title><p>P1</p><p>P2<list><list-item><label>a</label><p>x</p></list-item>"
            "</list></p>",
            "T1 P1 P2 a x",
        ),
        ("<p>l1<break/>l2</p>", "l1 l2"),
        ("<p>Na<sub>2</sub>C<sub>2</sub>O<sub>4</sub>, 10<sup>−3</sup></p>", "Na2C2O4, 10−3"),
        ("<p>a<!-- hidden -->b<?pi here?>c</p>", "abc"),
        ("<p><![CDATA[a<b&c]]> &lt;tag&gt; &amp;amp;</p>", "a<b&c <tag> &amp;"),
        (
            "<p>x<inline-formula><alternatives><tex-math>\\alpha</tex-math><mml:math><mml:mi>α</mml:mi></mml:math>"
            "</alternatives></inline-formula>y</p>",
            "xαy",
        ),
        (
            "<p>m<mml:math><mml:semantics><mml:mi>n</mml:mi><mml:annotation-xml><mml:mi>no</mml:mi>"
            "</mml:annotation-xml>"
            "</mml:semantics></mml:math>p</p>",
            "mnp",
        ),
        ("<p>p<inline-graphic xlink:href='i'><alt-text>ALT</alt-text></inline-graphic>q</p>", "pq"),
        ("<p>a b c\n\td</p>", "a b c d"),
        ("<p>zero\u200bwidth</p>", "zero\u200bwidth"),
        (
            "<p>Text.</p><p>Figure 1—source data 1.<supplementary-material><label>L</label><media/>"
            "</supplementary-material>"
            " End.</p>",
            "Text. Figure 1—source data 1. End.",
        ),
        ("<p>𝒙 &#x1D499;</p>", "𝒙 𝒙"),
    ],
)
def test_caption_text(xml: str, text: str) -> None:
    assert caption(xml) == text


def test_no_caption_is_none_and_first_of_several_counts() -> None:
    assert figure("<graphic xlink:href='g'/>").caption is None
    two = figure("<caption xml:lang='en'><p>English.</p></caption><caption xml:lang='pt'><p>Outra.</p></caption>")
    assert two.caption == "English."


def test_caption_xml_is_the_inner_xml() -> None:
    inner = (
        '<title>A<sup>2</sup></title><p>See <xref ref-type="fig" rid="f">Fig. 1</xref> &amp; <italic>b</italic>.</p>'
    )
    found = figure(f"<caption>{inner}</caption>")
    assert found.caption_xml == inner
    assert figure("<caption/>").caption_xml == "" == figure("").caption_xml


@pytest.mark.parametrize(
    ("xml", "label"),
    [
        ("<label>Fig<!-- c -->.&#xA0;1</label>", "Fig. 1"),
        ("<label/>", None),
        ("", None),
        ("<label><bold>Figure</bold> 2</label><label>x</label>", "Figure 2"),
        ("<p><label>inside</label></p>", None),
    ],
)
def test_label(xml: str, label: str | None) -> None:
    assert figure(xml).label == label


_TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="￾￿﷐﷑﷒"), max_size=12)
_INLINE = st.sampled_from(["italic", "bold", "sub", "sup", "xref", "ext-link", "named-content", "styled-content"])
_MARKUP = st.recursive(
    _TEXT.map(lambda text: (html.escape(text), text)),
    lambda inner: st.tuples(_INLINE, st.lists(inner, max_size=4)).map(
        lambda pair: (f"<{pair[0]}>{''.join(x for x, _ in pair[1])}</{pair[0]}>", "".join(t for _, t in pair[1]))
    ),
    max_leaves=12,
)


@given(st.lists(_MARKUP, max_size=6), st.booleans())
@settings(deadline=None)
def test_inline_markup_only_joins(pieces: list[tuple[str, str]], in_paragraph: bool) -> None:
    xml, text = "".join(x for x, _ in pieces), "".join(t for _, t in pieces)
    assert caption(f"<p>{xml}</p>" if in_paragraph else xml) == " ".join(text.split())


@given(st.lists(st.lists(_MARKUP, max_size=3), min_size=1, max_size=4))
@settings(deadline=None)
def test_paragraphs_are_parted_by_one_blank(paragraphs: list[list[tuple[str, str]]]) -> None:
    xml = "".join(
        f"<p>{''.join(x for x, _ in pieces)}<list><list-item><p/></list-item></list></p>" for pieces in paragraphs
    )
    assert caption(xml) == " ".join(" ".join("".join(t for _, t in pieces) for pieces in paragraphs).split())


# --- graphics ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("xml", "graphics"),
    [
        ("<graphic xlink:href='a'/><graphic xlink:href='b'/>", ["a", "b"]),
        ("<graphic href='bare.jpg'/>", ["bare.jpg"]),
        ("<graphic xmlns:xl='http://www.w3.org/1999/xlink' xl:href='other'/>", ["other"]),
        ("<graphic xmlns:o='urn:odd' o:href='odd'/>", ["odd"]),
        ("<graphic/><graphic xlink:href=''/><graphic xlink:href='  '/>", []),
        ("<graphic xlink:href='d'/><graphic xlink:href='d'/>", ["d", "d"]),
        (
            "<alternatives><graphic xlink:href='p.tif'/><graphic xlink:href='o.jpg'/><media "
            "xlink:href='m.mp4'/></alternatives>",
            ["p.tif", "o.jpg"],
        ),
        ("<p><graphic xlink:href='wrapped'/></p>", ["wrapped"]),
        (
            "<disp-formula><graphic xlink:href='n'/></disp-formula><caption><p><inline-formula><graphic "
            "xlink:href='n'/>"
            "</inline-formula></p><graphic xlink:href='n'/></caption><table-wrap><graphic xlink:href='n'/></table-wrap>"
            "<attrib><graphic xlink:href='n'/></attrib><permissions><graphic xlink:href='n'/></permissions>"
            "<label><graphic xlink:href='n'/></label><supplementary-material><graphic xlink:href='n'/>"
            "</supplementary-material><inline-graphic xlink:href='n'/>",
            [],
        ),
    ],
)
def test_graphics(xml: str, graphics: list[str]) -> None:
    assert figure(xml).graphics == graphics


def test_video_only_figure() -> None:
    (found,) = parse(
        "<fig id='v' fig-type='video'><caption><p>Video.</p></caption><media xlink:href='v.mp4'/></fig>"
    ).figures
    assert (found.graphics, found.media, found.fig_type) == ([], ["v.mp4"], "video")


EVIL = [
    "../../../../etc/passwd",
    "/etc/passwd",
    "file:///etc/passwd",
    "http://169.254.169.254/x",
    "..\\..\\x",
    "C:\\x",
    "%2Fetc%2Fpasswd",
    "a%00b",
    "x" * 5000,
    "con",
    "-rf",
    "$(touch x)",
    "a\u202egpj.exe",
]


def test_evil_hrefs_stay_data() -> None:
    figures = "".join(f"<fig id='f{n}'><graphic xlink:href='{href}'/></fig>" for n, href in enumerate(EVIL))
    assert [f.graphics for f in parse(figures).figures] == [[href] for href in EVIL]
