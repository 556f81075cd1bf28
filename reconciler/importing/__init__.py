"""Manifests out of what other systems have: plain data in, a draft and its report out. Pure."""
