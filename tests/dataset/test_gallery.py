from __future__ import annotations

import base64
import io
import json
import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from bs4 import BeautifulSoup, Tag
from PIL import Image

from pmcoa_build.captions.corrections import Correction, load_corrections
from pmcoa_build.dataset.gallery import SHOWN, gallery_figures, render_gallery
from pmcoa_build.dataset.stats import Statistics

EVIL = "<script>alert('x')</script>\"><img src=x onerror=alert(1)>"
KEYS = ("license", "kind", "method", "journal", "year", "modality", "flag")


def panel(number: int, **given: Any) -> dict[str, Any]:
    return {"bbox": [10 * number, 0, 10 * number + 8, 20], "label": "ABCD"[number], "kind": "plot", "method": "label",
            "subcaption": f"part {number}", "preamble": "", "confidence": 0.25 * number, "split": "train", "lost": None,
            **given}  # fmt: skip


def figure(number: int, **given: Any) -> dict[str, Any]:
    buffer = io.BytesIO()
    Image.new("RGB", (900, 600), (number, 90, 200)).save(buffer, "PNG")
    return {"figure_id": f"PMC1.1/F{number}", "image_id": f"PMC1.1/g{number}.png", "label": f"Figure {number}",
            "caption": "The whole caption.", "image": buffer.getvalue(), "license": "CC BY", "attribution": "A. Author",
            "source_url": "https://pmc.ncbi.nlm.nih.gov/articles/PMC1/", "year": 2020, "lost": None,
            "panels": [panel(n) for n in range(3)], **given}  # fmt: skip


def counts(**given: Counter[str]) -> Statistics:
    return Statistics(rows=Counter(train=8, test=2), by={key: given.get(key, Counter()) for key in KEYS}, figures=3)


def page(figures: list[dict[str, Any]], funnel: list[dict[str, Any]] | None = None, **given: Any) -> BeautifulSoup:
    statistics = given.pop("statistics", counts())
    html = render_gallery(figures, funnel or [], statistics, name=given.get("name", "tiny"), snapshot_date="2026-01-31")
    return BeautifulSoup(html, "html.parser")


def one(soup: BeautifulSoup | Tag, selector: str) -> Tag:
    found = soup.select(selector)
    assert len(found) == 1, f"{selector}: {len(found)}"
    return found[0]


def test_all_text_is_escaped() -> None:
    texts = dict.fromkeys(("label", "caption", "license", "attribution", "figure_id", "image_id", "lost"), EVIL)
    inner = dict.fromkeys(("label", "kind", "method", "subcaption", "lost", "split"), EVIL)
    evil = figure(1, **texts, panels=[panel(0, **inner)])
    funnel = [{"stage": EVIL, "unit": EVIL, "in": 2, "done": 1, "filtered": {EVIL: 1}, "dead": {}}]
    soup = page([evil], funnel, name=EVIL, statistics=counts(**{key: Counter({EVIL: 1}) for key in KEYS}))
    assert len(soup.find_all("script")) == 1
    assert len(soup.find_all("img")) == 1
    assert not [tag for tag in soup.find_all(True) for name in tag.attrs if name.startswith("on")]
    assert one(soup, ".sub").text == one(soup, ".lab").text == one(soup, "h1").text.removesuffix(": gallery") == EVIL
    assert one(soup, "article")["data-lost"] == EVIL


def test_nothing_is_loaded_from_elsewhere() -> None:
    soup = page([figure(1)])
    for tag in soup.select("[src], link, iframe, object"):
        assert str(tag["src"]).startswith("data:image/jpeg;base64,")
    assert "default-src 'none'" in str(one(soup, "meta[http-equiv]")["content"])
    assert "@import" not in str(soup) and "url(" not in str(soup)


def test_images_are_small_and_boxes_are_in_original_pixels() -> None:
    soup = page([figure(1)])
    image = Image.open(io.BytesIO(base64.b64decode(str(one(soup, "img")["src"]).split(",")[1])))
    assert image.size == (480, 320)
    assert one(soup, ".picture svg")["viewbox"] == "0 0 900 600"
    boxes = [tuple(int(str(box[k])) for k in ("x", "y", "width", "height")) for box in soup.select("rect.box")]
    assert boxes == [(0, 0, 8, 20), (10, 0, 8, 20), (20, 0, 8, 20)]
    assert [tag.text for tag in soup.select(".tag")] == ["A", "B", "C"]


def test_every_panel_says_label_text_method_and_confidence() -> None:
    row = page([figure(1)]).select("li.pair")[2]
    assert (one(row, ".lab").text, one(row, ".sub").text) == ("C", "part 2")
    assert "by label" in row.text and "confidence 0.50" in row.text and "train" in row.text
    assert {k: row[f"data-{k}"] for k in ("kind", "method", "confidence", "lost", "box")} == {
        "kind": "plot", "method": "label", "confidence": "0.5", "lost": "", "box": "20,0,28,20"}


def test_what_was_lost_is_shown_with_its_reason() -> None:
    bare = {"label": None, "kind": None, "method": None, "subcaption": None, "confidence": None, "split": None}
    soup = page([figure(1, image=None, lost="media-missing", panels=[]), figure(2, image=b"no image"),
                 figure(3, panels=[panel(0, lost="no-subcaption", **bare)])])
    assert len(soup.select(".noimage")) == 2
    assert [reason.text for reason in soup.select(".reason")] == ["left out: media-missing", "left out: no-subcaption"]
    options = [option.text for option in soup.select("select[name=lost] option")]
    assert options == ["any", "nothing left out", "anything left out", "media-missing", "no-subcaption"]


def test_the_funnel_tells_counts_and_reasons_and_narrows() -> None:
    def stage(name: str, unit: str, came: int, done: int, **lost: dict[str, int]) -> dict[str, Any]:
        return {"stage": name, "unit": unit, "in": came, "done": done, "filtered": {}, "dead": {}, **lost}

    soup = page([], [stage("snapshot", "article", 1_000_000, 200, filtered={"not-open": 999_800}),
                     stage("articles", "article", 200, 100, filtered={"retracted": 60}, dead={"timeout": 40}),
                     stage("panels", "panel", 400, 0)])
    rows = soup.select(".stage")
    assert "200 → 100" in rows[1].text
    assert [span.text for span in rows[1].select(".lost span")] == ["retracted 60", "timeout 40"]
    assert [tag.text for tag in rows[1].select(".dead")] == ["timeout 40"]
    points = [str(one(row, "polygon")["points"]) for row in rows]
    assert points[1] == "0.0,0 100.0,0 75.0,46 25.0,46"
    assert points[2] == "0.0,0 100.0,0 50.0,46 50.0,46"


def test_statistics_are_plotted() -> None:
    statistics = counts(license=Counter({"CC BY": 3, "CC0": 1}), year=Counter({"2021": 1, "2020": 2}))
    statistics.panels_per_figure.update({1: 4, 20: 2})
    boxes = page([], statistics=statistics).select(".plots > div")
    plots = {one(box, "h3").text: [tag.text for tag in box.select("dt, .n")] for box in boxes}
    assert plots == {"Panels a figure": ["1", "4", "12 and more", "2"], "Licence": ["CC BY", "3", "CC0", "1"],
                     "Year": ["2020", "2", "2021", "1"]}


def test_no_more_than_500_figures_are_shown() -> None:
    entry = figure(1, image=None, panels=[])
    assert len(page([entry] * (SHOWN + 5)).select("article")) == SHOWN


def test_everything_can_be_reached_by_keyboard() -> None:
    soup = page([figure(1)])
    assert all(row["tabindex"] == "0" for row in soup.select("li.pair"))
    assert one(soup, "a.skip")["href"] == "#" + str(one(soup, "#figures")["id"])
    for control in soup.select("select, input"):
        assert control.find_parent("label") is not None
    assert one(soup, "#count")["aria-live"] == "polite"
    assert one(soup, "meta[name=viewport]")["content"] == "width=device-width, initial-scale=1"
    assert one(soup, "html")["lang"] == "en"


def test_figures_from_tables(tables: dict[str, pa.Table]) -> None:
    panels, align = tables["panels"].to_pylist(), {row["panel_id"]: row for row in tables["align"].to_pylist()}
    wanted = ("panel_id", "image_id", "bbox", "kind")
    pairs = [{**{k: row[k] for k in wanted}, **align[row["panel_id"]], "split": "train"} for row in panels[:6]]
    lost = {pairs[1]["panel_id"]: "duplicate", "PMC10003000.1/F2": "no-media"}
    figures, media = tables["figures"].slice(0, 4), tables["media"].slice(0, 3)
    entries = gallery_figures(figures, media, pa.Table.from_pylist(pairs), tables["articles"], lost)
    assert [(e["figure_id"], e["image_id"], e["lost"], len(e["panels"]), e["year"]) for e in entries] == [
        ("PMC10000000.1/F1", "PMC10000000.1/gr1.jpg", None, 2, 2020),
        ("PMC10000000.1/F2", "PMC10000000.1/gr2.jpg", None, 2, 2020),
        ("PMC10003000.1/F1", "PMC10003000.1/gr1.jpg", None, 2, 2021),
        ("PMC10003000.1/F2", None, "no-media", 0, 2021),
    ]  # fmt: skip
    assert [p["lost"] for p in entries[0]["panels"]] == [None, "duplicate"]
    soup = page(entries)
    assert len(soup.select("article")) == 4 and len(soup.select("li.pair")) == 6


CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DRIVE = """<script>
function set(name, value) { form.elements[name].value = value; apply(); return shown(); }
function shown() { return document.getElementById("count").textContent; }
const told = {};
told.kind = set("kind", "blot"); told.faded = document.querySelectorAll("li.pair.faded").length; set("kind", "");
told.low = set("low", "0.9"); set("low", "0");
told.license = set("license", "CC0"); set("license", "");
told.lost = set("lost", "duplicate"); told.none = set("lost", "-"); told.all = set("lost", "");
told.words = set("words", "NEEDLE"); set("words", "");
for (const key of ["j", "j", "k"]) document.body.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
told.focus = document.activeElement.querySelector("h3").textContent;
review.click();
const text = document.querySelector(".sub"); text.textContent = "better";
text.dispatchEvent(new InputEvent("input", { bubbles: true }));
document.querySelectorAll(".drop input")[1].click();
told.corrections = corrections();
told.wide = document.documentElement.scrollWidth > document.documentElement.clientWidth;
document.body.innerHTML = ""; document.body.textContent = "TOLD" + btoa(JSON.stringify(told)) + "DLOT";
</script></body>"""


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
def test_filters_keys_and_corrections_work_in_a_browser(tmp_path: Path) -> None:
    figures = [figure(1), figure(2, license="CC0", caption="a needle in it", panels=[panel(0, kind="blot"), panel(3)]),
               figure(3, panels=[panel(1, confidence=0.95, lost="duplicate")])]
    html = render_gallery(figures, [], counts(), name="tiny", snapshot_date="2026-01-31")
    (tmp_path / "g.html").write_text(html.replace("</body>", DRIVE))
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
             "--disable-component-update", "--disable-sync", f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom",
             "--window-size=500,800"]
    assert CHROMIUM is not None
    command = [CHROMIUM, *flags, f"file://{tmp_path / 'g.html'}"]
    done = subprocess.run(command, capture_output=True, timeout=60, check=True)
    encoded = re.search(rb"TOLD(\S+)DLOT", done.stdout)
    assert encoded is not None, done.stderr.decode()
    told = json.loads(base64.b64decode(encoded[1]).decode("latin-1"))
    assert told == {
        "kind": "1 of 3 figures, 1 panels", "faded": 1, "low": "1 of 3 figures, 1 panels",
        "license": "1 of 3 figures, 2 panels", "lost": "1 of 3 figures, 1 panels", "none": "2 of 3 figures, 5 panels",
        "all": "3 of 3 figures, 6 panels", "words": "1 of 3 figures, 2 panels", "focus": "Figure 1 · PMC1.1/F1",
        "wide": False, "corrections": told["corrections"],
    }  # fmt: skip
    (tmp_path / "corrections.jsonl").write_text(told["corrections"])
    assert load_corrections(tmp_path / "corrections.jsonl") == {"PMC1.1/g1.png": [
        Correction("PMC1.1/g1.png", (0, 0, 8, 20), subcaption="better"),
        Correction("PMC1.1/g1.png", (10, 0, 18, 20), drop=True),
    ]}
