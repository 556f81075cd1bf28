"""The command line: one verb a module, which imports what is heavy only when it is used."""
