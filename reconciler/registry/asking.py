"""Many questions at once, so that one slow registry delays nobody else's answer."""

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor

from reconciler.errors import RegistryError
from reconciler.model.pin import Told

AT_ONCE = 8


def ask_all(digest: Callable[[str], str], images: Iterable[str]) -> Mapping[str, Told]:
    """Ask about each image once; who does not answer is in the answer."""

    def told(image: str) -> Told:
        try:
            return Told(digest(image))
        except RegistryError as error:
            return Told(error=str(error))

    wanted = sorted(set(images))
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="registry") as pool:
        return dict(zip(wanted, pool.map(told, wanted), strict=True))
