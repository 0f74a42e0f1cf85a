from __future__ import annotations

import random
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from pmcoa_build.errors import Interrupted, RunFailed, SourceUnreachable, UnitLost, UsageError
from pmcoa_build.pmc.http import CONNECT_ERRORS, FORBIDDEN, HttpClient
from pmcoa_build.pmc.ratelimit import Clock, Patience


class FakeTime:
    """A clock that sleeping moves on, from any thread; jitter is always 1."""

    def __init__(self) -> None:
        self.time, self.naps, self.lock = 0.0, [], threading.Lock()

    def sleep(self, seconds: float) -> None:
        with self.lock:
            self.time += seconds
            self.naps.append(round(seconds, 6))

    def clock(self) -> Clock:
        return Clock(now=lambda: self.time, sleep=self.sleep, wall=lambda: 1_800_000_000.0, random=lambda: 0.5)


def client(origin: Any, time: FakeTime | None = None, **keys: Any) -> HttpClient:
    keys = {"connections": 2, "requests_per_second": 0, "contact": "a@b.example", **keys}
    return HttpClient(origin.url, clock=(time or FakeTime()).clock(), **keys)


BODY = bytes(range(256)) * 40


@pytest.mark.parametrize("faults", [
    [], ["503"], ["500", "502", "503", "504"], ["429"], ["429:3"], ["cut:10"], ["cut:0"], ["reset"], ["chunked"],
    ["chunked:cut"], ["hangup"], ["503", "cut:5000", "reset", "429"],
])
def test_faults_that_pass_are_survived(origin: Any, faults: list[str]) -> None:
    origin.put("a/b.jpg", BODY)
    origin.faults["/bucket/a/b.jpg"] = list(faults)
    with_faults = client(origin)
    assert with_faults.get("/a/b.jpg").body == BODY
    assert with_faults.get("/a/b.jpg").body == BODY
    with_faults.close()


@pytest.mark.parametrize(("fault", "reason", "tries"), [
    ("404", "http-404", 1), ("403", "http-403", 1), ("400", "http-error", 1), ("304", "http-error", 1),
    ("429", "http-429", 5), ("429:2", "http-429", 5), ("500", "http-5xx", 5), ("503:1", "http-5xx", 5),
    ("408", "timeout", 3), ("cut:100", "truncated", 5), ("chunked:cut", "truncated", 5), ("reset", "connection", 5),
    ("goto:http://elsewhere.example/x", "redirect-refused", 1), ("goto:file:///etc/passwd", "redirect-refused", 1),
    ("goto:https://127.0.0.1/bucket/a", "redirect-refused", 1), ("goto:/bucket/a", "redirect-refused", 4),
])
def test_faults_that_stay_lose_the_unit(origin: Any, fault: str, reason: str, tries: int) -> None:
    origin.put("a", BODY)
    origin.faults["/bucket/a"] = [f"always {fault}"]
    faulty = client(origin)
    with pytest.raises(UnitLost) as lost:
        faulty.get("/a")
    assert (lost.value.reason.code, len(origin.seen), faulty.stats.requests) == (reason, tries, tries)
    faulty.close()


def test_waits_grow_and_are_counted(origin: Any) -> None:
    origin.faults["/bucket/a"] = ["always 500"]
    time = FakeTime()
    slow = client(origin, time)
    with pytest.raises(UnitLost):
        slow.get("/a")
    assert time.naps == [0.25, 0.5, 1.0, 2.0]
    assert slow.stats.waiting == pytest.approx(3.75)
    assert slow.stats.retries == 4
    slow.close()


@pytest.mark.parametrize(("fault", "seconds"), [("429:7", 7), ("503:7", 7), ("date:1800000009", 9),
                                                 ("429:nonsense", 0.25)])
def test_retry_after_holds_all_threads(origin: Any, fault: str, seconds: float) -> None:
    origin.put("a", BODY)
    origin.put("b", BODY)
    time = FakeTime()
    polite = client(origin, time)
    origin.faults["*"] = [fault]
    with ThreadPoolExecutor(4) as pool:
        assert all(reply.body == BODY for reply in pool.map(polite.get, ["/a", "/b"] * 10))
    assert time.time >= seconds
    assert max(time.naps) <= seconds
    polite.close()


def test_a_thread_that_was_not_told_to_wait_waits_as_well(origin: Any) -> None:
    """The first thread is asleep for 7 seconds; the second asks nothing before those are over."""
    time, asleep, go_on = FakeTime(), threading.Event(), threading.Event()
    main = threading.current_thread()

    def sleep(seconds: float) -> None:
        if threading.current_thread() is main:
            assert len(origin.seen) == 1
            time.sleep(seconds)
            go_on.set()
        else:
            asleep.set()
            assert go_on.wait(60)

    origin.put("a", BODY)
    origin.put("b", BODY)
    origin.faults["/bucket/a"] = ["429:7"]
    clock = Clock(now=lambda: time.time, sleep=sleep, random=lambda: 0.5)
    polite = HttpClient(origin.url, connections=2, requests_per_second=0, contact="", clock=clock)
    with ThreadPoolExecutor(1) as pool:
        told = pool.submit(polite.get, "/a")
        assert asleep.wait(60)
        polite.get("/b")
        assert 7 <= time.time < 7.1
        assert told.result().body == BODY
    polite.close()


def test_one_rate_for_all_threads(origin: Any) -> None:
    """Eight threads, each with a time of its own that only its waiting moves on: no two start within the gap."""
    here = threading.local()
    starts: list[float] = []

    def now() -> float:
        return float(getattr(here, "time", 0.0))

    def sleep(seconds: float) -> None:
        here.time = now() + seconds

    def get(path: str) -> None:
        limited.get(path)
        starts.append(now())

    origin.put("a", BODY)
    limited = HttpClient(origin.url, connections=8, requests_per_second=20, contact="",
                         clock=Clock(now=now, sleep=sleep))
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(get, ["/a"] * 200))
    limited.close()
    assert sorted(starts) == pytest.approx([n / 20 for n in range(200)])
    assert origin.sockets <= 8


def test_a_very_long_retry_after_ends_the_run(origin: Any) -> None:
    origin.faults["*"] = ["503:86400"]
    with client(origin) as polite, pytest.raises(SourceUnreachable, match="86400 seconds"):
        polite.get("/a")


@pytest.mark.parametrize("kind", ["drip", "drip-headers"])
def test_a_drip_is_cut_off(origin: Any, kind: str) -> None:
    """Each byte comes in time; the reply as a whole never would."""
    origin.put("a", BODY)
    origin.faults["/bucket/a"] = [f"always {kind}"]
    patience = Patience(grace=0.1, bytes_per_second=10_000, retries=2, backoff=0.001)
    with HttpClient(origin.url, connections=1, requests_per_second=0, contact="", patience=patience) as impatient, \
            pytest.raises(UnitLost) as lost:
        impatient.get("/a")
    assert lost.value.reason.code == "timeout"
    assert len(origin.seen) == 2


def test_keep_alive_and_bound_on_connections(origin: Any) -> None:
    for i in range(60):
        origin.put(f"o{i}", BODY)
    many = client(origin, connections=3)
    with ThreadPoolExecutor(12) as pool:
        assert all(reply.body == BODY for reply in pool.map(many.get, [f"/o{i}" for i in range(60)]))
    assert origin.sockets <= 3
    assert many.stats.requests == 60
    assert many.stats.bytes == 60 * len(BODY)
    many.close()


def test_an_idle_connection_that_the_server_closed_costs_no_try(origin: Any) -> None:
    origin.put("a", BODY)
    origin.faults["/bucket/a"] = ["hangup"] * 10
    patient = client(origin, connections=1, patience=Patience(retries=0))
    for _ in range(10):
        assert patient.get("/a").body == BODY
    patient.close()


def test_soak_all_objects_come_through_mixed_faults(origin: Any) -> None:
    """A fifth of 300 replies faulty, eight threads: every object arrives whole."""
    chance = random.Random(7)
    bodies = {f"/o{i}": chance.randbytes(chance.randrange(10, 30_000)) for i in range(300)}
    for path, body in bodies.items():
        origin.put(path[1:], body)
        if chance.random() < 0.2:
            count = chance.randint(1, 2)
            kinds = ["cut:3", "503", "429:0", "reset", "cut:0", "chunked:cut", "500"]
            origin.faults[f"/bucket{path}"] = chance.choices(kinds, k=count)
    with HttpClient(origin.url, connections=8, requests_per_second=0, contact="",
                    patience=Patience(backoff=0.0001)) as steady, ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(steady.get, bodies))
    assert [reply.body for reply in replies] == list(bodies.values())
    assert not any(origin.faults.values())
    assert steady.stats.retries > 40


def test_same_host_redirect_is_followed(origin: Any) -> None:
    origin.put("new place", BODY)
    origin.faults["/bucket/old"] = ["goto:/bucket/new%20place"]
    there = client(origin)
    assert there.get("/old").body == BODY
    there.close()


def _closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_refused_connections_blame_no_unit_and_stop_the_run() -> None:
    time = FakeTime()
    dead = HttpClient(f"http://127.0.0.1:{_closed_port()}", connections=4, requests_per_second=0, contact="",
                      clock=time.clock())
    outcomes = []
    with ThreadPoolExecutor(4) as pool:
        for future in [pool.submit(dead.get, f"/{i}") for i in range(40)]:
            outcomes.append(type(future.exception()))
    assert set(outcomes) == {SourceUnreachable}
    assert len(time.naps) < CONNECT_ERRORS + 4
    assert dead.stats.requests == 0
    with pytest.raises(SourceUnreachable, match="cannot be reached"):
        dead.connect()


def test_403s_in_a_row_stop_the_run(origin: Any) -> None:
    origin.put("ok", BODY)
    blocked = client(origin)
    origin.faults["/bucket/x"] = ["always 403"]
    for _ in range(FORBIDDEN - 1):
        with pytest.raises(UnitLost):
            blocked.get("/x")
    blocked.get("/ok")
    for _ in range(FORBIDDEN - 1):
        with pytest.raises(UnitLost):
            blocked.get("/x")
    with pytest.raises(RunFailed, match="blocked"):
        blocked.get("/x")
    with pytest.raises(RunFailed, match="blocked"):
        blocked.get("/ok")
    blocked.close()


@pytest.mark.parametrize(("root", "target", "asked"), [
    ("", "?list-type=2", "/?list-type=2"), ("/", "?list-type=2", "/?list-type=2"), ("", "/a", "/a"),
    ("/bucket", "?list-type=2", "/bucket?list-type=2"), ("/bucket/", "/a", "/bucket/a"),
])
def test_every_request_target_begins_with_a_slash(origin: Any, root: str, target: str, asked: str) -> None:
    """Python's own server takes others; S3 and nginx answer 400 (RFC 9112 3.2.1)."""
    origin.faults["*"] = ["page:x"]
    with HttpClient(f"http://127.0.0.1:{origin.port}{root}", connections=1, requests_per_second=0,
                    contact="") as strict:
        strict.get(target)
    assert origin.seen[0][0] == asked


def test_user_agent_and_no_hidden_compression(origin: Any) -> None:
    origin.put("a", BODY)
    named = client(origin)
    named.get("/a")
    headers = origin.seen[0][1]
    assert headers["User-Agent"].startswith("pmcoa-build/")
    assert headers["User-Agent"].endswith(" (+a@b.example)")
    assert headers["Accept-Encoding"] == "identity"
    named.close()


@pytest.mark.parametrize("contact", ["a\r\nX-Evil: 1", "ä@b.de", "a\x00"])
def test_contact_cannot_break_the_header(origin: Any, contact: str) -> None:
    with pytest.raises(UsageError, match="contact"):
        client(origin, contact=contact)


@pytest.mark.parametrize("url", ["http://", "http://h:99999", "http://h:x", "http://u:p@h", "http://h/?a=b", "http://h/#f",
                                 "ftp://h", "http://h/a b", "http://[::1", "nonsense"])
def test_nonsense_urls(url: str) -> None:
    with pytest.raises(UsageError):
        HttpClient(url, connections=1, requests_per_second=0, contact="")


def test_close_wakes_threads_that_wait(origin: Any) -> None:
    origin.faults["/bucket/a"] = ["always 503:500"]
    waiting = HttpClient(origin.url, connections=1, requests_per_second=0, contact="")
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(waiting.get, "/a")
        while not origin.seen:
            threading.Event().wait(0.001)
        waiting.close()
        with pytest.raises(Interrupted):
            future.result(timeout=10)


def test_a_body_without_end_is_bounded(origin: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pmcoa_build.pmc.http.MAX_BODY", 5000)
    origin.put("a", BODY)
    for fault in ("", "chunked"):
        origin.faults["/bucket/a"] = [fault] if fault else []
        small = client(origin)
        with pytest.raises(UnitLost, match="too large"):
            small.get("/a")
        small.close()


def test_http_proxy_of_the_environment(origin: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", f"127.0.0.1:{origin.port}")
    origin.objects["/bucket/a"] = BODY
    through = HttpClient("http://pmc.example/bucket", connections=1, requests_per_second=0, contact="")
    assert through.get("/a").body == BODY
    assert origin.seen[0][0] == "http://pmc.example/bucket/a"
    through.close()
