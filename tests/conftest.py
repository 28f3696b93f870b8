from hypothesis import settings

# How long a test takes says nothing about the code.
settings.register_profile("nestbench", deadline=None, max_examples=50)
settings.load_profile("nestbench")
