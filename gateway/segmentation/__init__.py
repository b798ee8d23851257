"""An image's way through the gateway; read pipeline.py first."""
