"""The embedded sample: a bucket in PMC's layout that is drawn here, and a server that plays PMC's Cloud Service.

>>> write_sample(Path("bucket"))
>>> with serve(Path("bucket")) as server:
...     print(server.url)
"""

from __future__ import annotations

from pmcoa_build.sample.bucket import truth, write_sample

__all__ = ["truth", "write_sample"]
