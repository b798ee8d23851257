"""What the product costs and gives, measured side by side in one run."""
