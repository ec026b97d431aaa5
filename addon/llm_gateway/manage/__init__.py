"""The gateway's own port beyond routing: who may ask it what (`guard`)."""
