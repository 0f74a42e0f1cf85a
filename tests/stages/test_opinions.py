from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from pmcoa_build.errors import RunFailed, UsageError
from pmcoa_build.figures.detector import Separation
from pmcoa_build.pmc.ratelimit import Patience
from pmcoa_build.spec import Spec
from stages.opinions import CONNECTIONS, KEY, Opinions, open_opinions
from tests.stages.conftest import SmallBuild, StubDetector

CAPTION = "Radiographs of a boy. Chest on arrival and hand a week later."
GOOD = {"parts": [{"labels": ["A"], "text": "Chest on arrival"}, {"labels": ["B"], "text": "hand a week later"}]}
LOST = -1
"""Status of a reply that never comes."""
DRIP = -2
"""Status of a reply that comes a byte at a time, for ever."""


def said(answer: object) -> bytes:
    content = answer if isinstance(answer, str) else json.dumps(answer)
    return json.dumps({"choices": [{"message": {"content": content}}]}).encode()


@pytest.fixture(autouse=True)
def haste(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(KEY, raising=False)
    monkeypatch.setattr("stages.opinions.PATIENCE", Patience(grace=0.3, retries=2, backoff=0.0))


@dataclass
class Model:
    """Plays an OpenAI-compatible endpoint: `answer(caption, n)` gives (status, body) for the n-th question on it."""

    answer: Callable[[str, int], tuple[int, bytes]]
    asked: Counter[str] = field(default_factory=Counter)
    headers: list[dict[str, str]] = field(default_factory=list)
    paths: set[str] = field(default_factory=set)
    open: int = 0
    most: int = 0
    over: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)


def handler(model: Model) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            caption = body["messages"][1]["content"].partition("Caption:\n")[2]
            with model.lock:
                model.asked[caption] += 1
                model.headers.append(dict(self.headers.items()))
                model.paths.add(self.path)
                model.open += 1
                model.most = max(model.most, model.open)
            status, reply = model.answer(caption, model.asked[caption])
            with model.lock:
                model.open -= 1
            with contextlib.suppress(OSError):
                self.give(status, reply)

        def give(self, status: int, reply: bytes) -> None:
            if status == LOST:
                model.over.wait(10)
                self.close_connection = True
                return
            self.send_response(200 if status == DRIP else status)
            self.send_header("Content-Length", str(len(reply)))
            self.end_headers()
            if status != DRIP:
                self.wfile.write(reply)
                return
            for at in range(len(reply)):
                self.wfile.write(reply[at : at + 1])
                if model.over.wait(0.05):
                    return

        def log_message(self, *_: object) -> None:
            pass

    return Handler


@contextlib.contextmanager
def serving(answer: Callable[[str, int], tuple[int, bytes]]) -> Iterator[tuple[Model, str]]:
    model = Model(answer)
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(model))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield model, f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        model.over.set()
        server.shutdown()
        server.server_close()
        thread.join()


def spec(url: str, model: str = "m") -> Spec:
    empty = Spec(Path())
    return replace(empty, align=replace(empty.align, llm_url=url, llm_model=model))


@contextlib.contextmanager
def asking(url: str) -> Iterator[Opinions]:
    with open_opinions(spec(url)) as opinions:
        assert opinions is not None
        yield opinions


@pytest.mark.parametrize(
    ("replies", "reason", "asked"),
    [
        ([(200, said(GOOD))], "", 1),
        ([(429, b""), (200, said(GOOD))], "", 2),
        ([(503, b""), (500, b""), (200, said(GOOD))], "", 3),
        ([(200, said({"parts": [*GOOD["parts"], {"labels": ["C"], "text": "His knee"}]}))], "opinion-refused", 1),
        ([(200, said({"parts": GOOD["parts"][:1]}))], "opinion-refused", 1),
        ([(200, said("Sorry."))], "opinion-refused", 1),
        ([(200, b"{")], "opinion-refused", 1),
        ([(400, b"")], "opinion-failed", 1),
        ([(429, b"")] * 3, "opinion-failed", 3),
        ([(500, b"")] * 3, "opinion-failed", 3),
        ([(LOST, b"")] * 2, "opinion-failed", 2),
        ([(DRIP, said(GOOD))] * 2, "opinion-failed", 2),
    ],
)
def test_one_outcome_each(replies: list[tuple[int, bytes]], reason: str, asked: int) -> None:
    with serving(lambda _, n: replies[n - 1]) as (model, url), asking(url) as opinions:
        heard = opinions.ask(CAPTION, ("A", "B"), b"")
        assert (heard.reason, heard.split is None) == (reason, bool(reason))
        assert model.asked[CAPTION] == asked == opinions.spent()["requests"]
        assert model.paths == {"/v1/chat/completions"}
        again = opinions.ask(CAPTION, ("A", "B"), heard.memo)
        if reason == "opinion-failed":
            assert model.asked[CAPTION] > asked  # nothing was learnt, so it is asked again
        else:
            assert again == heard and model.asked[CAPTION] == asked
            assert opinions.ask(CAPTION, ("A", "C"), heard.memo).reason and model.asked[CAPTION] > asked


def test_the_key_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(lambda *_: (200, said(GOOD))) as (model, url), asking(url) as opinions:
        opinions.ask(CAPTION, (), b"")
        monkeypatch.setenv(KEY, "secret")
        opinions.ask(CAPTION, (), b"")
    assert [headers.get("Authorization") for headers in model.headers] == [None, "Bearer secret"]


@pytest.mark.parametrize("status", [401, 403, 404])
def test_an_endpoint_that_refuses_ends_the_run(status: int) -> None:
    with serving(lambda *_: (status, b"")) as (_, url), asking(url) as opinions, pytest.raises(RunFailed, match=KEY):
        opinions.ask(CAPTION, (), b"")


def test_an_endpoint_that_is_not_there_ends_the_run() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    with asking(url) as opinions, pytest.raises(RunFailed, match="does not answer"):
        opinions.ask(CAPTION, (), b"")


def test_without_a_model_nobody_is_asked() -> None:
    with pytest.raises(UsageError, match="llm_model"), open_opinions(spec("http://localhost/v1", "")):
        pass
    with open_opinions(Spec(Path())) as opinions:
        assert opinions is None


class Halves(StubDetector):
    """Cuts every figure into two panels without letters."""

    def detect(self, rgb: Any, *, labels: Any = (), cues: object = None) -> Separation:
        found = super().detect(rgb, labels=("A", "B"))
        return Separation([replace(panel, label=None, label_score=None) for panel in found.panels], found.candidates)


@pytest.fixture
def halves(small: SmallBuild, monkeypatch: pytest.MonkeyPatch) -> SmallBuild:
    monkeypatch.setattr("stages.panels.Detector", Halves)
    assert small.run("snapshot", "articles", "figures", "screen", "media", "panels") == 0
    return small


def pairs(build: SmallBuild) -> dict[str, list[tuple[str, str, list[str]]]]:
    found: dict[str, list[tuple[str, str, list[str]]]] = {}
    for row in build.open().table("align").to_pylist():
        image = row["panel_id"].partition("#")[0]
        found.setdefault(image, []).append((row["subcaption"], row["method"], row["flags"]))
    return found


def counted(build: SmallBuild) -> tuple[int, dict[str, int], int]:
    (record,) = build.open().state.records("align").values()
    counts = record["counts"]
    assert counts["in"] == counts["done"] + sum(counts["filtered"].values()) + sum(counts["dead"].values())
    return counts["done"], record["dropped"], record["run"].get("fetched", {}).get("requests", 0)


def split_words(caption: str, _: int) -> tuple[int, bytes]:
    first, *_, second = caption.split()
    if "2000002" in caption:
        return 200, said({"parts": [{"labels": ["A"], "text": "Something"}, {"labels": ["B"], "text": "else"}]})
    return 200, said({"parts": [{"labels": ["A"], "text": first}, {"labels": ["B"], "text": second}]})


@pytest.mark.parametrize("where", ["sync", "threads:2", "processes:2"])
def test_a_build_asks_once(halves: SmallBuild, where: str) -> None:
    with serving(split_words) as (model, url):
        told = ("--set", f"align.llm_url={url}", "--set", "align.llm_model=m", "--on", where)
        assert halves.run("align", *told) == 0
        found = pairs(halves)
        assert found["PMC2000001.1/g2.png"] == [("Chest", "order", ["second-opinion"]),
                                                ("2000001.", "order", ["second-opinion"])]
        assert [row[1:] for row in found["PMC2000002.1/g2.png"]] == [("whole-caption", [])] * 2
        assert all(row[2] == [] for row in found["PMC2000001.1/g1.png"])  # the rules divide it
        done, dropped, requests = counted(halves)
        assert dropped == {"opinion-refused": 1} and done == sum(map(len, found.values()))
        assert sum(model.asked.values()) == len(model.asked) == requests == 3
        assert model.most <= CONNECTIONS
        assert halves.run("align", *told) == 0  # nothing to do
        assert halves.run("align") == 0  # the endpoint is taken away, and with it what it said
        assert all(row[2] == [] for rows in pairs(halves).values() for row in rows)
        assert halves.run("align", *told) == 0  # what was answered is remembered
        assert pairs(halves) == found and sum(model.asked.values()) == 3
        assert halves.run("align", *told, "--set", "align.llm_model=n") == 0
        assert sum(model.asked.values()) == 6


def test_no_endpoint_loses_a_pair(halves: SmallBuild) -> None:
    assert halves.run("align") == 0
    before = pairs(halves)
    with serving(lambda *_: (500, b"")) as (model, url):
        assert halves.run("align", "--set", f"align.llm_url={url}", "--set", "align.llm_model=m") == 0
    assert pairs(halves) == before
    assert counted(halves)[1] == {"opinion-failed": 3} and sum(model.asked.values()) == 9
    assert halves.run("align", "--set", f"align.llm_url={url}", "--set", "align.llm_model=n") == 4  # it is gone
    assert pairs(halves) == before


def test_a_published_row_says_so(halves: SmallBuild) -> None:
    with serving(split_words) as (_, url):
        told = ("--set", f"align.llm_url={url}", "--set", "align.llm_model=m")
        assert halves.run("align", "dedupe", "shards", *told) == 0
    flags = {row["subcaption"]: row["flags"] for row in halves.open().table("shards").to_pylist()}
    assert "second-opinion" in flags["2000001."]
    assert not any("second-opinion" in flag for text, flag in flags.items() if "CT" in text)
