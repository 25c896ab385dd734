"""The network that ships: it carries its past from hop to hop and computes only what is new."""
