"""Figures 1 to 8, Tables 1 and 2 and the worked examples."""

from flowscape.papers.local_recovery.exhibits.fig1 import FIG1
from flowscape.papers.local_recovery.exhibits.fig2 import FIG2
from flowscape.papers.local_recovery.exhibits.fig3 import FIG3
from flowscape.papers.local_recovery.exhibits.fig4 import FIG4, FIG5
from flowscape.papers.local_recovery.exhibits.fig6 import FIG6
from flowscape.papers.local_recovery.exhibits.fig7 import FIG7
from flowscape.papers.local_recovery.exhibits.fig8 import FIG8
from flowscape.papers.local_recovery.exhibits.tables import TABLE1, TABLE2
from flowscape.papers.local_recovery.exhibits.worked import EXAMPLE2, EXAMPLE3

__all__ = ["EXHIBITS"]

EXHIBITS = (FIG1, FIG2, FIG3, FIG4, FIG5, FIG6, FIG7, FIG8, TABLE1, TABLE2, EXAMPLE2, EXAMPLE3)
