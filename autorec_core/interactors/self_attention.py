"""Multi-head self-attention between fields."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import keras

from autorec_core.block import choice
from autorec_core.interactors.base import Interactor, fields


@dataclass(frozen=True, kw_only=True)
class SelfAttentionInteraction(Interactor):
    """Replaces every field by a weighted mean of all fields; the weights depend on the fields.

    Each head computes `softmax(q k^T / sqrt(attention_dim)) v` with `q = x w_q`, `k = x w_k` and
    `v = x w_v`, and the heads are concatenated. With the residual, a layer is
    `relu(heads + x w_residual)` (AutoInt).

    Args:
        embedding_dim: The width to which fields of another width are mapped first; 0 for the
            smallest field's width.
        attention_dim: Width of each head.
        num_heads: Number of heads.
        num_layers: Number of layers, at least 1.
        use_residual: Whether a layer adds its own input, linearly mapped.

    Returns:
        Tensor of shape (batch_size, fields * num_heads * attention_dim).

    References:
        [Song et al., 2019](https://arxiv.org/abs/1810.11921)
    """

    THESIS: ClassVar[Mapping[str, Any]] = {
        "embedding_dim": choice(4, 8, 16, default=8),
        "num_layers": 1,
    }

    embedding_dim: int = choice(0, 4, 8, 16, least=0)
    attention_dim: int = choice(4, 8, 16, default=8, least=1)
    num_heads: int = choice(1, 2, 3, 4, default=2, least=1)
    num_layers: int = choice(1, 2, 3, least=1)
    use_residual: bool = choice(True, False)

    def connect(self, inputs: Sequence[Any]) -> Any:
        """Builds the attention layers over the fields of all inputs."""
        x = fields(inputs, self.embedding_dim)
        for _ in range(self.num_layers):
            x = FieldAttention(self.attention_dim, self.num_heads, self.use_residual)(x)
        return keras.layers.Flatten()(x)


@keras.saving.register_keras_serializable(package="autorec")
class FieldAttention(keras.layers.Layer):
    """One layer of multi-head self-attention.

    Args:
        attention_dim: Width of each head.
        num_heads: Number of heads.
        use_residual: Whether the layer adds its own input, linearly mapped.
    """

    def __init__(
        self, attention_dim: int, num_heads: int, use_residual: bool, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.attention_dim = attention_dim
        self.num_heads = num_heads
        self.use_residual = use_residual

    def build(self, input_shape: Any) -> None:
        """Creates a matrix each for queries, keys, values and, with the residual, the input."""
        for name in ("query", "key", "value", *(["residual"] if self.use_residual else [])):
            kernel = self.add_weight(
                name=name,
                shape=(input_shape[-1], self.num_heads * self.attention_dim),
                initializer="glorot_uniform",
            )
            setattr(self, f"{name}_kernel", kernel)

    def call(self, inputs: Any) -> Any:
        """Maps (batch_size, fields, dim) to (batch_size, fields, num_heads * attention_dim)."""
        ops = keras.ops
        split = (-1, inputs.shape[1], self.num_heads, self.attention_dim)
        query = ops.reshape(ops.matmul(inputs, self.query_kernel), split)
        key = ops.reshape(ops.matmul(inputs, self.key_kernel), split)
        value = ops.reshape(ops.matmul(inputs, self.value_kernel), split)
        scores = ops.einsum("bqhd,bkhd->bhqk", query, key) / self.attention_dim**0.5
        heads = ops.einsum("bhqk,bkhd->bqhd", ops.softmax(scores), value)
        output = ops.reshape(heads, (-1, inputs.shape[1], self.num_heads * self.attention_dim))
        if self.use_residual:
            output = ops.relu(output + ops.matmul(inputs, self.residual_kernel))
        return output

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "attention_dim": self.attention_dim,
            "num_heads": self.num_heads,
            "use_residual": self.use_residual,
        }
