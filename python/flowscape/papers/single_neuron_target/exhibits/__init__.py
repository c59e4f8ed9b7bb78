"""Table 1 and Figures 1 to 11, one file each: a function that computes, one that draws."""

from flowscape.papers.single_neuron_target.exhibits.fig4 import FIG4

__all__ = ["EXHIBITS"]

EXHIBITS = (FIG4,)
