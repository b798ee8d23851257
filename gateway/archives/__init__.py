"""Archives of model versions: kept by their digest, and inspected before they count."""
