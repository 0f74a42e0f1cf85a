"""How publishers differ: names of files and ids, labels, where figures stand, how a licence is worded.

Journals and publishers are made up; the shapes are those of PMC's XML (see the docstring of `jats`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

CC_PARTS: dict[str, str] = {"CC BY": "by", "CC BY-SA": "by-sa", "CC BY-ND": "by-nd", "CC BY-NC": "by-nc",
                            "CC BY-NC-SA": "by-nc-sa", "CC BY-NC-ND": "by-nc-nd"}
_DEED = "https://creativecommons.org/licenses/{}/4.0/"
_ZERO = "https://creativecommons.org/publicdomain/zero/1.0/"


@dataclass(frozen=True)
class Dialect:
    """Templates over `tag` (five digits of the article) and `k` (1, 2, …, of the figure).

    `href` stands in the XML, `media` in the bucket, both without extension where `bare`. `standing`: figures in
    `<floats-group>`, after the citing paragraph, or inside it. `titled`: the caption's lead-in is its `<title>`.
    `bare_text`: caption text without `<p>`.
    """

    journal: str
    abbreviation: str
    publisher: str
    media: str
    figure_id: str
    label: str
    standing: Literal["floats", "after", "inside"]
    titled: bool
    bare_href: bool = False
    upper_href: bool = False
    bare_text: bool = False
    supplement: str = "{tag}-s001.pdf"


DIALECTS: dict[str, Dialect] = {
    "elife": Dialect("Drawn Life", "Drawn Life", "Drawn Life Sciences Ltd", "elife-{tag}-fig{k}", "fig{k}",
                     "Figure {k}.",
                     "after", True, supplement="elife-{tag}-supp1.xlsx"),
    "plos": Dialect("Open Sample Reports", "Open Sample Rep", "Sample Library", "pone.{tag}.g{k:03}",
                    "pone-{tag}-g{k:03}",
                    "Figure {k}", "after", True, bare_href=True, supplement="pone.{tag}.s001.doc"),
    "elsevier": Dialect("Sample Case Letters", "Sample Case Lett", "Sample Science BV", "gr{k}", "f{k:04}0", "Fig. {k}",
                        "floats", False, supplement="mmc1.pdf"),
    "mdpi": Dialect("Synthetic Imaging", "Synth Imaging", "Multidrawn Institute", "drawn-98-{tag}-g{k:03}",
                    "drawn-98-{tag}-f{k:03}", "Figure {k}", "floats", False, supplement="drawn-98-{tag}-s001.zip"),
    "bmc": Dialect("Central Sample Medicine", "Cent Sample Med", "Central Sample", "41746_2026_{tag}_Fig{k}_HTML",
                   "Fig{k}",
                   "Fig. {k}", "after", False, supplement="41746_2026_{tag}_MOESM1_ESM.docx"),
    "jcb": Dialect("The Journal of Drawn Biology", "J Drawn Biol", "The Sample Press", "jcb{tag}.f{k}", "fig{k}",
                   "Figure {k}.",
                   "inside", False, bare_href=True, upper_href=True, bare_text=True, supplement="jcb{tag}.s1.pdf"),
    "manuscript": Dialect("Archives of Sample Manuscripts", "Arch Sample Manuscr", "Sample Society",
                          "nihms-{tag}-f{k:04}",
                          "F{k}", "Figure {k}.", "floats", True, supplement="NIHMS{tag}-supplement-1.pdf"),
}


def license_xml(code: str | None, dialect: str, *, waiver: bool) -> str:
    """`<permissions>` as that publisher writes it; `waiver` adds BMC's CC0 sentence for the data."""
    holder = "<copyright-statement>© 2026 The Author(s)</copyright-statement><copyright-year>2026</copyright-year>"
    if code is None:
        return f'<permissions>{holder}<license license-type="open-access"><license-p>Free to read at the ' \
               "publisher's site; all other rights are reserved.</license-p></license></permissions>"
    if code == "TDM":
        return f"<permissions>{holder}<license><license-p>This file is available for text mining. It may also be " \
               "used consistent with the principles of fair use under the copyright law.</license-p></license>" \
               "</permissions>"
    url = _ZERO if code == "CC0" else _DEED.format(CC_PARTS[code])
    name = "public domain dedication (CC0)" if code == "CC0" else f"Creative Commons Attribution ({code}) license"
    link = f'<ext-link ext-link-type="uri" xlink:href="{url}">{url}</ext-link>'
    extra = ""
    if waiver:
        extra = " The Creative Commons Public Domain Dedication waiver (<ext-link ext-link-type=\"uri\" xlink:href=" \
                f"\"{_ZERO}\">{_ZERO}</ext-link>) applies to the data made available in this article."
    reference = '<ali:license_ref xmlns:ali="http://www.niso.org/schemas/ali/1.0/" specific-use="textmining" ' \
                f'content-type="cc{CC_PARTS.get(code, "zero").replace("-", "")}license">{url}</ali:license_ref>'
    head = {"elife": f'<license xlink:href="{url}">{reference}', "plos": f'<license xlink:href="{url}">',
            "jcb": '<license license-type="open-access">'}.get(dialect, f'<license>{reference}')
    return f"<permissions>{holder}{head}<license-p>This is an open access article distributed under the terms of the " \
           f"{name} ({link}).{extra}</license-p></license></permissions>"
