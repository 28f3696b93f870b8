"""Which of the searched keys decided how well a trial did."""

import math
from collections.abc import Sequence
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.trial import create_trial

from nestbench.results.importance import Importance

ENOUGH = 20
"""Finished trials below which nothing is said: the best quarter would be fewer than five."""

_BEST = 0.25


def importance(space: dict[str, BaseDistribution], told: Sequence[tuple[dict[str, Any], float]]) -> Importance | None:
    """How much each key decides whether a trial is among the best quarter, by PED-ANOVA (Watanabe et al., 2023).

    ``told``: each finished trial's values and what came of them, in the order of their numbers. None where they are
    fewer than ``ENOUGH``, or where the best quarter does as well as all of them.
    """
    if len(told) < ENOUGH or _alike([value for _, value in told]):
        return None
    study = optuna.create_study(direction="maximize")
    study.add_trials([create_trial(value=value, params=params, distributions=space) for params, value in told])
    # Named where it is used: Optuna imports it only then, and with it scikit-learn where that is installed.
    evaluator = optuna.importance.PedAnovaImportanceEvaluator(target_quantile=_BEST)
    shares = optuna.importance.get_param_importances(study, evaluator=evaluator)
    return Importance("PED-ANOVA", len(told), {key: round(shares[key], 4) for key in sorted(shares)})


def _alike(values: list[float]) -> bool:
    ranked = sorted(values, reverse=True)
    return ranked[math.ceil(_BEST * len(ranked)) - 1] == ranked[-1]
