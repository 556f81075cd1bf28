"""Adapters that turn bytes in folders into documents. They never decide."""
