"""Drawings of genes and molecules: skeletal formulae, trees of species, gene and plasmid maps, domains, alignments."""

from __future__ import annotations

import math

import numpy as np

from pmcoa_build.figures.synth.charts import GENES
from pmcoa_build.figures.synth.imagery import Image, Rng, pick
from pmcoa_build.figures.synth.pen import arrow, box, disc, fresh, palette, polygon, say, stroke
from pmcoa_build.figures.synth.text import extent, write

_SPECIES = ("H. sapiens", "M. musculus", "D. rerio", "S. cerevisiae", "E. coli", "A. thaliana", "C. elegans",
            "P. falciparum",
            "B. subtilis", "X. laevis", "G. gallus", "D. melanogaster", "Isolate 12", "MN908947", "Clade B",
            "O. sativa")
_INK = (25, 25, 25)


def _ring(image: Image, centre: tuple[float, float], radius: float, turn: float, double: bool) -> list[tuple[int, int]]:
    corners = [(round(centre[0] + radius * math.cos(turn + k * math.pi / 3)),
                round(centre[1] + radius * math.sin(turn + k * math.pi / 3)))
               for k in range(6)]
    for k in range(6):
        stroke(image, [corners[k], corners[(k + 1) % 6]], _INK, max(1, round(radius / 14)))
        if double and k % 2 == 0:
            inner = [(round(centre[0] + (x - centre[0]) * 0.78), round(centre[1] + (y - centre[1]) * 0.78)) for x,
                     y in (corners[k], corners[(k + 1) % 6])]
            stroke(image, inner, _INK, max(1, round(radius / 14)))
    return corners


def skeletal_formula(rng: Rng, width: int, height: int) -> Image:
    """One to four molecules of fused rings and chains with hetero atoms, a reaction arrow between some."""
    image = fresh(rng, width, height)
    columns, rows = max(1, min(4, round(width / 160))), max(1, min(3, round(height / 150)))
    bond = min(width / columns, height / rows) / rng.uniform(7, 11)
    size = int(np.clip(bond * 0.6, 7, 18))
    for row in range(rows):
        for column in range(columns):
            x, y = (column + 0.35) * width / columns, (row + 0.45) * height / rows
            for ring in range(int(rng.integers(1, 4))):
                corners = _ring(image, (x + ring * bond * 1.74, y), bond, math.pi / 6, bool(rng.random() < 0.7))
                for _ in range(int(rng.integers(0, 3))):
                    _chain(rng, image, pick(rng, corners), bond, size)
            if rng.random() < 0.6:
                say(image, pick(rng, ("Compound 1", "PDS", "DMSO", "IC50 = 1.2 µM", "Inhibitor", "(+)-2a")),
                    (round(x + bond), round(y + bond * 2.8)), size)
            if column + 1 < columns and rng.random() < 0.4:
                end = round((column + 1.08) * width / columns)
                arrow(image, (end - round(bond * 2), round(y)), (end, round(y)))
    return image


def _chain(rng: Rng, image: Image, start: tuple[int, int], bond: float, size: int) -> None:
    point, turn = start, rng.uniform(0, 6.28)
    for i in range(int(rng.integers(1, 4))):
        angle = turn + (0.5 if i % 2 else -0.5)
        end = (round(point[0] + bond * math.cos(angle)), round(point[1] + bond * math.sin(angle)))
        stroke(image, [point, end], _INK, max(1, round(bond / 14)))
        point = end
    atom = pick(rng, ("O", "N", "OH", "NH2", "Cl", "F", "S", "CH3", "H", "OMe"))
    wide = extent(atom, "sans", size)[2]
    box(image, (point[0] - wide // 2 - 1, point[1] - size // 2 - 1, point[0] + wide // 2 + 1,
                point[1] + size // 2 + 1), (255, 255, 255))
    say(image, atom, point, size, pick(rng, (_INK, _INK, (200, 30, 30), (30, 60, 200))))


def phylogeny(rng: Rng, width: int, height: int) -> Image:
    """A rooted tree of right angles with names at its leaves, some clades in colours; or the same as a circle."""
    image, colours = fresh(rng, width, height), palette(rng, bold=True)
    leaves = max(4, min(int(rng.integers(5, 45)), height // 9))
    size = int(np.clip(height / leaves * 0.8, 6, 14))
    beside = min(width // 3, size * 7)
    round_tree = min(width, height) > 180 and rng.random() < 0.3

    def place(depth: float, row: float) -> tuple[int, int]:
        if round_tree:
            turn, reach = row / leaves * 6, (1 - depth) * min(width, height) * 0.38
            return round(width / 2 + reach * math.cos(turn)), round(height / 2 + reach * math.sin(turn))
        return round(4 + (1 - depth) * (width - beside - 8)), round((row + 0.5) * height / leaves)

    nodes = [(i + 0.0, 0.0) for i in range(leaves)]
    grown = 0.0
    while len(nodes) > 1:
        i = int(rng.integers(0, len(nodes) - 1))
        (a, low), (b, high) = nodes[i], nodes[i + 1]
        grown += 1 / (leaves - 1)
        colour = pick(rng, (_INK, _INK, _INK, pick(rng, colours)))
        arc = [place(grown, a + (b - a) * t / 8) for t in range(9)]
        for path in ([place(low, a), arc[0]], arc, [place(high, b), arc[-1]]):
            stroke(image, path, colour)
        nodes[i : i + 2] = [((a + b) / 2, grown)]
    for i in range(leaves):
        x, y = place(-0.02, i)
        name = pick(rng, _SPECIES)
        if round_tree:
            disc(image, (x - 2, y - 2, x + 2, y + 2), pick(rng, colours))
        else:
            write(image, name, (x + 3, y - size // 2), size=size, face="sans-italic" if "." in name else "sans")
    return image


def gene_map(rng: Rng, width: int, height: int) -> Image:
    """Rows of genes as arrows or exons on a line, with names, zoom lines and cut sites."""
    image, colours = fresh(rng, width, height), palette(rng)
    rows = max(1, min(int(rng.integers(1, 8)), height // 34))
    size = int(np.clip(height / rows * 0.2, 7, 14))
    left = size * 5 if rng.random() < 0.6 else 5
    for row in range(rows):
        y, tall = round((row + 0.55) * height / rows), max(4, round(height / rows * rng.uniform(0.1, 0.2)))
        stroke(image, [(left, y), (width - 5, y)], _INK, int(rng.integers(1, 3)))
        if left > 5:
            write(image, pick(rng, ("WT", "KO", "Mutant", "Isoform 1", "Donor", "gRNA")), (2, y - size // 2), size=size)
        at = left + int(rng.integers(0, 20))
        while at < width - 24:
            wide = int(rng.integers(8, max(12, width // 5)))
            fill, end = pick(rng, colours), min(at + wide, width - 6)
            if rng.random() < 0.5:
                tip = max(at, end - tall)
                polygon(image, [(at, y - tall), (tip, y - tall), (end, y), (tip, y + tall), (at, y + tall)], fill, _INK)
            else:
                box(image, (at, y - tall, end, y + tall), fill, _INK)
            if wide > size * 3:
                say(image, pick(rng, GENES), ((at + end) // 2, y - tall - size), size)
            at = end + int(rng.integers(3, max(6, width // 10)))
    return image


def plasmid(rng: Rng, width: int, height: int) -> Image:
    """A ring of coloured arcs with names around, or nested rings of a genome."""
    import cv2

    image, colours = fresh(rng, width, height), palette(rng, bold=True)
    side = min(width, height)
    centre, size = (width // 2, height // 2), max(7, side // 28)
    for ring in range(int(pick(rng, (1, 1, 3, 5)))):
        reach = round(side * (0.34 - 0.05 * ring))
        cv2.circle(image, centre, reach, _INK, 1, cv2.LINE_AA)
        turn = 0.0
        while turn < 340:
            wide = rng.uniform(8, 70)
            cv2.ellipse(image, centre, (reach, reach), 0, turn, min(358.0, turn + wide), pick(rng, colours),
                        max(3, side // 40), cv2.LINE_AA)
            if ring == 0:
                middle = math.radians(turn + wide / 2)
                dx, dy = 1.24 * reach * math.cos(middle), 1.2 * reach * math.sin(middle)
                at = (round(centre[0] + dx), round(centre[1] + dy))
                say(image, pick(rng, (*GENES, "ori", "AmpR", "EcoRI", "lacZ")), at, size)
            turn += wide + rng.uniform(2, 30)
    say(image, pick(rng, ("pUC19", "4.2 kb", "Chr. 1", "Vector")), centre, size + 2)
    return image


def domains(rng: Rng, width: int, height: int) -> Image:
    """Proteins as bars with coloured domains, ends numbered, one below the other."""
    image, colours = fresh(rng, width, height), palette(rng)
    rows = max(1, min(int(rng.integers(1, 10)), height // 26))
    size = int(np.clip(height / rows * 0.3, 7, 13))
    left = size * 6
    for row in range(rows):
        y, tall = round((row + 0.5) * height / rows), max(4, round(height / rows * 0.22))
        right = round(left + (width - left - size * 3) * rng.uniform(0.5, 1))
        write(image, pick(rng, ("WT", "ΔN", "ΔC", "Full length", "1-240", "R175H", "Mut 3")), (2, y - size // 2),
              size=size)
        box(image, (left, y - tall // 2, right, y + tall // 2), (225, 225, 225), _INK, rounded=True)
        for k in range(int(rng.integers(1, 5))):
            start = left + (right - left) * k // 5 + 3
            stop = start + max(5, (right - left) // 6)
            box(image, (start, y - tall, stop, y + tall), colours[k % len(colours)], _INK)
            name = pick(rng, ("SH2", "RING", "TAD", "PH", "TM", "LIR"))
            if extent(name, "sans", size)[2] < stop - start:
                say(image, name, ((start + stop) // 2, y), size)
        write(image, str(int(rng.integers(100, 2000))), (right + 3, y - size // 2), size=size)
    return image


def alignment(rng: Rng, width: int, height: int) -> Image:
    """Sequences in rows of fixed-pitch letters, alike columns shaded, names left and numbers right."""
    image = np.full((height, width, 3), 255, np.uint8)
    size = int(rng.integers(8, 14))
    pitch, line, left = round(size * 0.8), size + 4, size * 6
    columns, rows = max(4, (width - left - size * 2) // pitch), max(2, int(rng.integers(3, 12)))
    letters = "ACGT" if rng.random() < 0.4 else "ACDEFGHIKLMNPQRSTVWY"
    shade = pick(rng, ((0, 0, 0), (255, 230, 90), (200, 60, 60), (120, 170, 230)))
    for block in range(max(1, height // (line * (rows + 1)))):
        truth = rng.integers(0, len(letters), columns)
        alike = rng.uniform(0.3, 1, columns)
        for row in range(min(rows, height // line)):
            y = (block * (rows + 1) + row) * line + 3
            write(image, _SPECIES[row % len(_SPECIES)], (2, y), size=size - 1)
            for column in range(columns):
                same = rng.random() < alike[column]
                x = left + column * pitch
                if same and alike[column] > 0.75:
                    box(image, (x, y - 1, x + pitch - 1, y + line - 3), shade)
                letter = letters[int(truth[column] if same else rng.integers(len(letters)))]
                white = same and alike[column] > 0.75 and sum(shade) < 300
                write(image, letter, (x + 1, y + 1), size=size - 1, colour=(255, 255, 255) if white else _INK)
    return image


def words_and_formulae(rng: Rng, width: int, height: int) -> Image:
    """Lines of text, a sequence with coloured parts, or an equation in a box."""
    image = fresh(rng, width, height)
    size = int(np.clip(min(width, height) * rng.uniform(0.05, 0.09), 8, 18))
    words = ("gene", "patients", "5'-", "ACGTTGCA", "dx/dt =", "k1[A]", "exp(-E/RT)", "where", "sgRNA", "TTAGGG",
             "n = 12", "the", "of", "with",
             "p(x|y)", "Σ", "mutation", "c.524G>A", "p.Arg175His", "-3'")
    if rng.random() < 0.4:
        box(image, (2, 2, width - 3, height - 3), (255, 255, 255), _INK, rounded=bool(rng.random() < 0.5))
    face = pick(rng, ("sans", "serif", "sans-bold"))
    for y in range(size, height - size, round(size * 1.6)):
        x = size
        while x < width - size * 4:
            word = pick(rng, words)
            if x + extent(word, face, size)[2] > width - size:
                break
            x = write(image, word, (x, y), size=size, face=face,
                      colour=pick(rng, (_INK,) * 6 + ((190, 30, 30), (30, 70, 190))))[2] + size // 2
        if rng.random() < 0.15:
            break
    return image
