"""`python -m llm_gateway` is `llm-gateway`."""

import sys

from llm_gateway.cli import main

sys.exit(main())
