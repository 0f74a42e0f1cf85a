"""How long a person waits for a gallery of 500 figures: written, opened in headless Chromium, filtered, reviewed.

Drawn figures of six panels each, with pictures of about the largest size that a gallery allows. One line of JSON.
"""

from __future__ import annotations

import io
import json
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pmcoa_build.dataset.gallery import SHOWN, SHOWN_LOST, Shown, render_gallery
from pmcoa_build.dataset.stats import Statistics

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.browser import CHROMIUM, Page, browser

PANELS = 6
RUNS = 3


def figure(number: int) -> dict[str, Any]:
    """A figure of two rows of three panels of noise, with its caption."""
    noise = np.random.default_rng(number).integers(0, 256, (80, 120, 3), np.uint8)
    encoded = io.BytesIO()
    Image.fromarray(noise).resize((1200, 800), Image.Resampling.BICUBIC).save(encoded, "JPEG")
    texts = [f"Axial view {n} of patient {number}, who had a lesion of {n + 2} mm." for n in range(PANELS)]
    panels = [
        {"bbox": [400 * (n % 3), 400 * (n // 3), 400 * (n % 3) + 390, 400 * (n // 3) + 390], "label": "ABCDEF"[n],
         "kind": ("plot", "radiology")[n % 2], "method": ("label", "order")[number % 2], "subcaption": texts[n],
         "preamble": "", "confidence": n / PANELS, "split": "train", "lost": None}
        for n in range(PANELS)
    ]  # fmt: skip
    return {
        "figure_id": f"PMC{number + 1}.1/F1", "image_id": f"PMC{number + 1}.1/g1.jpg", "label": "Figure 1",
        "caption": " ".join(texts), "image": encoded.getvalue(), "license": "CC BY", "attribution": "A. Author. " * 12,
        "source_url": "https://pmc.ncbi.nlm.nih.gov/articles/PMC1/", "lost": None, "panels": panels,
        "clauses": {"ABCDEF"[n]: text for n, text in enumerate(texts)},
    }  # fmt: skip


def timed(page: Page, expression: str) -> float:
    """Seconds that an expression takes, the drawing after it included."""
    return float(page.js(
        f"new Promise(done => {{ const from = performance.now(); {expression}; "
        "requestAnimationFrame(() => setTimeout(() => done(performance.now() - from))); })"
    )) / 1000


def main() -> None:
    """Write, open, filter, review."""
    figures = [figure(number) for number in range(SHOWN + SHOWN_LOST)]
    keys = ("license", "kind", "method", "journal", "year", "modality", "flag")
    statistics = Statistics(by={key: Counter() for key in keys})
    started = time.process_time()
    html = render_gallery(Shown(figures, len(figures)), [], statistics, name="bench", snapshot_date="2026-01-31")
    written = time.process_time() - started
    print(json.dumps({
        "bench": "gallery", "figures": len(figures), "panels": len(figures) * PANELS,
        "page_mb": round(len(html.encode()) / 1e6, 1), "write_cpu_s": round(written, 1),
        **(opened(html) if CHROMIUM else {}),
    }))


def opened(html: str) -> dict[str, float]:
    """Best of three: seconds to the load event with the first figures drawn, to filter, and to begin a review."""
    runs = []
    with tempfile.TemporaryDirectory() as folder, browser() as page:
        path = Path(folder) / "gallery.html"
        path.write_text(html, "utf-8")
        page.size(1280, 900)
        for _ in range(RUNS):
            started = time.perf_counter()
            page.open(path.as_uri())
            page.settle()
            runs.append((
                time.perf_counter() - started,
                timed(page, "form.elements.method.value = 'label'; apply_filters()"),
                timed(page, "form.elements.words.value = 'patient 77'; apply_filters()"),
                timed(page, "form.reset(); apply_filters(); reviewing.click()"),
            ))
    names = ("open_s", "filter_s", "search_s", "review_s")
    return {name: round(min(times), 2) for name, times in zip(names, zip(*runs, strict=True), strict=True)}


if __name__ == "__main__":
    main()
