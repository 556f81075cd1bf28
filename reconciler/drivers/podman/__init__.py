"""Podman, through its REST API. The only importer of podman-py."""
