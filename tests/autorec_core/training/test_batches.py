"""Every row is in one batch of an epoch, in memory or in chunks."""

import numpy as np
import pytest
from small_training import TRAIN, VALID, recommender

from autorec_core.training import Budget, Rows, train
from autorec_core.training.batches import BLOCK_ROWS, Batches


class TestBatches:
    @staticmethod
    def seen(batches, epoch):
        parts = [
            (chunk.labels.numpy()[chunk.order], chunk.inputs["ids"].numpy()[chunk.order])
            for chunk in batches.epoch(epoch)
        ]
        return [np.concatenate(arrays) for arrays in zip(*parts, strict=True)], len(parts)

    @pytest.mark.parametrize("chunk_bytes", [None, 12 * 64 * 3])
    def test_an_epoch_has_every_row_of_every_part_once(self, chunk_bytes):
        numbered = Rows(
            {"ids": np.arange(2000, dtype=np.int32).reshape(1000, 2)},
            np.arange(1000, dtype=np.float32),
        )
        other = Rows({"ids": numbered.inputs["ids"] + 2000}, numbered.labels + 1000)
        batches = Batches([numbered, other], 64, seed=1, chunk_bytes=chunk_bytes)
        (labels, ids), chunks = self.seen(batches, epoch=0)
        assert sorted(labels.tolist()) == list(range(2000))
        np.testing.assert_array_equal(ids[:, 0], labels * 2)
        assert chunks == (1 if chunk_bytes is None else 11)
        (again, _), _ = self.seen(batches, epoch=0)
        (next_epoch, _), _ = self.seen(batches, epoch=1)
        np.testing.assert_array_equal(again, labels)
        assert (next_epoch != labels).any()

    def test_a_chunk_mixes_rows_from_far_apart(self):
        number = 40 * BLOCK_ROWS
        numbered = Rows(
            {"ids": np.zeros((number, 2), np.int32)}, np.arange(number, dtype=np.float32)
        )
        batches = Batches([numbered], 64, seed=1, chunk_bytes=12 * 10 * BLOCK_ROWS)
        chunk = next(batches.epoch(0))
        labels = chunk.labels.numpy()
        assert len(labels) == 10 * BLOCK_ROWS
        assert labels.max() - labels.min() > number / 2

    def test_training_from_chunks_learns_as_well(self, monkeypatch):
        monkeypatch.setattr("autorec_core.training.batches.CHUNK_BYTES", 12 * 64 * 2)
        trained = train(recommender(), TRAIN, VALID, budget=Budget(epochs=15, patience=15), seed=1)
        assert trained.score < 0.7 * trained.constant_score
