"""The task of ``make train-proof``, easy enough for a model of 0.9 M parameters."""
