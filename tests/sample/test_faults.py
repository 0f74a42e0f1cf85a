from __future__ import annotations

import hashlib
import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from pmcoa_build.sample import Fault, Faults, SampleServer, serve

KEY = "metadata/PMC98000001.1.json"


@pytest.fixture
def playing(bucket: Path) -> Iterator[SampleServer]:
    with serve(bucket, faults=Faults()) as server:
        yield server


def get(server: SampleServer, key: str = KEY) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=20)
    try:
        connection.request("GET", f"/{key}")
        reply = connection.getresponse()
        return reply.status, {name.lower(): value for name, value in reply.getheaders()}, reply.read()
    finally:
        connection.close()


@pytest.mark.parametrize(("kind", "code"), [("404", "NoSuchKey"), ("403", "AccessDenied"), ("429", "TooManyRequests"),
                                            ("500", "InternalError"), ("503", "SlowDown")])
def test_a_status_is_played_as_often_as_told_then_the_object_comes(playing: SampleServer, bucket: Path, kind: str,
                                                                   code: str) -> None:
    playing.faults.rules.append(Fault("metadata/*", kind, times=2, retry_after=1))  # type: ignore[arg-type]
    for _ in range(2):
        status, headers, body = get(playing)
        assert (status, headers["retry-after"]) == (int(kind), "1") and f"<Code>{code}</Code>".encode() in body
    assert get(playing)[::2] == (200, (bucket / KEY).read_bytes())
    assert [entry[2] for entry in playing.log] == [int(kind)] * 2 + [200]


def test_retry_after_is_left_out_unless_given(playing: SampleServer) -> None:
    playing.faults.rules.append(Fault(KEY, "429"))
    assert "retry-after" not in get(playing)[1]


def test_cut_ends_the_body_early(playing: SampleServer) -> None:
    playing.faults.rules.append(Fault(KEY, "cut", at=7))
    with pytest.raises(http.client.IncompleteRead) as error:
        get(playing)
    assert len(error.value.partial) == 7
    assert get(playing)[0] == 200


def test_flip_keeps_the_length_and_the_etag(playing: SampleServer, bucket: Path) -> None:
    playing.faults.rules.append(Fault(KEY, "flip"))
    _, headers, body = get(playing)
    right = (bucket / KEY).read_bytes()
    assert len(body) == len(right) and sum(a != b for a, b in zip(body, right, strict=True)) == 1
    assert headers["etag"] == f'"{hashlib.md5(right).hexdigest()}"'


def test_changed_is_another_object_in_its_own_right(playing: SampleServer, bucket: Path) -> None:
    playing.faults.rules.append(Fault(KEY, "changed", times=None))
    _, headers, body = get(playing)
    right = (bucket / KEY).read_bytes()
    assert headers["etag"] == f'"{hashlib.md5(body).hexdigest()}"' and body != right
    assert json.loads(body) == json.loads(right)
    assert get(playing)[2] == body


def test_changed_may_be_told_what_to(playing: SampleServer, bucket: Path) -> None:
    playing.faults.rules.append(Fault(KEY, "changed", body=b"{}"))
    _, headers, body = get(playing)
    assert (body, headers["etag"]) == (b"{}", f'"{hashlib.md5(b"{}").hexdigest()}"')
    assert get(playing)[2] == (bucket / KEY).read_bytes()


def test_gone_ends_the_server_and_all_its_connections(playing: SampleServer) -> None:
    idle = http.client.HTTPConnection(urlsplit(playing.url).netloc, timeout=20)
    idle.request("GET", f"/{KEY}")
    assert idle.getresponse().read()
    playing.faults.rules.append(Fault(KEY, "gone"))
    with pytest.raises(ConnectionError):
        get(playing)
    with pytest.raises(ConnectionRefusedError):
        get(playing)
    assert idle.sock.recv(1) == b"", "it was hung up"
    assert (playing.connections, playing.most_open) == (2, 2) and len(playing.log) == 2
    idle.close()


def test_drip_gives_the_right_bytes_slowly(playing: SampleServer, bucket: Path) -> None:
    playing.faults.rules.append(Fault(KEY, "drip", at=400, interval=0.001))
    assert get(playing)[2] == (bucket / KEY).read_bytes()


def test_a_dripping_server_stops_at_once(bucket: Path) -> None:
    with serve(bucket, faults=Faults([Fault(KEY, "drip", at=1, interval=3600)])) as server:
        connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=20)
        connection.request("GET", f"/{KEY}")
        reply = connection.getresponse()
        assert len(reply.read(1)) == 1
    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        reply.read()
    connection.close()


def test_reset_is_no_reply_at_all(playing: SampleServer) -> None:
    playing.faults.rules.append(Fault(KEY, "reset"))
    with pytest.raises(ConnectionError):
        get(playing)
    assert get(playing)[0] == 200


def test_redirect_names_another_host(playing: SampleServer) -> None:
    playing.faults.rules.append(Fault(KEY, "redirect", to="file:///etc/passwd"))
    status, headers, _ = get(playing)
    assert (status, headers["location"]) == (302, "file:///etc/passwd")


def test_listings_and_esearch_have_names_too(playing: SampleServer) -> None:
    playing.faults.rules += [Fault("?list", "503"), Fault("eutils/*", "429")]
    assert [get(playing, "?list-type=2")[0] for _ in range(2)] == [503, 200]
    assert [get(playing, "eutils/esearch.fcgi?db=pmc&term=")[0] for _ in range(2)] == [429, 200]


def test_each_key_has_its_own_count_and_the_first_rule_that_is_due_wins() -> None:
    faults = Faults([Fault("a*", "503", times=1), Fault("*", "404", times=1)])
    taken = [faults.take(key) for key in ("a1", "a1", "a1", "a2", "b", "b")]
    assert [rule and rule.kind for rule in taken] == ["503", "404", None, "503", "404", None]


def test_a_share_of_the_keys_is_chosen_by_their_names() -> None:
    keys = [f"key{i}" for i in range(2000)]
    hit = {key for key in keys if Fault("*", "503", share=0.05).matches(key)}
    assert 60 < len(hit) < 145
    assert hit == {key for key in keys if Fault("*", "503", share=0.05).matches(key)}
    assert hit != {key for key in keys if Fault("*", "503", share=0.05, seed=1).matches(key)}


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="no fault"):
        Fault("*", "fire")  # type: ignore[arg-type]
