from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from pmcoa_build.errors import SourceUnreachable
from pmcoa_build.pmc.http import HttpClient
from pmcoa_build.pmc.wire import new_connection, proxy_for


def _certificate(folder: Path) -> tuple[Path, Path]:
    """A self-signed certificate for 127.0.0.1 and its key."""
    pytest.importorskip("cryptography", reason="comes with moto, a development dependency")
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "loopback")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256()))
    (folder / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    return folder / "cert.pem", folder / "key.pem"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "100000")
        self.end_headers()
        self.wfile.write(bytes(100_000))

    def log_message(self, *_: Any) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        """A client that does not trust us hangs up."""


@pytest.fixture
def tls(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """(URL of an HTTPS server, its certificate)"""
    certificate, key = _certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = _Server(("127.0.0.1", 0), _Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield f"https://127.0.0.1:{server.server_address[1]}", certificate
    server.shutdown()
    server.server_close()
    thread.join()


def client(url: str) -> HttpClient:
    return HttpClient(url, connections=1, requests_per_second=0, contact="")


def test_a_certificate_that_nobody_vouches_for_is_refused(tls: tuple[str, Path]) -> None:
    with client(tls[0]) as careful, pytest.raises(SourceUnreachable, match="certificate"):
        careful.connect()


def test_a_certificate_that_the_machine_trusts_is_good(tls: tuple[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tls[1]))
    with client(tls[0]) as trusting:
        for _ in range(3):
            assert trusting.get("/x").body == bytes(100_000)
    with client(tls[0].replace("127.0.0.1", "localhost")) as other_name, \
            pytest.raises(SourceUnreachable, match=r"certificate|reached"):
        other_name.connect()


@pytest.mark.parametrize(("url", "environment", "proxy"), [
    ("http://h", {}, None),
    ("http://h", {"http_proxy": "http://p:3128"}, "p:3128"),
    ("https://h", {"https_proxy": "p:3128"}, "p:3128"),
    ("https://h", {"http_proxy": "p:3128"}, None),
    ("https://h", {"https_proxy": "p:3128", "no_proxy": "h,other"}, None),
    ("http://127.0.0.1:80", {"http_proxy": "p:3128"}, None),
    ("http://localhost", {"http_proxy": "p:3128"}, None),
])
def test_proxies(monkeypatch: pytest.MonkeyPatch, url: str, environment: dict[str, str], proxy: str | None) -> None:
    for name in ("http_proxy", "https_proxy", "no_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    found = proxy_for(urlsplit(url))
    assert (found.netloc if found else None) == proxy
    connection = new_connection(urlsplit(url), found, 1.0)
    assert connection.host == (proxy.split(":")[0] if proxy else urlsplit(url).hostname)
    assert getattr(connection, "_tunnel_host", None) == ("h" if proxy and url.startswith("https") else None)
