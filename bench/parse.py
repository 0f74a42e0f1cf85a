"""Articles per second of `parse_article` beside bare lxml with the same parser options, in one run, one thread.

    python bench/parse.py [--corpus DIR] [--rounds N]

DIR holds JATS files (`*.xml`); without it, articles of about 150 kB are made up. The files are in memory. In each
round lxml takes all files, then parse_article does, as they would at work: other work on the machine falls on both.
Prints one line of JSON: articles a second in the best round, and `ratio` = parse_article / lxml, the median over the
rounds. pubmed_parser follows on the same files, for information, where it is installed.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import json
import logging
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from lxml import etree

from pmcoa_build.errors import UnitLost
from pmcoa_build.pmc.jats import make_parser, parse_article


def made_up_article(figures: int = 12, paragraphs: int = 200, references: int = 60) -> bytes:
    """A plain article of about 150 kB with the usual mix of text, citations, figures and references."""
    body = "".join(
        f"<p>Cells were <italic>imaged</italic> at day {n} as before <xref ref-type='bibr' rid='r{n % references}'>"
        f"[{n}]</xref>, and Na<sub>2</sub>CO<sub>3</sub> was added to the medium until the signal had settled for good."
        + (f" This is shown in <xref ref-type='fig' rid='f{n % figures}'>Fig. {n % figures}</xref>. " * (n % 6 == 0))
        + "Nothing else was changed between the first and the last of the series that is described here.</p>"
        for n in range(paragraphs)
    )
    figs = "".join(
        f"<fig id='f{n}'><label>Figure {n}</label><caption><title>Series {n}.</title><p>(<bold>A</bold>) First view. "
        f"(<bold>B</bold>) Second view after 10<sup>3</sup> s. Scale bar, 5 µm.</p></caption>"
        f"<graphic xlink:href='x-g{n:03}'/></fig>"
        for n in range(figures)
    )
    refs = "".join(
        f"<ref id='r{n}'><element-citation publication-type='journal'><person-group><name><surname>Smith</surname>"
        f"<given-names>J</given-names></name><name><surname>Jones</surname><given-names>K</given-names></name>"
        f"</person-group><article-title>On the subject {n}</article-title><source>Journal</source><year>2010</year>"
        f"<volume>{n}</volume><fpage>1</fpage><lpage>9</lpage></element-citation></ref>"
        for n in range(references * 3)
    )
    return (
        "<article xmlns:xlink='http://www.w3.org/1999/xlink'><front><article-meta><article-id pub-id-type='pmcid'>PMC1"
        "</article-id><title-group><article-title>Title</article-title></title-group></article-meta></front>"
        f"<body><sec>{body}{figs}</sec></body><back><ref-list>{refs}</ref-list></back></article>"
    ).encode()


def bare(xml: bytes) -> None:
    """What lxml alone does, with the same options."""
    etree.fromstring(xml, make_parser())


def ours(xml: bytes) -> None:
    """What the project does; a lost article costs its time too."""
    with contextlib.suppress(UnitLost):
        parse_article(xml)


def pubmed_parser_on(paths: dict[bytes, Path]) -> Callable[[bytes], None] | None:
    """pubmed_parser's figure captions on the same files (it reads them from disk); None where it is not installed."""
    if not paths or importlib.util.find_spec("pubmed_parser") is None:
        return None
    import pubmed_parser  # type: ignore[import-not-found]

    def run(xml: bytes) -> None:
        try:
            pubmed_parser.parse_pubmed_caption(str(paths[xml]))
        except Exception as error:  # it raises whatever it meets
            logging.debug("pubmed_parser: %s", error)

    return run


def seconds(run: Callable[[bytes], None], files: list[bytes]) -> float:
    """Wall time of one round over all files."""
    start = time.perf_counter()
    for xml in files:
        run(xml)
    return time.perf_counter() - start


def main() -> None:
    """Time the parsers and print the line."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--corpus", type=Path)
    options.add_argument("--rounds", type=int, default=15)
    chosen = options.parse_args()
    paths = {path.read_bytes(): path for path in sorted(chosen.corpus.rglob("*.xml"))} if chosen.corpus else {}
    files = list(paths) or [made_up_article() for _ in range(40)]
    rounds = [(seconds(bare, files), seconds(ours, files)) for _ in range(chosen.rounds)]
    best = {"lxml": min(taken[0] for taken in rounds), "parse_article": min(taken[1] for taken in rounds)}
    rival = pubmed_parser_on(paths)
    if rival is not None:
        best["pubmed_parser"] = min(seconds(rival, files) for _ in range(chosen.rounds))
    result: dict[str, Any] = {
        "bench": "parse", "articles": len(files), "megabytes": round(sum(map(len, files)) / 1e6, 2),
        **{f"{name}_per_s": round(len(files) / taken, 1) for name, taken in best.items()},
        "ratio": round(median(lxml / own for lxml, own in rounds), 3),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
