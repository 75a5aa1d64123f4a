"""`python -m medvision.cli` runs the command."""

import sys

from medvision.cli import main

sys.exit(main())
