"""The config: what it may say (`models`), how it is read (`load`), how it is changed
without losing its comments (`edit`, `jsonc`), and how it is written (`files`)."""
