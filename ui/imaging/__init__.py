"""Pixel code: decoding, masks and overlays; it knows neither Streamlit nor HTTP."""
