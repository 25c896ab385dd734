"""The comparison of all models, made from records alone: gather, then tables and pictures, then a page."""
