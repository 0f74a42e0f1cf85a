"""What counts as a notice that a figure comes from elsewhere, and what only sounds like one."""

from __future__ import annotations

import pytest

from pmcoa_build.pmc.jats_reprint import CITED, is_reprint, may_be_reprint


@pytest.mark.parametrize(
    "text",
    [
        "Life cycle. Adapted from Smith et al. (2010).",
        "Life cycle (adapted from [12]).",
        "Life cycle; modified after Jones and Smith [3].",
        "ADAPTED FROM SMITH (2010) WITH PERMISSION.",
        "Reprinted with permission from ref. 4. Copyright 2014 American Chemical Society.",
        "Reproduced from (Miller, 1999), with permission from Elsevier.",
        "Map reprinted from OpenStreetMap under a CC BY license, with permission from X, original copyright 2014.",
        "The figure is similar but not identical to the original image.",
        f"Structure of the ribosome. Image taken from {CITED}7.",
        f"Phase diagram from Ref. [{CITED}60] obtained in situ.",
        "Panel B is redrawn from Figure 3 of Brown (1987).",
        "Used by permission of Oxford University Press.",
        "Photo courtesy of J. Doe, University of Z.",
        "Image kindly provided by Dr. Doe.",
        "This figure was originally published in Cell.",
        "Source: [30].",
        "Source: Materialgeeza/Wikimedia commons.",
        "Image credit: NASA.",
        "Villi, adapted from https://commons.wikimedia.org/wiki/File:X.png. License: CC BY-SA 4.0.",
        "© 2010 Elsevier.",
        "(Fonte: Adaptado de Petersen et al., 2015)",
        "Nota. Extraída de Mendes (2024, p. 10).",
        "Fuente: García y Pérez (2011).",
        "Figura reproducida con permiso de Elsevier.",
        "Schéma adapté de Dupont (2004).",
        "Coupe géologique, d'après Dupont (2004).",
        "Abbildung modifiziert nach Müller (2001), mit freundlicher Genehmigung des Verlags.",
        "Immagine adattata da Rossi (2001), per gentile concessione.",
        "Copied from Darwin (1859).",
        "Figure adapted from: Smith J, Jones K. Nature 2010.",
        "Adapted from12.",
        "Image: Wikimedia Commons.",
        "The image was downloaded from the Protein Data Bank website (www.rcsb.org).",
        "Reconstruction of the skull (from Romer, 1956).",
        "Photos courtesy of Jane Doe (A) and John Roe (B).",
        "Figure originally appeared in a magazine by Jane Doe.",
        "Map of study areas and stratigraphy (modified from Rogers et al., 2013: fig. 1).",
        "Model of values (taken from Schwartz, 1994).",
        "Location map of the study area (source: http://maps.example/tripura/).",
        "Elements are traced from Ostrom (1963).",
        "Structure of the protein. Revised from reference (Martin et al., 2013).",
        f"Crystal structure (cited from {CITED}[57]).",
        "Reconstruction copyright Jane Doe.",
        "A simplified version of Figure 2 in Jones et al. [9]; modified from Jones et al. [9].",
    ],
)
def test_reprints(text: str) -> None:
    assert is_reprint(text)
    assert may_be_reprint(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Mice were adapted to the dark for two hours.",
        "Cells adapted from suspension to adherent growth.",
        "Scores modified from baseline to week 12.",
        "The result was reproduced in three independent experiments.",
        "Representative blot, reproduced from at least three experiments.",
        "Photographs were taken with the patient's permission.",
        "Photograph published with written permission from the patient.",
        "Collected with permission of the ethics committee.",
        "No part may be reproduced without permission.",
        "Samples were taken from patients [12].",
        "Cells were obtained from ATCC (Manassas, VA).",
        "Images were taken at 10× magnification after 24 h.",
        "Plasmid courtesy of Dr. Smith.",
        "Antibodies were kindly provided by Dr. Doe.",
        "Data from [3].",
        "Data source: WHO 2010.",
        "Fonte: elaborado pelos autores (2020).",
        "Source: authors' own calculation, 2015.",
        "Fuente: elaboración propia (2019).",
        "Light source: 488 nm laser (Coherent 2010).",
        "Images viewed from the [110] direction.",
        "Modified Ringer solution was used as described by Smith et al. (2010).",
        "Trees based on data of Smith et al. [4].",
        "The values were obtained from Ref. [4] by fitting.",
        "(See Smith and Jones, 2001)",
        "Created with software.",
        "Adaptation of the retina after light exposure in 2010.",
        "The task was adapted from Smith et al. (2010).",
        "Reproduced from the simulation with parameters of Table 2.",
        "Images were taken from five random fields.",
        "Expression data were downloaded from TCGA (https://tcga.example).",
        "Patients gave written permission for publication of the photographs.",
        "© The Author(s) 2015.",
        "Protein was extracted from EV and VvWRKY8-OE leaves.",
        "Total RNA yields extracted from Mace and Rac whole shoots (Experiment 1).",
        "Image for root phenotypes taken from the seedling stage for ZH9308 and XQZB.",
        "(A) Simplified cladogram of ER and ERL proteins across divisions.",
        "The map resembles the previously published closed structure (PDB ID 7UQR).",
        "Sequence datasets generated from different stages were downloaded from the published result (Doe, 2014).",
        "Others originate from our previous paper (Doe & Roe, 2016).",
        "Determined by the modified method of Bernt and Bergmeyer (1974).",
        "The enrichment formula was adopted from Zheng and Wang (2008).",
        "Data of controls reproduced from Fig 2 for clarity.",
        "Genetic linkage map of the 12 chromosomes based on 1954 SNP markers.",
        "Daily precipitation during the period (from Oct 2013 to Oct 2015).",
        "Source: unpublished images from the authors.",
        "Table statistics were obtained from the following sources: [2], [22].",
    ],
)
def test_no_reprints(text: str) -> None:
    assert not is_reprint(text)


@pytest.mark.parametrize(
    ("text", "rights"),
    [
        ("© 2001 Elsevier", False),
        ("Licensed under CC BY", False),
        ("© 2001 Elsevier. Reprinted from Cell (2001).", True),
    ],
)
def test_a_bare_foreign_copyright_in_permissions_is_no_notice(text: str, rights: bool) -> None:
    assert is_reprint(text, rights=True) is rights


def test_capitals_that_grow_when_lowered() -> None:
    assert is_reprint("İ İ Adapted from Smith et al. (2010).") == is_reprint("I I Adapted from Smith et al. (2010).")
