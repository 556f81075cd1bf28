"""Decisions. Pure: values in, values out; no clock, no I/O, no client library."""
