"""DeepCTR-Torch's DeepFM of the same size; runs in DeepCTR-Torch's own environment.

python benchmarks/deepfm_torch.py IDS ROWS

It trains once for each line on stdin.
"""

from __future__ import annotations

import contextlib
import io
import sys

from deepfm_data import BATCH, DIM, FIELDS, NUMBERS, UNITS, clicks, serve

with contextlib.redirect_stdout(io.StringIO()):
    from deepctr_torch.inputs import DenseFeat, SparseFeat
    from deepctr_torch.models import DeepFM


def main() -> None:
    ids, rows = int(sys.argv[1]), int(sys.argv[2])
    categorical, numeric, labels, each = clicks(rows, ids)
    columns = [
        SparseFeat(f"C{place}", vocabulary_size=each, embedding_dim=DIM) for place in range(FIELDS)
    ] + [DenseFeat(f"I{place}", 1) for place in range(NUMBERS)]
    inputs = {f"C{place}": categorical[:, place] for place in range(FIELDS)}
    inputs |= {f"I{place}": numeric[:, place] for place in range(NUMBERS)}
    # Penalties are off, as in AutoRec's model: they would read whole tables at every step.
    model = DeepFM(
        columns,
        columns,
        dnn_hidden_units=(UNITS, UNITS),
        l2_reg_linear=0,
        l2_reg_embedding=0,
        l2_reg_dnn=0,
    )
    model.compile("adam", "binary_crossentropy")
    serve(lambda: model.fit(inputs, labels, batch_size=BATCH, epochs=1, verbose=0), rows)


if __name__ == "__main__":
    main()
