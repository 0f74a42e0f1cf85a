"""Packages as PMC's FTP service gave them, made from files or from a folder in bucket layout."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

THUMBNAIL = bytes.fromhex("47494638396101000100800000000000ffffff2c00000000010001000002024401003b")
"""A GIF of one pixel."""
TITLES = "File,Article Citation,Accession ID,Last Updated (YYYY-MM-DD HH:MM:SS),PMID,License,Retracted\n"


def package(path: Path, files: dict[str, bytes], *, folder: str | None = None) -> Path:
    """A package with these files in a folder named as its PMCID."""
    path.parent.mkdir(parents=True, exist_ok=True)
    inside = path.name.split(".")[0] if folder is None else folder
    with tarfile.open(path, "w:gz") as tar:
        top = tarfile.TarInfo(inside)
        top.type = tarfile.DIRTYPE
        tar.addfile(top)
        for name, data in files.items():
            member = tarfile.TarInfo(f"{inside}/{name}")
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return path


def pack_bucket(bucket: Path, out: Path) -> list[str]:
    """A package of each article that can be one, and `oa_file_list.csv`; gives the PMCIDs.

    Left out: what PMC never packed (articles for text mining only, which are not in the open-access subset), versions
    above the first, and what lacks its JSON or XML. Beside each .jpg lies a thumbnail, as there.
    """
    lines, packed = [TITLES], []
    versions = sorted((bucket / "metadata").glob("*.json"))
    for number, path in enumerate(versions):
        try:
            record = json.loads(path.read_bytes())
        except ValueError:
            continue
        pmcid, article = record["pmcid"], path.name.removesuffix(".json")
        alone = sum(one.name.startswith(f"{pmcid}.") for one in versions) == 1
        folder = bucket / article
        if record["license_code"] == "TDM" or not alone or not (folder / f"{article}.xml").exists():
            continue
        files = {}
        for file in sorted(folder.iterdir()):
            if file.name not in (f"{article}.json", f"{article}.txt"):
                files[file.name.replace(f"{article}.pdf", "main.pdf").replace(f"{article}.xml", "main.nxml")] = (
                    file.read_bytes())
            if file.suffix == ".jpg":
                files[f"{file.stem}.gif"] = THUMBNAIL
        where = f"oa_package/{number % 7:02x}/{number % 5:02x}/{pmcid}.tar.gz"
        package(out / where, files)
        lines.append(f'{where},"{record.get("citation", "")}",{pmcid},2026-03-06 21:31:45,{record["pmid"] or ""},'
                     f'{record["license_code"] or "NO-CC CODE"},{"yes" if record["is_retracted"] else "no"}\n')
        packed.append(pmcid)
    (out / "oa_file_list.csv").write_text("".join(lines), "utf-8")
    return packed
