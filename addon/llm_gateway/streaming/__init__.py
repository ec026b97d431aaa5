"""Event streams: parser, probe of an answer's beginning, meter of its usage. Pure."""
