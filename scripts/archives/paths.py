"""Paths of a checkout."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MODEL_STORE = ROOT / "model_store"
