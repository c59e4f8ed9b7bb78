"""exp with biases: the branches without bias, pulled back along a chart."""
