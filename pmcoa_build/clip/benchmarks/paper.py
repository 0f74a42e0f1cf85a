"""The numbers of arXiv 2303.07240 (its tables on retrieval, MedMNIST and VQA), in per cent.

Retrieval is over ROCO's test split as by `retrieval-roco-test`; MedMNIST, VQA-RAD and SLAKE are
fine-tuned. PMC-VQA's is of its own paper (arXiv 2305.10415), to be read beside `pmc-vqa-zero-shot-…`; chance is 25.
"""

from __future__ import annotations

_RECALL = tuple(f"{way}_R@{k}" for way in ("image_to_text", "text_to_image") for k in (1, 5, 10))
_CLASSES = ("AUC", "ACC")
_ANSWERS = ("open", "closed", "overall")

_TABLES: dict[str, tuple[tuple[str, ...], dict[str, tuple[float, ...]]]] = {
    "roco": (_RECALL, {
        "ViLT": (11.90, 31.90, 43.20, 9.75, 28.95, 41.40),
        "METER": (14.45, 33.30, 45.10, 11.30, 27.25, 39.60),
        "M3AE": (19.10, 45.60, 61.20, 19.05, 47.75, 61.35),
        "ARL": (23.45, 50.60, 62.05, 23.50, 49.05, 63.00),
        "PMC-CLIP": (31.41, 61.15, 71.88, 28.02, 58.33, 69.69),
    }),
    "pneumoniamnist": (_CLASSES, {
        "ResNet50": (96.20, 88.40), "DWT-CV": (95.69, 88.67), "SADAE": (98.30, 91.80), "PMC-CLIP": (99.02, 95.35),
    }),
    "breastmnist": (_CLASSES, {
        "ResNet50": (91.90, 86.60), "DWT-CV": (89.77, 85.68), "SADAE": (91.50, 87.80), "PMC-CLIP": (94.56, 91.35),
    }),
    "dermamnist": (_CLASSES, {
        "ResNet50": (91.20, 73.10), "DWT-CV": (91.67, 74.75), "SADAE": (92.70, 75.90), "PMC-CLIP": (93.41, 79.80),
    }),
    "vqa-rad": (_ANSWERS, {
        "MEVF-BAN": (49.20, 77.20, 66.10), "CPRD-BAN": (52.50, 77.90, 67.80), "M3AE": (67.23, 83.46, 77.01),
        "PMC-CLIP": (67.00, 84.00, 77.60),
    }),
    "slake": (_ANSWERS, {
        "MEVF-BAN": (77.80, 79.80, 78.60), "CPRD-BAN": (79.50, 83.40, 81.10), "M3AE": (80.31, 87.82, 83.25),
        "PMC-CLIP": (81.90, 88.00, 84.30),
    }),
    "pmc-vqa": (("accuracy",), {"PMC-CLIP": (24.70,)}),
}


def numbers(data: str) -> dict[str, dict[str, float]]:
    """Method → metric → per cent on a set of data ("pneumoniamnist_64" as "pneumoniamnist"); none where it has none."""
    metrics, methods = _TABLES.get(data.partition("_")[0], ((), {}))
    return {method: dict(zip(metrics, values, strict=True)) for method, values in methods.items()}
