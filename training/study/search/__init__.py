"""The search of hyperparameters on a storage that several machines share."""
