"""The recipe: batch sizes that fit the number of rows, and only hyperparameters that matter."""

import pytest

from autorec_core.recipe import Training


@pytest.mark.parametrize(("number", "size"), [(80_000, 1024), (9_000, 256), (8_000, 256), (3, 1)])
def test_few_rows_are_taken_in_smaller_batches(number, size):
    assert Training(batch_size=1024, least_steps=32).rows_a_step(number) == size
    assert Training(batch_size=1024).rows_a_step(number) == 1024


class TestNarrowed:
    """Hyperparameters that would decide nothing are not asked."""

    RECIPE = Training(least_steps=32)

    def batches(self, rows, recipe=RECIPE):
        size = recipe.narrowed(rows=rows, evaluations=60, patience=2).batch_size
        return size.values, size.default

    @pytest.mark.parametrize(
        ("rows", "sizes"), [(8_000, (256,)), (20_000, (256, 512)), (80_000, (256, 1024)), (9, (1,))]
    )
    def test_batch_sizes_are_those_that_are_taken_each_once(self, rows, sizes):
        assert self.batches(rows) == (sizes, sizes[-1])

    def test_a_batch_of_all_rows_is_the_same_however_large(self):
        assert self.batches(200, Training()) == ((200,), 200)

    def test_what_is_fixed_stays(self):
        fixed = Training(batch_size=1024, decay=0.3, least_steps=32)
        assert fixed.narrowed(rows=9, evaluations=1, patience=1) == fixed

    @pytest.mark.parametrize(
        ("evaluations", "patience", "asked"), [(60, 2, True), (60, 1, False), (2, 9, False)]
    )
    def test_decay_is_asked_where_training_goes_on_after_it(self, evaluations, patience, asked):
        decay = Training().narrowed(rows=9, evaluations=evaluations, patience=patience).decay
        assert (decay == Training().decay) if asked else (decay == 1.0)
