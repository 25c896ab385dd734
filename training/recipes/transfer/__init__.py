"""The recipe of the shipped model: transfer of an AudioSet network to ten classes."""
