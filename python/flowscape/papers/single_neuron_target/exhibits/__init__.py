"""Table 1 and Figures 1 to 11, one file each: a function that computes, one that draws."""

from flowscape.papers.single_neuron_target.exhibits.fig1 import FIG1
from flowscape.papers.single_neuron_target.exhibits.fig2 import FIG2
from flowscape.papers.single_neuron_target.exhibits.fig3 import FIG3
from flowscape.papers.single_neuron_target.exhibits.fig4 import FIG4
from flowscape.papers.single_neuron_target.exhibits.fig5 import FIG5
from flowscape.papers.single_neuron_target.exhibits.fig6 import FIG6
from flowscape.papers.single_neuron_target.exhibits.fig7 import FIG7
from flowscape.papers.single_neuron_target.exhibits.fig8 import FIG8
from flowscape.papers.single_neuron_target.exhibits.fig9 import FIG9
from flowscape.papers.single_neuron_target.exhibits.fig10 import FIG10
from flowscape.papers.single_neuron_target.exhibits.fig11 import FIG11
from flowscape.papers.single_neuron_target.exhibits.table1 import TABLE1

__all__ = ["EXHIBITS"]

EXHIBITS = (TABLE1, FIG1, FIG2, FIG3, FIG4, FIG5, FIG6, FIG7, FIG8, FIG9, FIG10, FIG11)
