"""Objects fetched, checked and written to disk over loopback, beside rclone, requests and bare http.client.

    python -m bench.crawl [--rounds 5] [--connections 8]

nginx serves drawn objects of 2 KB and 500 KB (Python's own server where there is no nginx: then only the ratio to
http.client means anything). `crawl` is `HttpBucket.get` with MD5 and a cache folder, as the stages use it; `rclone` is
`rclone copy` by its s3 backend (anonymous; checks MD5; one request an object, none for what is there already): both
leave the same files. For information, all with MD5: `memory` is `crawl` without a cache, `requests` a session a
thread, `http_client` the standard library and nothing else. One line of JSON: speeds are those of the best round;
`over_…`, how many times as fast `crawl` was as the other in the same round, is the median over rounds.
"""

from __future__ import annotations

import argparse
import hashlib
import http.client
import json
import os
import random
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import requests

from pmcoa_build.pmc.bucket import HttpBucket
from pmcoa_build.pmc.cache import Cache
from pmcoa_build.pmc.http import HttpClient

SIZES = {"small": (8000, 2_000), "large": (400, 500_000)}
"""name -> (objects, bytes of each)"""

Objects = list[tuple[str, str]]
"""(key, MD5)"""

NGINX = """
worker_processes 2; daemon off; pid {folder}/pid; error_log {folder}/log; {user}
events {{ worker_connections 256; }}
http {{
  access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000; etag off;
  map_hash_max_size 65536; map_hash_bucket_size 128; default_type application/octet-stream;
  map $uri $md5 {{ include {folder}/md5.map; }}
  map $arg_prefix $listing {{ ~^small /small.xml; ~^large /large.xml; }}
  client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
  uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
  server {{
    listen 127.0.0.1:{port}; root {folder}/root;
    location = /bucket {{ rewrite ^ $listing last; }}
    location ~ xml$ {{ default_type application/xml; }}
    location /bucket/ {{ add_header ETag '"$md5"'; }}
  }}
}}
"""

RCLONE = """[n]
type = s3
provider = Other
endpoint = http://127.0.0.1:{port}
force_path_style = true
list_version = 2
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--connections", type=int, default=8)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        objects = {size: draw(folder, size) for size in SIZES}
        with serving(folder) as (server, port):
            print(json.dumps({"bench": "crawl", "server": server, "connections": args.connections,
                              **measure(folder, objects, port, server, args)}))


def measure(folder: Path, objects: dict[str, Objects], port: int, server: str,
            args: argparse.Namespace) -> dict[str, dict[str, float]]:
    """Per size: objects/s and MB/s of each way, and the ratios to rclone and http.client."""
    ways: dict[str, Callable[[str], None]] = {
        "crawl": lambda size: by_bucket(objects[size], port, args.connections, folder / "out"),
        "memory": lambda size: by_bucket(objects[size], port, args.connections, None),
        "requests": lambda size: in_threads(by_requests, objects[size], port, args.connections),
        "http_client": lambda size: in_threads(by_http_client, objects[size], port, args.connections),
    }
    if server == "nginx" and shutil.which("rclone"):
        rclone_checks_md5(folder, objects, port)
        ways["rclone"] = lambda size: by_rclone(size, folder, port, args.connections)
    result: dict[str, dict[str, float]] = {}
    for size, (count, length) in SIZES.items():
        took: dict[str, list[float]] = {way: [] for way in ways}
        for _ in range(args.rounds):
            for way, fetch in ways.items():
                shutil.rmtree(folder / "out", ignore_errors=True)
                start = time.perf_counter()
                fetch(size)
                took[way].append(time.perf_counter() - start)
        row: dict[str, float] = {f"{way}_objects_s": round(count / min(seconds)) for way, seconds in took.items()}
        row |= {f"{way}_mb_s": round(count * length / min(seconds) / 1e6) for way, seconds in took.items()}
        for way in ways.keys() - {"crawl"}:
            ratios = [other / own for other, own in zip(took[way], took["crawl"], strict=True)]
            row[f"over_{way}"] = round(statistics.median(ratios), 2)
        result[size] = dict(sorted(row.items()))
    return result


def by_bucket(objects: Objects, port: int, connections: int, cache: Path | None) -> None:
    client = HttpClient(f"http://127.0.0.1:{port}/bucket", connections=connections, requests_per_second=0, contact="")
    with HttpBucket(client, Cache(cache) if cache else None) as bucket, ThreadPoolExecutor(connections) as pool:
        for worker in [pool.submit(lambda part: [bucket.get(*item) for item in part] and None, objects[i::connections])
                       for i in range(connections)]:
            worker.result()


def in_threads(fetch: Callable[[Objects, int], None], objects: Objects, port: int, connections: int) -> None:
    with ThreadPoolExecutor(connections) as pool:
        for worker in [pool.submit(fetch, objects[i::connections], port) for i in range(connections)]:
            worker.result()


def by_http_client(objects: Objects, port: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port)
    for key, md5 in objects:
        connection.request("GET", f"/bucket/{key}")
        assert hashlib.md5(connection.getresponse().read()).hexdigest() == md5
    connection.close()


def by_requests(objects: Objects, port: int) -> None:
    with requests.Session() as session:
        for key, md5 in objects:
            assert hashlib.md5(session.get(f"http://127.0.0.1:{port}/bucket/{key}").content).hexdigest() == md5


def by_rclone(size: str, folder: Path, port: int, connections: int) -> None:
    assert rclone(size, folder, port, connections).returncode == 0
    assert sum(1 for _ in (folder / "out").iterdir()) == SIZES[size][0]


def rclone(size: str, folder: Path, port: int, connections: int) -> subprocess.CompletedProcess[str]:
    config = folder / "rclone.conf"
    config.write_text(RCLONE.format(port=port))
    environment = {name: value for name, value in os.environ.items() if name != "AWS_CA_BUNDLE"}
    command = ["rclone", "--config", str(config), "copy", f"n:bucket/{size}", str(folder / "out"), "--transfers",
               str(connections), "--checkers", str(connections), "--no-check-dest", "--s3-no-head-object",
               "--use-server-modtime", "--retries", "1", "--low-level-retries", "1"]
    return subprocess.run(command, check=False, env=environment, capture_output=True, text=True)


def rclone_checks_md5(folder: Path, objects: dict[str, Objects], port: int) -> None:
    """See that rclone refuses an object of wrong bytes, as `crawl` does: else it would be let off half the work."""
    path = folder / "root/bucket" / objects["large"][0][0]
    right = path.read_bytes()
    path.write_bytes(right[:-1] + bytes([right[-1] ^ 1]))
    done = rclone("large", folder, port, 8)
    path.write_bytes(right)
    assert done.returncode != 0 and "corrupted on transfer" in done.stderr, done.stderr


def draw(folder: Path, size: str) -> Objects:
    """Write the objects, the map of their MD5s and the static listing that rclone asks for."""
    count, length = SIZES[size]
    chance = random.Random(size)
    (folder / "root/bucket" / size).mkdir(parents=True)
    objects: Objects = []
    rows = []
    for number in range(count):
        data, key = chance.randbytes(length), f"{size}/o{number:05d}.jpg"
        (folder / "root/bucket" / key).write_bytes(data)
        objects.append((key, hashlib.md5(data).hexdigest()))
        rows.append(f"<Contents><Key>{key}</Key><LastModified>2026-01-08T11:47:59.000Z</LastModified>"
                    f"<ETag>&quot;{objects[-1][1]}&quot;</ETag><Size>{length}</Size></Contents>")
    with (folder / "md5.map").open("a") as file:
        file.writelines(f"/bucket/{key} {md5};\n" for key, md5 in objects)
    (folder / f"root/{size}.xml").write_text(
        '<?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        f"<Name>bucket</Name><Prefix>{size}/</Prefix><IsTruncated>false</IsTruncated>{''.join(rows)}"
        "</ListBucketResult>")
    return objects


@contextmanager
def serving(folder: Path) -> Iterator[tuple[str, int]]:
    """(kind of server, port) while it runs."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    nginx = shutil.which("nginx") or shutil.which("/usr/sbin/nginx")
    if nginx:
        user = "user root;" if os.geteuid() == 0 else ""
        (folder / "nginx.conf").write_text(NGINX.format(folder=folder, port=port, user=user))
        command = [nginx, "-c", str(folder / "nginx.conf"), "-e", str(folder / "log")]
    else:
        command = [sys.executable, "-m", "http.server", "--protocol", "HTTP/1.1", "--bind", "127.0.0.1",
                   "--directory", str(folder / "root"), str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(100):
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                time.sleep(0.05)
        yield ("nginx" if nginx else "python"), port
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    main()
