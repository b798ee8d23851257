"""API keys: authentication, authorization and quotas."""
