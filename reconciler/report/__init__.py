"""Tells the world what happened: status file, journal, metrics, log lines. Never decides."""
