"""The comparison of the product with other servers."""
