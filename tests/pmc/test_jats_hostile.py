"""Broken and hostile files: each ends in an article or in a reason, and nothing outside the file is ever read."""

from __future__ import annotations

import gzip
import json
import socket
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pmcoa_build.errors import UnitLost
from pmcoa_build.pmc.jats import parse_article, to_parse_record
from tests.pmc.jats_xml import document


def reason(xml: bytes) -> str:
    with pytest.raises(UnitLost) as lost:
        parse_article(xml)
    return lost.value.reason.code


BODY = "<fig id='f'><caption><p>{}</p></caption></fig>"
WHOLE = document(BODY.format("A caption with µ."))
LAUGHS = "<!ENTITY l0 'lol'>" + "".join(f"<!ENTITY l{n} '{f'&l{n - 1};' * 10}'>" for n in range(1, 10))


@pytest.mark.parametrize(
    ("xml", "code"),
    [
        (b"", "xml-empty"),
        (b" \r\n\t ", "xml-empty"),
        (b"\xef\xbb\xbf \n", "xml-empty"),
        (WHOLE[:-60], "xml-malformed"),
        (WHOLE[: WHOLE.index("µ".encode()) + 1], "xml-malformed"),
        (WHOLE + WHOLE, "xml-malformed"),
        (WHOLE.replace(b"A cap", b"\0\0A cap"), "xml-malformed"),
        (WHOLE.replace(b"A cap", b"\x0b cap"), "xml-malformed"),
        *((WHOLE.replace(b"A cap", f"{number} cap".encode()), "xml-malformed")
          for number in ("&#x1;", "&#xFFFF;", "&#xD800;")),
        (WHOLE.replace("µ".encode(), b"\xb5"), "xml-malformed"),
        (WHOLE.replace(b"UTF-8", b"x-unknown"), "xml-malformed"),
        (WHOLE.replace(b"A cap", b"&nbsp;cap"), "xml-malformed"),
        (WHOLE.replace(b"<p>", b"<p><no:math/>"), "xml-malformed"),
        (WHOLE.replace(b"A cap", b"<italic>" * 20_000 + b"deep" + b"</italic>" * 20_000), "xml-malformed"),
        (WHOLE.replace(b"<fig ", b"<fig rights='" + b"x" * 10_500_000 + b"' "), "xml-malformed"),
        (WHOLE.replace(b"A cap", b"x" * 50_000_000), "xml-malformed"),
        (gzip.compress(WHOLE), "xml-malformed"),
        (b"\xff\xd8\xff\xe0" + bytes(range(256)), "xml-malformed"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "xml-malformed"),
        (
            b"<!DOCTYPE html><html><head><script>if(a<b&&c){}</script></head><body>403<br></body></html>",
            "xml-malformed",
        ),
        (b"<html><body><article><h1>403</h1></article></body></html>", "xml-not-jats"),
        (
            b"<OAI-PMH xmlns='http://www.openarchives.org/OAI/2.0/'><error code='idDoesNotExist'>no</error></OAI-PMH>",
            "xml-not-jats",
        ),
        (document(BODY.format("&l9;"), head=f"<!DOCTYPE article [{LAUGHS}]>"), "xml-entity"),
        (
            document(BODY.format("&a;" * 20_000), head=f"<!DOCTYPE article [<!ENTITY a '{'A' * 50_000}'>]>"),
            "xml-entity",
        ),
        (document(BODY.format("&a;"), head="<!DOCTYPE article [<!ENTITY a '&b;'><!ENTITY b '&a;'>]>"), "xml-entity"),
        (
            b"<pmc-articleset><article><!--The publisher of this article does not allow downloading of the full "
            b"text in XML "
            b"form.--><front><article-meta><article-id pub-id-type='pmc'>2</article-id><abstract/>"
            b"</article-meta></front>"
            b"</article></pmc-articleset>",
            "no-fulltext",
        ),
        (b"<article><front><article-meta/></front></article>", "no-fulltext"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_lost_with_its_reason(xml: bytes, code: str) -> None:
    assert reason(xml) == code


def test_front_with_abstract_alone_is_an_article() -> None:
    xml = b"<article><front><article-meta><abstract><p>x</p></abstract></article-meta></front></article>"
    assert parse_article(xml).figures == []


def test_no_fulltext_names_the_article() -> None:
    record = to_parse_record(
        "x",
        b"<article><front><article-meta><article-id pub-id-type='pmc'>2</article-id></article-meta></front></article>",
    )
    assert record["error"] == "no-fulltext: PMC2"


def test_legal_internal_entities_lose_no_text() -> None:
    head = (
        "<!DOCTYPE article [<!ENTITY j 'PLoS &#38;#38; co'><!ENTITY pre 'pone.1'><!ENTITY t 'a <italic>b</italic>'>"
        "<!ENTITY x SYSTEM 'x.gif' NDATA gif><!NOTATION gif PUBLIC 'gif'>]>"
    )
    xml = document(
        "<fig id='f'><caption><p>From &j;, &t; c.</p></caption><graphic xlink:href='&pre;.g001'/></fig>", head=head
    )
    (found,) = parse_article(xml).figures
    assert (found.caption, found.graphics) == ("From PLoS & co, a b c.", ["pone.1.g001"])


def test_character_names_of_an_unread_dtd() -> None:
    head = "<!DOCTYPE article PUBLIC '-//NLM//DTD Journal Publishing DTD v3.0 20080202//EN' 'journalpublishing3.dtd'>"
    assert parse_article(document(BODY.format("5&nbsp;&micro;m &rsquo; &amp; end"), head=head)).figures[0].caption == (
        "5 µm ’ & end"
    )
    assert reason(document(BODY.format("5 &nosuchname; m"), head=head)) == "xml-entity"


@pytest.mark.parametrize("encoding", ["utf-16", "iso-8859-1"])
def test_other_encodings(encoding: str) -> None:
    xml = (
        document(BODY.format("Café 5 µm"), head=f"<?xml version='1.0' encoding='{encoding}'?>")
        .decode()
        .encode(encoding)
    )
    assert parse_article(xml).figures[0].caption == "Café 5 µm"


def test_utf_16_that_claims_to_be_utf_8() -> None:
    xml = document(BODY.format("Café 5 µm")).decode().encode("utf-16")
    assert parse_article(xml).figures[0].caption == "Café 5 µm"


REFERENCE = "<ref id='r'><mixed-citation>Doe. On things.</mixed-citation></ref>"


@pytest.mark.parametrize(
    "references",
    [
        "",
        f"<ref-list>{REFERENCE}</ref-list>",
        f"<ref-list><title>R</title>{REFERENCE}<ref-list>{REFERENCE}</ref-list>{REFERENCE}</ref-list>",
        f"<ref-list>{REFERENCE}</ref-list><sec><p>More.</p></sec><ref-list id='l'>{REFERENCE}</ref-list>",
        f"<!-- <ref-list> --><ref-list>{REFERENCE}</ref-list>",
        f"<ref-list>{REFERENCE}<!-- <ref-list> -->{REFERENCE}</ref-list><!-- and -->",
        f"<ref-list>{REFERENCE}</ref-list><!-- </ref-list> -->",
        f"<ref-list>{REFERENCE}</ref-list><!-- <ref-list></ref-list> -->",
        "<ref-list><ref>&nothing; <lost></ref></ref-list>",
    ],
)
def test_references_do_not_matter(references: str) -> None:
    """Lists of references hold nothing that is looked for; so neither what they say nor how well they say it counts."""
    article = parse_article(
        document(BODY.format("c"), after=f"<back><p/>{references}</back><floats-group><fig id='g'/></floats-group>")
    )
    assert [figure.xml_id for figure in article.figures] == ["f", "g"]


def test_a_figure_among_references_counts() -> None:
    after = f"<back><ref-list>{REFERENCE}<p><fig id='g'/></p></ref-list></back>"
    assert [figure.xml_id for figure in parse_article(document("<fig id='f'/>", after=after)).figures] == ["f", "g"]


def test_references_cut_short_are_a_file_cut_short() -> None:
    whole = document(BODY.format("c"), after=f"<back><ref-list>{REFERENCE * 3}</ref-list></back>")
    start = whole.index(b"<ref-list")
    assert {reason(whole[:end]) for end in range(start, len(whole))} == {"xml-malformed"}


def test_nothing_external_is_ever_read(tmp_path: Path) -> None:
    """A listening server gets no connection and a canary file is never quoted, whatever the DOCTYPE asks for."""
    canary = tmp_path / "canary.txt"
    canary.write_text("CANARY")
    (tmp_path / "canary.dtd").write_text("<!ENTITY leak 'CANARY'>")
    connections: list[object] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        listener = threading.Thread(target=_accept, args=(server, connections))
        listener.start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        asking = [
            f"<!DOCTYPE article [<!ENTITY leak SYSTEM '{canary.as_uri()}'>]>",
            f"<!DOCTYPE article [<!ENTITY leak SYSTEM '{url}/x'>]>",
            f"<!DOCTYPE article [<!ENTITY % d SYSTEM '{(tmp_path / 'canary.dtd').as_uri()}'> %d;]>",
            f"<!DOCTYPE article [<!ENTITY % d SYSTEM '{url}/x.dtd'> %d;]>",
            f"<!DOCTYPE article SYSTEM '{url}/x.dtd'>",
            f"<!DOCTYPE article SYSTEM '{(tmp_path / 'canary.dtd').as_uri()}'>",
        ]
        for head in asking:
            assert reason(document(BODY.format("Before &leak; after."), head=head)) == "xml-entity"
            assert reason(document("<fig id='f'><graphic xlink:href='&leak;'/></fig>", head=head)) == "xml-entity"
        plain = document(
            BODY.format("A normal caption."), head=f"<!DOCTYPE article PUBLIC '-//NLM//DTD JATS' '{url}/j.dtd'>"
        )
        assert parse_article(plain).figures[0].caption == "A normal caption."
        socket.create_connection(server.getsockname()).close()  # the listener's own end
        listener.join(5)
    assert len(connections) == 1


def _accept(server: socket.socket, connections: list[object]) -> None:
    """Count connections until the test's own one, which closes at once without a word."""
    while True:
        connection, _ = server.accept()
        with connection:
            connections.append(connection)
            if not connection.recv(1):
                return


@given(st.binary(max_size=200), st.integers(0, len(WHOLE)), st.integers(0, 40))
@settings(deadline=None, max_examples=200)
def test_damage_ends_in_an_article_or_a_reason(noise: bytes, at: int, cut: int) -> None:
    damaged = WHOLE[:at] + noise + WHOLE[at + cut :]
    try:
        json.dumps(to_parse_record("x", damaged)).encode()
        parse_article(damaged)
    except UnitLost as lost:
        assert lost.reason.code.startswith(("xml-", "no-fulltext"))


def test_many_figures_and_references_are_all_counted() -> None:
    rids = [" ".join(f"f{(n + k) % 4000}" for k in range(25)) for n in range(4000)]
    body = "".join(
        f"<p><xref ref-type='fig' rid='{rid}'>x</xref></p><fig id='f{n}'><caption><p>c</p></caption></fig>"
        for n, rid in enumerate(rids)
    )
    article = parse_article(document(body + "<p><xref ref-type='fig' rid='f1'>1</xref></p>"))
    assert {f.xml_id: f.n_mentions for f in article.figures} == {f"f{n}": 25 + (n == 1) for n in range(4000)}


MAIN = "<ref-list><ref id='r1'/></ref-list>"


@pytest.mark.parametrize("others", [
    "<sub-article><body><fig id='s'/></body></sub-article>",
    "<response><body/></response>\n<sub-article><ref-list/></sub-article> ",
    "<sub-article><response><body/></response></sub-article>",
    "<sub-article><sub-article><body/></sub-article></sub-article>",
    "<floats-group><fig id='late'/></floats-group><sub-article/>",
    "<sub-article></sub-article><floats-group><fig id='late'/></floats-group><sub-article></sub-article>",
    "<!-- <sub-article> --><sub-article></sub-article>",
    "<!-- </sub-article> -->",
])
@pytest.mark.parametrize("wrapped", ["{}", "<pmc-articleset>{}</pmc-articleset>"])
def test_other_articles_at_the_end_may_be_passed_over_unread(others: str, wrapped: str) -> None:
    xml = document(BODY.format("A caption."), after=f"<back>{MAIN}</back>{others}")
    late = ["late"] if "late" in others else []
    head, body = xml[: xml.index(b"<article")], xml[xml.index(b"<article"):]
    whole = head + wrapped.format(body.decode()).encode()
    assert [figure.xml_id for figure in parse_article(whole).figures] == ["f", *late]


def test_what_follows_other_articles_is_still_checked() -> None:
    xml = document(BODY.format("A caption."), after=f"<back>{MAIN}</back><sub-article><body/></sub-article>")
    assert reason(xml + b"<article/>") == "xml-malformed"
    assert reason(xml[:-3]) == "xml-malformed"
