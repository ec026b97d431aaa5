"""Parts of a start: environment, what is built, what listens, what is optional."""
