import torch

from nestbench.study.schema import Recipe
from nestbench.train.schedule import LearningRate


def test_the_plateau_schedule_falls_when_half_of_patience_brought_nothing_better():
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    rate = LearningRate(optimiser, Recipe(schedule="plateau", patience=4), steps=1)
    rates = []
    for iou in (0.5, 0.6, 0.6, 0.59, 0.61, 0.6, 0.6, 0.6, 0.6):
        rate.after_epoch(iou)
        rates.append(round(optimiser.param_groups[0]["lr"], 6))
    assert rates == [1, 1, 1, 0.2, 0.2, 0.2, 0.04, 0.04, 0.008]
