"""Values only: frozen, without behaviour that touches the world. Imports nothing but errors."""
