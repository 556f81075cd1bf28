"""Adapters that tell the world: status file, event journal, metrics, log lines. Never decide."""
