"""Settings of all tests: examples of properties are the same in every run, however busy the machine."""

from hypothesis import settings

settings.register_profile("repeatable", deadline=None, derandomize=True, max_examples=60)
settings.load_profile("repeatable")
