"""Minimal JATS articles around what a test is about."""

from __future__ import annotations

from pmcoa_build.pmc.jats import Article, Figure, parse_article

XLINK = "xmlns:xlink='http://www.w3.org/1999/xlink' xmlns:mml='http://www.w3.org/1998/Math/MathML'"
META = "<article-meta><article-id pub-id-type='pmcid'>PMC1</article-id></article-meta>"


def document(
    body: str, *, after: str = "", meta: str = META, head: str = "<?xml version='1.0' encoding='UTF-8'?>"
) -> bytes:
    return f"{head}<article {XLINK}><front>{meta}</front><body>{body}</body>{after}</article>".encode()


def parse(body: str, **parts: str) -> Article:
    return parse_article(document(body, **parts))


def figure(inside: str, **parts: str) -> Figure:
    (found,) = parse(f"<fig id='f'>{inside}</fig>", **parts).figures
    return found
