"""Shapes of captions, invariants on any text, and the bars on real captions (PMCOA_SHARED)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pmcoa_build.captions.split import SplitCaption, split_caption, to_split_record

# (caption, {label: text})
SHAPES = {
    "brackets before": (
        "Renal biopsy. (A) Glomerulus with crescents. Arrow, fibrin. (B) Tubules in the cortex.",
        {"A": "Glomerulus with crescents. Arrow, fibrin.", "B": "Tubules in the cortex."},
    ),
    "lower case": ("(a) Chest film. (b) Abdominal film.", {"a": "Chest film.", "b": "Abdominal film."}),
    "comma": (
        "Knee. A, Sagittal view of the meniscus. B, Coronal view of the meniscus.",
        {"A": "Sagittal view of the meniscus.", "B": "Coronal view of the meniscus."},
    ),
    "colon": ("A: Before treatment. B: After treatment.", {"A": "Before treatment.", "B": "After treatment."}),
    "full stop": ("Liver. A. Healthy lobe. B. Fatty lobe.", {"A": "Healthy lobe.", "B": "Fatty lobe."}),
    "full stops in one sentence": (
        "Stains of the liver: A. Silver; B. Iron; C. Detail of B.",
        {"A": "Stains of the liver Silver", "B": "Stains of the liver Iron", "C": "Stains of the liver Detail of B."},
    ),
    "list with semicolons": ("(A;C) Rats. (B;D) Mice.", {"A": "Rats.", "B": "Mice.", "C": "Rats.", "D": "Mice."}),
    "half bracket": ("Liver. A) Healthy lobe. B) Fatty lobe.", {"A": "Healthy lobe.", "B": "Fatty lobe."}),
    "bare": (
        "Survival curves. a Overall survival. b Disease-free survival",
        {"a": "Overall survival.", "b": "Disease-free survival"},
    ),
    "bare in one sentence": (
        "Male palp: A bulb, prolateral view B bulb, ventral view C embolus, dorsal view.",
        {
            "A": "Male palp bulb, prolateral view",
            "B": "Male palp bulb, ventral view",
            "C": "Male palp embolus, dorsal view.",
        },
    ),
    "panel as a word": (
        "Panel A shows the wild type. Panel B shows the mutant.",
        {"A": "shows the wild type.", "B": "shows the mutant."},
    ),
    "after the clause": (
        "Tumours. Mass in the left lung (A). Mass in the right lung (B).",
        {"A": "Mass in the left lung", "B": "Mass in the right lung"},
    ),
    "after, as a word": (
        "Weights. Spleens were larger (panel A). Livers were not (panel B).",
        {"A": "Spleens were larger", "B": "Livers were not"},
    ),
    "range": (
        "(A–C) Sections of the pons. (D) Whole brain.",
        {"A": "Sections of the pons.", "B": "Sections of the pons.", "C": "Sections of the pons.", "D": "Whole brain."},
    ),
    "list": (
        "(A, C and E) Controls. (B, D and F) Mutants.",
        {**dict.fromkeys("ACE", "Controls."), **dict.fromkeys("BDF", "Mutants.")},
    ),
    "range with a comma": (
        "A–C, humerus of the type. D, ulna.",
        {**dict.fromkeys("ABC", "humerus of the type."), "D": "ulna."},
    ),
    "other dashes and spaces": (
        "(A\u2012C)\u00a0Femora. (D\u2212E)\u2009Tibiae.",
        {**dict.fromkeys("ABC", "Femora."), **dict.fromkeys("DE", "Tibiae.")},
    ),
    "sub-labels alone": (
        "(A1) Merged image. (A2) DAPI. (B) Counts.",
        {"A1": "Merged image.", "A2": "DAPI.", "B": "Counts."},
    ),
    "sub-labels inside": (
        "(A) Embryos at (i) day 3 and (ii) day 5. (B) Adults.",
        {"A": "Embryos at (i) day 3 and (ii) day 5.", "B": "Adults."},
    ),
    "roman": (
        "Retina. (i) Normal. (ii) Detached. (iii) Repaired.",
        {"i": "Normal.", "ii": "Detached.", "iii": "Repaired."},
    ),
    "shared lead-in and end": (
        "Skull in (A) dorsal and (B) ventral views of the type.",
        {"A": "Skull in dorsal views of the type.", "B": "Skull in ventral views of the type."},
    ),
    "list after the noun": (
        "Expression of actin (A), tubulin (B) and vimentin (C) was measured by blotting.",
        {
            "A": "Expression of actin was measured by blotting.",
            "B": "Expression of tubulin was measured by blotting.",
            "C": "Expression of vimentin was measured by blotting.",
        },
    ),
    "group with its items": (
        "Screens. (A–C) Venn diagrams of: (A) genes in mice; (B) genes in rats and (C) all genes.",
        {
            "A": "Venn diagrams of genes in mice",
            "B": "Venn diagrams of genes in rats",
            "C": "Venn diagrams of all genes.",
        },
    ),
    "repeated later": (
        "(A) Nerve. (B) Muscle. Scale bars: A, 50 µm; B, 20 µm.",
        {"A": "Nerve. Scale bars 50 µm", "B": "Muscle. Scale bars 20 µm."},
    ),
    "magnification behind its letter": (
        "Stomach. (A) Body. (B) Antrum. Magnification ×40 (A) and ×100 (B).",
        {"A": "Body. Magnification ×40", "B": "Antrum. Magnification ×100"},
    ),
    "respectively": (
        "Femur. (A, B) Anterior and lateral films, respectively. (C) Scan.",
        {**dict.fromkeys("AB", "Anterior and lateral films, respectively."), "C": "Scan."},
    ),
    "no space before the bracket": (
        "Mice lost weight.(A) Body weight.(B) Food intake.",
        {"A": "Body weight.", "B": "Food intake."},
    ),
    "no full stop before the bracket": (
        "Mice lose weight (A) Body weight by day. (B) Food intake.",
        {"A": "Body weight by day.", "B": "Food intake."},
    ),
    "cites another panel": (
        "(A) Cells at rest. (B) Same cells as in (A) after an hour. (C) Counts of (B).",
        {"A": "Cells at rest.", "B": "Same cells as in (A) after an hour.", "C": "Counts of (B)."},
    ),
    "abbreviation in brackets": (
        "(A) Nuclear (N) and cytoplasmic (C) extracts. (B) Blot of both. (C) Counts per lane.",
        {"A": "Nuclear (N) and cytoplasmic (C) extracts.", "B": "Blot of both.", "C": "Counts per lane."},
    ),
    "one slip of case": (
        "(a) Heart. (b) Lung. C. Spleen of the rat. (d) Liver.",
        {"a": "Heart.", "b": "Lung.", "C": "Spleen of the rat.", "d": "Liver."},
    ),
    "slip of case in a range": (
        "(A) Wild type. (b–d) Mutants of the strain.",
        {"A": "Wild type.", **dict.fromkeys("bcd", "Mutants of the strain.")},
    ),
    "whole range cited first": (
        "Sites in the north (a–c). Lakes (a, b) and a river (c).",
        {"a": "Sites in the north Lakes", "b": "Sites in the north Lakes", "c": "Sites in the north a river"},
    ),
    "first letter forgotten": (
        "Expression of the gene. Blot of six cell lines. (B) Staining of tissue. (C) Counts.",
        {"A": "Blot of six cell lines.", "B": "Staining of tissue.", "C": "Counts."},
    ),
    "more than the letter in brackets": (
        "Ovary. Follicles were small (A, arrow). The stroma was dense (B, arrowhead).",
        {"A": "Follicles were small arrow", "B": "The stroma was dense arrowhead"},
    ),
    "the number's own letters": (
        "Figure 2D–F. See the legend of Figure 2A.",
        dict.fromkeys("DEF", "See the legend of Figure 2A."),
    ),
}

PLACES = {
    "panels by place": (
        "Brains. Left panel: wild type. Right panel: mutant.",
        {"left": "wild type.", "right": "mutant."},
    ),
    "rows": ("The upper row shows fins. The lower row shows gills.",
             {"upper": "shows fins.", "lower": "shows gills."}),
    "places in brackets": ("Hips before (left) and after (right) surgery.",
                           {"left": "Hips before surgery.", "right": "Hips after surgery."}),
}  # fmt: skip

NO_MARKERS = [
    "C. elegans is a worm. D. melanogaster is a fly. E. coli is neither.",
    "Lesion in the left lung. Right lung is clear.",
    "Effect of vitamin A on rats (n = 5).",
    "Liver of a patient with hepatitis B (p < 0.05). Cells were fixed.",
    "As shown in Fig. 2A and Fig. 2B, the protein is stable.",
    "H&E stain of the cell(s) of group A.",
    "A round lesion in the left lobe.",
    "Mean weight (g) at (1) day and (2) days.",
    "Note: 1) the scale is arbitrary; 2) small pieces were left out.",
    "",
]


@pytest.mark.parametrize("shape", [*SHAPES, *PLACES])
def test_shapes(shape: str) -> None:
    caption, wanted = (SHAPES | PLACES)[shape]
    split = split_caption(caption)
    assert {label: split.for_label(label) for label in split.labels} == wanted


@pytest.mark.parametrize("caption", NO_MARKERS)
def test_letters_that_are_no_markers(caption: str) -> None:
    assert split_caption(caption) == SplitCaption(caption.strip())


def test_preamble_and_tail() -> None:
    split = split_caption("Mice. All were male. (A) Weights. (B) Lengths. Data are means ± SD. *p < 0.05.")
    assert split.preamble == "Mice. All were male."
    assert split.tail == "Data are means ± SD. *p < 0.05."
    assert split.labels == ("A", "B")


def test_each_panels_own_statistics_stay_with_it() -> None:
    split = split_caption("(A) Weights. Data are means. (B) Lengths. Data are medians.")
    assert split.for_label("B") == "Lengths. Data are medians."
    assert split.tail == ""


def test_source_data_run_into_the_caption_is_no_panel() -> None:
    split = split_caption(
        "Blots. (A) Actin. (B) Tubulin.10.1000/j.1.01Figure 1—source data 1.Files.(A) Full blots and (B) traces."
    )
    assert split.for_label("A") == "Actin."
    assert split.tail.endswith("(B) traces.")


def test_record() -> None:
    assert to_split_record("x", "Rats. (A, B) Ears. (C) Tail.") == {
        "id": "x",
        "preamble": "Rats.",
        "tail": "",
        "parts": [{"labels": ["A", "B"], "text": "Ears."}, {"labels": ["C"], "text": "Tail."}],
    }
    assert set(to_split_record("x", None)) == {"id", "error"}


PIECES = st.sampled_from(
    [
        "(A)",
        "(B)",
        "(a, b)",
        "(C–E)",
        "A,",
        "B:",
        "C.",
        "d)",
        "[A]",
        "Panel A",
        "in A",
        "; ",
        ". ",
        ", ",
        "and ",
        "views ",
        "of the ",
        "Scale bar ",
        "(i)",
        "(1)",
        "(",
        ")",
        "(A, left)",
        " ",
        "\n",
        "n = 5",
        "A1",
        "′",
        "–",
        "mRNA ",
        "H&E ",
        "(A)–(C)",
        "(a, x; b, y)",
        "A. coli ",
        "with ",
        "Scale bars: ",
        "Abbreviations: ",
    ]
)
TEXTS = st.one_of(st.text(max_size=300), st.lists(PIECES, max_size=60).map("".join))


@settings(max_examples=400, deadline=None)
@given(TEXTS)
def test_invariants(text: str) -> None:
    split = split_caption(text)
    labels = [label for part in split.parts for label in part.labels]
    assert len(labels) == len(set(labels))
    for part in split.parts:
        assert all(0 <= start < end <= len(text) for start, end in part.spans)
        assert part.text == " ".join(text[start:end] for start, end in part.spans)
        assert list(part.spans) == sorted(part.spans)
    for block in (split.preamble, split.tail):
        assert all(word in text for word in block.split())
    assert json.loads(json.dumps(to_split_record("x", text)))["id"] == "x"


HOSTILE = [
    "A",
    "(A) ",
    "(A",
    "A, ",
    "a b ",
    "; A, B and C ",
    ". A. ",
    " ",
    "A-B-",
    "i, ii, ",
    "1, ",
    "a, b; ",
    "in A ",
    "(A) x. *  ",
    "(A: x; B: y",
    "(a) to (b) ",
    "A. a and B. b ",
    "left; ",
    "(B) of X and ",
]


@pytest.mark.parametrize("piece", HOSTILE)
def test_hostile_text_of_100_kb_ends(piece: str) -> None:
    text = piece * (100_000 // len(piece))
    split = split_caption(text)
    assert split.labels or split.preamble == text.strip()


SHARED = os.environ.get("PMCOA_SHARED", "")


@pytest.mark.skipif(not SHARED, reason="PMCOA_SHARED is not set: no real captions with known truth here")
def test_bars_on_real_captions(tmp_path: Path) -> None:
    truth = Path(SHARED) / "groundtruth" / "captions.jsonl"
    rows = [json.loads(line) for line in truth.read_text("utf-8").splitlines()]
    answers = tmp_path / "answers.jsonl"
    answers.write_text("".join(json.dumps(to_split_record(r["id"], r["caption"])) + "\n" for r in rows), "utf-8")
    command = [sys.executable, str(Path(SHARED) / "score" / "score.py"), "captions", str(answers), str(truth)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    scores = dict(zip(said[::2], map(float, said[1::2]), strict=True))
    assert scores["labels-exact"] >= 0.94
    assert scores["labels-F1"] >= 0.98
    assert scores["token-F1"] >= 0.905
