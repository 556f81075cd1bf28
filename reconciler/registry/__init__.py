"""What registries say of images, and the ledger of what was taken to be said. Decides nothing."""
