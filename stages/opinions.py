"""Ask the endpoint of `[align] llm_url` for a second opinion on captions, once for each question."""

from __future__ import annotations

import contextlib
import json
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pmcoa_build.captions import opinion
from pmcoa_build.captions.split import SplitCaption
from pmcoa_build.errors import RunFailed, UnitLost, UsageError
from pmcoa_build.pmc.http import HttpClient
from pmcoa_build.pmc.ratelimit import Patience
from pmcoa_build.spec import Spec

log = logging.getLogger(__name__)

KEY = "PMCOA_LLM_KEY"
"""Environment variable with the endpoint's key, if it wants one."""

CONNECTIONS = 4
"""Questions under way at a time."""

PATIENCE = Patience(grace=120.0, retries=2)
"""A model may think for two minutes; a question that fails is asked three times, one that takes too long twice."""

_WRONG = ("HTTP 401", "HTTP 403", "HTTP 404", "HTTP 405")
"""Replies that say that the spec is wrong, not the question."""


@dataclass(frozen=True)
class Heard:
    """What became of a question: a division that counts, or the reason why there is none; and what to remember."""

    split: SplitCaption | None
    reason: str = ""
    memo: bytes = b""


class Opinions:
    """An endpoint, asked from any number of threads."""

    def __init__(self, client: HttpClient, url: str, model: str) -> None:
        self._client, self._url, self._model = client, url, model
        self._told = (0, 0, 0)

    def ask(self, caption: str, labels: Sequence[str], memo: bytes) -> Heard:
        """The opinion on a caption; `memo` is what was remembered last time, and spares the question if it was the
        same. An endpoint that fails costs the opinion, never the pair.

        Raises RunFailed if nobody answers at all, or none of the questions.
        """
        key = opinion.key(self._model, caption, labels)
        reply = _remembered(memo, key)
        if reply is None:
            try:
                reply = self._reply(opinion.question(self._model, caption, labels))
            except UnitLost as error:
                log.info("no opinion on %r: %s", caption[:60], error)
                return Heard(None, "opinion-failed", memo)
        try:
            split = opinion.read_answer(reply, caption, labels)
        except ValueError as error:
            log.info("the opinion on %r does not count: %s", caption[:60], error)
            return Heard(None, "opinion-refused", _kept(key, b""))
        return Heard(split, "", _kept(key, reply))

    def spent(self) -> dict[str, int]:
        """What the endpoint has been asked since the last call: requests, bytes of replies, retries."""
        stats = self._client.stats
        now = (stats.requests, stats.bytes, stats.retries)
        since = [b - a for a, b in zip(self._told, now, strict=True)]
        self._told = now
        return dict(zip(("requests", "bytes", "retries"), since, strict=True))

    def _reply(self, question: bytes) -> bytes:
        headers = {"Content-Type": "application/json"}
        if secret := os.environ.get(KEY):
            headers["Authorization"] = f"Bearer {secret}"
        try:
            return self._client.get("/chat/completions", headers, form=question).body
        except UnitLost as error:
            if error.detail.startswith(_WRONG):
                raise RunFailed(
                    f"[align] llm_url {self._url} refuses to answer ({error.detail}): check llm_url, llm_model and "
                    f"the key in {KEY}."
                ) from None
            raise
        except RunFailed:
            raise RunFailed(
                f"[align] llm_url {self._url} does not answer. What was finished is committed: run again when it "
                "does, or without llm_url."
            ) from None


def _kept(key: str, reply: bytes) -> bytes:
    """What to remember: a reply that counts, else an empty one, so that the question is not asked again."""
    return json.dumps({"key": key, "reply": reply.decode()}).encode()


def _remembered(memo: bytes, key: str) -> bytes | None:
    """The reply to the same question, if it was kept."""
    kept: Mapping[str, str] = json.loads(memo) if memo else {}
    return kept["reply"].encode() if kept.get("key") == key else None


@contextlib.contextmanager
def open_opinions(spec: Spec) -> Iterator[Opinions | None]:
    """The endpoint that the spec names, None where it names none. Raises UsageError for half an answer."""
    url, model = spec.align.llm_url, spec.align.llm_model
    if not url:
        yield None
        return
    if not model:
        raise UsageError("[align] llm_url is set, but llm_model is not: which model is to be asked?")
    with HttpClient(url, connections=CONNECTIONS, requests_per_second=0, contact="", patience=PATIENCE) as client:
        yield Opinions(client, url, model)
