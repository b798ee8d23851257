"""Two gateways and two nodes on one database, under load."""
