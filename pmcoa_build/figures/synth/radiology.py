"""CT, MRI, radiographs, ultrasound, PET: grey panels with a finding whose side, shape, size and level are said."""

from __future__ import annotations

import numpy as np

from pmcoa_build.figures.synth.imagery import (
    COUNTS,
    SIDES,
    Attributes,
    Field,
    Image,
    Modality,
    Rng,
    ellipse,
    grey,
    grid,
    lesion,
    noise,
    pick,
    spread,
)

SHAPES = ("round", "oval", "irregular")
SIZES = ("small", "large")


def _radius(size: str, small: float, large: float) -> float:
    return small if size == "small" else large


def _ct_chest(a: Attributes, rng: Rng, width: int, height: int) -> Image:
    x, y = grid(width, height)
    body = ellipse(x, y, (0, 0), (0.97, 0.78))
    picture = body * (150 + 8 * noise(rng, width, height, 4))
    for side in (-1, 1):
        lung = ellipse(x, y, (0.45 * side, -0.04), (0.36, 0.55))
        picture += lung * (38 + 7 * noise(rng, width, height, 6) - picture)
        for _ in range(7):
            vessel = (0.45 * side + rng.uniform(-0.2, 0.2), rng.uniform(-0.35, 0.3))
            picture += 70 * ellipse(x, y, vessel, (0.025, 0.025), 0.5) * lung
    picture += 35 * ellipse(x, y, (0.08, 0.02), (0.2, 0.25))
    picture += 95 * ellipse(x, y, (0, 0.56), (0.14, 0.13)) - 70 * ellipse(x, y, (0, -0.22), (0.06, 0.06))
    side = -1 if a["side"] == "left" else 1
    if a["effusion"] == "with":
        crescent = ellipse(x, y, (0.45 * side, -0.04), (0.36, 0.55)) * np.clip((y - 0.2) / 0.05, 0, 1)
        picture += crescent * (165 - picture)
    centre = (0.45 * side + rng.uniform(-0.06, 0.06), -0.12 + rng.uniform(-0.1, 0.06))
    spot = lesion(rng, x, y, centre, _radius(a["size"], 0.11, 0.25), a["shape"])
    picture += spot * ellipse(x, y, (0.45 * side, -0.04), (0.37, 0.56)) * (215 - picture)
    return grey(picture)


def _head(rng: Rng, width: int, height: int, *, tissue: float, fluid: float) -> Field:
    x, y = grid(width, height)
    picture = ellipse(x, y, (0, 0), (0.72, 0.9)) * (tissue + 7 * noise(rng, width, height, 7))
    for side in (-1, 1):
        horn = ellipse(x - 0.35 * side * y**2, y, (0.09 * side, -0.02), (0.07, 0.26), 0.25)
        picture += horn * (fluid - picture)
    return picture


def _place(a: Attributes, rng: Rng, reach_x: float, reach_y: float) -> tuple[float, float]:
    dx, dy = SIDES[a["side"]]
    return dx * reach_x + rng.uniform(-0.06, 0.06), dy * reach_y + rng.uniform(-0.06, 0.06)


def _ct_brain(a: Attributes, rng: Rng, width: int, height: int) -> Image:
    x, y = grid(width, height)
    skull = ellipse(x, y, (0, 0), (0.78, 0.96)) - ellipse(x, y, (0, 0), (0.7, 0.88))
    picture = _head(rng, width, height, tissue=105, fluid=45)
    spot = lesion(rng, x, y, _place(a, rng, 0.4, 0.52), _radius(a["size"], 0.14, 0.28), a["shape"])
    spot *= ellipse(x, y, (0, 0), (0.7, 0.88))
    picture += spot * ((205 if a["density"] == "hyperdense" else 40) - picture)
    return grey(picture + np.clip(skull, 0, 1) * (250 - picture))


def _mri_brain(a: Attributes, rng: Rng, width: int, height: int) -> Image:
    import cv2

    x, y = grid(width, height)
    t2 = a["weighting"] == "T2"
    picture = _head(rng, width, height, tissue=90 if t2 else 125, fluid=235 if t2 else 25)
    angle, reach = np.arctan2(y, x), np.sqrt((x / 0.72) ** 2 + (y / 0.9) ** 2)
    folds = np.sin(26 * angle + 3 * noise(rng, width, height, 18)) * np.clip((reach - 0.62) * 5, 0, 1) * (reach < 0.97)
    picture += folds * (38 if t2 else -38)
    scalp = np.clip(ellipse(x, y, (0, 0), (0.82, 0.99)) - ellipse(x, y, (0, 0), (0.76, 0.94)), 0, 1)
    picture += scalp * (200 - picture)
    spot = lesion(rng, x, y, _place(a, rng, 0.4, 0.52), _radius(a["size"], 0.14, 0.28), a["shape"])
    spot *= ellipse(x, y, (0, 0), (0.72, 0.9))
    if a["enhancement"] == "ring-enhancing":
        core = np.clip(2.2 * cv2.GaussianBlur(spot, (0, 0), max(1.0, min(width, height) / 60)) - 1.2, 0, 1)
        picture += spot * (250 - picture)
        picture += core * (30 - picture)
    else:
        picture += spot * (245 - picture)
    return grey(picture)


def _ct_abdomen(a: Attributes, rng: Rng, width: int, height: int) -> Image:
    x, y = grid(width, height)
    picture = ellipse(x, y, (0, 0), (0.99, 0.82)) * (70 + 6 * noise(rng, width, height, 5))
    picture += ellipse(x, y, (0, 0), (0.9, 0.72)) * 35
    liver = ellipse(x, y, (-0.32, -0.1), (0.52, 0.5))
    picture += liver * (150 + 5 * noise(rng, width, height, 5) - picture)
    picture += 55 * ellipse(x, y, (0.6, -0.02), (0.2, 0.28)) + 110 * ellipse(x, y, (0.03, 0.5), (0.15, 0.14))
    for side in (-1, 1):
        picture += 60 * ellipse(x, y, (0.42 * side, 0.48), (0.13, 0.18)) * (1 - liver)
    level = 225 if a["density"] == "hyperdense" else 60
    radius = _radius(a["size"], 0.07, 0.14)
    for cx, cy in spread(rng, COUNTS[a["count"]], radius, 0.33):
        picture += lesion(rng, x, y, (cx - 0.34, cy - 0.1), radius, "round") * (level - picture)
    return grey(picture)


def _chest_radiograph(a: Attributes, rng: Rng, width: int, height: int) -> Image:
    x, y = grid(width, height)
    picture = 165 - 40 * np.abs(y) + 4 * noise(rng, width, height, 5)
    for side in (-1, 1):
        lung = ellipse(x, y, (0.47 * side, -0.02), (0.36, 0.78), 0.15)
        picture += lung * (62 - picture)
        ribs = np.clip(np.sin(15 * (y + 0.5 * (x - 0.47 * side) ** 2 - 0.12 * side * x)) * 3 - 1.6, 0, 1)
        picture += ribs * lung * 34
    picture += np.clip(1 - np.abs(x) / 0.11, 0, 1) * 70
    picture += ellipse(x, y, (0.15, 0.38), (0.32, 0.33), 0.2) * 85
    side = -1 if a["side"] == "left" else 1
    centre = (0.5 * side, -0.38 if a["zone"] == "upper" else 0.34)
    shape = "irregular" if a["opacity"] == "patchy consolidation" else "round"
    radius = _radius(a["size"], 0.13, 0.27)
    picture += lesion(rng, x, y, centre, radius, shape) * (225 - picture)
    return grey(picture)


def _limb_radiograph(a: Attributes, rng: Rng, width: int, height: int) -> Image:
    x, y = grid(width, height)
    picture = 18 + 62 * ellipse(x, y * 0.2, (0, 0), (0.72, 9)) + 3 * noise(rng, width, height, 6)
    tall = height / min(width, height)
    level = {"proximal": -0.55, "middle": 0.0, "distal": 0.55}[a["level"]] * tall
    tilt = 0.0 if a["line"] == "transverse" else 0.9
    centres = (0.0,) if a["bone"] == "femur" else (-0.26, 0.26)
    for centre in centres:
        half = (0.24 if len(centres) == 1 else 0.14) * (1 + 0.35 * (np.abs(y) / tall) ** 4)
        shift = 0.1 * (y > level + tilt * (x - centre))
        across = np.abs(x - centre - shift) / half
        bone = np.clip((1 - across) * 8, 0, 1)
        picture += bone * (150 + 65 * across**2 - picture)
        gap = np.clip(1 - np.abs(y - level - tilt * (x - centre)) / 0.055, 0, 1)
        picture += gap * bone * (25 - picture)
    if a["fixation"] == "plate":
        plate = (np.abs(x - centres[-1] - 0.26) < 0.05) & (np.abs(y - level) < 0.42)
        picture = np.where(plate, np.float32(252), picture)
        screws = (np.abs(x - centres[-1]) < 0.26) & (np.abs(np.mod(y - level + 0.05, 0.2) - 0.1) < 0.022)
        picture = np.where(screws & (np.abs(y - level) < 0.42), np.float32(250), picture)
    return grey(picture)


def _spine(a: Attributes, rng: Rng, width: int, height: int) -> Image:
    x, y = grid(width, height)
    t2 = a["weighting"] == "T2"
    bend = 0.18 * np.cos(1.4 * y)
    picture = 55 + 20 * ellipse(x, y, (0, 0), (0.95, 1.3)) + 6 * noise(rng, width, height, 7)
    u, tall = x + 0.15 - bend, height / min(width, height)
    step = 2 * tall / 6
    row = np.floor((y + tall) / step)
    inside = (y + tall) / step - row
    column = np.abs(u) < 0.26
    picture = np.where(column, np.where(inside < 0.75, 135.0, 205.0 if t2 else 85.0), picture)
    canal = np.abs(u - 0.42) < 0.12
    picture = np.where(canal, 230.0 if t2 else 60.0, picture)
    picture = np.where(np.abs(u - 0.42) < 0.045, 120.0, picture)
    level = COUNTS[a["level"]]
    centre = (0.28, -tall + (level - 1 + 0.875) * step)
    bulge = ellipse(u, y, centre, (0.2 if a["size"] == "large" else 0.11, 0.13 if a["size"] == "large" else 0.09))
    picture = picture + bulge * (30 - picture)
    return grey(picture.astype(np.float32) + 4 * noise(rng, width, height, 3))


def _ultrasound(a: Attributes, rng: Rng, width: int, height: int) -> Image:
    x, y = grid(width, height)
    tall = height / min(width, height)
    depth = np.sqrt(x**2 + (y + tall + 0.25) ** 2)
    angle = np.arctan2(x, y + tall + 0.25)
    fan = (np.abs(angle) < 0.62) & (depth > 0.35) & (depth < 2 * tall + 0.1)
    speckle = np.abs(noise(rng, width, height, 2.5)) * 55 + 22 + 16 * noise(rng, width, height, 25)
    picture = speckle * (1.2 - 0.35 * depth / tall)
    dx = {"left": -0.38, "right": 0.38, "central": 0.0}[a["side"]]
    radius = _radius(a["size"], 0.16, 0.32)
    spot = lesion(rng, x, y, (dx, 0.25 + rng.uniform(-0.08, 0.08)), radius, a["shape"])
    if a["echo"] == "anechoic":
        picture += spot * (4 - picture)
        behind = np.clip(1 - np.abs(x - dx) / radius, 0, 1) * (y > 0.25 + radius)
        picture += behind * 45
    else:
        picture += spot * (225 - picture)
    return grey(np.where(fan, picture, 0).astype(np.float32))


def _pet(a: Attributes, rng: Rng, width: int, height: int) -> Image:
    x, y = grid(width, height)
    tall = height / min(width, height)
    body = np.maximum(ellipse(x, y, (0, -0.78 * tall), (0.3, 0.2 * tall), 0.2),
                      ellipse(x, y, (0, 0.05 * tall), (0.75, 0.68 * tall), 0.15))
    dark = body * (42 + 8 * noise(rng, width, height, 6))
    dark += 120 * ellipse(x, y, (0, -0.82 * tall), (0.14, 0.1 * tall), 0.4)
    level = {"chest": -0.28, "abdomen": 0.14, "pelvis": 0.5}[a["region"]] * tall
    for cx, cy in spread(rng, COUNTS[a["count"]], 0.25, 0.5):
        dark += 190 * ellipse(x, y, (cx, level + 0.5 * cy), (0.11, 0.11), 0.5)
    return grey(241 - dark)


def _mammogram(a: Attributes, rng: Rng, width: int, height: int) -> Image:
    x, y = grid(width, height)
    side = -1 if a["side"] == "left" else 1
    wall = side * width / min(width, height)
    breast = ellipse(x, y, (wall, 0), (1.35, 0.95), 0.08)
    texture = np.abs(noise(rng, width, height, 9)) * (45 if a["density"] == "dense" else 14)
    picture = breast * ((95 if a["density"] == "dense" else 55) + texture)
    centre = (wall - side * 0.62, -0.3 if a["zone"] == "upper" else 0.3)
    if a["finding"] == "mass":
        picture += lesion(rng, x, y, centre, 0.2, "irregular") * (245 - picture)
    else:
        for _ in range(14):
            dot = (centre[0] + rng.normal(0, 0.11), centre[1] + rng.normal(0, 0.11))
            picture += ellipse(x, y, dot, (0.03, 0.03), 0.5) * (255 - picture)
    return grey(picture)


def _angiography(a: Attributes, rng: Rng, width: int, height: int) -> Image:
    import cv2

    canvas = np.full((height, width), 190, np.float32) + 8 * noise(rng, width, height, 14)
    side = -1 if a["side"] == "left" else 1
    start, steps = np.array([0.5 - 0.12 * side, 0.04]), 22
    path = [start + np.array([side * 0.3 * np.sin(2.1 * t), 0.86 * t]) for t in np.linspace(0, 1, steps)]
    where = {"proximal": 5, "middle": 11, "distal": 17}[a["level"]]
    scale = min(width, height)
    for i in range(steps - 1):
        thick = 0.075 - 0.035 * i / steps
        if abs(i - where) <= 1:
            thick = 0.012 if a["grade"] == "severe" else 0.035
        ends = [(int(p[0] * width), int(p[1] * height)) for p in path[i : i + 2]]
        cv2.line(canvas, ends[0], ends[1], 45.0, max(1, round(thick * scale)), cv2.LINE_AA)
        if i % 4 == 2:
            tip = path[i] + np.array([pick(rng, (-1, 1)) * rng.uniform(0.15, 0.3), rng.uniform(0.05, 0.2)])
            cv2.line(canvas, ends[0], (int(tip[0] * width), int(tip[1] * height)), 80.0, max(1, scale // 70),
                     cv2.LINE_AA)
    return grey(canvas)


_LESION = {"side": tuple(SIDES), "shape": SHAPES, "size": SIZES}
_LOBES = {"upper": ("frontal",), "lower": ("occipital",)}

RADIOLOGY: tuple[Modality, ...] = (
    Modality("ct-chest", "radiology", ("Chest computed tomography (CT)", "Axial CT of the chest"),
             {"side": ("left", "right"), "shape": SHAPES, "size": SIZES, "effusion": ("with", "without")},
             ("Chest CT shows a {size} {shape} nodule in the {side} lung {effusion} pleural effusion",
              "Axial chest CT with a {size} {shape} nodule of the {side} lung {effusion} effusion"), _ct_chest, 1.25),
    Modality("ct-brain", "radiology", ("Non-contrast head CT", "Computed tomography (CT) of the head"),
             {**_LESION, "density": ("hyperdense", "hypodense")},
             ("Head CT shows a {size} {shape} {density} {side} lesion",
              "Head CT with a {size} {shape} {density} lesion, {side}"),
             _ct_brain, 0.85, words=_LOBES),
    Modality("ct-abdomen", "radiology", ("Contrast-enhanced CT of the abdomen", "Abdominal computed tomography (CT)"),
             {"count": tuple(COUNTS)[:5], "size": SIZES, "density": ("hyperdense", "hypodense")},
             ("Abdominal CT shows {count} {size} {density} liver lesions",
              "Abdominal CT with {count} {size} {density} lesions of the liver"), _ct_abdomen, 1.25),
    Modality("mri-brain", "radiology", ("Magnetic resonance imaging (MRI) of the brain", "Brain MRI findings"),
             {**_LESION, "weighting": ("T1", "T2"), "enhancement": ("ring-enhancing", "hyperintense")},
             ("{weighting}-weighted brain MRI shows a {size} {shape} {enhancement} {side} lesion",
              "Axial {weighting}-weighted MRI with a {size} {shape} {enhancement} lesion, {side}"), _mri_brain, 0.85,
             words=_LOBES),
    Modality("mri-spine", "radiology", ("Sagittal MRI of the lumbar spine", "Lumbar spine MRI"),
             {"level": tuple(COUNTS)[:5], "size": SIZES, "weighting": ("T1", "T2")},
             ("Sagittal {weighting}-weighted spine MRI with a {size} disc protrusion at {level}",
              "{weighting}-weighted MRI of the spine shows a {size} protrusion at {level}"), _spine, 0.65,
             words={"one": ("L1-L2",), "two": ("L2-L3",), "three": ("L3-L4",), "four": ("L4-L5",), "five": ("L5-S1",)}),
    Modality("radiograph-chest", "radiology", ("Chest radiographs", "Chest X-ray findings"),
             {"side": ("left", "right"), "zone": ("upper", "lower"), "size": SIZES,
              "opacity": ("patchy consolidation", "rounded opacity")},
             ("Chest radiograph shows a {size} {opacity} in the {side} {zone} zone",
              "Chest X-ray with a {size} {opacity} of the {side} {zone} lung zone"), _chest_radiograph, 1.0),
    Modality("radiograph-limb", "radiology", ("Plain radiographs", "Radiographs of the limb"),
             {"level": ("proximal", "middle", "distal"), "line": ("transverse", "oblique"),
              "bone": ("femur", "forearm"), "fixation": ("plate", "none")},
             ("Radiograph of the {bone} shows a {line} fracture of the {level} third {fixation}",
              "Plain X-ray of the {bone}: {line} fracture of the {level} third {fixation}"), _limb_radiograph, 0.6,
             words={"plate": ("fixed with a plate",), "none": ("before fixation",)}),
    Modality("ultrasound", "radiology", ("Ultrasound images", "Ultrasonography findings"),
             {"side": ("left", "right", "central"), "shape": SHAPES, "size": SIZES,
              "echo": ("anechoic", "hyperechoic")},
             ("Ultrasound shows a {size} {shape} {echo} {side} lesion",
              "Sonogram with a {size} {shape} {echo} lesion, {side}"), _ultrasound, 1.1),
    Modality("pet", "radiology", ("18F-FDG positron emission tomography (PET)",
                                  "FDG-PET maximum intensity projections"),
             {"count": tuple(COUNTS)[:5], "region": ("chest", "abdomen", "pelvis")},
             ("FDG-PET shows {count} hot foci in the {region}", "PET with {count} avid foci of the {region}"), _pet,
             0.55),
    Modality("mammogram", "radiology", ("Mammography", "Mammograms of the patients"),
             {"side": ("left", "right"), "zone": ("upper", "lower"), "density": ("dense", "fatty"),
              "finding": ("mass", "microcalcifications")},
             ("Mammogram of a {density} {side} breast with {finding} in the {zone} quadrant",
              "Mammography of the {side} {density} breast shows {finding}, {zone} quadrant"), _mammogram, 0.75),
    Modality("angiography", "radiology", ("Coronary angiography", "Angiograms"),
             {"side": ("left", "right"), "level": ("proximal", "middle", "distal"), "grade": ("mild", "severe")},
             ("Angiography of the {side} artery shows {grade} {level} stenosis",
              "Angiogram of the {side} artery with {grade} {level} stenosis"), _angiography, 0.9),
)
