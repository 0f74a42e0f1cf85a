from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from datetime import date, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

import pytest

from pmcoa_build.errors import RunFailed, SourceUnreachable, UsageError
from pmcoa_build.pmc import esearch
from pmcoa_build.pmc.ratelimit import Clock


class Ncbi:
    """ESearch on loopback: `articles[pmcid] = (release date, publication date)`; every term finds them all."""

    def __init__(self) -> None:
        self.articles: dict[int, tuple[date, date]] = {}
        self.forms: list[dict[str, str]] = []
        self.script: list[tuple[int, str, dict[str, str]]] = []
        self.url, self.most = "", 10_000

    def answer(self, form: dict[str, str]) -> str:
        found = sorted(self.articles)
        for operator, first, last, name in re.findall(r"(AND|NOT) (\S+?):(\S+?)\[(\w+)\]", form["term"]):
            low, high = (date.fromisoformat(day.replace("/", "-")) for day in (first, last))
            found = [i for i in found if (low <= self.articles[i][name == "pdat"] <= high) == (operator == "AND")]
        given = found[:min(int(form["retmax"]), esearch.LIMIT, self.most)]
        return json.dumps({"esearchresult": {"count": str(len(found)), "idlist": [str(i) for i in given]}})


@pytest.fixture
def ncbi() -> Iterator[Ncbi]:
    state = Ncbi()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            text = self.rfile.read(int(self.headers["Content-Length"])).decode()
            form = {name: values[0] for name, values in parse_qs(text).items()}
            state.forms.append(form)
            played = state.script.pop(0) if state.script else (200, state.answer(form), {})
            status, body, headers = played
            self.send_response(status if self.path == "/entrez/eutils/esearch.fcgi" else 404)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_address[1]}/entrez/eutils/"
    yield state
    server.shutdown()
    server.server_close()
    thread.join()


class Time:
    def __init__(self) -> None:
        self.now = 0.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def clock(self) -> Clock:
        return Clock(now=lambda: self.now, sleep=self.sleep, random=lambda: 0.5)


def search(ncbi: Ncbi, time: Time | None = None, key: str | None = None, query: str = "heart") -> set[int]:
    clock = (time or Time()).clock()
    return esearch.search(query, eutils_url=ncbi.url, api_key=key, contact="a@b.example", clock=clock)


def many(count: int, days: int) -> dict[int, tuple[date, date]]:
    start = date(2010, 5, 1)
    return {i: (start + timedelta(i % days), start - timedelta(i % 97)) for i in range(1, count + 1)}


def test_a_small_result_is_one_request_that_says_who_asks(ncbi: Ncbi) -> None:
    ncbi.articles = many(20, 5)
    query = 'open_access[Filter] AND "x & y=z"[Title] ' + "word OR " * 2000 + "é"
    assert search(ncbi, query=query) == set(range(1, 21))
    assert ncbi.forms == [{"db": "pmc", "retmode": "json", "retmax": "9999", "term": query, "tool": "pmcoa-build",
                           "email": "a@b.example"}]


def test_a_large_result_is_sliced_by_release_date(ncbi: Ncbi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(esearch, "LIMIT", 50)
    ncbi.articles = many(1000, 60)
    assert search(ncbi, query="a OR b") == set(range(1, 1001))
    assert all(form["term"].startswith("(a OR b) AND ") for form in ncbi.forms[1:])
    assert not any("[pdat]" in form["term"] for form in ncbi.forms)


def test_a_large_day_is_sliced_by_publication_date(ncbi: Ncbi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(esearch, "LIMIT", 10)
    ncbi.articles = many(200, 1)
    assert search(ncbi) == set(range(1, 201))


def test_a_day_that_cannot_be_sliced_is_an_error(ncbi: Ncbi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(esearch, "LIMIT", 10)
    ncbi.articles = {i: (date(2010, 1, 1), date(2009, 1, 1)) for i in range(11)}
    with pytest.raises(RunFailed, match="11 articles of 2009-01-01 alone"):
        search(ncbi)


def test_a_server_with_a_lower_limit_of_its_own(ncbi: Ncbi) -> None:
    ncbi.articles, ncbi.most = many(300, 60), 20
    assert search(ncbi) == set(range(1, 301))


def test_articles_without_a_date_are_found_too(ncbi: Ncbi) -> None:
    ncbi.articles, ncbi.most = many(300, 60) | dict.fromkeys(range(400, 410), (date(1, 1, 1), date(1, 1, 1))), 20
    assert search(ncbi) == {*range(1, 301), *range(400, 410)}


def test_nothing_found(ncbi: Ncbi) -> None:
    assert search(ncbi) == set()


@pytest.mark.parametrize(("key", "most"), [(None, 3), ("secret", 10)])
def test_the_rate_that_ncbi_allows(ncbi: Ncbi, monkeypatch: pytest.MonkeyPatch, key: str | None, most: int) -> None:
    monkeypatch.setattr(esearch, "LIMIT", 50)
    ncbi.articles = many(1000, 60)
    time = Time()
    search(ncbi, time, key)
    assert most * 0.8 < (len(ncbi.forms) - 1) / time.now < most
    assert {form.get("api_key") for form in ncbi.forms} == {key}


def test_429_is_waited_for(ncbi: Ncbi) -> None:
    ncbi.articles = many(3, 1)
    ncbi.script = [(429, '{"error":"API rate limit exceeded"}', {"Retry-After": "7"}), (500, "", {})]
    time = Time()
    assert search(ncbi, time) == {1, 2, 3}
    assert 7 < time.now < 10


BACKEND = '{"esearchresult": {"ERROR": "Search Backend failed: Couldn\'t resolve #pmc,\nthe address table is empty."}}'


def test_a_failing_back_end_is_asked_again(ncbi: Ncbi) -> None:
    ncbi.articles = many(3, 1)
    ncbi.script = [(200, BACKEND, {})] * 3
    assert search(ncbi, time := Time()) == {1, 2, 3}
    assert len(ncbi.forms) == 4 and time.now >= 15
    ncbi.script = [(200, BACKEND, {})] * 4
    with pytest.raises(SourceUnreachable, match="fails on its side"):
        search(ncbi)


@pytest.mark.parametrize(("errors", "warnings"), [
    ({"phrasesnotfound": ["glioblastomma"], "fieldsnotfound": []}, {}),
    ({}, {"phrasesignored": ["glioblastomma"], "quotedphrasesnotfound": [], "outputmessages": []}),
    (None, {"quotedphrasesnotfound": ["glioblastomma"]}),
])
def test_words_that_ncbi_does_not_know(ncbi: Ncbi, caplog: pytest.LogCaptureFixture, errors: Any,
                                       warnings: Any) -> None:
    said = {"errorlist": errors, "warninglist": warnings}
    ncbi.script = [(200, json.dumps({"esearchresult": {"count": "1", "idlist": ["7"], **said}}), {})]
    assert search(ncbi) == {7}
    assert caplog.text.count("NCBI does not know 'glioblastomma' in [select] query") == 1
    ncbi.script = [(200, json.dumps({"esearchresult": {"count": "0", "idlist": [], **said}}), {})]
    with pytest.raises(UsageError, match="finds nothing, and NCBI does not know 'glioblastomma'"):
        search(ncbi)


def test_a_field_that_ncbi_does_not_know(ncbi: Ncbi) -> None:
    said = {"count": "1", "idlist": ["7"], "errorlist": {"phrasesnotfound": [], "fieldsnotfound": ["[tiabx]"]}}
    ncbi.script = [(200, json.dumps({"esearchresult": said}), {})]
    with pytest.raises(UsageError, match=re.escape("does not know the search field [tiabx]")):
        search(ncbi)


def test_nothing_is_wrong_with_a_search_that_finds_nothing(ncbi: Ncbi, caplog: pytest.LogCaptureFixture) -> None:
    said = {"count": "0", "idlist": [], "warninglist": {"phrasesignored": [], "outputmessages": ["No items found."]}}
    ncbi.script = [(200, json.dumps({"esearchresult": said}), {})]
    assert search(ncbi) == set()
    assert not caplog.records


def test_without_a_contact_no_empty_address_is_sent(ncbi: Ncbi) -> None:
    esearch.search("x", eutils_url=ncbi.url, api_key=None, contact="", clock=Time().clock())
    assert "email" not in ncbi.forms[0]


@pytest.mark.parametrize(("status", "body", "error"), [
    (200, '{"esearchresult": {"ERROR": "Empty result - nothing todo"}}', UsageError),
    (200, '{"error":"API rate limit exceeded","count":"11"}', SourceUnreachable),
    (200, '{"esearchresult": []}', SourceUnreachable),
    (200, '{"esearchresult": {"count": "0", "idlist": [], "errorlist": ["x"]}}', SourceUnreachable),
    (200, '{"esearchresult": {"ERROR": "Empty term and query_key - nothing todo"}}', UsageError),
    (400, '{"error":"API key invalid"}', UsageError),
    (200, "<html>maintenance</html>", SourceUnreachable),
    (200, '{"esearchresult": {"count": "many", "idlist": []}}', SourceUnreachable),
    (200, '{"esearchresult": {"idlist": []}}', SourceUnreachable),
    (200, '{"esearchresult": {"count": "5", "idlist": ["1"]}}', RunFailed),
    (200, '{"esearchresult": {"count": "1", "idlist": ["PMC1"]}}', SourceUnreachable),
    (200, "[]", SourceUnreachable),
    (404, "", SourceUnreachable), (403, "", SourceUnreachable),
])
def test_answers_that_are_none(ncbi: Ncbi, status: int, body: str, error: type[Exception]) -> None:
    ncbi.script = [(status, body, {})]
    with pytest.raises(error) as raised:
        search(ncbi, key="secret")
    assert "secret" not in str(raised.value)


def test_bad_arguments(ncbi: Ncbi) -> None:
    with pytest.raises(UsageError, match="empty"):
        search(ncbi, query="  ")
    with pytest.raises(UsageError):
        esearch.search("x", eutils_url="eutils", api_key=None, contact="")
