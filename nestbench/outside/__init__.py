"""Whole networks of other libraries, as baselines beside the family: each is a plugin of the group nestbench.models.

A plugin is called with (variant, encoder, depth, in_channels, classes, dims, pretrained) and gives a module that turns
images (N, C, H, W) into logits (N, classes, H, W); with dims 3 a D stands before H. It is given sides that 2^depth
divides, or else the module's own attribute ``multiple``.
"""
