"""What a request through the gateway costs, next to bare mitmdump and to its peers."""
