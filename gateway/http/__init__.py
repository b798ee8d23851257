"""HTTP between the socket and the routes; knows no model."""
