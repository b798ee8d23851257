"""The pages, one module each; `ui.app` lists them."""

# Not named "pages": Streamlit makes a navigation of its own from a folder of that name beside the
# main script, and shows it until the first script run of a server has reached st.navigation.
