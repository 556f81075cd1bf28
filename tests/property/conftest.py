"""The machine is shared and noisy: no example is judged by the clock."""

from hypothesis import settings

settings.register_profile("noisy", deadline=None, print_blob=True)
settings.load_profile("noisy")
