"""Where a container comes from: an image by its full name, or a folder that it is built from."""

from reconciler.importing.given import Given
from reconciler.importing.tree import Leaf, Section
from reconciler.importing.work import Work

_NOT_BUILT = ("an image is not built from it here", "give an `image`, or a `build` directory")


def full_name(image: str) -> str:
    """Return an image's name with the registry that Docker means where none is written."""
    first, slash, _ = image.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return image
    return f"docker.io/{image}" if slash else f"docker.io/library/{image}"


def carry_image(given: Given, container: Section, work: Work) -> None:
    """Write the image; one without a version is told."""
    del work
    text = given.closed_text()
    if text is None:
        return
    name = text.strip()
    container["image"] = Leaf(full_name(name) if name else name, given.path)
    last = name.rpartition("/")[2]
    if "@" not in last and (":" not in last or last.endswith(":latest")):
        hint = "write the version that you mean after the `:`"
        given.changed(f"the image `{name[:80]}` is not pinned: what runs may change", hint)


def carry_build(service: Given, container: Section, work: Work) -> None:
    """Write what an image is built from, where there is no image and the folder is known."""
    given = service.get("build")
    if given is None:
        return
    if service.get("image") is not None:
        given.not_carried("there is an image, and that is taken", "remove it to build your own")
        return
    context = given.get("context") if given.is_mapping else given
    path = context.closed_text() if context is not None else "."
    if path is None or not work.has_folder(path):
        given.not_carried(*_NOT_BUILT)
        return
    build: Section = {
        "context": Leaf(path, given.path),
        "containerfile": Leaf("Dockerfile", given.path),
    }
    if given.is_mapping:
        _more_of_build(given, build)
    container["build"] = build
    given.changed(f"the image is built from `{path}`, which has to lie beside the manifest")


def _more_of_build(given: Given, build: Section) -> None:
    file, arguments = given.get("dockerfile"), given.get("args")
    if file is not None and (name := file.closed_text()):
        build["containerfile"] = Leaf(name, file.path)
    if arguments is not None and arguments.is_mapping:
        texts = ((key, value, value.closed_text()) for key, value in arguments.pairs())
        build["args"] = {k: Leaf(t, v.path) for k, v, t in texts if t is not None}
    elif arguments is not None:
        texts = (("", entry, entry.closed_text()) for entry in arguments.entries())
        build["args"] = {
            t.partition("=")[0]: Leaf(t.partition("=")[2], e.path) for _, e, t in texts if t
        }
