"""The web page: a Streamlit app that is a client of the gateway."""
