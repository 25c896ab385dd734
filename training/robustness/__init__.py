"""Robustness: adversarial attacks, corruptions, and adversarial training."""
