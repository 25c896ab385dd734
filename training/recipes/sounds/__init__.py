"""AudioSet sounds that a package reports beside its classes: groups of labels and their thresholds."""
