from __future__ import annotations

import json
import math

import pytest
import torch
from torch import nn

from loopcell.training.config import Optimization
from loopcell.training.optimizer import build_optimizer, build_schedule, restore_schedule

TOTAL, WARMUP = 50, 10

# What the field means by these names, written down once more: the share of the full rate at update u.
EXPECTED = {
    "constant": lambda u: 1.0,
    "linear": lambda u: 1 - u / (TOTAL - WARMUP),
    "cosine": lambda u: (1 + math.cos(math.pi * u / (TOTAL - WARMUP))) / 2,
}


def rates(config, total):
    optimizer = torch.optim.AdamW([nn.Parameter(torch.zeros(1))], lr=config.learning_rate)
    schedule = build_schedule(optimizer, config, total)
    found = []
    for _ in range(total):
        found.append(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()
    return found


@pytest.mark.parametrize("name", EXPECTED)
def test_schedule_follows_its_formula(name):
    found = rates(Optimization(learning_rate=0.5, schedule=name, warmup=WARMUP), TOTAL)
    rise = [0.5 * (u + 1) / (WARMUP + 1) for u in range(WARMUP)]
    fall = [0.5 * EXPECTED[name](u) for u in range(TOTAL - WARMUP)]
    assert found == pytest.approx(rise + fall, abs=1e-12)


@pytest.mark.parametrize("total", [1, 2, 3])
def test_a_very_short_run_has_a_rate_at_every_update(total):
    found = rates(Optimization(learning_rate=0.5, warmup=100), total)
    assert all(0 < rate <= 0.5 for rate in found)


def test_schedule_state_is_plain_json():
    optimizer = torch.optim.AdamW([nn.Parameter(torch.zeros(1))], lr=0.1)
    state = build_schedule(optimizer, Optimization(warmup=3), 20).state_dict()
    assert json.loads(json.dumps(state)) == state


def test_only_matrices_decay():
    module = nn.Sequential(nn.Linear(3, 2), nn.LayerNorm(2))
    module[1].bias.requires_grad_(False)
    groups = build_optimizer(module, Optimization(weight_decay=0.3)).param_groups
    assert [(group["weight_decay"], len(group["params"])) for group in groups] == [(0.3, 1), (0.0, 2)]
    assert groups[0]["params"][0] is module[0].weight


def fresh(name, total):
    optimizer = torch.optim.AdamW([nn.Parameter(torch.zeros(1))], lr=0.5)
    return optimizer, build_schedule(optimizer, Optimization(learning_rate=0.5, schedule=name, warmup=WARMUP), total)


@pytest.mark.parametrize("name", EXPECTED)
@pytest.mark.parametrize(("cut", "total"), [(20, TOTAL), (5, 80), (20, 80), (TOTAL, 80), (20, 30), (TOTAL, 30)])
def test_a_run_that_goes_on_follows_the_schedule_of_its_new_length(name, cut, total):
    """PyTorch would restore the old length with the state, and a cosine would rise again after it."""
    optimizer, schedule = fresh(name, TOTAL)
    for _ in range(cut):
        optimizer.step()
        schedule.step()
    state = json.loads(json.dumps(schedule.state_dict()))
    optimizer, again = fresh(name, total)
    found = restore_schedule(again, state, total)
    optimizer.param_groups[0]["lr"] = found[0]  # as `restore_optimizer` does
    expected = rates(Optimization(learning_rate=0.5, schedule=name, warmup=WARMUP), total)
    for update in range(cut, total):
        assert found == pytest.approx([expected[update]], abs=1e-9)
        optimizer.step()
        again.step()
        found = again.get_last_lr()


@pytest.mark.parametrize("place", [-1, "9", None, True, [1]])
@pytest.mark.parametrize("total", [TOTAL, 80])
def test_a_state_that_is_nowhere_is_refused(place, total):
    _, schedule = fresh("cosine", TOTAL)
    state = {**json.loads(json.dumps(schedule.state_dict())), "last_epoch": place}
    with pytest.raises(ValueError, match="not the state of the schedule"):
        restore_schedule(fresh("cosine", total)[1], state, total)


@pytest.mark.parametrize("change", [{"step": 1}, {"_schedulers": []}, {"_last_lr": "x"}, {"_milestones": [-5]}])
def test_no_attribute_of_a_schedule_is_taken_from_a_state_of_another_form(change):
    optimizer, schedule = fresh("cosine", TOTAL)
    for _ in range(20):
        optimizer.step()
        schedule.step()
    state = {**json.loads(json.dumps(schedule.state_dict())), **change}
    assert restore_schedule(fresh("cosine", TOTAL)[1], state, TOTAL) == pytest.approx(schedule.get_last_lr())


def test_a_place_far_beyond_the_schedule_is_its_end():
    _, schedule = fresh("cosine", TOTAL)
    state = {**json.loads(json.dumps(schedule.state_dict())), "last_epoch": 10**18}
    assert restore_schedule(fresh("cosine", 80)[1], state, 80) == pytest.approx([0.0], abs=1e-9)
