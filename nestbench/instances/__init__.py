"""Objects told apart in a picture: what was found, how a probability is separated, and what of it is right.

True objects are label maps: int32 (H, W), 0 the background and a number for each object; numbers may be missing.
"""
