"""Positively homogeneous activations: neurons on common lines."""
