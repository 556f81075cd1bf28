"""Gathers evidence for the gates. Collects facts; judges none of them."""
