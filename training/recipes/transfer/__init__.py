"""The recipe of the shipped model: a network that knows AudioSet learns ten classes."""
