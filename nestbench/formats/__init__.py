"""Files of images and volumes as arrays, with their place in space: what a decoder raises becomes one sentence."""
