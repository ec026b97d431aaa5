"""Translation between API formats: one neutral form, which each dialect reads and writes."""
