from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pmcoa_build import ids, schema
from pmcoa_build.dataset.groups import assign_splits, benchmark_of, load_exclusions, reason_of
from pmcoa_build.errors import UnitLost, UsageError

SHARES = (0.6, 0.2, 0.2)
COLUMNS = ("panel_id", "article", "phash", "group", "benchmark")


def split_of(article: str) -> str:
    value = ids.unit_interval(article, "split")
    return "train" if value < 0.6 else "validation" if value < 0.8 else "test"


def articles_in(split: str) -> list[str]:
    return [a for a in (ids.article_id(n, 1) for n in range(100, 200)) if split_of(a) == split]


TRAIN, TEST = articles_in("train"), articles_in("test")


def table(*rows: tuple[Any, ...]) -> pa.Table:
    """Rows (article, group, benchmark); panels are numbered."""
    made = [
        dict(zip(COLUMNS, (f"{article}/g.jpg#xywh={n},0,9,9", article, "0", group, b), strict=True))
        for n, (article, group, b) in enumerate((*row, None, None)[:3] for row in rows)
    ]  # fmt: skip
    return pa.Table.from_pylist(made, pa.schema([(name, pa.string()) for name in COLUMNS]))


def decided(rows: pa.Table, previous: pa.Table | None = None) -> list[tuple[str, str | None]]:
    """(split, excluded_by) in the order of `rows`."""
    found = {r["panel_id"]: r for r in assign_splits(rows, splits=SHARES, previous=previous).to_pylist()}
    return [(found[p]["split"], found[p]["excluded_by"]) for p in rows["panel_id"].to_pylist() if p in found]


def test_without_duplicates_the_split_is_the_articles() -> None:
    assert decided(table((TRAIN[0],), (TEST[0],), (TRAIN[0],))) == [("train", None), ("test", None), ("train", None)]


def test_one_of_a_group_stays_the_lowest_pmcid() -> None:
    rows = table((TEST[5], "g"), (TRAIN[0], "g"), (TRAIN[1], "g"))
    lowest = min(TEST[5], TRAIN[0])
    assert [excluded for _, excluded in decided(rows)].count(None) == 1
    assert decided(rows)[[TEST[5], TRAIN[0]].index(lowest)][1] is None


def test_pmcids_are_ordered_as_numbers() -> None:
    high, low = "PMC1000000.1", "PMC999999.1"
    rows = table((high, "g"), (low, "g"))
    assert [excluded for _, excluded in decided(rows)] == ["duplicate", None]


def test_the_centre_of_a_group_comes_first() -> None:
    rows = table((TRAIN[0], "centre"), (TRAIN[1], "centre"))
    centre = rows["panel_id"][1].as_py()
    rows = rows.set_column(3, "group", pa.array([centre, centre]))
    assert decided(rows) == [("train", "duplicate"), ("train", None)]


def test_all_of_a_group_get_the_split_of_the_one_that_stays() -> None:
    rows = table((TRAIN[0], "g"), (TEST[0], "g"), (TEST[1], "g"))
    assert {split for split, _ in decided(rows)} in ({"train"}, {"test"})


def test_a_newcomer_does_not_push_out_what_is_published() -> None:
    before = assign_splits(table((TRAIN[5],)), splits=SHARES)
    rows = pa.concat_tables([table((TRAIN[5], "g")), table((TRAIN[0], "g"), (TRAIN[0], "g")).slice(1)])
    assert decided(rows, before) == [("train", None), ("train", "duplicate")]


def test_a_newcomer_that_would_join_train_and_test_is_left_out() -> None:
    before = assign_splits(table((TRAIN[0],), (TEST[0],)), splits=SHARES)
    after = table((TRAIN[0], "g"), (TEST[0], "g"), (TRAIN[1], "g"))
    assert decided(after, before)[:2] == [("train", None), ("test", None)]
    assert decided(after, before)[2][1] == "split-conflict"


def test_a_group_keeps_the_split_of_a_member_that_has_gone() -> None:
    rows = table((TRAIN[0], "g"), (TEST[-1], "g"), (TRAIN[1], "g"))
    before = assign_splits(rows, splits=SHARES)
    assert decided(rows) == [("train", None), ("train", "duplicate"), ("train", "duplicate")]
    gone = rows.slice(1)
    assert decided(gone, before) == [("train", "duplicate"), ("train", None)]
    assert decided(rows.slice(1, 1), before) == [("train", "split-conflict")]


def test_published_splits_outlive_other_shares() -> None:
    rows = table((TEST[0],), (TRAIN[0],))
    before = assign_splits(rows, splits=SHARES)
    assert assign_splits(rows, splits=(1, 0, 0), previous=before) == before
    assert assign_splits(rows, splits=(1, 0, 0))["split"].to_pylist() == ["train", "train"]


def test_a_benchmark_takes_its_whole_group_along() -> None:
    rows = table((TRAIN[0], "g"), (TRAIN[1], "g", "ROCO"), (TRAIN[2],), (TRAIN[3], "h"), (TRAIN[4], "h", "SLAKE"),
                 (TRAIN[5], "h", "VQA-RAD"))
    published = assign_splits(rows.slice(0, 1), splits=SHARES)
    for previous in (None, published):
        reasons = [excluded for _, excluded in decided(rows, previous)]
        assert reasons == ["benchmark:ROCO"] * 2 + [None] + ["benchmark:SLAKE"] * 3


def test_no_rows_give_an_empty_table() -> None:
    empty = table().cast(pa.schema([(name, pa.string()) for name in COLUMNS]))
    assert assign_splits(empty, splits=SHARES) == schema.DEDUPE.empty_table()
    assert len(assign_splits(empty, splits=SHARES, previous=schema.DEDUPE.empty_table())) == 0


@pytest.mark.parametrize("splits", [(0, 0, 0), (0.5, -0.5, 1), (1, 0)])
def test_impossible_shares_are_a_usage_error(splits: tuple[float, ...]) -> None:
    with pytest.raises(UsageError, match="three shares"):
        assign_splits(table((TRAIN[0],)), splits=splits)


members = st.tuples(st.sampled_from([*TRAIN[:4], *TEST[:4]]), st.sampled_from([None, "g", "h"]),
                    st.sampled_from([None, None, None, "ROCO"]))


@given(st.lists(members, max_size=14), st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(rows: list[tuple[Any, ...]], random: Any) -> None:
    whole = table(*rows)
    order = list(range(len(rows)))
    random.shuffle(order)
    assert assign_splits(whole.take(pa.array(order, pa.int64())), splits=SHARES) == assign_splits(whole, splits=SHARES)


@given(st.lists(members, max_size=14))
def test_kept_rows_have_their_articles_split_and_groups_one_each(rows: list[tuple[Any, ...]]) -> None:
    result = assign_splits(table(*rows), splits=SHARES).to_pylist()
    kept = [row for row in result if row["excluded_by"] is None]
    assert all(row["split"] == split_of(ids.article_of(row["panel_id"])) for row in kept)
    groups = [row["group"] for row in kept if row["group"]]
    assert len(groups) == len(set(groups))
    for group in groups:
        assert len({row["split"] for row in result if row["group"] == group}) == 1


@given(st.lists(members, max_size=12), st.lists(members, max_size=6))
def test_an_update_moves_nothing_that_is_published(first: list[tuple[Any, ...]], more: list[tuple[Any, ...]]) -> None:
    clean = [(article, group, None) for article, group, _ in first]
    before = assign_splits(table(*clean), splits=SHARES)
    both = table(*clean, *((article, group, None) for article, group, _ in more))
    after = {row["panel_id"]: row for row in assign_splits(both, splits=SHARES, previous=before).to_pylist()}
    for row in before.to_pylist():
        if row["excluded_by"] is None:
            assert (after[row["panel_id"]]["split"], after[row["panel_id"]]["excluded_by"]) == (row["split"], None)
    again = assign_splits(both, splits=SHARES, previous=pa.Table.from_pylist(list(after.values()), schema.DEDUPE))
    assert {row["panel_id"]: row for row in again.to_pylist()} == after


def test_lists_name_articles_figures_and_images(tmp_path: Path) -> None:
    (tmp_path / "ROCO.txt").write_text(
        "ROCO_1\tPMC4083729_AMHSR-4-14-g002.jpg\nPMC7\nPMC8.2/F3\nPMC212319_Fig3_4.jpg\n"
    )
    found = load_exclusions([tmp_path / "ROCO.txt"], lambda _: 0)
    panels = pa.table({
        "panel_id": ["PMC4083729.1/amhsr-4-14-g002.jpg#xywh=0,0,1,1", "PMC4083729.1/AMHSR-4-14-g003.jpg#xywh=0,0,1,1",
                     "PMC7.1/x.jpg#xywh=0,0,1,1", "PMC8.1/y.jpg#xywh=0,0,1,1", "PMC212319.1/g.tif#xywh=0,0,1,1",
                     "PMC77.1/x.jpg#xywh=0,0,1,1"],
        "figure_id": ["PMC4083729.1/f1", "PMC4083729.1/f2", "PMC7.1/f1", "PMC8.1/f3", "PMC212319.1/Fig3", "PMC77.1/f1"],
    })  # fmt: skip
    assert benchmark_of(panels, found).to_pylist() == ["ROCO", None, "ROCO", "ROCO", "ROCO", None]


def test_folders_of_images_are_hashed(tmp_path: Path) -> None:
    folder = tmp_path / "SLAKE" / "deep"
    folder.mkdir(parents=True)
    (folder / "a.PNG").write_bytes(b"a")
    (folder / "b.jpg").write_bytes(b"broken")
    (folder / "notes.txt").write_text("no image")

    def hashed(data: bytes) -> int:
        if data == b"broken":
            raise UnitLost("image-not-image")
        return data[0]

    found = load_exclusions([tmp_path / "SLAKE"], hashed)
    assert (found.names, found.hashes.tolist()) == (["SLAKE"], [0x61])
    assert found.unreadable == 1


def test_unusable_benchmarks_are_usage_errors(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="neither a file nor a folder"):
        load_exclusions([tmp_path / "missing.txt"], lambda _: 0)
    (tmp_path / "empty.txt").write_text("nothing here\n")
    with pytest.raises(UsageError, match="no PMCID"):
        load_exclusions([tmp_path / "empty.txt"], lambda _: 0)
    with pytest.raises(UsageError, match="no picture"):
        load_exclusions([tmp_path], lambda _: 0)


def test_exclusions_have_reasons() -> None:
    assert [reason_of(name) for name in ("duplicate", "split-conflict", "benchmark:ROCO")] == [
        ("duplicate", ""), ("split-conflict", ""), ("benchmark", "ROCO")]
