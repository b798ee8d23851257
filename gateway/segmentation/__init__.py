"""The path of an image through the gateway; read pipeline.py first."""
