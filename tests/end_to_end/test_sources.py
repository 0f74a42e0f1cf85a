"""The same articles from a folder, from the sample server and from moto give the same tables, to the hash."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from pmcoa_build.engine.state import State
from pmcoa_build.sample import serve, write_sample
from tests.end_to_end.conftest import CRAWL, Cli

TABLES = ("articles", "figures", "screen", "media")


def _hashes(out: Path) -> dict[str, dict[str, str]]:
    state = State(out / "data", out / "state")
    return {stage: {block: r["content"] for block, r in state.records(stage).items()} for stage in TABLES}


@contextlib.contextmanager
def _moto(root: Path) -> Iterator[str]:
    """moto's S3 server holding the bucket; yields its path-style root."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {**os.environ, "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"}
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )
    try:
        assert server.stderr is not None
        for line in server.stderr:  # it says so when it listens
            if "Running on" in line:
                break
        url = f"http://127.0.0.1:{port}/pmc-oa-opendata"
        signed = {"Authorization": "AWS4-HMAC-SHA256 Credential=x/20260101/us-east-1/s3/aws4_request"}
        urlopen(Request(url, method="PUT", headers=signed))
        for path in sorted(p for p in root.rglob("*") if p.is_file() and p.name != "truth.jsonl"):
            headers = {"x-amz-acl": "public-read", "Content-Type": "application/octet-stream", **signed}
            urlopen(Request(f"{url}/{path.relative_to(root)}", path.read_bytes(), headers, method="PUT"))
        yield url
    finally:
        server.kill()
        server.communicate()


def _run_everywhere(root: Path, tmp_path: Path, cli: Cli) -> None:
    with serve(root) as sample, _moto(root) as moto:
        urls = {"folder": str(root), "sample": sample.url, "host-style": sample.url + "/pmc-oa-opendata", "moto": moto}
        found = {}
        for name, url in urls.items():
            keys = {"source.url": url, "source.requests_per_second": 0, "run.max_dead_fraction": 1}
            cli(*CRAWL, out=tmp_path / name, **keys)
            found[name] = _hashes(tmp_path / name)
    assert all(found["folder"][stage] for stage in TABLES)
    for name in urls:
        assert found[name] == found["folder"], name


def test_drawn_articles(tmp_path: Path, cli: Cli) -> None:
    write_sample(tmp_path / "bucket", articles=12)
    _run_everywhere(tmp_path / "bucket", tmp_path, cli)


def test_real_articles(tmp_path: Path, cli: Cli, shared: Path) -> None:
    _run_everywhere(shared / "mirror", tmp_path, cli)


@pytest.mark.parametrize(("url", "says"), [
    ("http://127.0.0.1:1", "cannot be reached"), ("nowhere", "does not exist"), ("ftp://host/x", "http"),
])
def test_what_is_no_bucket_gets_one_sentence(tmp_path: Path, cli: Cli, url: str, says: str) -> None:
    done = cli("snapshot", out=tmp_path, code=2 if url.startswith("ftp") else 4, **{"source.url": url})
    assert len(done.stderr.strip().splitlines()) == 1
