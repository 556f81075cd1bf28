"""What a user writes, checked once and frozen. Pure: sources turn YAML into these, never this."""
