"""Prediction: images and volumes of any size to masks, by a network and what is known of its training."""

from nestbench.predict.masks import decided, predict_mask, predict_probabilities

__all__ = ["decided", "predict_mask", "predict_probabilities"]
