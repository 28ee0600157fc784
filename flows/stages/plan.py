"""The plan stage: keeps the plan of the training flow, or plans a full search without one."""

from __future__ import annotations

from flows.config import Params
from flows.retraining.plan import UNPLANNED, Plan, deciding
from flows.workspace import Places


def run(params: Params, places: Places) -> None:
    """Keeps the plan if it is still what params.yaml asks for. If not, replaces it."""
    asked, dataset = params.retrain_mode(places.dataset), places.dataset
    decides = deciding(params.model_dump(mode="json"), dataset)
    plan = Plan.load(places.plan)
    if plan is None or not plan.fits(asked, decides):
        plan = Plan("search", asked, UNPLANNED, decides=decides)
        plan.save(places.plan)
    print(f"{plan.mode}: {plan.reason}")
