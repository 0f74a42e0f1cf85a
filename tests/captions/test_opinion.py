from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pmcoa_build.captions.matching import PanelView
from pmcoa_build.captions.opinion import doubtful, key, question, read_answer
from pmcoa_build.captions.split import split_caption

CAPTION = "Livers of mice. Controls above, treated animals in the middle,  fasted ones below. Bars, 5 mm."
PARTS = [
    {"labels": ["A"], "text": ["Controls"]},
    {"labels": ["B"], "text": "treated animals in the middle, fasted ones"},
]


def reply(answer: object) -> bytes:
    content = answer if isinstance(answer, str) else json.dumps(answer)
    return json.dumps({"choices": [{"message": {"role": "assistant", "content": content}}]}).encode()


def answer(**changes: Any) -> dict[str, Any]:
    return {"preamble": "Livers of mice.", "parts": PARTS, "tail": "Bars, 5 mm.", **changes}


def views(*labels: str | None, score: float = 0.9) -> list[PanelView]:
    return [PanelView((i, 0, i + 1, 1), label, score if label else None) for i, label in enumerate(labels)]


@pytest.mark.parametrize(
    ("panels", "caption", "labels"),
    [
        (views(None, None), CAPTION, ()),  # several panels, no labels
        (views("A", "B"), CAPTION, ("A", "B")),
        (views("A", "B", "C"), "(A) Heart. (B) Lung.", ("A", "B", "C")),  # C is on the page alone
        (views("C"), "(A) Heart. (B) Lung.", ("C", "A", "B")),
        (views("A", "B"), "Left: before. Right: after.", ("A", "B")),
        (views(None), CAPTION, None),  # the only panel has the whole caption
        (views("A", "B"), "(A) Heart. (B) Lung.", None),
        (views("a", "B1"), "(A) Heart. (B) Lung.", None),
        (views("C", score=0.3), "(A) Heart. (B) Lung.", None),  # hardly read
        (views("Control"), "(A) Heart. (B) Lung.", None),  # no label at all
        (views(None, None), " ", None),
        (views(None, None), "word " * 2000, None),
    ],
)
def test_who_needs_an_opinion(panels: list[PanelView], caption: str, labels: tuple[str, ...] | None) -> None:
    assert doubtful(panels, split_caption(caption), caption) == labels


def test_the_question_names_labels_and_caption() -> None:
    body = json.loads(question("m", CAPTION, ("A", "B")))
    assert body["model"] == "m" and body["temperature"] == 0
    assert "A, B" in body["messages"][1]["content"] and CAPTION in body["messages"][1]["content"]
    assert key("m", CAPTION, ("A",)) == key("m", CAPTION, ["A"]) != key("n", CAPTION, ("A",))


@pytest.mark.parametrize("wrap", ["{}", "```json\n{}\n```", "<think>Is it {{A}}?</think>Here it is: {}"])
def test_a_verbatim_answer_counts(wrap: str) -> None:
    split = read_answer(reply(wrap.format(json.dumps(answer()))), CAPTION, ("A", "B"))
    assert split.labels == ("A", "B")
    assert split.for_label("A") == "Controls"
    assert split.for_label("B") == "treated animals in the middle,  fasted ones"  # the caption's own white space
    assert (split.preamble, split.tail) == ("Livers of mice.", "Bars, 5 mm.")
    assert all(CAPTION[start:end] in part.text for part in split.parts for start, end in part.spans)


def test_labels_in_their_brackets_and_clauses_for_several() -> None:
    parts = [{"labels": ["(A)", "B."], "text": "Controls"}, {"labels": ["C"], "text": ["treated animals"]}]
    split = read_answer(reply(answer(parts=parts, preamble="", tail=None)), CAPTION, ("a", "B"))
    assert [part.labels for part in split.parts] == [("A", "B"), ("C",)]


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"<html>", "no chat completion"),
        (b"[" * 100_000, "no chat completion"),
        (b'{"choices": []}', "no chat completion"),
        (b'{"choices": [{"message": {"content": null}}]}', "no text"),
        (b" " * 1_000_001, "too long"),
        (reply("I cannot help with that."), "not JSON"),
        (reply('{"parts": ['), "not JSON"),
        (reply("{" * 5_000 + "}"), "not JSON"),
        (reply([1]), "not JSON"),
        (reply({"preamble": CAPTION}), "no list of parts"),
        (reply(answer(parts=[])), "tell the panels apart"),
        (reply(answer(parts=PARTS[:1])), "tell the panels apart"),
        (reply(answer(parts=["A", "B"])), "no text"),
        (reply(answer(parts=[*PARTS, {"labels": ["C"], "text": " "}])), "no text"),
        (reply(answer(parts=[*PARTS, {"labels": [], "text": "Controls"}])), "no labels"),
        (reply(answer(parts=[*PARTS, {"labels": ["the last"], "text": "Controls"}])), "is no label"),
        (reply(answer(parts=[*PARTS, {"labels": ["C"], "text": "Fasted ones"}])), "not in the caption"),  # rewritten
        (reply(answer(preamble="Mouse livers.")), "not in the caption"),
        (reply(answer(tail=["Bars, 5 mm."])), "is no text"),
        (reply(answer(parts=[PARTS[0], {"labels": ["C"], "text": "treated"}])), "labels are missing: B"),
    ],
)
def test_any_other_answer_does_not(body: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        read_answer(body, CAPTION, ("A", "B"))


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["A", "B", "Controls", "treated", "", "x y"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["parts", "labels", "text", "preamble", "tail"]), inner, max_size=4),
    max_leaves=12,
)


@given(ANY)
def test_what_counts_is_always_the_captions_own(said: object) -> None:
    try:
        split = read_answer(reply({"parts": said} if isinstance(said, list) else said), CAPTION, ("A",))  # type: ignore[arg-type]
    except ValueError:
        return
    assert split.preamble in CAPTION and split.tail in CAPTION
    assert all(CAPTION[start:end] for part in split.parts for start, end in part.spans)


@given(st.binary(max_size=60))
def test_any_bytes(body: bytes) -> None:
    with pytest.raises(ValueError):
        read_answer(body, CAPTION, ())
