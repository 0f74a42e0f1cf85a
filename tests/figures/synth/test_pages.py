"""Plans: valid for any seed, and as often this or that as figures are."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pmcoa_build.figures.kinds import DRAWINGS, IMAGES
from pmcoa_build.figures.synth.pages import choose_plan


@given(st.integers(0, 2**32 - 1))
def test_plans_are_valid(seed: int) -> None:
    plan = choose_plan(np.random.default_rng(seed))
    assert 1 <= len(plan.kinds) == len(plan.lettered) <= 24
    assert set(plan.kinds) <= set(IMAGES + DRAWINGS)
    assert 300 <= plan.width / plan.scale <= 1300
    assert plan.scale >= 1
    assert min(plan.surround + plan.gaps) >= 0


def test_habits() -> None:
    plans = [choose_plan(np.random.default_rng(seed)) for seed in range(800)]
    compound = [plan for plan in plans if len(plan.kinds) > 1]
    assert 0.8 < len(compound) / len(plans) < 0.9
    assert 0.4 < np.mean([len(set(plan.kinds)) == 1 for plan in compound]) < 0.75
    assert all(plan.pictures for plan in plans if sum(plan.ground) < 300)
    assert 0.8 < np.mean([all(plan.lettered) for plan in compound]) < 0.92
