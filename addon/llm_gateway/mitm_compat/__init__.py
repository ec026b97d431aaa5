"""Everything that is bound to a version of mitmproxy: required names, fingerprints."""
