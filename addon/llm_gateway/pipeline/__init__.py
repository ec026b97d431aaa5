"""A request's way: access control, routing, forwarding, failures, settlement, passthrough."""
