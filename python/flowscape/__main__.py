"""``python -m flowscape`` is the command `flowscape`."""

import sys

from flowscape.cli import main

sys.exit(main())
