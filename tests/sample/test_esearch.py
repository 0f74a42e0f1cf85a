from __future__ import annotations

import http.client
import json
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest

from pmcoa_build.sample import SampleServer


def search(server: SampleServer, term: str, base: str = "/eutils/", *, post: bool = False,
           **more: int) -> dict[str, object]:
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=20)
    form = urlencode({"db": "pmc", "term": term, "format": "json", **more})
    if post:
        connection.request("POST", f"{base}esearch.fcgi", body=form)
    else:
        connection.request("GET", f"{base}esearch.fcgi?{form}")
    reply = connection.getresponse()
    result = json.loads(reply.read())["esearchresult"]
    connection.close()
    assert isinstance(result, dict)
    return result


def ids(server: SampleServer, term: str, **more: int) -> list[int]:
    found = search(server, term, **{"retmax": 1000, **more})["idlist"]
    assert isinstance(found, list)
    return [int(one) for one in found]


def by_license(bucket: Path, code: str) -> set[int]:
    records = [json.loads(path.read_text()) for path in (bucket / "metadata").iterdir()]
    return {int(record["pmcid"][3:]) for record in records if record["license_code"] == code}


@pytest.mark.parametrize(("name", "code"), [("cc_by_license", "CC BY"), ("cc0_license", "CC0"),
                                            ("cc_by-sa_license", "CC BY-SA"), ("cc_by-nc_license", "CC BY-NC")])
def test_licence_filters(server: SampleServer, bucket: Path, name: str, code: str) -> None:
    wanted = by_license(bucket, code)
    assert wanted and set(ids(server, f"{name}[Filter]")) == wanted
    assert set(ids(server, f'"{name.replace("_", " ")}"[filter]')) == wanted


def test_operators_and_parentheses(server: SampleServer, bucket: Path) -> None:
    whole = set(ids(server, ""))
    assert len(whole) == 15
    by, zero = by_license(bucket, "CC BY"), by_license(bucket, "CC0")
    assert set(ids(server, "cc_by_license[Filter] OR cc0_license[Filter]")) == by | zero
    free = "cc_by_license[Filter] OR cc0_license[Filter]"
    assert set(ids(server, f"open_access[Filter] NOT ({free})")) < whole - by - zero
    assert ids(server, "cc_by_license[Filter] AND cc0_license[Filter]") == []


def test_dates_cut_the_whole_into_pieces(server: SampleServer) -> None:
    early, late = "1990/01/01:2026/05/31[pmcrdat]", "2026/06/01:2060/12/31[pmcrdat]"
    a, b = set(ids(server, early)), set(ids(server, f"({late})"))
    dated = set(ids(server, "1990/01/01:2060/12/31[pmcrdat]"))
    assert a and b and not a & b and a | b == dated
    assert len(dated) == 14, "the article whose XML is missing has no date"


def test_a_query_may_be_posted(server: SampleServer) -> None:
    assert search(server, "cc0_license[Filter]", post=True) == search(server, "cc0_license[Filter]")


def test_what_is_not_known_is_listed(server: SampleServer) -> None:
    reply = search(server, "(cohort OR zzqq) AND cohort[nofield] NOT 1700[pdat]")
    assert reply["errorlist"] == {"phrasesnotfound": ["zzqq"], "fieldsnotfound": ["[nofield]"]}
    assert "errorlist" not in search(server, "cohort AND open_access[Filter]")
    assert search(server, "zzqq")["warninglist"] == {
        "phrasesignored": [], "quotedphrasesnotfound": [], "outputmessages": ["No items found."]}


def test_words_are_looked_for_in_titles(server: SampleServer) -> None:
    assert ids(server, "sample AND cohort") == ids(server, "cohort")
    assert ids(server, "unheard-of") == []


def test_pages_and_the_limit(server: SampleServer) -> None:
    whole = ids(server, "")
    assert whole == sorted(whole, reverse=True)
    assert [one for start in range(0, 15, 4) for one in ids(server, "", retstart=start, retmax=4)] == whole
    server.esearch_limit = 6
    assert ids(server, "") == whole[:6]
    assert search(server, "", base="/entrez/eutils/")["count"] == "15"
