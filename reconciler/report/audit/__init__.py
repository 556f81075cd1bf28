"""The audit log: what was decided and done, in a chain that shows every cut."""
