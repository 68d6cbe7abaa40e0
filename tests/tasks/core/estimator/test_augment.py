"""Augmentation: what each change does to a batch, that it goes by seed, pass and batch, and what is refused."""

import numpy as np
import pytest
import torch

from loopcell import SequenceClassifier, SequenceRegressor, SequenceTagger
from loopcell.errors import UsageError
from loopcell.tasks.core.augmentations import STRENGTHS, strengths_of
from loopcell.tasks.core.estimator import IGNORED
from loopcell.tasks.core.estimator.augment import CHANGES, MOVES, Augmentation
from loopcell.tasks.core.estimator.examples import SequenceBatch

QUICK = {"hidden_size": 8, "epochs": 3, "random_state": 1, "batch_size": 8}
LENGTHS = (50, 31, 1, 0)


def batch(columns=2):
    """Rows that count 1, 2, ... in one column and 10, 20, ... in the next, whose targets count too."""
    steps = torch.arange(1, 51)
    there = steps[:, None] <= torch.tensor(LENGTHS)
    inputs = torch.stack([10.0**column * steps for column in range(columns)], dim=-1)[:, None] * there[..., None]
    targets = torch.where(there, steps[:, None], IGNORED)
    return SequenceBatch(inputs, torch.tensor(LENGTHS), targets)


def changed(name, strength, seed=0, **about):
    return Augmentation({name: strength}, seed, 2, per_step=True, **about)(batch(), 0, 0)


@pytest.mark.parametrize("name", STRENGTHS)
def test_nothing_appears_past_a_rows_end_and_a_strength_of_nothing_changes_nothing(name):
    found = changed(name, STRENGTHS[name].usual)
    there = (torch.arange(len(found.inputs))[:, None] < found.lengths)[..., None]
    assert not (found.inputs * ~there).any()
    assert ((found.targets == IGNORED) == ~there[..., 0]).all()
    none = changed(name, 1.0 if name == "crop" else 0.0)
    torch.testing.assert_close(none.inputs, batch().inputs)
    assert (none.targets == batch().targets).all()


def test_jitter_adds_noise_of_its_deviation():
    rows = SequenceBatch(torch.ones(400, 50, 2), torch.full((50,), 400), torch.empty(0))
    found = Augmentation({"jitter": 0.5}, 1, 2, per_step=False)(rows, 0, 0).inputs
    assert float(found.std()) == pytest.approx(0.5, abs=0.01)
    assert float(found.mean()) == pytest.approx(1.0, abs=0.01)


def test_scale_multiplies_each_column_of_each_row_by_one_number():
    rows = SequenceBatch(torch.ones(5, 2000, 2), torch.full((2000,), 5), torch.empty(0))
    found = Augmentation({"scale": 0.1}, 1, 2, per_step=False)(rows, 0, 0).inputs
    assert (found == found[:1]).all()
    assert float(found[0].std()) == pytest.approx(0.1, abs=0.01)
    assert float(found[0].mean()) == pytest.approx(1.0, abs=0.01)


def test_crop_keeps_a_segment_with_its_targets():
    lengths = set()
    for seed in range(30):
        found = changed("crop", 0.5, seed)
        for row, (before, after) in enumerate(zip(LENGTHS, found.lengths.tolist(), strict=True)):
            assert np.ceil(0.5 * before) <= after <= before
            values = found.inputs[:after, row, 0]
            assert (values.diff() == 1).all()
            assert values.tolist() == found.targets[:after, row].tolist()
        lengths.add(int(found.lengths[0]))
    assert len(lengths) > 10


def test_warp_keeps_order_ends_and_length():
    found = changed("warp", 0.5)
    assert found.lengths.tolist() == list(LENGTHS)
    for row, length in enumerate(LENGTHS[:2]):
        values = found.inputs[:length, row, 0]
        assert values[0] == 1
        assert values[-1] == pytest.approx(length, abs=1e-4)
        assert (values.diff() > 0).all()
        assert float((values - torch.arange(1.0, length + 1)).abs().max()) > 0.5
        assert (found.targets[:length, row] - values).abs().max() <= 0.5 + 1e-4  # of the nearest step
    torch.testing.assert_close(found.inputs[..., 1], 10 * found.inputs[..., 0])


def test_what_is_drawn_goes_by_the_seed_the_pass_and_the_batch():
    draw = Augmentation(strengths_of(["jitter", "crop", "warp", "scale"]), 7, 2, per_step=False)
    first = draw(batch(), 3, 5).inputs
    assert (draw(batch(), 3, 5).inputs == first).all()
    other_seed = Augmentation({"jitter": 0.03}, 8, 2, per_step=False)
    for other in (draw(batch(), 3, 6), draw(batch(), 4, 5), other_seed(batch(), 3, 5)):
        assert other.inputs.shape != first.shape or (other.inputs != first).any()


def test_the_table_has_a_strength_for_each_change():
    assert set(STRENGTHS) == set(CHANGES) | set(MOVES)


def test_names_and_strengths():
    assert strengths_of(["jitter=0.5", "crop"]) == {"crop": 0.9, "jitter": 0.5}
    assert list(strengths_of(["jitter", "warp"])) == ["warp", "jitter"]  # in the order in which they are applied


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("flip", "there is no augmentation 'flip'; there are warp, crop, scale, jitter"),
        (
            "crop=2",
            "the strength of crop is a number from 0.01 to 1, the least share of a sequence that is kept, not 2",
        ),
        ("crop=half", "of crop is a number from 0.01 to 1, the least share of a sequence that is kept, not 'half'"),
        ("jitter=nan", "the strength of jitter is a number from 0 to 10"),
        ("jitter,jitter=0.1", "the augmentation jitter comes twice"),
        (5, r'augmentations are names such as "jitter" or "crop=0.8"'),
    ],
)
def test_what_is_none_is_refused(given, said):
    with pytest.raises(UsageError, match=said):
        SequenceClassifier(augment=given).fit([np.zeros((3, 1))] * 4, [0, 1, 0, 1])


def test_text_is_refused():
    with pytest.raises(UsageError, match="augment changes numbers, and X is text or tokens"):
        SequenceClassifier(**QUICK, augment="jitter").fit(["ab", "cd"] * 6, [0, 1] * 6)


def waves(count=40):
    drawn = np.random.default_rng(0)
    return [drawn.standard_normal((int(steps), 2)).cumsum(0) for steps in drawn.integers(5, 20, count)]


def test_a_run_that_goes_on_draws_what_it_would_have_drawn(tmp_path):
    X = waves()
    y = [float(x[-1, 0]) for x in X]
    settings = QUICK | {
        "augment": ("jitter", "crop=0.7", "warp", "scale"),
        "patience": None,
        "schedule": "constant",
        "warmup": 0,
    }
    settings["summaries"] = False
    whole = SequenceRegressor(**settings | {"epochs": 6}).fit(X, y)
    SequenceRegressor(**settings).fit(X, y, run=tmp_path / "run")
    longer = SequenceRegressor(**settings | {"epochs": 6}).fit(X, y, run=tmp_path / "run", resume=True)
    again = SequenceRegressor(**settings | {"epochs": 6}).fit(X, y)
    assert (whole.predict(X) == again.predict(X)).all()
    assert [row["train_loss"] for row in longer.history_] == [row["train_loss"] for row in whole.history_]
    plain = SequenceRegressor(**settings | {"epochs": 6, "augment": ()}).fit(X, y)
    assert (plain.predict(X) != whole.predict(X)).any()


def test_labels_of_steps_go_with_their_steps_and_files_keep_the_names(tmp_path):
    X = waves()
    y = [["up" if step > 0 else "down" for step in x[:, 0]] for x in X]
    model = SequenceTagger(**QUICK | {"epochs": 15}, augment="crop=0.5, warp").fit(X, y)
    assert model.score(X, y) > 0.8
    model.save(tmp_path / "m.safetensors")
    loaded = SequenceTagger.load(tmp_path / "m.safetensors")
    assert tuple(loaded.augment) == ("crop=0.5", "warp")
