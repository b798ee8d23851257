"""The served model: its versions, the default version, and the labels of each."""
