"""How easily a model is fooled: attacks, everyday disturbances, and training against them."""
