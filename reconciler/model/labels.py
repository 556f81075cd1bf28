"""The labels that tell a new reconciler all it needs to know of a container that it finds."""

PREFIX = "io.archipelago."
FORMAT = PREFIX + "format"  # version of this set of labels
INSTANCE = PREFIX + "instance"
APP = PREFIX + "app"
CONTAINER = PREFIX + "container"
DIGEST = PREFIX + "digest"
REQUIRES = PREFIX + "requires"  # comma-separated app ids
SECRETS = PREFIX + "secrets"  # comma-separated names of secrets that it hangs on
IMAGE = PREFIX + "image"  # the reference as the manifest has it
IMAGE_DIGEST = PREFIX + "image-digest"  # what that was taken to mean
SOURCE = PREFIX + "source"
STOP_GRACE_PERIOD = PREFIX + "stop-grace-period"  # seconds

FORMAT_VERSION = "1"
