"""How stages reach the source that the spec names: PMC's bucket, a folder, or the embedded sample on loopback."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pmcoa_build.pmc.bucket import Bucket, open_bucket, safe_key
from pmcoa_build.spec import Spec


@dataclass(frozen=True)
class Source:
    """The open bucket, its download cache, which objects of the cache the block at work has used, and what `spent` has
    told already."""

    bucket: Bucket
    raw: Path
    keep_raw: bool
    eutils_url: str
    used: set[str] = field(default_factory=set)
    told: dict[str, int] = field(default_factory=dict)

    def get(self, key: str, md5: str) -> bytes:
        """The whole object, checked. Raises UnitLost."""
        self.used.add(safe_key(key))
        return self.bucket.get(key, md5)

    def get_latest(self, key: str, md5: str) -> bytes:
        """The object as it is now; from the cache only if it has that MD5. Raises UnitLost."""
        self.used.add(safe_key(key))
        return self.bucket.cached(key, md5) or self.bucket.get(key)


def drop_raw(source: Source) -> None:
    """After a commit: delete what the cache held for the block, unless the spec keeps it."""
    for key in source.used if not source.keep_raw else ():
        path = source.raw / key
        path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # other objects of the article are still there
            path.parent.rmdir()
    source.used.clear()


def spent(source: Source) -> dict[str, int]:
    """What the bucket has been asked for since the last call: requests, bytes of bodies, retries, cache_hits."""
    stats = source.bucket.stats
    now = {"requests": stats.requests, "bytes": stats.bytes, "retries": stats.retries, "cache_hits": stats.cache_hits}
    since = {name: count - source.told.get(name, 0) for name, count in now.items()}
    source.told.update(now)
    return since


@contextlib.contextmanager
def open_source(spec: Spec) -> Iterator[Source]:
    """Open the bucket of a spec; the embedded sample is drawn when it is first asked for, and served on loopback."""
    out = Path(spec.build.out)
    with contextlib.ExitStack() as stack:
        url, rate, eutils_url = spec.source.url, spec.source.requests_per_second, spec.source.eutils_url
        if url == "sample":
            from pmcoa_build.sample import serve, write_sample

            write_sample(out / "sample")
            url, rate = stack.enter_context(serve(out / "sample")).url, 0.0
            eutils_url = f"{url}/eutils"
        bucket = stack.enter_context(open_bucket(
            url, connections=spec.source.connections, requests_per_second=rate, contact=spec.source.contact,
            cache=out / "raw",
        ))
        yield Source(bucket, out / "raw", spec.source.keep_raw, eutils_url)
