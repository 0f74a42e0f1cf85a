from __future__ import annotations

import base64
import hashlib
import io
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from bs4 import BeautifulSoup, Tag
from PIL import Image

from pmcoa_build.captions.corrections import Correction, load_corrections
from pmcoa_build.dataset.gallery import (
    PICTURE_BYTES,
    SHOWN,
    SHOWN_LOST,
    Shown,
    gallery_figures,
    render_gallery,
    sample_figures,
)
from pmcoa_build.dataset.stats import Statistics
from tests.browser import CHROMIUM, Page, browser

EVIL = "<script>alert('x')</script>\"><img src=x onerror=alert(1)>'{{ 1 }}"
KEYS = ("license", "kind", "method", "journal", "year", "modality", "flag")


def panel(number: int, **given: Any) -> dict[str, Any]:
    return {"bbox": [10 * number, 0, 10 * number + 8, 20], "label": "ABCD"[number], "kind": "plot", "method": "label",
            "subcaption": f"part {number}", "preamble": "", "confidence": 0.25 * number, "split": "train", "lost": None,
            **given}  # fmt: skip


def encoded(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def figure(number: int, **given: Any) -> dict[str, Any]:
    return {"figure_id": f"PMC1.1/F{number}", "image_id": f"PMC1.1/g{number}.png", "label": f"Figure {number}",
            "caption": "The whole caption.", "image": encoded(Image.new("RGB", (900, 600), (number, 90, 200))),
            "license": "CC BY", "attribution": "A. Author", "lost": None,
            "source_url": "https://pmc.ncbi.nlm.nih.gov/articles/PMC1/", "clauses": {},
            "panels": [panel(n) for n in range(3)], **given}  # fmt: skip


def counts(**given: Counter[str]) -> Statistics:
    return Statistics(rows=Counter(train=8, test=2), by={key: given.get(key, Counter()) for key in KEYS}, figures=3)


def html(figures: list[dict[str, Any]], funnel: list[dict[str, Any]] | None = None, **given: Any) -> str:
    shown = Shown(figures, given.get("total", len(figures)), given.get("total_lost", 0), given.get("agreement", {}))
    return render_gallery(shown, funnel or [], given.get("statistics", counts()), name=given.get("name", "tiny"),
                          snapshot_date="2026-01-31")


def page(figures: list[dict[str, Any]], funnel: list[dict[str, Any]] | None = None, **given: Any) -> BeautifulSoup:
    return BeautifulSoup(html(figures, funnel, **given), "html.parser")


def one(soup: BeautifulSoup | Tag, selector: str) -> Tag:
    found = soup.select(selector)
    assert len(found) == 1, f"{selector}: {len(found)}"
    return found[0]


def test_all_text_is_escaped() -> None:
    texts = dict.fromkeys(("label", "caption", "license", "attribution", "figure_id", "image_id", "lost"), EVIL)
    inner = dict.fromkeys(("label", "kind", "method", "subcaption", "lost", "split"), EVIL)
    evil = figure(1, **texts, panels=[panel(0, **{**inner, "subcaption": EVIL + "!"})], clauses={EVIL: EVIL})
    funnel = [{"stage": EVIL, "unit": EVIL, "in": 2, "done": 1, "filtered": {EVIL: 1}, "dead": {}}]
    soup = page([evil], funnel, name=EVIL, statistics=counts(**{key: Counter({EVIL: 1}) for key in KEYS}),
                agreement={EVIL: {"right": 1}})
    assert len(soup.find_all("script")) == 1
    assert len(soup.find_all("img")) == 1
    assert not [tag for tag in soup.find_all(True) for name in tag.attrs if name.startswith("on")]
    assert one(soup, ".sub").text == EVIL + "!"
    assert one(soup, ".lab").text == one(soup, "h1").text == one(soup, "article")["data-lost"] == EVIL


def test_nothing_is_loaded_from_elsewhere_and_only_its_own_script_runs() -> None:
    soup = page([figure(1)])
    for tag in soup.select("[src], link, iframe, object"):
        assert str(tag["src"]).startswith("data:image/webp;base64,")
    policy = str(one(soup, "meta[http-equiv]")["content"])
    seal = base64.b64encode(hashlib.sha256(one(soup, "script").text.encode()).digest()).decode()
    assert "default-src 'none'" in policy and f"script-src 'sha256-{seal}'" in policy
    assert "@import" not in str(soup) and "url(" not in str(soup)


def test_pictures_are_small_and_boxes_lie_on_them() -> None:
    soup = page([figure(1, panels=[panel(0, bbox=[90, 60, 450, 600])])])
    picture = base64.b64decode(str(one(soup, "img")["src"]).split(",")[1])
    assert Image.open(io.BytesIO(picture)).size == (720, 480)
    style = str(one(soup, ".box")["style"])
    assert "left: 10.0%; top: 10.0%; width: 40.0%; height: 90.0%" in style
    assert one(soup, ".tag").text == "A"


def test_pictures_stay_below_their_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (1500, 1500, 3), np.uint8)
    soup = page([figure(1, image=encoded(Image.fromarray(noise)))])
    picture = base64.b64decode(str(one(soup, "img")["src"]).split(",")[1])
    assert 1000 < len(picture) <= PICTURE_BYTES
    monkeypatch.setattr("pmcoa_build.dataset.gallery.PICTURES_BYTES", 6000)
    many = page([figure(1, image=encoded(Image.fromarray(noise)), panels=[])] * 3)
    assert sum(len(str(image["src"])) for image in many.select("img")) < 6000 * 4 / 3 + 200


def test_every_panel_says_label_text_method_and_confidence() -> None:
    row = page([figure(1)]).select("li.pair")[2]
    assert (one(row, ".lab").text, one(row, ".sub").text) == ("C", "part 2")
    assert "by label" in row.text and "confidence 0.50" in row.text and "train" in row.text
    assert {k: row[f"data-{k}"] for k in ("kind", "method", "confidence", "lost", "box")} == {
        "kind": "plot", "method": "label", "confidence": "0.5", "lost": "", "box": "20,0,28,20"}


def test_the_whole_caption_is_not_repeated_for_each_panel() -> None:
    caption = "Seen once. " * 9
    text = html([figure(1, caption=caption, panels=[panel(n, subcaption=caption) for n in range(4)])])
    assert text.count(caption) == 1
    assert len(BeautifulSoup(text, "html.parser").select(".whole")) == 4


def test_every_picture_has_its_licence_and_credit() -> None:
    soup = page([figure(1), figure(2, license="CC BY-NC", attribution="B. Author"), figure(3, license="NO-CC CODE")])
    credits = [tag.text for tag in soup.select(".credit")]
    assert [credit.split(" · ")[:2] for credit in credits] == [
        ["CC BY", "A. Author"], ["CC BY-NC", "B. Author"], ["NO-CC CODE", "A. Author"]]
    assert str(soup.select(".credit a")[0]["href"]).startswith("https://creativecommons.org/licenses/by/4.0/")
    assert one(soup, ".notice").text.startswith("1 of the figures below is not licensed for redistribution")
    assert not page([figure(1)]).select(".notice")


def test_what_was_lost_is_shown_with_its_reason() -> None:
    bare = {"label": None, "kind": None, "method": None, "subcaption": None, "confidence": None, "split": None}
    soup = page([figure(1, image=None, image_id=None, lost="media-missing", panels=[]), figure(2, image=b"no image"),
                 figure(3, panels=[panel(0, lost="no-subcaption", **bare)])])
    assert [tag.text for tag in soup.select(".noimage")] == ["No image was fetched.", "The image cannot be shown."]
    assert [reason.text for reason in soup.select(".reason")] == ["left out: media-missing", "left out: no-subcaption"]
    assert "The XML names an image that PMC's metadata do not list." in soup.select("article")[0].text
    options = [option.text for option in soup.select("select[name=lost] option")]
    assert options == ["any", "nothing", "anything", "media-missing (1)", "no-subcaption (1)"]


def test_the_funnel_is_drawn_with_its_reasons() -> None:
    stage = {"unit": "article", "in": 200, "done": 100, "filtered": {"retracted": 60}, "dead": {"timeout": 40}}
    soup = page([], [{**stage, "stage": "articles"}, {**stage, "stage": "screen", "in": 100, "done": 50}])
    rows = soup.select(".stage")
    assert "200 articles → 100 done" in rows[0].text
    assert [(item.text, item["class"]) for item in rows[0].select("li")] == [
        ("retracted 60", ["filtered"]), ("timeout 40", ["dead"])]
    assert str(one(rows[0], "path")["d"]).startswith("M0.0 0 C0.0 30 25.0 30 25.0 60 L75.0 60")
    assert one(rows[1], "svg")["aria-label"] == "screen: 100 in, 50 done"


def test_how_often_people_agreed() -> None:
    said = {"label": {"right": 9, "wrong": 1, "corrected": 2, "left out": 3}, "order": {"left out": 1}}
    rows = [[cell.text for cell in row.select("th, td")] for row in page([], agreement=said).select("tbody tr")]
    assert rows == [["label", "15", "9", "2", "1", "3", "75 %"], ["order", "1", "0", "0", "0", "1", "–"]]


def test_figures_are_sampled_by_id_and_losses_in_turn() -> None:
    figures = [f"PMC{n}.1/F1" for n in range(2 * SHOWN)]
    lost = {f"PMC{n}.1/L": "no-term" if n % 100 else "no-media" for n in range(400)}
    shown, left_out = sample_figures(figures, {**lost, figures[0]: "no-term"})
    assert len(shown) == SHOWN and len(left_out) == SHOWN_LOST
    assert Counter(lost[figure] for figure in left_out) == {"no-media": 4, "no-term": SHOWN_LOST - 4}
    again, _ = sample_figures(reversed(figures[:-9]), {})
    assert len(set(shown) - set(again)) <= 9
    text = html([], total=9_000, total_lost=400)
    assert "450 of 9,000 figures with panels" in text and "50 of 400 that were left out" in text
    assert "All figures of the build are shown" in html([], total=3, total_lost=4)


def test_everything_can_be_reached_by_keyboard() -> None:
    soup = page([figure(1)])
    assert all(row["tabindex"] == "0" for row in soup.select("li.pair"))
    assert one(soup, "a.skip")["href"] == "#" + str(one(soup, "main")["id"])
    for control in soup.select("select, input"):
        assert control.find_parent("label") is not None or control["aria-label"]
    assert one(soup, "#count")["aria-live"] == "polite"
    assert one(soup, "meta[name=viewport]")["content"] == "width=device-width, initial-scale=1"
    assert one(soup, "html")["lang"] == "en"
    identifiers = [tag["id"] for tag in soup.select("[id]")]
    assert len(identifiers) == len(set(identifiers))


def luminance(colour: str) -> float:
    """Relative luminance of #rrggbb (WCAG 2)."""
    linear = [(v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4) for v in (
        int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_text_stands_out_in_light_and_dark() -> None:
    light, dark = (dict(re.findall(r"--([a-z0-9-]+): (#[0-9a-f]{6})", part)) for part in html([]).split(
        "@media (prefers-color-scheme: dark)")[:2])
    dark = {**light, **dark}
    for colours in (light, dark):
        inks = ("ink", "soft", "accent", "done", "filtered", "dead")
        pairs = [(colours[ink], colours[paper]) for ink in inks for paper in ("page", "card")]
        pairs += [("#ffffff", colours[f"c{n}"]) for n in range(8)] + [(colours["on-accent"], colours["accent"])]
        for ink, paper in pairs:
            high, low = sorted((luminance(ink), luminance(paper)), reverse=True)
            assert (high + 0.05) / (low + 0.05) >= 4.5, (ink, paper)


def test_figures_from_tables(tables: dict[str, pa.Table]) -> None:
    panels, align = tables["panels"].to_pylist(), {row["panel_id"]: row for row in tables["align"].to_pylist()}
    wanted = ("panel_id", "image_id", "bbox", "kind")
    pairs = [{**{k: row[k] for k in wanted}, **align[row["panel_id"]], "split": "train"} for row in panels[:6]]
    lost = {pairs[1]["panel_id"]: "duplicate", "PMC10003000.1/F2": "no-media"}
    figures, media = tables["figures"].slice(0, 4), tables["media"].slice(0, 3)
    entries = gallery_figures(figures, media, pa.Table.from_pylist(pairs), lost, {"PMC10000000.1/F1": {"A": "left"}})
    assert [(e["figure_id"], e["image_id"], e["lost"], len(e["panels"]), e["clauses"]) for e in entries] == [
        ("PMC10000000.1/F1", "PMC10000000.1/gr1.jpg", None, 2, {"A": "left"}),
        ("PMC10000000.1/F2", "PMC10000000.1/gr2.jpg", None, 2, {}),
        ("PMC10003000.1/F1", "PMC10003000.1/gr1.jpg", None, 2, {}),
        ("PMC10003000.1/F2", None, "no-media", 0, {}),
    ]  # fmt: skip
    assert [p["lost"] for p in entries[0]["panels"]] == [None, "duplicate"]
    soup = page(entries)
    assert len(soup.select("article")) == 4 and len(soup.select("li.pair")) == 6


@pytest.fixture(scope="module")
def chromium() -> Iterator[Page]:
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine")
    with browser() as opened:
        yield opened


def visit(chromium: Page, folder: Path, text: str) -> Page:
    (folder / "gallery.html").write_text(text, "utf-8")
    chromium.size(1280, 900)
    chromium.open((folder / "gallery.html").as_uri())
    chromium.settle()
    return chromium


def test_filters_and_keys(chromium: Page, tmp_path: Path) -> None:
    figures = [figure(1), figure(2, license="CC0", caption="a needle in it", panels=[panel(0, kind="blot"), panel(3)]),
               figure(3, panels=[panel(1, confidence=0.95, lost="duplicate")])]
    tab = visit(chromium, tmp_path, html(figures))

    def filtered(name: str, value: str) -> str:
        tab.js(f"form.reset(); form.elements[{name!r}].value = {value!r}; apply_filters()")
        return str(tab.js("one('#count').textContent"))

    assert filtered("kind", "blot") == "1 of 3 figures, 1 panels"
    assert tab.js("all('li.pair.faded').length") == 1
    for name, value, count in [
        ("method", "label", "3 of 3 figures, 6 panels"), ("low", "0.9", "1 of 3 figures, 1 panels"),
        ("high", "0.2", "2 of 3 figures, 2 panels"), ("license", "CC0", "1 of 3 figures, 2 panels"),
        ("lost", "duplicate", "1 of 3 figures, 1 panels"), ("lost", "-", "2 of 3 figures, 5 panels"),
        ("words", "NEEDLE", "1 of 3 figures, 2 panels"), ("words", "", "3 of 3 figures, 6 panels"),
    ]:  # fmt: skip
        assert filtered(name, value) == count
    tab.js("document.activeElement.blur()")
    tab.key("j", "j", "k")
    assert tab.js("one('h3', document.activeElement).textContent") == "Figure 1"
    tab.key("Tab")
    tab.js("true")
    assert tab.js("document.activeElement.matches('.credit a, .pair')")
    tab.js("all('.pair')[0].focus()")
    tab.key("ArrowDown")
    assert tab.js("all('.box.on').length + ' ' + one('.box.on').dataset.n") == "1 2"
    tab.key("/")
    assert tab.js("document.activeElement.name") == "words"
    assert tab.complaints() == []


def test_the_parts_of_the_page(chromium: Page, tmp_path: Path) -> None:
    stage = {"stage": "a", "unit": "article", "in": 2, "done": 1, "filtered": {}, "dead": {}}
    tab = visit(chromium, tmp_path, html([figure(1)], [stage]))
    for link, shown in [("#funnel", "funnel"), ("#statistics", "statistics"), ("#figures", "figures")]:
        tab.js(f"one('nav a[href=\"{link}\"]').click()")
        assert tab.js("all('.view').filter(v => !v.hidden).map(v => v.id).join()") == shown
        assert tab.js("one('[aria-current]').hash") == link


def test_a_review_becomes_a_file(chromium: Page, tmp_path: Path) -> None:
    clauses = {"A": "part 0", "D": "the fourth part"}
    tab = visit(chromium, tmp_path, html([figure(1, clauses=clauses), figure(2, panels=[
        panel(0, bbox=[90, 60, 450, 300], method="order"), panel(1, subcaption="The whole caption."),
        panel(2, subcaption=None, method=None, confidence=None, lost="no-subcaption")])]))
    tab.js("localStorage.clear(); said = {}; reviewing.click(); all('.pair')[0].focus()")
    tab.settle()
    tab.key("r", "w", "x")
    assert tab.js("one('#tally').textContent") == "3 judged: 1 right, 1 wrong, 1 left out"
    assert tab.js("cardOf(document.activeElement).dataset.image") == "PMC1.1/g2.png"
    tab.key("e")
    tab.type("B")
    assert tab.js("one('.editor textarea').value") == "part 0"
    tab.js("one('.editor textarea').focus()")
    tab.type('Better,\nby "hand" \u2028 é.')
    tab.drag('.handle[data-sides="2,3"]', 40, 20)
    drawn = tab.js("said[key_of(all('.pair')[3])].new_box")
    tab.js("one('.editor input[type=number]').focus()")
    tab.type("5000")
    assert tab.js("said[key_of(all('.pair')[3])].new_box") == drawn
    tab.type("95")
    tab.key("Escape", "ArrowDown", "r", "r")
    assert tab.js("[...one('#agreed').rows].map(row => row.textContent)") == [
        "paired byrightcorrectedwrongleft out", "label2011", "order0100"]
    said = load_corrections(tab.download("#save", tmp_path))
    first, second, third = said["PMC1.1/g1.png"]
    assert first == Correction("PMC1.1/g1.png", (0, 0, 8, 20), "A", "part 0", verdict="right", method="label")
    assert second == Correction("PMC1.1/g1.png", (10, 0, 18, 20), verdict="wrong", method="label")
    assert third == Correction("PMC1.1/g1.png", (20, 0, 28, 20), drop=True, method="label")
    moved, whole = said["PMC1.1/g2.png"]
    assert (moved.box, moved.label, moved.subcaption) == ((90, 60, 450, 300), "B", 'Better,\nby "hand" \u2028 é.')
    scale = 900 / tab.js("one('.picture img').clientWidth")
    assert moved.new_box == pytest.approx((95, 60, 450 + 40 * scale, 300 + 20 * scale), abs=1)
    assert (whole.label, whole.subcaption, whole.verdict) == ("B", "The whole caption.", "right")
    assert tab.complaints() == []


def test_a_label_brings_its_clause_and_nothing_is_forgotten(chromium: Page, tmp_path: Path) -> None:
    text = html([figure(1, clauses={"D": "the fourth part"})])
    tab = visit(chromium, tmp_path, text)
    tab.js("localStorage.clear(); said = {}; reviewing.click(); all('.pair')[0].focus()")
    tab.settle()
    tab.key("e")
    tab.type("D")
    tab.type("A")
    tab.js("one('.editor textarea').focus()")
    tab.type("part 0")
    assert tab.js("corrections()") == ""
    tab.js("one('.editor input').focus()")
    tab.type("D")
    assert tab.js("one('.sub').textContent") == "the fourth part"
    tab = visit(chromium, tmp_path, text)
    tab.js("reviewing.click()")
    tab.settle()
    assert tab.js("[one('.lab').textContent, one('.tag').textContent, one('.sub').textContent]") == [
        "D", "D", "the fourth part"]
    tab.js("window.confirm = () => true; one('#restart').click()")
    assert tab.js("[one('.lab').textContent, one('.sub').textContent, corrections()]") == ["A", "part 0", ""]


def test_what_a_build_has_taken_up_is_not_said_again(chromium: Page, tmp_path: Path) -> None:
    tab = visit(chromium, tmp_path, html([figure(1)]))
    tab.js("localStorage.clear(); said = {}; reviewing.click(); all('.pair')[0].focus()")
    tab.settle()
    tab.key("e")
    tab.type("D")
    assert tab.js("judged().length") == 1
    tab = visit(chromium, tmp_path, html([figure(1, panels=[panel(0, label="D", method="corrected"), panel(1)])]))
    assert tab.js("judged().length") == 0


@pytest.mark.parametrize("dark", [False, True])
def test_a_phone_shows_it_without_scrolling_sideways(chromium: Page, tmp_path: Path, dark: bool) -> None:
    long = "An-unbroken-word-" * 30
    stage = {"stage": long, "unit": "article", "in": 2, "done": 1, "filtered": {long: 1}, "dead": {}}
    statistics = counts(journal=Counter({long: 3}), year=Counter({str(2000 + n): n + 1 for n in range(25)}))
    figures = [figure(1, caption=long, attribution=long, panels=[panel(0, subcaption=long, label=long)])]
    tab = visit(chromium, tmp_path, html(figures, [stage], statistics=statistics))
    tab.size(390, 844, dark=dark, mobile=True)
    tab.js("reviewing.click(); all('.pair')[0].focus()")
    tab.key("e")
    for part in ("figures", "funnel", "statistics"):
        tab.js(f"one('nav a[href=\"#{part}\"]').click()")
        tab.settle()
        assert tab.js("[document.documentElement.scrollWidth, innerWidth]") == [390, 390]
    paper = tab.js("getComputedStyle(document.body).backgroundColor")
    assert paper == ("rgb(18, 21, 24)" if dark else "rgb(246, 247, 249)")
    tab.js("one('nav a[href=\"#figures\"]').click()")
    touched = "all('.judge button, #review button, #reviewing, #filterbox > summary').map(part => part.offsetHeight)"
    assert min(tab.js(touched)) >= 38


def test_hostile_text_does_nothing(chromium: Page, tmp_path: Path) -> None:
    evil = figure(1, label=EVIL, caption=EVIL, attribution=EVIL, clauses={EVIL: EVIL},
                  panels=[panel(0, label=EVIL, subcaption=EVIL + "!")])
    tab = visit(chromium, tmp_path, html([evil]))
    tab.js("localStorage.clear(); said = {}; reviewing.click(); all('.pair')[0].focus()")
    tab.settle()
    tab.key("e")
    tab.type("<img src=x onerror=alert(1)>")
    assert tab.js("[all('script').length, all('img').length, all('.figure b').length]") == [1, 1, 0]
    assert tab.js("one('.lab').textContent") == "<img src=x onerror=alert(1)>"
    assert tab.complaints() == []
