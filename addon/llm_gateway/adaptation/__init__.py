"""What a provider's models do not take, and how a request is adapted to it. Pure."""
