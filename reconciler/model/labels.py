"""The labels that tell a new reconciler all it needs to know of a container that it finds."""

PREFIX = "io.archipelago."
FORMAT = PREFIX + "format"  # version of this set of labels
INSTANCE = PREFIX + "instance"
APP = PREFIX + "app"
CONTAINER = PREFIX + "container"
DIGEST = PREFIX + "digest"
REQUIRES = PREFIX + "requires"  # comma-separated app ids
SECRETS = PREFIX + "secrets"  # comma-separated names of secrets that it was given
SOURCE = PREFIX + "source"
STOP_GRACE_PERIOD = PREFIX + "stop-grace-period"  # seconds

FORMAT_VERSION = "1"
