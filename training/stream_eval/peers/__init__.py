"""The default model's networks beside peers, each calibrated for itself, at equal false alarms."""
