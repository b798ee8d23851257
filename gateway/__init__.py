"""The public API of Segserve: limits, routing and colours in front of a private TorchServe."""
