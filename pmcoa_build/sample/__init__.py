"""The embedded sample: a bucket in PMC's layout that is drawn here, and a server that plays PMC's Cloud Service.

>>> write_sample(Path("bucket"))
>>> with serve(Path("bucket"), faults=Faults([Fault("*.xml", "503", times=2)])) as server:
...     print(server.url)
"""

from __future__ import annotations

from pmcoa_build.sample.bucket import truth, write_sample
from pmcoa_build.sample.faults import Fault, Faults
from pmcoa_build.sample.server import SampleServer, serve

__all__ = ["Fault", "Faults", "SampleServer", "serve", "truth", "write_sample"]
