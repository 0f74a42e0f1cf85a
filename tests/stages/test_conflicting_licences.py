"""JSON and XML of an article may state different licences: the safe reading counts."""

from __future__ import annotations

import hashlib
import json

import pytest

from tests.stages.conftest import SmallBuild

CC = "https://creativecommons.org"


@pytest.mark.parametrize(("code", "path", "licenses", "kept"), [
    ("CC BY", "licenses/by/3.0", ["CC BY"], ("CC BY", f"{CC}/licenses/by/3.0/")),
    ("CC BY", "licenses/by-nc/4.0", ["CC BY"], None),
    ("CC BY", "licenses/by-nc/4.0", ["CC BY", "CC BY-NC"], ("CC BY-NC", f"{CC}/licenses/by-nc/4.0/")),
    ("CC BY-NC", "licenses/by/4.0", ["CC BY"], None),
    ("CC BY-NC", "licenses/by/4.0", ["any"], ("CC BY-NC", None)),
    ("CC BY", "publicdomain/zero/1.0", ["CC BY"], ("CC BY", None)),
    ("cc-by", "licenses/by/4.0", ["CC BY"], ("CC BY", f"{CC}/licenses/by/4.0/")),
    (None, "licenses/by/4.0", ["CC BY"], None),
    (None, "licenses/by/4.0", ["any"], ("CC BY", f"{CC}/licenses/by/4.0/")),
])
def test_the_safe_reading(
    small: SmallBuild, code: str | None, path: str, licenses: list[str], kept: tuple[str, str | None] | None
) -> None:
    xml = small.root / "bucket" / "PMC2000001.1" / "PMC2000001.1.xml"
    xml.write_text(xml.read_text().replace("licenses/by/4.0", path))
    metadata = small.root / "bucket" / "metadata" / "PMC2000001.1.json"
    record = json.loads(metadata.read_text())
    md5 = hashlib.md5(xml.read_bytes(), usedforsecurity=False).hexdigest()
    metadata.write_text(json.dumps({**record, "license_code": code, "xml_url": record["xml_url"][:-32] + md5}))
    assert small.run("snapshot", "articles", "--set", f"select.licenses={json.dumps(licenses)}") == 0
    rows = [row for row in small.open().table("articles").to_pylist() if row["article"] == "PMC2000001.1"]
    assert [(row["license_code"], row["license_url"]) for row in rows] == ([kept] if kept else [])
