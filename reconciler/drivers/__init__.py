"""Container engines behind one port. Each driver is independent of the others."""
