"""What the agent keeps on its disk."""
