"""Usage that providers report, and what it costs. Pure."""
