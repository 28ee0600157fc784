"""The public names of the library; written by `make format`."""

# ruff: noqa: E501, I001
# fmt: off
from autorec_core.block import choice as choice
from autorec_core.data.schema import Schema as Schema
from autorec_core.interactors.base import Interactor as Interactor
from autorec_core.interactors.bilinear import BilinearInteraction as BilinearInteraction
from autorec_core.interactors.compressed import CompressedInteraction as CompressedInteraction
from autorec_core.interactors.concatenate import ConcatenateInteraction as ConcatenateInteraction
from autorec_core.interactors.cross_net import CrossNetInteraction as CrossNetInteraction
from autorec_core.interactors.cross_net_v2 import CrossNetV2Interaction as CrossNetV2Interaction
from autorec_core.interactors.elementwise import ElementwiseInteraction as ElementwiseInteraction
from autorec_core.interactors.fm import FMInteraction as FMInteraction
from autorec_core.interactors.gated_cross import GatedCrossInteraction as GatedCrossInteraction
from autorec_core.interactors.hyper import HyperInteraction as HyperInteraction
from autorec_core.interactors.inner_product import InnerProductInteraction as InnerProductInteraction
from autorec_core.interactors.mlp import MLPInteraction as MLPInteraction
from autorec_core.interactors.pairwise_dot import PairwiseDotInteraction as PairwiseDotInteraction
from autorec_core.interactors.parallel import Parallel as Parallel
from autorec_core.interactors.random_select import RandomSelectInteraction as RandomSelectInteraction
from autorec_core.interactors.self_attention import SelfAttentionInteraction as SelfAttentionInteraction
from autorec_core.interactors.squeeze_excitation import SqueezeExcitationInteraction as SqueezeExcitationInteraction
from autorec_core.interactors.two_stream import TwoStreamInteraction as TwoStreamInteraction
from autorec_core.mappers.base import Mapper as Mapper
from autorec_core.mappers.bias import BiasMapper as BiasMapper
from autorec_core.mappers.day_bias import DayBiasMapper as DayBiasMapper
from autorec_core.mappers.dense_feature import DenseFeatureMapper as DenseFeatureMapper
from autorec_core.mappers.history import HistoryMapper as HistoryMapper
from autorec_core.mappers.latent_factor import LatentFactorMapper as LatentFactorMapper
from autorec_core.mappers.linear import LinearMapper as LinearMapper
from autorec_core.mappers.pooled_feature import PooledFeatureMapper as PooledFeatureMapper
from autorec_core.mappers.rate import RateMapper as RateMapper
from autorec_core.mappers.rated_history import RatedHistoryMapper as RatedHistoryMapper
from autorec_core.mappers.sparse_feature import ColumnsMapper as ColumnsMapper
from autorec_core.mappers.sparse_feature import SparseFeatureMapper as SparseFeatureMapper
from autorec_core.optimizers import CTRPredictionOptimizer as CTRPredictionOptimizer
from autorec_core.optimizers import RatingPredictionOptimizer as RatingPredictionOptimizer
from autorec_core.optimizers import TaskOptimizer as TaskOptimizer
from autorec_core.recipe import Training as Training
from autorec_core.recommender import CTRRecommender as CTRRecommender
from autorec_core.recommender import Input as Input
from autorec_core.recommender import RPRecommender as RPRecommender
from autorec_core.recommender import Recommender as Recommender
from autorec_core.scorer import Scorer as Scorer
from autorec_core.search.facade import Search as Search
