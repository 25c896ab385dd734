"""Compare all models from their records alone: gather, then tables and pictures, then a page."""
