"""Numbers that the UNet++ paper prints for nuclei, to set beside ours.

Source: arXiv 1912.05074, table of the semantic results: IoU in percent, mean and standard deviation of 20 trials. The
paper cuts overlapping patches, votes where they overlap and does not define its IoU, so only the order of members can
be compared with ours, not the level.
"""

NUCLEI: dict[str, tuple[float, float]] = {
    "unet": (90.57, 1.26),
    "wide-unet": (90.47, 1.15),
    "unet+": (91.73, 1.09),
    "unet+ds": (92.04, 0.89),
    "unet++": (92.44, 1.20),
    "unet++ds": (92.37, 0.98),
}
