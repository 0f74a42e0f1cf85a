"""PMC's old file lists in each of their forms."""

from __future__ import annotations

from pathlib import Path

import pytest

from pmcoa_build.errors import UsageError
from pmcoa_build.pmc.filelist import NAME, Listed, read_lists

OLD = "File,Article Citation,Accession ID,Last Updated (YYYY-MM-DD HH:MM:SS),PMID,License\n"
NEW = OLD.strip() + ",Retracted\n"
CITATION = "Breast Cancer Res. 2001 Nov 2; 3(1):55-60"
ROW = f"oa_package/08/e0/PMC13900.tar.gz,{CITATION},PMC13900,2019-11-05 11:56:12,11250746,"
BULK = ("Article File,Article Citation,AccessionID,LastUpdated (YYYY-MM-DD HH:MM:SS),PMID,License,Retracted\n"
        f"PMC000xxxxxx/PMC13900.xml,{CITATION},PMC13900,2022-01-01 00:00:00,11250746,"
        "CC BY,yes\n")
TEXT = (f"2026-03-06 21:31:45\noa_package/08/e0/PMC13900.tar.gz\t{CITATION}\tPMC13900\tPMID:11250746\tNO-CC CODE\n"
        "oa_package/f6/9d/PMC12904753.tar.gz\tJ Neurol Surg Rep. 2026\tPMC12904753\t\tCC BY\n")


def read(folder: Path, *texts: str, wanted: tuple[int, ...] = (13900, 12904753)) -> dict[int, Listed]:
    paths = []
    for number, text in enumerate(texts):
        paths.append(folder / f"{number}_file_list.csv")
        paths[-1].write_bytes(text.encode("utf-8", "surrogateescape"))
    return read_lists(paths, wanted)


@pytest.mark.parametrize(("text", "listed"), [
    (OLD + ROW + "NO-CC CODE\n", Listed("NO-CC CODE", None, 11250746, CITATION)),
    (NEW + ROW + "CC BY-NC,no\n", Listed("CC BY-NC", False, 11250746, CITATION)),
    (NEW + ROW + "CC BY,yes\r\n", Listed("CC BY", True, 11250746, CITATION)),
    ("\ufeff" + NEW + ROW + ",\n", Listed(None, None, 11250746, CITATION)),
    (BULK, Listed("CC BY", True, 11250746, CITATION)),
    (BULK.replace(",", "\t"), Listed("CC BY", True, 11250746, CITATION)),
    (TEXT, Listed("NO-CC CODE", None, 11250746, CITATION)),
    (TEXT.partition("\n")[2], Listed("NO-CC CODE", None, 11250746, CITATION)),
    (OLD + 'x,"Said, ""quoted"", 2001",PMC13900,,,CC0\n', Listed("CC0", None, None, 'Said, "quoted", 2001')),
    (OLD + "x,M\udcfcller,PMC13900,,,CC0\n", Listed("CC0", None, None, "M\ufffdller")),
    (OLD + "one,column too,few\n" + ROW + "CC BY\n", Listed("CC BY", None, 11250746, CITATION)),
    (OLD + ROW.replace("PMC13900,", "13900,") + "CC BY\n", Listed("CC BY", None, 11250746, CITATION)),
])
def test_forms(tmp_path: Path, text: str, listed: Listed) -> None:
    assert read(tmp_path, text)[13900] == listed


def test_only_what_is_wanted(tmp_path: Path) -> None:
    found = read(tmp_path, TEXT, wanted=(12904753, 5))
    assert found == {12904753: Listed("CC BY", None, None, "J Neurol Surg Rep. 2026")}
    assert read(tmp_path, NEW) == {} == read(tmp_path)
    assert read(tmp_path, OLD + "x,y,PMC0,,,CC BY\nx,y,PMC13900.1,,,CC BY\nx,y,,,,CC BY\n") == {}


def test_the_later_update_counts_field_by_field(tmp_path: Path) -> None:
    first = NEW + ROW + "CC BY,yes\n"
    second = OLD + ROW.replace("2019", "2020").replace("11250746", "") + "CC BY-NC\n"
    merged = Listed("CC BY-NC", True, 11250746, CITATION)
    assert read(tmp_path, first, second) == read(tmp_path, second, first) == {13900: merged}


@pytest.mark.parametrize("text", ["", "a,b,c\n1,2,3\n", "<html>\n", "Accession ID,File\nPMC1,x\n", "License\nCC BY\n"])
def test_what_is_no_list(tmp_path: Path, text: str) -> None:
    with pytest.raises(UsageError, match=r"0_file_list\.csv cannot be read"):
        read(tmp_path, text)


def test_names() -> None:
    for name in ("oa_file_list.csv", "oa_file_list.txt", "oa_comm_use_file_list.csv", "file_list.csv",
                 "oa_comm_xml.PMC000xxxxxx.baseline.2024-06-18.filelist.csv"):
        assert NAME.fullmatch(name)
    for name in ("oa_non_comm_use_pdf.csv", "oa_file_list.csv.gz", "PMC1.tar.gz", "list.csv"):
        assert not NAME.fullmatch(name)
