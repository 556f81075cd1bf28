"""A service is kept answering beside the passes: none of them waits for one that hangs."""

from threading import Event

from reconciler.drivers.podman.keeping import Keeper
from reconciler.errors import DriverUnavailable


def test_what_is_quick_is_waited_for():
    done = []
    Keeper(lambda: done.append(1), moment=60.0)()
    assert done == [1]


def test_what_hangs_is_begun_once_and_not_waited_for():
    begun, go_on = [], Event()

    def ensure():
        begun.append(1)
        go_on.wait(60)

    keep = Keeper(ensure, moment=0.01)
    keep()
    keep()
    assert begun == [1]
    go_on.set()
    keep._thread.join(60)
    keep()
    assert begun == [1, 1]


def test_what_cannot_be_helped_is_left_to_the_pass():
    def ensure():
        raise DriverUnavailable("cannot start")

    Keeper(ensure)()
