"""Tests of the administration through a gateway."""
