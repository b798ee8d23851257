"""Requests to the gateway and its responses as typed values."""
