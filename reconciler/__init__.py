"""GitOps for one box: makes Podman match a directory of app manifests, and keeps it so."""

__version__ = "0.1.0"
