"""What the words of a caption say of the kind of its panels: "radiograph", "H&E", "western blot", "flow chart".

They are hints, not answers: log-odds added to what the pixels say (figures/kinds.py). A panel's own clauses count in
full, the title before them by half. A panel without a label of its own hears the whole caption, by half as well.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache

from pmcoa_build.captions.split import SplitCaption

Cues = Mapping[str, float]
"""Kind of panel to log-odds in its favour, 0 and more; kinds that no word speaks of are left out."""

STRONG, FAIR, WEAK = 4.0, 2.0, 1.0
"""Log-odds by which a word speaks for its kind: it names the kind; it goes with it; it goes with others too."""
_SHARED = 0.5
"""Weight of words that are said of several panels at once."""

_WORDS: dict[str, dict[float, str]] = {
    "radiology": {
        STRONG: r"(?:radio|mammo|angio|sono|ultrasono|echocardio|veno)gra\w+|roentgen\w*|scintigra\w+|ultrasound"
                r"|fluoroscop\w+|computed tomogra\w+|magnetic resonance imag\w+|tractogra\w+|chest x-?rays?"
                r"|optical coherence tomogra\w+|(?-i:CT|MRI|fMRI|FLAIR|DWI|CBCT|OCTA?|SPECT)s?"
                r"|(?-i:PET)(?=[/ -](?:CT|MR|scan|imag))|(?-i:T[12])[- ]?(?:weighted|w)",
        FAIR: r"x-?ray (?:imag|film|view)\w*|(?-i:MR|CXR)|gadolinium|contrast-enhanced"
              r"|(?:hyper|hypo)(?:intens|dens|echo)\w+|tomogra(?:m|ph)\w*|doppler|voxels?|segmentations?",
        WEAK: r"axial|coronal|sagittal|x-?rays?|scans?|slices?|patient",
    },
    "microscopy": {
        STRONG: r"\w*micrographs?|\w*microscop\w+|ha?ematoxylin\w*|H ?(?:&|and) ?E|(?-i:SEM) (?:imag|view|photo)\w*"
                r"|immuno(?:stain|fluoresc|histochem|cytochem|label)\w*|histo(?:log|patho)\w+|confocal|cryo-?EM"
                r"|(?-i:DAPI|IHC|Hoechst|FISH|S?TEM|HRTEM|FE-?SEM|AFM)|giemsa|masson\w*|toluidine"
                r"|phase[- ]contrast|bright-?field|dark-?field",
        FAIR: r"stain(?:ed|ing|s)?|fluorescen\w+|(?-i:E?GFP|mCherry|RFP|YFP)|magnifications?|scale bars?|[×x] ?\d{2,4}"
              r"|(?<!± )(?<!mean )(?<!means )(?-i:SEM)|nucle(?:us|i)|cytoplasm|sections?",
        WEAK: r"imag(?:es|ing)|merged?|bars?(?=[:=,]? ?\d)|µm",
    },
    "photo": {
        STRONG: r"photographs?|photos?|photographic|dermoscop\w+|(?:endo|colono|laparo|arthro|broncho|gastro)scop\w+"
                r"|fundus|intra-?operative\w*|habitus|gross (?:appear|morpholog|specimen|patholog|view|anatom)\w*",
        FAIR: r"clinical (?:appear|present|imag|pict|view)\w*|pictures?|petri|seedlings?|flowers?|inflorescences?"
              r"|specimens?|(?:dorsal|ventral|lateral|frontal) (?:view|aspect)s?|excised|cameras?|macroscopic\w*"
              r"|holotype|clonogenic|colony formation",
        WEAK: r"set-?ups?|apparatus|devices?|skin|wounds?|habitat|mm|cm|colon(?:y|ies)|phenotypes?",
    },
    "blot": {
        STRONG: r"(?:immuno)?blot(?:s|ted|ting)?|SDS-?PAGE|agarose|electrophore\w+|(?-i:PAGE|EMSA)|coomassie"
                r"|zymogra\w+",
        FAIR: r"gels?|lanes?|kDa|ladder|immunoprecipitat\w+|(?-i:RT-PCR)",
        WEAK: r"bands?|(?-i:PCR)|bp|loading control|(?:β|beta)-?actin|GAPDH",
    },
    "render": {
        STRONG: r"crystal structures?|ribbon\w*|homology model\w*|dock(?:ed|ing)|render(?:ed|ing)s?|electrostatic"
                r"|(?-i:PDB)|molecular surface|(?:surface|stick|cartoon) representation|skeletoni[sz]ed",
        FAIR: r"(?:3-?D|three-dimensional) (?:model|reconstruct|structur|view|imag)\w*|reconstructions?|active site"
              r"|binding (?:pocket|site)s?|molecular (?:model|dynamic)\w*|mesh\w*|surface model|finite element",
        WEAK: r"cartoon|simulat\w+|residues?|neurons|(?:anterior|posterior|dorsal|lateral) view|heli(?:x|ces)",
    },
    "plot": {
        STRONG: r"plots?|plotted|histograms?|heat ?-?maps?|kaplan\w*|survival curves?|t-?SNE|densitometr\w+"
                r"|(?-i:ROC|PCA|UMAP|FACS|XRD|FTIR|NMR|TGA)|quantif\w+|error bars?|chromatogra\w+|cytometr\w+"
                r"|(?:bar|pie) (?:chart|graph)s?",
        FAIR: r"graphs?|curves?|spectr(?:a|um)|correlat\w+|regress\w+|mean ?[±+]|p ?[<=≤>] ?0?\.\d+|dose[- ]response"
              r"|time[- ]course|function of|percentages?|ratios?|proportions?|frequenc\w+|distributions?|traces?"
              r"|fold[- ]change|versus|vs",
        WEAK: r"levels?|concentrations?|rates?|n ?= ?\d+|relative|expression|values?|activity|scores?|average"
              r"|changes?|intensity",
    },
    "diagram": {
        STRONG: r"schem(?:e|es|as?|atics?|atically)|diagrams?|flow ?-?charts?|work-?flows?|pipelines?"
                r"|illustrations?|phylogen\w+|cladogra\w+|timelines?|venn|chemical structures?"
                r"|(?:experimental|study) design|sequence alignment|plasmid",
        FAIR: r"overview|proposed (?:model|mechanism)|model of|mechanisms?|pathways?|networks?|tree|architecture"
              r"|(?:gene|domain|primary|genomic) (?:structure|organi[sz]ation)s?|alignments?|outline|strategy"
              r"|circuits?|formula\w*|constructs?|structures? of (?:the )?compounds?",
        WEAK: r"cartoon|procedures?|protocol|steps?|interactions?|locus|structures?|concept\w*",
    },
    "table": {
        STRONG: r"(?<!see )(?<!in )table|list(?:s|ed)? of",
        FAIR: r"characteristics|summar(?:y|i[sz]\w+)",
        WEAK: r"number of|criteria",
    },
}
"""Words as regular expressions of whole words, letter case aside; `(?-i:...)` minds it."""


@cache
def _patterns() -> list[tuple[str, float, re.Pattern[str]]]:
    return [(kind, weight, re.compile(rf"(?<!\w)(?:{words})(?!\w)", re.IGNORECASE))
            for kind, sorts in _WORDS.items() for weight, words in sorts.items()]


def cues_of(text: str) -> dict[str, float]:
    """Log-odds by kind of one text: of each kind its strongest word counts."""
    found: dict[str, float] = {}
    for kind, weight, pattern in _patterns():
        if found.get(kind, 0.0) < weight and pattern.search(text):
            found[kind] = weight
    return found


def _joined(own: Cues, shared: Cues) -> dict[str, float]:
    """The stronger of the clause's words and, weakened, those said of several panels."""
    weak = {kind: _SHARED * weight for kind, weight in shared.items()}
    return {kind: max(own.get(kind, 0.0), weak.get(kind, 0.0)) for kind in sorted({*own, *weak})}


def kind_cues(split: SplitCaption, caption: str) -> dict[str, dict[str, float]]:
    """Cues of each label of a divided caption; under "" those of panels without one of these labels."""
    title = cues_of(split.preamble) if split.labels else {}
    cues = {label: _joined(cues_of(split.for_label(label)), title) for label in split.labels}
    cues[""] = _joined({}, cues_of(caption)) if split.labels else cues_of(caption)
    return cues
