"""A full disk, as far as this process can tell: no file may grow while it lasts."""

import resource
from contextlib import contextmanager


@contextmanager
def full_disk():
    """Every write to a file is refused; what is there can be read, replaced and removed."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
