"""Encoders: an image to features at strides 1, 2, 4, ..., finest first; nothing here knows the decoder."""
