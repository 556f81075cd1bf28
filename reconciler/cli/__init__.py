"""The command line: one verb a module, one screen each."""
